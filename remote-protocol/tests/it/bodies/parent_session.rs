//! The parent's state machine, used as a driver uses it, with a child that says anything.
//!
//! A model beside it knows what is honest: the session has to take exactly that, and to find a violation in everything else.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use remote_protocol::call::{self, Invoke, Release, Run};
use remote_protocol::id::{FrameId, InvocationId, LentId, LoaderId, ProcessId};
use remote_protocol::limits::{Limits, MESSAGE_COST, RELEASE_BATCHES, RELEASES};
use remote_protocol::message::{Event, Hello, PROTOCOL_VERSION, Target, ToChild, ToParent, Trouble, Versions};
use remote_protocol::module::ModulePath;
use remote_protocol::payload::{Encoding, Fingerprint, Form, Payload};
use remote_protocol::sandbox::Report;
use remote_protocol::service::NotifyError;
use remote_protocol::state::parent::{Received, Session, Settings};
use serde::{Deserialize, Serialize};

use super::steps::{next, script};

/// Takes the bytes for limits and steps. Gives whether there were any.
pub(crate) fn parent_session(mut bytes: &[u8]) -> bool {
    let Some(limits) = next::<Chosen>(&mut bytes) else { return false };
    let mut driver = Driver::new(&limits);
    let mut steps = 0;
    while let Some(step) = next(&mut bytes) {
        steps += 1;
        if driver.perform(step).is_none() {
            break;
        }
    }
    driver.finish();
    steps > 0
}

/// What happens in honest processes.
pub(crate) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let limits = Chosen { window: 1000, frames: 3 };
    let frame = FrameId::registered(PROCESS, 1);
    let heard = |target| ToParent::Event(event(LoaderId::FIRST, target, 30));
    let emit = |target| Step::Emit { loader: 0, target, length: 300 };
    let say = Step::Receive;
    let object = |message| Step::Receive(ToParent::Object(message));
    let release = |slot| Step::Release(Release { id: LentId { slot, generation: 0 }, count: 2 });
    let start = || vec![Step::OpenLoader(0), Step::Require(0, 0), Step::Hello];
    let with = |steps: Vec<Step<'static>>| start().into_iter().chain(steps).collect::<Vec<_>>();
    let unhandled = vec![
        emit(Target::Process),
        emit(Target::Process),
        emit(Target::Process),
        say(ToParent::Handled { cost: 364 }),
        emit(Target::Frames),
        Step::Invoke { length: 300 },
    ];
    let frames = vec![
        Step::OpenFrame { tab: true },
        say(ToParent::RegisterFrame { frame, tab: false }),
        emit(Target::Frame(frame)),
        say(heard(Target::Frame(frame))),
        Step::Handled,
        Step::CloseFrame(FrameId::opened(1)),
        say(ToParent::FrameClosed { frame: FrameId::opened(1) }),
        say(ToParent::FrameClosed { frame }),
    ];
    let loaders = vec![
        Step::OpenLoader(1),
        Step::Require(1, 2),
        Step::Unload(1),
        say(ToParent::Trouble { loader: LoaderId(1), trouble: Trouble::TaskPanicked { message: "it is 3".into() } }),
        say(ToParent::Unloaded { loader: LoaderId(1) }),
    ];
    let mut releases: Vec<_> = (0..40).flat_map(|slot| [release(slot), Step::Rest]).collect();
    releases.push(object(call::ToParent::Released { batches: 32 }));
    releases.push(object(call::ToParent::Release(
        vec![Release { id: LentId { slot: 0, generation: 0 }, count: 1 }].into(),
    )));
    let held =
        vec![Step::OpenLoader(0), Step::OpenFrame { tab: true }, emit(Target::Process), Step::Close, Step::Hello];
    let end = vec![Step::Close, say(heard(Target::Process)), Step::Run { length: 9 }, say(ToParent::Bye)];
    let refused = Hello {
        versions: Versions { protocol: PROTOCOL_VERSION, application: "2.0".into() },
        pid: 9,
        sandbox: Report::default(),
    };
    [
        ("unhandled", with(unhandled)),
        ("frames", with(frames)),
        ("loaders", with(loaders)),
        ("releases", with(releases)),
        ("held", held),
        ("end", with(end)),
        ("refused", vec![Step::OpenLoader(0), say(ToParent::Hello(refused)), say(ToParent::Handled { cost: 1 })]),
    ]
    .map(|(name, steps)| (name, script(&limits, &steps)))
    .into()
}

#[derive(Debug, Serialize, Deserialize)]
struct Chosen {
    window: u16,
    frames: u8,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Step<'a> {
    /// The child says something.
    #[serde(borrow)]
    Receive(ToParent<'a>),
    /// It says what it should at first.
    Hello,
    OpenLoader(u8),
    Unload(u8),
    Require(u8, u8),
    OpenFrame {
        tab: bool,
    },
    CloseFrame(FrameId),
    Emit {
        loader: u8,
        target: Target,
        length: u16,
    },
    Invoke {
        length: u16,
    },
    Run {
        length: u16,
    },
    Release(Release),
    /// The first event that was not handled is.
    Handled,
    /// The thread that receives was woken.
    Attend,
    Rest,
    Close,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Starting,
    Running,
    /// It has said its last word, or was refused.
    Ended,
}

struct Driver {
    session: Session,
    limits: Limits,
    phase: Phase,
    /// Whether the child was asked to close, or will be.
    closing: bool,
    has_ended: bool,
    /// What each loader has required, and whether it is being unloaded.
    loaders: BTreeMap<LoaderId, (BTreeSet<u8>, bool)>,
    /// Each frame, and whether it was asked to close.
    frames: BTreeMap<FrameId, bool>,
    opened: u32,
    /// Of what was sent.
    unhandled: u64,
    progress: u64,
    /// What each event of the child costs that has not been handled.
    events: VecDeque<u64>,
    /// What was handled and not said.
    owed: u64,
    releases: BTreeMap<LentId, u64>,
    batches: u32,
    /// What the child has been told.
    told: Vec<&'static str>,
}

impl Driver {
    fn new(chosen: &Chosen) -> Self {
        let limits = Limits::new().window(chosen.window.into()).frames(chosen.frames.into());
        Self {
            session: Session::new(PROCESS, Settings { limits, ..Settings::default() }),
            limits,
            phase: Phase::Starting,
            closing: false,
            has_ended: false,
            loaders: BTreeMap::new(),
            frames: BTreeMap::new(),
            opened: 0,
            unhandled: 0,
            progress: 0,
            events: VecDeque::new(),
            owed: 0,
            releases: BTreeMap::new(),
            batches: 0,
            told: Vec::new(),
        }
    }

    /// `None` when the child has to be ended.
    fn perform(&mut self, step: Step<'_>) -> Option<()> {
        let takes_more = self.phase != Phase::Ended && !self.closing;
        match step {
            Step::Receive(message) => self.receive(message)?,
            Step::Hello => {
                let versions = Versions { protocol: PROTOCOL_VERSION, application: "".into() };
                self.receive(ToParent::Hello(Hello { versions, pid: PROCESS.pid(), sandbox: Report::default() }))?;
            }
            Step::OpenLoader(loader) => {
                let loader = LoaderId(loader.into());
                let message = self.session.open_loader(loader);
                let is_new = takes_more && !self.loaders.contains_key(&loader);
                self.asked(is_new, message.as_ref());
                if is_new {
                    self.loaders.insert(loader, Default::default());
                }
            }
            Step::Unload(loader) => {
                let loader = LoaderId(loader.into());
                let message = self.session.unload(loader, "upgrade");
                let state = self.loaders.get_mut(&loader).filter(|(_, unloading)| takes_more && !unloading);
                assert_eq!(message.is_some(), state.is_some());
                if let Some((_, unloading)) = state {
                    *unloading = true;
                }
                self.asked(message.is_some(), message.flatten().as_ref());
            }
            Step::Require(loader, module) => {
                let loader = LoaderId(loader.into());
                let message = self.session.require(loader, &ModulePath::new(&format!("app::{module}")));
                let state = self.loaders.get_mut(&loader).filter(|(_, unloading)| takes_more && !unloading);
                let is_new = state.is_some_and(|(required, _)| required.insert(module));
                self.asked(is_new, message.as_ref());
            }
            Step::OpenFrame { tab } => {
                self.opened += 1;
                let frame = FrameId::opened(self.opened);
                let message = self.session.open_frame(frame, tab);
                assert_eq!(message.is_ok(), takes_more);
                if takes_more {
                    // The child might have said that it is its own.
                    self.frames.insert(frame, false);
                }
                self.asked(takes_more, message.ok().flatten().as_ref());
            }
            Step::CloseFrame(frame) => {
                let message = self.session.close_frame(frame);
                let closing = self.frames.get_mut(&frame).filter(|closing| !**closing);
                let is_new = closing.is_some_and(|closing| !std::mem::replace(closing, true));
                self.asked(is_new && takes_more, message.as_ref());
            }
            Step::Emit { loader, target, length } => {
                let loader = LoaderId(loader.into());
                let event = event(loader, target, length.into());
                let is_there = self.loaders.get(&loader).is_some_and(|(_, unloading)| !unloading)
                    && !matches!(target, Target::Frame(frame) if self.frames.get(&frame) != Some(&false));
                let cost = event.cost();
                let sent = self.session.emit(event).map(|message| message.map(ToChild::into_owned));
                self.sent(takes_more && is_there, cost, sent);
            }
            Step::Invoke { length } => {
                let invoke = Invoke { callback: CALLBACK, form: Encoding::Typed, argument: payload(length.into()) };
                let cost = invoke.cost();
                let sent = self.session.invoke(invoke).map(|message| message.map(ToChild::into_owned));
                self.sent(takes_more, cost, sent);
            }
            Step::Run { length } => {
                let (invocation, form, argument) = (InvocationId(1), Encoding::Typed, payload(length.into()));
                let run = Run { invocation, function: CALLBACK, form, argument };
                let sent = self.session.run(run).map(|message| message.map(ToChild::into_owned));
                match sent {
                    Ok(message) => {
                        let message = message.expect("it is not held back");
                        assert_eq!(self.phase, Phase::Running);
                        self.told(&message);
                    }
                    Err(error) => assert_eq!((self.phase != Phase::Running, error), (true, NotifyError::Gone)),
                }
            }
            Step::Release(release) => {
                let _ = self.session.release(release);
                if self.phase == Phase::Running && release.count > 0 {
                    *self.releases.entry(release.id).or_default() += u64::from(release.count);
                }
            }
            Step::Handled => {
                if let Some(cost) = self.events.pop_front() {
                    self.owed += cost;
                    let message = self.session.handled(cost);
                    self.credited(message);
                    // What is not said must not be what the child waits for.
                    assert!(self.owed <= self.session.limits().max_window() / 4);
                }
            }
            Step::Attend => self.session.attend(),
            Step::Rest => {
                while !self.session.rest() {
                    self.give_back();
                }
                assert!(self.releases.is_empty() || self.batches >= RELEASE_BATCHES);
            }
            Step::Close => {
                let message = self.session.close();
                assert_eq!(message.is_some(), takes_more && self.phase == Phase::Running);
                self.closing |= takes_more;
                if let Some(message) = message {
                    self.told(&message);
                }
            }
        }
        self.check();
        Some(())
    }

    fn receive(&mut self, message: ToParent<'_>) -> Option<()> {
        let is_honest = self.is_honest(&message);
        let received = self.session.receive(message.clone());
        assert_eq!(received.is_ok(), is_honest, "{message:?}: {received:?}");
        let Ok(received) = received else { return None };
        let batch = matches!(received, Received::Object(call::ToParent::Release(_)));
        match (received, message) {
            (Received::Ready { .. }, _) => self.phase = Phase::Running,
            (Received::Refused { .. }, _) => {
                self.phase = Phase::Ended;
                // What was held back for it is not sent.
                self.told.clear();
            }
            (Received::Event(event), _) => self.events.push_back(event.cost()),
            (Received::FrameAttached { frame, .. }, _) => assert_eq!(self.frames.insert(frame, false), None),
            (Received::FrameDetached { frame }, _) => assert!(self.frames.remove(&frame).is_some()),
            (Received::Unloaded { loader }, _) => assert!(self.loaders.remove(&loader).is_some()),
            (Received::Acknowledged, ToParent::Object(call::ToParent::Released { batches })) => self.batches -= batches,
            (Received::Nothing, _) if self.phase == Phase::Ended => {}
            (Received::Nothing, ToParent::Handled { cost }) => {
                self.unhandled -= cost;
                self.progress += cost;
            }
            (Received::Nothing, ToParent::Bye) => {
                self.phase = Phase::Ended;
                self.has_ended = true;
                self.releases.clear();
            }
            (Received::Object(_) | Received::Trouble { .. }, _) => {}
            (received, message) => panic!("{received:?} of {message:?}"),
        }
        if batch && let Some(message) = self.session.released() {
            self.told(&message);
        }
        while let Some(message) = self.session.poll() {
            self.told(&message);
        }
        Some(())
    }

    /// Whether a child may say this now.
    fn is_honest(&self, message: &ToParent<'_>) -> bool {
        match (self.phase, message) {
            (Phase::Starting, message) => matches!(message, ToParent::Hello(_)),
            (Phase::Ended, message) => matches!(message, ToParent::Object(_) | ToParent::Handled { .. }),
            (Phase::Running, ToParent::Hello(_)) => false,
            (Phase::Running, ToParent::Event(event)) => {
                event.payload.references.is_empty()
                    && self.loaders.contains_key(&event.loader)
                    && !matches!(event.target, Target::Frame(frame) if !self.frames.contains_key(&frame))
            }
            (Phase::Running, ToParent::RegisterFrame { frame, .. }) => {
                let is_free = frame.is_from(PROCESS) && !self.frames.contains_key(frame);
                let own = self.frames.keys().filter(|frame| frame.is_from(PROCESS)).count();
                is_free && own < self.limits.max_frames()
            }
            (Phase::Running, ToParent::FrameClosed { frame }) => self.frames.contains_key(frame),
            (Phase::Running, ToParent::Unloaded { loader }) => {
                self.loaders.get(loader).is_some_and(|(_, unloading)| *unloading)
            }
            (Phase::Running, ToParent::Handled { cost }) => *cost <= self.unhandled,
            (Phase::Running, ToParent::Object(call::ToParent::Released { batches })) => *batches <= self.batches,
            (Phase::Running, ToParent::Object(_) | ToParent::Trouble { .. } | ToParent::Bye) => true,
        }
    }

    /// The child was asked for something, if `is_new`; it was said at once, unless the child has not said hello.
    fn asked(&mut self, is_new: bool, message: Option<&ToChild<'_>>) {
        assert_eq!(message.is_some(), is_new && self.phase == Phase::Running);
        if is_new {
            self.unhandled += MESSAGE_COST as u64;
        }
        if let Some(message) = message {
            self.told(message);
        }
    }

    /// Something was sent that is in the window.
    fn sent(&mut self, is_there: bool, cost: u64, sent: Result<Option<ToChild<'_>>, NotifyError>) {
        match sent {
            Ok(message) => {
                assert!(is_there && self.unhandled < self.limits.max_window());
                assert_eq!(message.is_some(), self.phase == Phase::Running);
                self.unhandled += cost;
                if let Some(message) = message {
                    self.told(&message);
                }
            }
            Err(NotifyError::Backlog(full)) => {
                assert!(is_there && full.unhandled >= full.limit);
                assert_eq!((full.unhandled, full.limit), (self.unhandled, self.limits.max_window()));
            }
            Err(error) => assert_eq!((is_there, error), (false, NotifyError::Gone)),
        }
    }

    fn credited(&mut self, message: Option<ToChild<'_>>) {
        let Some(message) = message else { return };
        let ToChild::Handled { cost } = message else { panic!("{message:?}") };
        assert_eq!(cost, self.owed);
        self.owed = 0;
        self.told(&message);
    }

    fn give_back(&mut self) {
        while let Some(message) = self.session.releases().map(ToChild::into_owned) {
            let ToChild::Object(call::ToChild::Release(releases)) = &message else { panic!("{message:?}") };
            assert!((1..=RELEASES).contains(&releases.len()));
            for release in releases.iter() {
                let pending = self.releases.get_mut(&release.id).expect("it was let go of");
                *pending -= u64::from(release.count);
            }
            self.releases.retain(|_, count| *count > 0);
            self.batches += 1;
            self.told(&message);
        }
    }

    /// A message goes to the child.
    fn told(&mut self, message: &ToChild<'_>) {
        assert_ne!(self.phase, Phase::Starting, "{message:?} before it is greeted");
        let is_greeting = matches!(message, ToChild::Welcome(_) | ToChild::Refuse(_));
        assert_eq!(is_greeting, self.told.is_empty(), "{message:?} after {:?}", self.told);
        assert_ne!(self.told.last(), Some(&"Refuse"), "{message:?}");
        if self.told.contains(&"Close") {
            let is_answer = matches!(message, ToChild::Handled { .. } | ToChild::Object(_));
            assert!(is_answer && message.kind() != "Invoke", "{message:?} after the request to close");
        }
        self.told.push(message.kind());
    }

    fn check(&self) {
        assert_eq!((self.session.unhandled(), self.session.progress()), (self.unhandled, self.progress));
        assert!(self.session.loaders().eq(self.loaders.keys().copied()));
        assert_eq!(self.session.has_ended(), self.has_ended);
        assert!(self.batches <= RELEASE_BATCHES);
    }

    /// The link is gone.
    fn finish(mut self) {
        let frames: Vec<_> = self.frames.keys().copied().collect();
        assert_eq!(self.session.gone(), frames);
        self.phase = Phase::Ended;
        assert_eq!(self.session.poll(), None);
        assert!(self.session.releases().is_none() && self.session.rest());
        let gone = self.session.emit(event(LoaderId::FIRST, Target::Process, 1)).map(drop);
        assert_eq!(gone, Err(NotifyError::Gone));
        assert_eq!(self.session.open_frame(FrameId::opened(0), false), Err(NotifyError::Gone));
        assert_eq!((self.session.close(), self.session.open_loader(LoaderId(77))), (None, None));
        assert!(self.session.receive(ToParent::Bye).is_err());
        assert_eq!((self.session.gone(), self.session.has_ended()), (Vec::new(), self.has_ended));
    }
}

const PROCESS: ProcessId = ProcessId::new(7, 3);

const CALLBACK: LentId = LentId { slot: 4, generation: 1 };

fn event(loader: LoaderId, target: Target, length: usize) -> Event<'static> {
    let form = Form::Typed(Fingerprint(1));
    Event { loader, target, name: "e".into(), form, payload: payload(length) }
}

fn payload(length: usize) -> Payload<'static> {
    Payload::plain(vec![0; length])
}
