//! Asks for what belongs to a process or a frame.

use std::time::Duration;

use remote_child::{Child, Frame, FrameId, FrameOptions};
use remote_object::{CallError, ChildExt, FrameExt, Remote, Root};
use remote_protocol::call::{Outcome, Request};
use remote_protocol::service::CallFailure;

use crate::interfaces::{Item, Mirror};
use crate::modules::answer;

remote_child::register_module!(main);
fn main(child: &Child) {
    answer(child, "module", |child, name: String| Ok::<_, String>(child.remote().require(&name).and_then(name_of)));
    answer(child, "module by name", |child, name: String| {
        Ok::<_, String>(child.remote().require_dynamic(&name).map(drop).err())
    });
    answer(child, "global", |child, name: String| Ok::<_, String>(child.remote().global(&name).and_then(name_of)));
    answer(child, "process", |child, ()| Ok::<_, String>(child.remote().process().and_then(name_of)));
    answer(child, "process twice", |child, ()| {
        let remote = child.remote();
        let one = remote.process::<dyn Item>()?;
        assert_eq!(one, child.remote().process::<dyn Item>()?);
        assert_eq!(one, child.frames().register((), FrameOptions::new()).expect("it attaches").remote().process()?);
        name_of(one)
    });
    answer(child, "process as something else", |child, ()| {
        child.remote().process::<dyn Item>()?;
        Ok::<_, CallError>(child.remote().process::<dyn Mirror>().map(drop).err())
    });
    answer(child, "window", |child, id: FrameId| of_frame(child, id, |frame| frame.remote().current_window()));
    answer(child, "contents", |child, id: FrameId| of_frame(child, id, |frame| frame.remote().current_web_contents()));
    answer(child, "window twice", |child, id: FrameId| {
        let frame = child.frames().get(id).expect("it is there");
        assert_eq!(frame.remote().current_window::<dyn Item>()?, frame.remote().current_window()?);
        Ok::<_, CallError>(())
    });
    answer(child, "window as something else", |child, id: FrameId| {
        let frame = child.frames().get(id).expect("it is there");
        Ok::<_, String>(frame.remote().current_window::<dyn Mirror>().map(drop).err())
    });
    // At once, before the parent can have told anybody of the frame.
    answer(child, "register and ask", |child, tab: bool| {
        let options = if tab { FrameOptions::tab() } else { FrameOptions::new() };
        let frame = child.frames().register((), options).map_err(|error| error.to_string())?;
        frame.remote().current_window().and_then(name_of).map_err(|error| error.to_string())
    });
    answer(child, "close and ask", |child, id: FrameId| {
        of_frame(child, id, |frame| {
            frame.close();
            frame.remote().current_window()
        })
    });
    answer(child, "window of no frame", |child, ()| {
        Ok::<_, String>(child.remote().current_window::<dyn Item>().map(drop).err())
    });
    answer(child, "window of any frame", |child, id: FrameId| Ok::<_, String>(ask(child, Root::CurrentWindow(id))));
}

fn of_frame(
    child: &Child,
    id: FrameId,
    ask: impl FnOnce(&Frame) -> Result<Remote<dyn Item>, CallError>,
) -> Result<Result<String, CallError>, String> {
    let frame = child.frames().get(id).ok_or("there is no such frame")?;
    Ok(ask(&frame).and_then(name_of))
}

fn name_of(item: Remote<dyn Item>) -> Result<String, CallError> {
    item.name()
}

/// Asks as no honest child does. Gives what it was refused with.
fn ask(child: &Child, root: Root<'_>) -> Option<CallError> {
    let mut refused = None;
    let request = Request::Lookup { root, interface: None };
    let called: Result<(), CallFailure> = child.caller().call(request, Duration::from_secs(20), &mut |outcome| {
        if let Outcome::Refused(error) = outcome {
            refused = Some(*error);
        }
    });
    called.expect("there is an answer");
    refused
}
