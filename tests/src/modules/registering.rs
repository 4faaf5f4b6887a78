//! Has a frame from the first moment on.

use remote_child::{Child, EmitError, FrameOptions};

remote_child::register_module!(main);
fn main(child: &Child) -> Result<(), EmitError> {
    let frame = child.frames().register("made while loading", FrameOptions::tab())?;
    frame.port().emit("registered while loading", &frame.id())?;
    child.frames().for_every(|frame| {
        let content = frame.content::<&str>().is_some();
        frame.port().emit("seen by the module", &content).expect("the parent is there");
    });
    child.process().port().emit("registered", &frame.id())
}
