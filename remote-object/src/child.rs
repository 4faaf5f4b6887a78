//! Ties callbacks and calls to a child.

use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use remote_child::{Child, Duty, Frame, Handle, NestError};
use remote_protocol::call::CallError;
use remote_protocol::id::LentId;
use remote_protocol::payload::Encoding;
use remote_protocol::service::Callbacks;

use crate::calling::{Calling, Late, Loop, Returned};
use crate::context::{Closures, Context};
use crate::life::Life;
use crate::scope::Arrival;

/// Gives a [`Child`] remote objects.
pub trait ChildExt {
    /// From where the objects of the parent are reached, and callbacks and functions made, until the loader is unloaded.
    fn remote(&self) -> Context;
}

impl ChildExt for Child {
    fn remote(&self) -> Context {
        let extension = self.process_extension(|| Extension::new(self));
        let kept = self.extension(|| ContextExtension::new(&extension.0, Life::default()));
        Context::new(self.clone(), Rc::clone(&extension.0), Arc::clone(&kept.life))
    }
}

/// Gives a [`Frame`] remote objects.
pub trait FrameExt {
    /// From where the objects of the parent are reached, the frame's own window and web contents among them, and callbacks and
    /// functions made, until the frame is [reloaded](Frame::reload) or goes, or the loader is unloaded.
    ///
    /// ```no_run
    /// use remote_child::Child;
    /// use remote_object::{CallError, Callback, FrameExt};
    ///
    /// #[remote_object::interface]
    /// pub trait Window: Send + Sync {
    ///     fn on_resize(&self, listener: Callback<(u32, u32)>) -> Result<(), CallError>;
    /// }
    ///
    /// fn module(child: &Child) {
    ///     child.frames().for_every(|frame| {
    ///         let remote = frame.remote();
    ///         let Ok(window) = remote.global::<dyn Window>("window") else { return };
    ///         let resized = remote.callback(|(width, height)| println!("{width} × {height}"));
    ///         window.on_resize(resized).ok();
    ///         frame.reload(); // the parent has a callback that is dead now
    ///     });
    /// }
    /// ```
    fn remote(&self) -> Context;
}

impl FrameExt for Frame {
    fn remote(&self) -> Context {
        let child = self.child();
        let extension = child.process_extension(|| Extension::new(&child));
        let kept = self.extension(|| ContextExtension::new(&extension.0, Life::of_frame(self.id())));
        Context::new(child, Rc::clone(&extension.0), Arc::clone(&kept.life)).of_frame(self.id())
    }
}

/// What is kept with a loader or a frame: its context ends when this is dropped.
struct ContextExtension {
    life: Arc<Life>,
    closures: Rc<Closures>,
}

impl ContextExtension {
    fn new(closures: &Rc<Closures>, life: Life) -> Self {
        Self { life: Arc::new(life), closures: Rc::clone(closures) }
    }
}

impl Drop for ContextExtension {
    fn drop(&mut self) {
        self.closures.end(&self.life);
    }
}

/// What is kept for the life of the loop.
struct Extension(Rc<Closures>);

impl Extension {
    fn new(child: &Child) -> Self {
        let looper = Arc::new(LoopHandle(child.handle()));
        let calling = Calling::new(child.caller(), looper, child.call_deadline());
        let closures = Closures::new(Arc::clone(&calling));
        child.serve(Rc::clone(&closures) as Rc<dyn Callbacks>, Arc::new(Late(calling)));
        Self(closures)
    }
}

impl Drop for Extension {
    fn drop(&mut self) {
        self.0.close();
    }
}

struct LoopHandle(Handle);

impl Loop for LoopHandle {
    fn invoke(&self, id: LentId, form: Encoding, argument: Vec<u8>, arrivals: Vec<Arrival>) -> bool {
        let call = move |extension: &Extension| {
            // One whose context has ended meanwhile is not called.
            extension.0.call(id, form, &argument, arrivals);
        };
        self.0.run_with(call).is_ok()
    }

    fn run(
        &self,
        id: LentId,
        name: String,
        form: Encoding,
        argument: Vec<u8>,
        arrivals: Vec<Arrival>,
        within: Duration,
    ) -> Result<Returned, CallError> {
        let run = move |extension: &Extension| extension.0.run_here(id, form, &argument, arrivals);
        match self.0.nest(within, run) {
            // Its context has ended meanwhile, and its closure, which knew where it was made, has gone.
            Ok(Err(CallError::NoSuchFunction { .. })) => Err(CallError::NoSuchFunction { function: name }),
            Ok(returned) => returned,
            Err(NestError::Deadline) => Err(CallError::Deadline { method: name, after: within, waits: String::new() }),
            Err(NestError::TooDeep { limit }) => Err(CallError::TooDeep { function: name, limit }),
            Err(_) => Err(CallError::NoSuchFunction { function: name }),
        }
    }

    fn forget(&self, id: LentId) {
        // A loop that has ended has dropped all closures.
        let _ = self.0.run_with(move |extension: &Extension| extension.0.forget(id));
    }
}

/// If this is a loop thread, waits until something is `settled`, or for `deadline`, and runs the functions meanwhile that other threads of the
/// process wait for. `register` is given what is to be woken when it is settled.
pub(crate) fn serve_until(deadline: Instant, register: impl FnOnce(&Waker), settled: impl Fn() -> bool) {
    let bell = Arc::new(Bell::default());
    let alarm = Arc::clone(&bell);
    let Some(duty) = Duty::of_this_thread(move || alarm.ring()) else { return };
    register(&Waker::from(Arc::clone(&bell)));
    loop {
        duty.serve();
        // What is settled or posted from here on rings.
        if settled() || !bell.wait(deadline) {
            return;
        }
    }
}

/// Rings until somebody has heard it.
#[derive(Default)]
struct Bell {
    rings: Mutex<bool>,
    rung: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.rings() = true;
        self.rung.notify_one();
    }

    /// Waits for a ring; `false` at the deadline.
    fn wait(&self, deadline: Instant) -> bool {
        let mut rings = self.rings();
        while !std::mem::take(&mut *rings) {
            let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) else {
                return false;
            };
            (rings, _) = self.rung.wait_timeout(rings, left).unwrap_or_else(PoisonError::into_inner);
        }
        true
    }

    fn rings(&self) -> MutexGuard<'_, bool> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}
