//! What a process is started with.

use std::env;
use std::io::{Read, Write, stderr, stdin, stdout};

use remote_child::Child;

use crate::modules::answer;

remote_child::register_module!(main);
fn main(child: &Child) {
    answer(child, "arguments", |_child, ()| Ok::<_, String>(env::args().collect::<Vec<_>>()));
    answer(child, "environment", |_child, ()| Ok::<_, String>(env::vars().collect::<Vec<_>>()));
    answer(child, "directory", |_child, ()| env::current_dir());
    answer(child, "read", |_child, ()| {
        let mut text = String::new();
        stdin().read_to_string(&mut text).map(|_| text)
    });
    answer(child, "print", |_child, text: String| writeln!(stdout(), "{text}").and_then(|()| stdout().flush()));
    answer(child, "complain", |_child, text: String| writeln!(stderr(), "{text}"));
    child.process().port().on("explode over two lines", |_process, ()| panic!("one line\nand another"));
}
