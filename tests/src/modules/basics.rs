//! What a process is, and what it gives back.

use remote_child::Child;
use remote_object::Value;

use crate::modules::answer;
use crate::samples::Sample;

remote_child::register_module!(main);
fn main(child: &Child) {
    // By the process's id as the module sees it, whether it is remote, and the system's id.
    answer(child, "identity", |child, ()| {
        let process = child.process();
        Ok::<_, String>((process.id().pid(), process.is_remote(), std::process::id()))
    });
    answer(child, "echo sample", |_child, sample: Sample| Ok::<_, String>(sample));
    answer(child, "echo value", |_child, value: Value| Ok::<_, String>(value));
    answer(child, "echo nans", |_child, nans: Vec<f64>| Ok::<_, String>(nans));
    answer(child, "sync", |_child, ()| Ok::<_, String>(()));
}
