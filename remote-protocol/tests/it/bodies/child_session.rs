//! A child's state machine, used as a driver uses it, with a parent that says anything.
//!
//! A model beside it knows what is honest: the session has to take exactly that, and to find a violation in everything else.

use std::collections::{BTreeSet, VecDeque};

use remote_protocol::call;
use remote_protocol::id::{FrameId, LoaderId, ProcessId};
use remote_protocol::limits::{CALL, Limits};
use remote_protocol::message::{Event, PROTOCOL_VERSION, Target, ToChild, ToParent, Versions, Welcome};
use remote_protocol::payload::{Fingerprint, Form, Payload};
use remote_protocol::state::child::{Received, Session, Settings, TooManyFrames};
use serde::{Deserialize, Serialize};

use super::steps::{next, script};

/// Takes the bytes for steps. Gives whether there were any.
pub(crate) fn child_session(mut bytes: &[u8]) -> bool {
    let mut driver = Driver::new();
    let mut steps = 0;
    while let Some(step) = next(&mut bytes) {
        steps += 1;
        if driver.perform(step).is_none() {
            break;
        }
    }
    steps > 0
}

/// What happens in honest processes.
pub(crate) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let process = ProcessId::new(7, 3);
    let welcome = |window| {
        let limits = Limits::new().window(window).frames(1);
        Step::Receive(ToChild::Welcome(Welcome { process, remote: true, limits, deadline: CALL }))
    };
    let told = |target| ToChild::Event(event(target, 30));
    let frame = FrameId::opened(1);
    let own = FrameId::registered(process, 1);
    let emit = |target| Step::Emit { target, length: 300 };
    let tell = Step::Receive;
    let unhandled = vec![
        welcome(1000),
        emit(Target::Process),
        emit(Target::Process),
        emit(Target::Process),
        tell(ToChild::Handled { cost: 365 }),
        emit(Target::Frames),
    ];
    let frames = vec![
        welcome(1000),
        tell(ToChild::OpenFrame { frame, tab: true }),
        Step::RegisterFrame { tab: false },
        Step::RegisterFrame { tab: true },
        emit(Target::Frame(own)),
        tell(told(Target::Frame(frame))),
        Step::Handled,
        tell(ToChild::CloseFrame { frame }),
        Step::CloseFrame(frame),
        Step::CloseFrame(own),
        tell(told(Target::Frame(own))),
        tell(ToChild::CloseFrame { frame: own }),
        Step::Idle,
    ];
    let loaders = vec![
        welcome(1 << 20),
        tell(ToChild::OpenLoader { loader: LoaderId::FIRST }),
        tell(ToChild::Require { loader: LoaderId::FIRST, module: "app::remote".into() }),
        tell(ToChild::Unload { loader: LoaderId::FIRST, reason: "upgrade".into() }),
        Step::Unloaded(0),
        Step::Idle,
    ];
    let mut releases = vec![welcome(1000)];
    let release = || ToChild::Object(call::ToChild::Release(Vec::new().into()));
    releases.extend((0..33).map(|_| tell(release())));
    let refused = Versions { protocol: PROTOCOL_VERSION + 1, application: "2.0".into() };
    [
        ("unhandled", unhandled),
        ("frames", frames),
        ("loaders", loaders),
        ("releases", releases),
        ("end", vec![welcome(1000), tell(ToChild::Close), Step::End, tell(told(Target::Process)), Step::End]),
        ("refused", vec![tell(ToChild::Refuse(refused)), tell(ToChild::Close), Step::End]),
    ]
    .map(|(name, steps)| (name, script(&(), &steps)))
    .into()
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Step<'a> {
    /// The parent says something.
    #[serde(borrow)]
    Receive(ToChild<'a>),
    Emit {
        target: Target,
        length: u16,
    },
    RegisterFrame {
        tab: bool,
    },
    CloseFrame(FrameId),
    Unloaded(u8),
    /// The first message that was not handled is.
    Handled,
    Idle,
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Greeting,
    Running,
    /// It has said its last word, or was refused.
    Ended,
}

struct Driver {
    session: Session,
    phase: Phase,
    frames: BTreeSet<FrameId>,
    window: u64,
    /// Of what was sent.
    unhandled: u64,
    /// What each message costs that has not been handled.
    messages: VecDeque<u64>,
    /// What was handled and not said.
    owed: u64,
}

impl Driver {
    fn new() -> Self {
        let mut session = Session::new(Settings::default());
        session.greet(7);
        assert!(matches!(session.poll(), Some(ToParent::Hello(_))));
        assert_eq!(session.poll(), None);
        Self {
            session,
            phase: Phase::Greeting,
            frames: BTreeSet::new(),
            window: 0,
            unhandled: 0,
            messages: VecDeque::new(),
            owed: 0,
        }
    }

    /// `None` when the process has to end.
    fn perform(&mut self, step: Step<'_>) -> Option<()> {
        match step {
            Step::Receive(message) => self.receive(message)?,
            Step::Emit { target, length } => {
                let event = event(target, length.into());
                let is_there = self.phase == Phase::Running
                    && !matches!(target, Target::Frame(frame) if !self.frames.contains(&frame));
                match self.session.admit(&event) {
                    Ok(admitted) => {
                        assert_eq!(admitted, is_there);
                        if admitted {
                            assert!(self.unhandled < self.window);
                            self.unhandled = self.unhandled.saturating_add(event.cost());
                        }
                    }
                    Err(full) => {
                        assert!(is_there && full.unhandled >= full.limit);
                        assert_eq!((full.unhandled, full.limit), (self.unhandled, self.window));
                    }
                }
            }
            // Its driver does so only while it runs.
            Step::RegisterFrame { tab } if self.phase == Phase::Running => match self.session.register_frame(tab) {
                Ok((frame, message)) => {
                    assert_eq!(message, ToParent::RegisterFrame { frame, tab });
                    self.frames.insert(frame);
                }
                Err(TooManyFrames { limit }) => assert!(self.frames.len() >= limit),
            },
            Step::RegisterFrame { .. } => {}
            Step::CloseFrame(frame) => {
                let message = self.session.close_frame(frame);
                assert_eq!(message, self.frames.remove(&frame).then_some(ToParent::FrameClosed { frame }));
            }
            Step::Unloaded(loader) => {
                let message = self.session.unloaded(LoaderId(loader.into()));
                assert_eq!(message.is_some(), self.phase == Phase::Running);
            }
            Step::Handled => {
                if let Some(cost) = self.messages.pop_front() {
                    self.owed = self.owed.saturating_add(cost);
                    let message = self.session.handled(cost);
                    self.credited(message);
                }
            }
            Step::Idle => {
                let message = self.session.idle();
                self.credited(message);
                assert_eq!(self.owed, 0);
            }
            Step::End => {
                let expected = (self.phase == Phase::Running).then_some(ToParent::Bye);
                assert_eq!(self.session.end(), expected);
                if expected.is_some() {
                    self.phase = Phase::Ended;
                }
            }
        }
        assert_eq!(self.session.poll(), None, "it is greeted once");
        Some(())
    }

    fn receive(&mut self, message: ToChild<'_>) -> Option<()> {
        let is_honest = self.is_honest(&message);
        let received = self.session.receive(message.clone());
        assert_eq!(received.is_ok(), is_honest, "{message:?}: {received:?}");
        let Ok(received) = received else { return None };
        if self.phase != Phase::Greeting {
            self.messages.push_back(message.cost());
        }
        match (received, message) {
            (Received::Ready(welcome), _) => {
                self.phase = Phase::Running;
                self.window = welcome.limits.max_window();
            }
            (Received::Refused { .. }, _) => self.phase = Phase::Ended,
            (Received::Nothing, _) if self.phase == Phase::Ended => {}
            (received, _) if self.phase != Phase::Running => panic!("{received:?} in {:?}", self.phase),
            (Received::Event(event), _) => {
                assert!(!matches!(event.target, Target::Frame(frame) if !self.frames.contains(&frame)));
            }
            (Received::FrameOpened { frame, .. }, _) => assert!(self.frames.insert(frame)),
            (Received::CloseFrame { frame }, _) => assert!(self.frames.contains(&frame)),
            (Received::Object(call::ToChild::Release(_)), _) => drop(self.session.released()),
            (Received::Nothing, ToChild::Handled { cost }) => self.unhandled -= cost,
            // It crossed with the end of its frame.
            (Received::Nothing, ToChild::CloseFrame { frame }) => assert!(!self.frames.contains(&frame)),
            (Received::Nothing, ToChild::Event(Event { target: Target::Frame(frame), .. })) => {
                assert!(!self.frames.contains(&frame));
            }
            (Received::Nothing, message) => panic!("nothing of {message:?}"),
            _ => {}
        }
        Some(())
    }

    /// Whether a parent may say this now.
    fn is_honest(&self, message: &ToChild<'_>) -> bool {
        let is_greeting = matches!(message, ToChild::Welcome(_) | ToChild::Refuse(_));
        match (self.phase, message) {
            (Phase::Ended, _) => true,
            (Phase::Greeting, _) => is_greeting,
            (Phase::Running, ToChild::OpenFrame { frame, .. }) => !self.frames.contains(frame),
            (Phase::Running, ToChild::Handled { cost }) => *cost <= self.unhandled,
            (Phase::Running, _) => !is_greeting,
        }
    }

    fn credited(&mut self, message: Option<ToParent<'_>>) {
        let Some(message) = message else { return };
        assert_eq!(message, ToParent::Handled { cost: self.owed });
        self.owed = 0;
    }
}

fn event(target: Target, length: usize) -> Event<'static> {
    let form = Form::Typed(Fingerprint(1));
    Event { loader: LoaderId::FIRST, target, name: "e".into(), form, payload: Payload::plain(vec![0; length]) }
}
