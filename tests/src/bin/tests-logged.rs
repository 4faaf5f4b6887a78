//! A parent of its own that does a little of everything; the tests read what it logs. Its children are this same program.

use std::error::Error;
use std::io::{Write, stdout};
use std::sync::mpsc::channel;
use std::time::Duration;

use remote_parent::{FrameOptions, Parent, Process, this_module};
use tests::modules::answer_to;
use tests::modules::typed::{PING, PONG, Ping};
use tests::objects::Objects;

fn main() -> Result<(), Box<dyn Error>> {
    remote_child::init();
    let parent = Parent::new()?;
    let objects = Objects::served(&parent);
    for module in ["frames", "typed", "ports", "objects", "basics", "calling", "surroundings"] {
        parent.remote_require(&format!("tests::modules::{module}"), this_module!())?;
    }
    let (tell, told) = channel();
    let tell = move |what: &'static str| {
        let tell = tell.clone();
        move || tell.send(what).unwrap_or(())
    };
    let process = parent.processes().spawn()?;
    let (error, pong, located, added) = (tell("error"), tell("pong"), tell("located"), tell("added"));
    parent.processes().on_error(move |_process, _error| error());
    process.port().on(PONG, move |_process, _pong| pong());
    parent.frames().port().on("located", move |_frame, _: String| located());
    process.port().on("added", move |_process, _: Result<i64, String>| added());

    process.port().emit("note", "two\nlines")?;
    process.port().emit("a name\nof two lines", &())?;
    process.port().emit("explode over two lines", &())?;
    process.port().emit(PING, &Ping::new(1))?;
    process.port().emit("add on a thread", &(1, 2))?;
    let frame = parent.frames().open(&process, FrameOptions::tab())?;
    frame.port().emit("changeLocation", "#there")?;
    sync(&process, &answer_to("sync"))?;
    for _ in 0..5 {
        told.recv_timeout(PATIENCE)?;
    }
    frame.close();
    sync(&process, &answer_to("sync"))?;
    writeln!(stdout(), "{}", process.id())?;
    process.close();
    process.wait(PATIENCE).ok_or("it does not go")?;
    drop(objects);
    Ok(parent.close()?)
}

fn sync(process: &Process, answer: &str) -> Result<(), Box<dyn Error>> {
    let (tell, answered) = channel();
    process.port().once(&answer.to_owned(), move |_process, _: Result<(), String>| tell.send(()).unwrap_or(()));
    process.port().emit("sync", &())?;
    Ok(answered.recv_timeout(PATIENCE)?)
}

const PATIENCE: Duration = Duration::from_secs(20);
