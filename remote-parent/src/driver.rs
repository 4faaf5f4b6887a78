use std::sync::Arc;
use std::time::Instant;

use remote_protocol::codec;
use remote_protocol::endpoint::{Inlet, Pause};
use remote_protocol::event::Arrived;
use remote_protocol::id::FrameId;
use remote_protocol::listeners::Turn;
use remote_protocol::message::{Event, Target, ToParent};
use remote_protocol::state::Violation;
use remote_protocol::state::parent::Received;

use crate::connection::{Connection, Local};
use crate::frame::{Frame, FrameOptions};
use crate::hub::{Hub, lock};
use crate::lane::{self, MainAnswer};
use crate::port;
use crate::process::{Process, ProcessError};

/// Runs everything of one process, on its thread, until it is gone and everybody has been told.
pub(crate) fn run(process: &Process, mut inlet: Inlet, attach: Option<Turn>) {
    let driver = Driver { hub: process.hub(), connection: process.connection(), process };
    driver.connection.set_driver();
    driver.tell_attach(attach);
    if let Err(violation) = driver.handle_all(&mut inlet) {
        driver.connection.violated(violation);
    }
    drop(inlet);
    driver.finish();
}

struct Driver<'a> {
    hub: &'a Arc<Hub>,
    connection: &'a Arc<Connection>,
    process: &'a Process,
}

impl Driver<'_> {
    /// Handles what arrives, until the link is closed.
    fn handle_all(&self, inlet: &mut Inlet) -> Result<(), Violation> {
        loop {
            self.run_local();
            let next = match inlet.next(Some(Instant::now())) {
                Err(Pause::TimedOut) => {
                    self.connection.command(|session| session.idle());
                    inlet.next(None)
                }
                next => next,
            };
            let message = match next {
                Ok(message) => message,
                Err(Pause::Woken | Pause::TimedOut) => continue,
                Err(Pause::Closed) => return Ok(()),
                Err(Pause::Violation(violation)) => return Err(violation),
            };
            // What was begun before this message was sent comes before it.
            self.run_local();
            self.handle(codec::decode(&message)?)?;
            inlet.recycle(message);
        }
    }

    fn handle(&self, message: ToParent<'_>) -> Result<(), Violation> {
        match self.connection.with_session(|session| session.receive(message))? {
            Received::Event(event) => {
                self.tell(&event);
                let cost = event.cost();
                self.connection.command(|session| session.handled(cost));
            }
            Received::FrameAttached { frame, tab } => {
                let options = FrameOptions { tab, element: None };
                let frame = Frame::new(frame, self.process.clone(), options);
                let turn = lock(&self.hub.frames).attach(frame.id(), frame.clone());
                self.tell_frame_attach(&frame, turn);
            }
            Received::FrameDetached { frame } => self.detach_frame(frame),
            Received::Object(message) => lane::handle(self.connection, message, &mut MainAnswer(self.connection))?,
            Received::Trouble(trouble) => self.hub.report(self.process, &ProcessError::Child(trouble)),
            Received::Ready | Received::Refused { .. } | Received::Nothing => {}
        }
        Ok(())
    }

    /// Tells an event on the port it was emitted on, then on that of the list.
    fn tell(&self, event: &Event<'_>) {
        let arrived = Arrived::new(event);
        match event.target {
            Target::Process => {
                port::tell(self.process.listeners(), self.process, &arrived);
                port::tell(&self.hub.process_listeners, self.process, &arrived);
            }
            Target::Frame(frame) => self.tell_frame(frame, &arrived),
            Target::Frames => {
                let frames = lock(&self.hub.frames).items();
                for frame in frames.iter().filter(|frame| frame.process() == self.process) {
                    self.tell_frame(frame.id(), &arrived);
                }
            }
        }
    }

    fn tell_frame(&self, frame: FrameId, event: &Arrived<'_>) {
        let frame = lock(&self.hub.frames).get(frame);
        if let Some(frame) = frame {
            port::tell(frame.listeners(), &frame, event);
            port::tell(&self.hub.frame_listeners, &frame, event);
        }
    }

    fn run_local(&self) {
        while let Some(local) = self.connection.next_local() {
            match local {
                Local::FrameAttached(frame, turn) => self.tell_frame_attach(&frame, turn),
            }
        }
    }

    fn tell_attach(&self, turn: Option<Turn>) {
        let Some(mut turn) = turn else { return };
        loop {
            let Some(listener) = lock(&self.hub.processes).attach_listener(&mut turn) else { return };
            self.hub.contain(self.process, "attach", || listener(self.process));
        }
    }

    fn tell_frame_attach(&self, frame: &Frame, turn: Option<Turn>) {
        let Some(mut turn) = turn else { return };
        loop {
            let Some(listener) = lock(&self.hub.frames).attach_listener(&mut turn) else { return };
            self.hub.contain(self.process, "attach", || listener(frame));
        }
    }

    fn detach_frame(&self, id: FrameId) {
        let detached = lock(&self.hub.frames).detach(id);
        let Some((frame, mut turn)) = detached else { return };
        frame.set_detached();
        frame.tell_detach();
        loop {
            let Some(listener) = lock(&self.hub.frames).detach_listener(&mut turn) else { return };
            self.hub.contain(self.process, "detach", || listener(&frame));
        }
    }

    /// The link is closed: the frames go, then what the process was lent, then the process.
    fn finish(&self) {
        let frames = self.connection.with_session(|session| session.gone());
        self.run_local();
        for frame in frames {
            self.detach_frame(frame);
        }
        if let Some(service) = self.connection.service() {
            service.close();
        }
        let reason = self.connection.reason(self.hub.deadlines().stop);
        tracing::debug!(process = %self.process.id(), %reason, "detached");
        self.process.set_detached(reason.clone());
        let detached = lock(&self.hub.processes).detach(self.process.id().serial());
        self.process.tell_detach(&reason);
        if let Some((_, mut turn)) = detached {
            loop {
                let Some(listener) = lock(&self.hub.processes).detach_listener(&mut turn) else { break };
                self.hub.contain(self.process, "detach", || listener(self.process, &reason));
            }
        }
        self.hub.disconnect(self.process.id());
        self.connection.set_told();
    }
}
