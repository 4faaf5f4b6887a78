use std::iter;
use std::ops::ControlFlow;
use std::sync::Arc;

use remote_protocol::call::{self, ShortCall};
use remote_protocol::contain::contain;
use remote_protocol::endpoint::{Inlet, Pause};
use remote_protocol::event::Arrived;
use remote_protocol::id::{FrameId, LoaderId};
use remote_protocol::message::{Event, ShortEvent, Target, ToParent};
use remote_protocol::record::Charge;
use remote_protocol::state::Violation;
use remote_protocol::state::parent::{Received, Session};

use crate::connection::reading::{ForDriver, Handled, Turn};
use crate::connection::{Connection, Local};
use crate::detach::DetachReason;
use crate::frame::{self, Frame, FrameOptions};
use crate::hub::{Hub, Turns, lock};
use crate::lane::{self, MainAnswer};
use crate::list::{RESPONSIVE, UNRESPONSIVE};
use crate::loader::LoaderState;
use crate::log;
use crate::port;
use crate::process::{self, Process, ProcessError};
use crate::restart::Restarting;
use crate::snapshot::GoneSnapshot;

/// Runs everything of one process, on its thread, until it is gone and everybody has been told.
///
/// What the state machine says is done on this thread at once, so that the application cannot hold it up. What is told to the
/// application is told here too, or, where there is an executor, there, in the same order.
#[derive(Clone)]
pub(crate) struct Driver {
    process: Arc<process::Shared>,
}

impl Driver {
    pub(crate) const fn new(process: Arc<process::Shared>) -> Self {
        Self { process }
    }

    pub(crate) fn run(self, inlet: Inlet, attach: Turns<Process>) {
        let name = self.process.options().name.as_deref().unwrap_or("unnamed");
        let _span = tracing::info_span!("process", id = %self.process.id(), name).entered();
        self.connection().ending.set_driver();
        self.connection().reading.start(inlet);
        self.tell(move |driver| driver.tell_attach(attach));
        let mut seen = None;
        match contain(|| self.handle_all(&mut seen)) {
            Ok(Ok(())) => {}
            Ok(Err(violation)) => self.connection().violated(violation),
            Err(panic) => {
                // A bug of ours, or a panic in a place where code of the application has no business to run.
                tracing::error!(%panic, "the thread of the process panicked, ending the process");
                self.connection().kill();
                self.connection().close_link();
            }
        }
        contained(|| drop(seen));
        self.connection().reading.end();
        self.finish();
    }

    fn hub(&self) -> &Arc<Hub> {
        self.process.hub()
    }

    fn connection(&self) -> &Arc<Connection> {
        self.process.connection()
    }

    /// Does something that runs code of the application, for a message that was charged if that is done elsewhere.
    fn tell_charged(&self, charge: Option<Charge>, tell: impl FnOnce(&Self) + Send + 'static) {
        self.tell(move |driver| {
            tell(driver);
            drop(charge);
        });
    }

    /// Does something that runs code of the application.
    fn tell(&self, tell: impl FnOnce(&Self) + Send + 'static) {
        match self.hub().pump() {
            None => contained(|| tell(self)),
            Some(pump) => {
                let driver = self.clone();
                pump.execute(move || contained(|| tell(&driver)));
            }
        }
    }

    /// Handles what arrives, until the link is closed.
    fn handle_all(&self, seen: &mut Seen) -> Result<(), Violation> {
        let reading = &self.connection().reading;
        let mut answer = MainAnswer(Arc::clone(self.connection()));
        let mut handled = None;
        loop {
            self.run_local();
            let next = match reading.next(false, handled.take()) {
                ForDriver::Nothing => {
                    self.connection().rest();
                    reading.next(true, None)
                }
                next => next,
            };
            match next {
                ForDriver::Turn(turn) => match self.read(turn, &mut answer, seen)? {
                    ControlFlow::Continue(message) => handled = message,
                    ControlFlow::Break(()) => return Ok(()),
                },
                ForDriver::Deferred(message) => {
                    self.run_local();
                    let kind = self.handle(ToParent::decode(&message)?, message.len(), seen)?;
                    handled = Some(Handled { message, kind });
                }
                ForDriver::Call(call, length) => {
                    self.run_local();
                    let kind = self.handle(ToParent::Object(call::ToParent::Call(call)), length, seen)?;
                    reading.note(kind);
                }
                ForDriver::Woken | ForDriver::Nothing => {}
                ForDriver::Closed => return Ok(()),
            }
        }
    }

    /// Reads the next message, and handles it if it is for this thread; gives it back. Breaks at the end of the link.
    fn read(
        &self,
        mut turn: Turn<'_>,
        answer: &mut MainAnswer,
        seen: &mut Seen,
    ) -> Result<ControlFlow<(), Option<Handled>>, Violation> {
        let next = match turn.now() {
            None => {
                self.connection().rest();
                let next = turn.next(None);
                self.connection().with_session(Session::attend);
                next
            }
            Some(next) => next,
        };
        let message = match next {
            Ok(message) => message,
            Err(Pause::Woken | Pause::TimedOut) => return Ok(ControlFlow::Continue(None)),
            Err(Pause::Closed) => return Ok(ControlFlow::Break(())),
            Err(Pause::Violation(violation)) => return Err(violation),
        };
        if let Some(call) = ShortCall::read(&message)
            && self.connection().serves_at_once()
        {
            // The session has nothing to say about it, and no other thread waits for it.
            drop(turn);
            self.run_local();
            lane::call(self.connection(), call, answer)?;
            return Ok(ControlFlow::Continue(Some(Handled { message, kind: CALL })));
        }
        if let Some(event) = ShortEvent::read_by_parent(&message)
            && event.target == Target::Process
            && seen.as_ref().is_some_and(|process| process.loader().id == event.loader)
            && self.connection().serves_at_once()
        {
            // The session has let an event of this loader through, and would this one.
            drop(turn);
            self.run_local();
            self.hear(&event.into(), seen);
            return Ok(ControlFlow::Continue(Some(Handled { message, kind: EVENT })));
        }
        let decoded = ToParent::decode(&message)?;
        log::received(self.process.id(), &decoded, message.len());
        let sorted = self.connection().sort(decoded, message.len())?;
        // Others may read while this one is handled.
        drop(turn);
        let Some(decoded) = sorted else { return Ok(ControlFlow::Continue(None)) };
        // What was begun before this message was sent comes before it.
        self.run_local();
        let kind = self.handle(decoded, message.len(), seen)?;
        Ok(ControlFlow::Continue(Some(Handled { message, kind })))
    }

    /// Handles a message; gives its kind.
    fn handle(&self, message: ToParent<'_>, length: usize, seen: &mut Seen) -> Result<&'static str, Violation> {
        let connection = self.connection();
        let kind = message.kind();
        if message == ToParent::Bye {
            connection.hear_no_more();
        }
        match connection.with_session(|session| session.receive(message))? {
            Received::Event(event) => match self.hub().pump() {
                None => self.hear(&event, seen),
                Some(_) => {
                    let (event, charge) = (event.into_owned(), connection.hand_over(length)?);
                    self.tell_charged(charge, move |driver| {
                        contained(|| {
                            if let Some(process) = driver.as_seen_by(event.loader) {
                                driver.tell_event(&process, &event);
                            }
                        });
                        driver.connection().handled_event(event.cost());
                    });
                }
            },
            Received::FrameAttached { frame, tab } => {
                let options = FrameOptions { tab, element: None };
                let shared = frame::Shared::new(frame, Arc::clone(&self.process), options);
                let turns = self.hub().attach_frame(&shared);
                self.tell_charged(connection.hand_over(length)?, move |driver| driver.tell_frame_attach(turns));
            }
            Received::FrameDetached { frame } => self.detach_frame(frame, connection.hand_over(length)?),
            Received::Unloaded { loader } => {
                contained(|| *seen = None);
                if let Some(loader) = self.hub().loader(loader) {
                    loader.closed_in(self.process.id());
                    // After what its modules said last.
                    self.tell(move |driver| driver.hub().forget_unloaded(&loader));
                }
            }
            Received::Object(message) => {
                lane::receive(connection, message, length, &mut MainAnswer(Arc::clone(connection)))?;
            }
            Received::Trouble { loader, trouble } => {
                let error = ProcessError::Child(trouble);
                match self.hub().loader(loader) {
                    Some(loader) => {
                        self.tell_charged(connection.hand_over(length)?, move |driver| driver.report(&loader, &error));
                    }
                    None => tracing::error!(%error),
                }
            }
            Received::Nothing => connection.recovered(),
            Received::Acknowledged | Received::Ready { .. } | Received::Refused { .. } => {}
        }
        Ok(kind)
    }

    fn report(&self, loader: &LoaderState, error: &ProcessError) {
        if let Some(process) = loader.process(self.process.id()) {
            loader.report(&process, error);
        }
    }

    /// Tells an event that the session has let through, on this thread.
    fn hear(&self, event: &Event<'_>, seen: &mut Seen) {
        contained(|| {
            if !seen.as_ref().is_some_and(|process| process.loader().id == event.loader && process.is_listed()) {
                *seen = self.as_seen_by(event.loader);
            }
            if let Some(process) = seen {
                self.tell_event(process, event);
            }
        });
        self.connection().handled_event(event.cost());
    }

    /// The process as a loader sees it.
    fn as_seen_by(&self, loader: LoaderId) -> Option<Process> {
        self.hub().loader(loader)?.process(self.process.id())
    }

    /// Tells an event on the port it was emitted on, then on that of the list.
    fn tell_event(&self, process: &Process, event: &Event<'_>) {
        let loader = process.loader();
        let arrived = Arrived::new(event);
        match event.target {
            Target::Process => {
                port::tell(process.listeners(), process, &arrived);
                port::tell(&loader.process_listeners, process, &arrived);
            }
            Target::Frame(frame) => Self::tell_frame_event(loader, frame, &arrived),
            Target::Frames => {
                let frames = lock(&loader.frames).items();
                let of_process =
                    |frame: &&Frame| Arc::ptr_eq(frame.shared().process(), &self.process) && frame.is_told();
                for frame in frames.iter().filter(of_process) {
                    Self::tell_frame_event(loader, frame.id(), &arrived);
                }
            }
        }
    }

    fn tell_frame_event(loader: &LoaderState, frame: FrameId, event: &Arrived<'_>) {
        // It may have gone while another frame was told.
        if let Some(frame) = loader.frame(frame) {
            port::tell(frame.listeners(), &frame, event);
            port::tell(&loader.frame_listeners, &frame, event);
        }
    }

    #[inline]
    fn run_local(&self) {
        while let Some(local) = self.connection().next_local() {
            match local {
                Local::FrameAttached(turns) => self.tell(move |driver| driver.tell_frame_attach(turns)),
                Local::Unresponsive => self.tell(|driver| driver.tell_responsiveness(UNRESPONSIVE)),
                Local::Responsive => self.tell(|driver| driver.tell_responsiveness(RESPONSIVE)),
            }
        }
    }

    fn tell_attach(&self, turns: Turns<Process>) {
        tracing::debug!(process = %self.process.id(), name = self.process.options().name, "attached");
        for (loader, process, mut turn) in turns {
            for listener in iter::from_fn(|| lock(&loader.processes).attach_listener(&mut turn)) {
                loader.contain(&process, "attach", || listener(&process));
            }
        }
    }

    fn tell_frame_attach(&self, turns: Turns<Frame>) {
        for (loader, frame, mut turn) in turns {
            tracing::debug!(process = %self.process.id(), frame = %frame.id(), loader = loader.name, "attached");
            frame.set_told();
            for listener in iter::from_fn(|| lock(&loader.frames).attach_listener(&mut turn)) {
                loader.contain(frame.process(), "attach", || listener(&frame));
            }
        }
    }

    fn tell_responsiveness(&self, event: &str) {
        tracing::warn!(process = %self.process.id(), "{event}");
        for loader in self.hub().all_loaders() {
            let Some(process) = loader.process(self.process.id()) else { continue };
            let mut turn = lock(&loader.responsiveness).turn();
            for listener in iter::from_fn(|| lock(&loader.responsiveness).next(event, &mut turn)) {
                loader.contain(&process, event, || listener(&process));
            }
        }
    }

    /// The child has closed the frame, or has gone with it. It is in the lists until everything before has been told.
    fn detach_frame(&self, id: FrameId, charge: Option<Charge>) {
        self.tell_charged(charge, move |driver| {
            let Some((shared, turns)) = driver.hub().detach_frame(id) else { return };
            shared.set_detached();
            for (loader, frame, mut turn) in turns {
                frame.tell_detach();
                for listener in iter::from_fn(|| lock(&loader.frames).detach_listener(&mut turn)) {
                    loader.contain(frame.process(), "detach", || listener(&frame));
                }
                contained(|| frame.clear());
            }
            if let Some((process, options)) = shared.take_move() {
                let moved = driver.hub().open_frame(&process, options);
                if let Err(error) = moved {
                    tracing::warn!(frame = %id, %error, "not moved");
                }
            }
        });
    }

    /// The link is closed: the frames go, then what the process was lent, then the process.
    fn finish(&self) {
        let connection = self.connection();
        let frames = connection.with_session(|session| session.gone());
        connection.waiting.forget();
        self.run_local();
        let reason = connection.reason(self.hub().deadlines().stop);
        tracing::debug!(process = %self.process.id(), %reason, "detached");
        self.hub().note_gone(GoneSnapshot::new(&self.process, &reason));
        // Before the frames go, so that their listeners can ask for it.
        self.process.set_detached(reason.clone());
        for frame in frames {
            self.detach_frame(frame, None);
        }
        let restart = Restarting::after(&self.process, &reason);
        let seen_by = self.seen_by();
        let pumped = self.hub().pump().is_some();
        if pumped {
            // Whoever waits may be the one that runs the executor.
            self.set_gone();
        }
        self.tell(move |driver| driver.tell_detach(&reason));
        if !pumped {
            self.set_gone();
        }
        if let Some(restart) = restart {
            restart.begin(seen_by);
        }
    }

    /// The loaders that have the process, and the process as they see it.
    fn seen_by(&self) -> Vec<(Arc<LoaderState>, Process)> {
        let seen = |loader: Arc<LoaderState>| loader.process(self.process.id()).map(|process| (loader, process));
        self.hub().all_loaders().into_iter().filter_map(seen).collect()
    }

    fn set_gone(&self) {
        // Listeners of a loader that was waiting for it are dropped with that.
        contained(|| self.hub().disconnect(self.process.id()));
        self.connection().ending.set_gone();
    }

    fn tell_detach(&self, reason: &DetachReason) {
        if let Some(service) = self.connection().service() {
            service.close();
        }
        for (loader, process, mut turn) in self.hub().detach_process(self.process.id()) {
            process.tell_detach(reason);
            for listener in iter::from_fn(|| lock(&loader.processes).detach_listener(&mut turn)) {
                loader.contain(&process, "detach", || listener(&process, reason));
            }
            contained(|| process.clear());
        }
    }
}

/// The process as the loader of the last event sees it, until that is unloaded here: so it need not be looked up for each event, and the
/// session need not be asked for each whether it knows the loader.
type Seen = Option<Process>;

/// The [kinds](ToParent::kind) of what is handled without the session.
const CALL: &str = "Call";
const EVENT: &str = "Event";

/// Runs code of the application where what it returns does not matter. Listeners are contained one by one; what is left are destructors,
/// of listeners that are gone for example.
fn contained(code: impl FnOnce()) {
    if let Err(panic) = contain(code) {
        tracing::error!(%panic, "a destructor of the application panicked");
    }
}
