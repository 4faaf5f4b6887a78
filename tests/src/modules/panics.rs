//! Code of the application that panics, wherever there is some: in listeners, callbacks, functions, tasks and destructors.

use remote_child::{Capture, Child, ContentEvent, FrameOptions};
use remote_object::{CallError, ChildExt};

use crate::interfaces::{Bell, Failing};
use crate::mill::Mill;
use crate::modules::answer;

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        // Not where another one goes off.
        assert!(std::thread::panicking(), "the destructor's own fault");
    }
}

remote_child::register_module!(main);
fn main(child: &Child) {
    child.process().port().on("panic: listener", |_process, ()| panic!("the listener's own fault"));
    answer(child, "panic: content event", |child, ()| {
        let frame = child.frames().register((), FrameOptions::new()).map_err(|error| error.to_string())?;
        for capture in [Capture::Yes, Capture::No] {
            frame.add_event_listener("load", capture, |_frame, _event| panic!("the content listener's own fault"));
        }
        frame.dispatch_event(&ContentEvent::new("load"));
        frame.close();
        Ok::<_, String>(())
    });
    answer(child, "panic: callback", |child, ()| {
        let bell = child.remote().require::<dyn Bell>("bell")?;
        bell.add(child.remote().callback(|_: String| panic!("the callback's own fault")))?;
        bell.ring("now")?;
        bell.clear()
    });
    answer(child, "panic: function", |child, ()| {
        let mill = child.remote().require::<dyn Mill>("mill")?;
        let f = child.remote().function(|_: i64| -> i64 { panic!("the function's own fault") });
        assert!(mill.attempt(f, 20_000)?.is_err());
        Ok::<_, CallError>(())
    });
    answer(child, "panic: method", |child, ()| {
        let failing = child.remote().require::<dyn Failing>("failing")?;
        assert!(failing.panics("the method's own fault").is_err());
        assert_eq!(failing.succeeds(), Ok(7));
        Ok::<_, CallError>(())
    });
    answer(child, "panic: task", |child, ()| {
        child.handle().run(|_child| panic!("the task's own fault")).map_err(|error| error.to_string())
    });
    answer(child, "panic: destructor", |child, ()| {
        let bell = child.remote().require::<dyn Bell>("bell")?;
        let bomb = Bomb;
        bell.add(child.remote().callback(move |_: String| {
            let _ = &bomb;
        }))?;
        bell.clear()
    });
}
