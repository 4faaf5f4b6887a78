//! Asks every process for its id: the main process and two children.
#![expect(clippy::print_stdout, reason = "examples print")]

use std::error::Error;
use std::sync::mpsc;
use std::time::Duration;

use remote_parent::{Parent, this_module};

/// What runs in every process.
mod remote {
    use remote_child::Child;

    remote_child::register_module!(main);
    fn main(child: &Child) {
        child.process().port().on("fetchID", |process, ()| {
            process.port().emit("id", &(process.is_remote(), process.id().pid())).ok();
        });
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    remote_child::init();
    let parent = Parent::new()?;
    parent.remote_require("./remote", this_module!())?;

    let (answers, answered) = mpsc::channel();
    parent.processes().port().on("id", move |_process, answer: (bool, u32)| {
        answers.send(answer).ok();
    });
    // The main process is there already, and asked at once; the children are asked as they attach.
    parent.processes().for_every(|process| {
        process.port().emit("fetchID", &()).ok();
    });
    print_answer(&answered)?;
    for _ in 0..2 {
        parent.processes().spawn()?;
        print_answer(&answered)?;
    }
    Ok(parent.close()?)
}

fn print_answer(answered: &mpsc::Receiver<(bool, u32)>) -> Result<(), mpsc::RecvTimeoutError> {
    let (is_remote, id) = answered.recv_timeout(Duration::from_secs(10))?;
    println!("child process is remote: {is_remote}");
    println!("child process ID: {id}");
    Ok(())
}
