//! All code of the parent on one thread, as a user interface wants it: listeners go to a queue that the main thread pumps.
#![expect(clippy::print_stdout, reason = "examples print")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use remote_parent::{Executor, Parent, ParentOptions, Task, this_module};

/// What runs in every process.
mod remote {
    use remote_child::{Child, EmitError};

    remote_child::register_module!(main);
    fn main(child: &Child) -> Result<(), EmitError> {
        child.process().port().emit("hello", &())
    }
}

struct Queue(Sender<Task>);

impl Executor for Queue {
    fn execute(&self, task: Task) {
        // The queue is gone when nobody pumps it any more.
        self.0.send(task).ok();
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    remote_child::init();
    let (tasks, queue) = channel();
    let parent = Parent::with_options(ParentOptions::new().executor(Arc::new(Queue(tasks))))?;
    parent.remote_require("./remote", this_module!())?;

    let (pumping, heard) = (thread::current().id(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&heard);
    parent.processes().port().on("hello", move |process, ()| {
        count.fetch_add(1, Ordering::Relaxed);
        let kind = if process.is_remote() { "child" } else { "main" };
        println!("{kind} process heard on the pumping thread: {}", thread::current().id() == pumping);
    });
    for _ in 0..2 {
        parent.processes().spawn()?; // does not wait for listeners, and neither does `close`
    }
    while heard.load(Ordering::Relaxed) < 3 {
        let task = queue.recv()?;
        task();
    }
    Ok(parent.close()?)
}
