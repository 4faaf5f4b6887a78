//! Does what it is told, and keeps account of it.

use std::cell::RefCell;
use std::rc::Rc;

use remote_child::{Child, Frame, FrameId, FrameOptions, ProcessId};
use serde::{Deserialize, Serialize};

/// What a frame is called on both sides, also before the parent has heard of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Name {
    Opened(FrameId),
    /// By the number of the command.
    Registered(u64),
}

/// What to do; all of it is heard, too.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Act {
    Hear,
    Say,
    SayOn(Name),
    SayOnAll,
    Register { tab: bool },
    Close(Name),
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Command {
    pub number: u64,
    pub act: Act,
}

/// What was heard, and on which frame.
pub type Heard = (u64, Option<Name>);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub process: ProcessId,
    pub heard: Vec<Heard>,
    pub frames: Vec<(FrameId, Name, bool)>,
}

fn name(frame: &Frame) -> Name {
    frame.content::<u64>().map_or_else(|| Name::Opened(frame.id()), |number| Name::Registered(*number))
}

fn find(child: &Child, wanted: Name) -> Frame {
    child.frames().iter().find(|frame| name(frame) == wanted).unwrap_or_else(|| panic!("there is no {wanted:?}"))
}

remote_child::register_module!(main);
fn main(child: &Child) {
    let heard = Rc::new(RefCell::new(Vec::<Heard>::new()));
    let (own, log) = (child.clone(), Rc::clone(&heard));
    child.process().port().on("command", move |_process, command: Command| {
        log.borrow_mut().push((command.number, None));
        act(&own, command);
    });
    let log = Rc::clone(&heard);
    child.frames().port().on("hear", move |frame, number: u64| log.borrow_mut().push((number, Some(name(frame)))));
    let report = move |child: &Child| {
        let frames = child.frames().iter().map(|frame| (frame.id(), name(&frame), frame.is_tab())).collect();
        let heard = std::mem::take(&mut *heard.borrow_mut());
        let report = Report { process: child.process().id(), heard, frames };
        // A process that is cut off cannot say it.
        let _ = child.process().port().emit("report", &report);
    };
    let report = Rc::new(report);
    let (own, asked) = (child.clone(), Rc::clone(&report));
    child.process().port().on("report", move |_process, ()| asked(&own));
    let own = child.clone();
    child.on_unload(move |_reason| report(&own));
}

fn act(child: &Child, Command { number, act }: Command) {
    let said = match act {
        Act::Hear => Ok(()),
        Act::Say => child.process().port().emit("said", &number),
        Act::SayOn(name) => find(child, name).port().emit("said", &number),
        Act::SayOnAll => child.frames().port().emit("said", &number),
        Act::Register { tab } => {
            let options = if tab { FrameOptions::tab() } else { FrameOptions::new() };
            let frame = child.frames().register(number, options);
            frame.and_then(|frame| frame.port().emit("registered", &number))
        }
        Act::Close(name) => {
            find(child, name).close();
            Ok(())
        }
    };
    // The parent kills processes in the middle of this, and cuts off those of memory.
    drop(said);
}
