//! What a child can do to the tables of its parent: whatever it says, and whatever the application does meanwhile, what is lent is counted,
//! nothing is kept that nobody can reach, and nothing is dropped that somebody can.

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard};

use remote_protocol::call::{self, CallError, Outcome, Release, Report, Request, Root, Selector, ToParent};
use remote_protocol::codec::{self, CowBytes};
use remote_protocol::id::CallId;
use remote_protocol::payload::{Fingerprint, Payload};
use remote_protocol::service::{NotifyError, RunError, Service};
use remote_protocol::value::{self, ReferenceKind};
use serde::{Deserialize, Serialize};

use super::child::{Child, Sent};
use super::{next, script};
use crate::buffer::{BufferBuilder, RemoteBuffer};
use crate::callback::Callback;
use crate::exports::{Alive, Exports};
use crate::function::Function;
use crate::interface::Interface;
use crate::promise::{Promise, Reply};
use crate::remote::Remote;
use crate::remote_value::RemoteValue;

/// Takes the bytes for steps. Gives whether there were any.
#[must_use]
pub fn objects(mut bytes: &[u8]) -> bool {
    let works = Arc::new(Works::default());
    let exports = Exports::new();
    exports.module::<dyn Vault>("vault", Arc::clone(&works) as Arc<dyn Vault>).expect("it is the only one");
    let child = Child::new(exports, LIMIT);
    let (mut steps, mut is_there) = (0, true);
    while is_there && let Some(step) = next(&mut bytes) {
        steps += 1;
        is_there = perform(step, &child, &works).is_some();
        if is_there {
            child.check();
        }
    }
    works.let_go();
    if is_there {
        child.check();
        child.release_all();
        assert_eq!(child.service.0.alive(), Alive::default());
    }
    child.service.close();
    assert_eq!(child.service.0.alive(), Alive::default());
    assert_eq!(Arc::strong_count(&works.token), 1, "a thing is kept that nobody can reach");
    steps > 0
}

/// What children and applications do.
#[must_use]
pub fn objects_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let look_up = || Step::LookUp { typed: true };
    let keep = |things: &[u8], callbacks: &[u8], functions: &[u8]| Step::Keep {
        things: things.to_vec(),
        callbacks: callbacks.to_vec(),
        functions: functions.to_vec(),
        buffers: Vec::new(),
    };
    let make = |count: u8| Step::Call { object: 0, method: 0, named: false, bytes: &[], references: vec![], count };
    let named = || Step::Call { object: 0, method: 2, named: true, bytes: &[], references: vec![], count: 0 };
    let buffer = || Step::Call { object: 0, method: 1, named: false, bytes: &[], references: vec![], count: 9 };
    let release = |object, count| Step::Release { object, count };
    let answer = |result| Step::Run { function: 0, things: vec![0], result };
    let done = || Returned::Done { bytes: &[0], references: vec![Sent::Callback(3), Sent::Object(1)] };
    [
        ("made", vec![look_up(), make(3), release(1, 1), make(1), release(2, 1), release(0, 1)]),
        (
            "kept",
            vec![look_up(), make(2), keep(&[1, 2], &[], &[]), release(1, 1), named(), Step::Drop { what: 0, which: 0 }],
        ),
        (
            "called-back",
            vec![look_up(), make(1), keep(&[1], &[1, 1, 2], &[]), Step::Invoke { callback: 0, things: vec![0, 0] }],
        ),
        (
            "revoked",
            vec![
                look_up(),
                keep(&[], &[1, 2], &[3]),
                Step::Revoke(vec![1, 3]),
                Step::Invoke { callback: 0, things: vec![] },
            ],
        ),
        (
            "run",
            vec![
                look_up(),
                make(2),
                keep(&[1], &[], &[5]),
                answer(done()),
                answer(Returned::Refused),
                answer(Returned::Busy),
            ],
        ),
        (
            "promised",
            vec![look_up(), make(1), Step::Later { id: 7, thing: 1 }, Step::Reply { which: 0, things: vec![0] }],
        ),
        (
            "cancelled",
            vec![look_up(), Step::Later { id: 7, thing: 0 }, Step::Say(ToParent::Cancel { call: CallId(7) })],
        ),
        ("buffers", vec![look_up(), buffer(), Step::Read { buffer: 1, offset: 2, length: 9 }, release(1, 1)]),
        ("too-much", vec![look_up(), make(2), release(1, 2)]),
        ("cut-off", vec![look_up(), make(2), Step::CutOff, make(2), Step::Invoke { callback: 0, things: vec![] }]),
    ]
    .map(|(name, steps)| (name, script(&steps)))
    .into()
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Step<'a> {
    // What the child does.
    /// Anything.
    #[serde(borrow)]
    Say(ToParent<'a>),
    LookUp {
        typed: bool,
    },
    Call {
        object: u8,
        method: u8,
        named: bool,
        /// The arguments, if they are not just a count.
        #[serde(borrow)]
        bytes: &'a [u8],
        #[serde(borrow)]
        references: Vec<Sent<'a>>,
        count: u8,
    },
    Keep {
        things: Vec<u8>,
        callbacks: Vec<u8>,
        functions: Vec<u8>,
        buffers: Vec<u8>,
    },
    Later {
        id: u8,
        thing: u8,
    },
    Read {
        buffer: u8,
        offset: u16,
        length: u16,
    },
    Release {
        object: u8,
        count: u8,
    },
    Revoke(Vec<u8>),
    // What the application does.
    Invoke {
        callback: u8,
        things: Vec<u8>,
    },
    Run {
        function: u8,
        things: Vec<u8>,
        #[serde(borrow)]
        result: Returned<'a>,
    },
    Reply {
        which: u8,
        things: Vec<u8>,
    },
    Drop {
        what: u8,
        which: u8,
    },
    /// The link closes, and nobody has noticed.
    CutOff,
}

/// How a function of the child ends.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Returned<'a> {
    Done {
        #[serde(borrow)]
        bytes: &'a [u8],
        #[serde(borrow)]
        references: Vec<Sent<'a>>,
    },
    Failed {
        #[serde(borrow)]
        references: Vec<Sent<'a>>,
    },
    Refused,
    Deadline,
    Disconnected,
    Busy,
    Gone,
}

/// `None` when the child has to be ended.
fn perform(step: Step<'_>, child: &Child, works: &Works) -> Option<()> {
    let end = &child.end;
    match step {
        Step::Say(message) => child.say(message)?,
        Step::LookUp { typed } => {
            let interface = typed.then(|| <dyn Vault>::NAME.into());
            child.call(Request::Lookup { root: Root::Module("vault".into()), interface })?;
        }
        Step::Call { object, method, named, bytes, references, count } => {
            let method = &<dyn Vault>::METHODS[usize::from(method) % <dyn Vault>::METHODS.len()];
            let counted = if named { encoded(&value::value!([count])) } else { encoded(&(count,)) };
            let arguments = Payload {
                bytes: CowBytes(if bytes.is_empty() { counted.into() } else { bytes.into() }),
                references: end.references(&references),
            };
            let method = if named {
                Selector::Named { name: method.name.into(), access: call::Access::Call }
            } else {
                Selector::Typed(Fingerprint(method.fingerprint))
            };
            child.call(Request::Method { object: end.lent(object), method, arguments })?;
        }
        Step::Keep { things, callbacks, functions, buffers } => {
            let mut sent = Vec::new();
            let mut add = |numbers: Vec<u8>, kind, reference: fn(u8) -> Sent<'static>| {
                let refer = |number| {
                    sent.push(reference(number));
                    value::Reference { kind, index: sent.len() as u32 - 1 }
                };
                numbers.into_iter().map(refer).collect::<Vec<_>>()
            };
            let kept = (
                add(things, ReferenceKind::Object, Sent::Object),
                add(callbacks, ReferenceKind::Function, Sent::Callback),
                add(functions, ReferenceKind::Function, Sent::Function),
                add(buffers, ReferenceKind::Buffer, Sent::Buffer),
            );
            call_vault(child, CallId(1), "keep", &kept, &sent)?;
        }
        Step::Later { id, thing } => {
            let reference = value::Reference { kind: ReferenceKind::Object, index: 0 };
            call_vault(child, CallId(id.into()), "later", &(Some(reference),), &[Sent::Object(thing)])?;
        }
        Step::Read { buffer, offset, length } => {
            let buffer = end.lent(buffer);
            child.call(Request::Read { buffer, offset: offset.into(), length: length.into() })?;
        }
        Step::Release { object, count } => {
            let releases = vec![Release { id: end.lent(object), count: count.into() }];
            child.say(ToParent::Release(releases.into()))?;
        }
        Step::Revoke(callbacks) => {
            let id = |slot: u8| remote_protocol::id::LentId { slot: slot.into(), generation: 0 };
            child.say(ToParent::Revoked { callbacks: callbacks.into_iter().map(id).collect() })?;
        }
        Step::Invoke { callback, things } => {
            let callback = pick(&works.kept().callbacks, callback).cloned();
            let things = works.pick_things(&things);
            if let Some(callback) = callback {
                let _ = callback.call(things);
            }
        }
        Step::Run { function, things, result } => {
            let function = pick(&works.kept().functions, function).cloned();
            let things = works.pick_things(&things);
            if let Some(function) = function {
                end.will_return(returned(child, result));
                if let Ok(result) = function.call(things) {
                    works.kept().results.push(result);
                }
            }
        }
        Step::Reply { which, things } => {
            let things = works.pick_things(&things);
            let reply = take(&mut works.kept().replies, which);
            if let Some(reply) = reply {
                reply.send(Ok(things));
            }
        }
        Step::Drop { what, which } => works.drop_one(what, which),
        Step::CutOff => end.cut_off(),
    }
    Some(())
}

/// Calls a method with arguments that are what it takes, but for what they refer to.
fn call_vault(child: &Child, id: CallId, method: &str, arguments: &impl Serialize, sent: &[Sent<'_>]) -> Option<()> {
    let method = <dyn Vault>::METHODS.iter().find(|known| known.name == method).expect("it is a method");
    let arguments = Payload { bytes: CowBytes(encoded(arguments).into()), references: child.end.references(sent) };
    let request = Request::Method {
        object: child.end.lent(0),
        method: Selector::Typed(Fingerprint(method.fingerprint)),
        arguments,
    };
    child.say(ToParent::Call(call::Call { id, during: None, request }))
}

fn returned(child: &Child, result: Returned<'_>) -> Result<Outcome<'static>, RunError> {
    let payload = |bytes: &[u8], references: &[Sent<'_>]| {
        Payload { bytes: CowBytes(bytes.into()), references: child.end.references(references) }.into_owned()
    };
    Ok(match result {
        Returned::Done { bytes, references } => Outcome::Done(payload(bytes, &references)),
        Returned::Failed { references } => {
            let report =
                Report { kind: String::new(), message: String::new(), causes: Vec::new(), method: String::new() };
            Outcome::Failed { report: Box::new(report), error: payload(&[], &references) }
        }
        Returned::Refused => Outcome::Refused(Box::new(CallError::NoSuchFunction { function: "f".to_owned() })),
        Returned::Deadline => return Err(RunError::Deadline),
        Returned::Disconnected => return Err(RunError::Disconnected),
        Returned::Busy => return Err(RunError::Busy { limit: 64 }),
        Returned::Gone => return Err(RunError::Unsent(NotifyError::Gone)),
    })
}

/// Has nothing but its life.
#[remote_object::interface]
pub(super) trait Thing: Send + Sync {
    fn number(&self) -> Result<u32, CallError>;
}

pub(super) type Things = Vec<Remote<dyn Thing>>;
pub(super) type OfKind = (Things, Vec<RemoteBuffer>, Vec<Callback<Things>>);

/// Makes things, and keeps what it is given.
#[remote_object::interface]
pub(super) trait Vault: Send + Sync {
    fn make(&self, count: u8) -> Result<Things, CallError>;
    fn buffer(&self, length: u8) -> Result<RemoteBuffer, CallError>;
    /// All of a kind.
    fn kept(&self, kind: u8) -> Result<OfKind, CallError>;
    /// Fails, with an error that carries what it was given, when it is given much.
    fn keep(
        &self,
        things: Things,
        callbacks: Vec<Callback<Things>>,
        functions: Vec<Function<Things, RemoteValue>>,
        buffers: Vec<RemoteBuffer>,
    ) -> Result<(), Failure>;
    fn keep_any(&self, value: RemoteValue) -> Result<u8, CallError>;
    fn later(&self, thing: Option<Remote<dyn Thing>>) -> Promise<Things, CallError>;
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
pub(super) enum Failure {
    #[error("it is too much")]
    TooMuch(Things),
    #[error(transparent)]
    Call(#[from] CallError),
}

/// The application.
#[derive(Default)]
struct Works {
    /// Each thing has a clone of it.
    token: Arc<()>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    things: Things,
    buffers: Vec<RemoteBuffer>,
    callbacks: Vec<Callback<Things>>,
    functions: Vec<Function<Things, RemoteValue>>,
    values: Vec<RemoteValue>,
    results: Vec<RemoteValue>,
    replies: Vec<Reply<Things, CallError>>,
}

impl Works {
    /// Nothing is dropped, and nobody called, while it is locked.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("nothing panics while it is locked")
    }

    fn pick_things(&self, numbers: &[u8]) -> Things {
        let kept = self.kept();
        numbers.iter().filter_map(|number| pick(&kept.things, *number).cloned()).collect()
    }

    fn drop_one(&self, what: u8, which: u8) {
        fn taken<T: 'static>(from: &mut Vec<T>, number: u8) -> Option<Box<dyn Any>> {
            take(from, number).map(|taken| Box::new(taken) as Box<dyn Any>)
        }
        let mut kept = self.kept();
        let taken = match what % 7 {
            0 => taken(&mut kept.things, which),
            1 => taken(&mut kept.buffers, which),
            2 => taken(&mut kept.callbacks, which),
            3 => taken(&mut kept.functions, which),
            4 => taken(&mut kept.values, which),
            5 => taken(&mut kept.results, which),
            _ => taken(&mut kept.replies, which),
        };
        drop(kept);
        drop(taken);
    }

    fn let_go(&self) {
        let kept = std::mem::take(&mut *self.kept());
        drop(kept);
    }
}

impl Vault for Works {
    fn make(&self, count: u8) -> Result<Things, CallError> {
        let make =
            |number| Remote::new(Arc::new(Counted { number, _token: Arc::clone(&self.token) }) as Arc<dyn Thing>);
        let made: Things = (0..u32::from(count % 16)).map(make).collect();
        self.kept().things.extend(made.iter().take(1).cloned());
        Ok(made)
    }

    fn buffer(&self, length: u8) -> Result<RemoteBuffer, CallError> {
        let buffer = BufferBuilder::new(usize::from(length) * 64).finish();
        self.kept().buffers.push(buffer.clone());
        Ok(buffer)
    }

    fn kept(&self, kind: u8) -> Result<OfKind, CallError> {
        let kept = self.kept();
        Ok(match kind % 3 {
            0 => (kept.things.clone(), Vec::new(), Vec::new()),
            1 => (Vec::new(), kept.buffers.clone(), Vec::new()),
            _ => (Vec::new(), Vec::new(), kept.callbacks.clone()),
        })
    }

    fn keep(
        &self,
        things: Things,
        callbacks: Vec<Callback<Things>>,
        functions: Vec<Function<Things, RemoteValue>>,
        buffers: Vec<RemoteBuffer>,
    ) -> Result<(), Failure> {
        if things.len() + callbacks.len() > 8 {
            return Err(Failure::TooMuch(things));
        }
        let mut kept = self.kept();
        kept.things.extend(things);
        kept.callbacks.extend(callbacks);
        kept.functions.extend(functions);
        kept.buffers.extend(buffers);
        Ok(())
    }

    fn keep_any(&self, value: RemoteValue) -> Result<u8, CallError> {
        self.kept().values.push(value);
        Ok(1)
    }

    fn later(&self, thing: Option<Remote<dyn Thing>>) -> Promise<Things, CallError> {
        let (promise, reply) = Promise::new();
        let mut kept = self.kept();
        kept.replies.push(reply);
        kept.things.extend(thing);
        promise
    }
}

struct Counted {
    number: u32,
    _token: Arc<()>,
}

impl Thing for Counted {
    fn number(&self) -> Result<u32, CallError> {
        Ok(self.number)
    }
}

pub(super) fn pick<T>(from: &[T], number: u8) -> Option<&T> {
    from.get(usize::from(number) % from.len().max(1))
}

pub(super) fn take<T>(from: &mut Vec<T>, number: u8) -> Option<T> {
    let index = usize::from(number) % from.len().max(1);
    (index < from.len()).then(|| from.swap_remove(index))
}

fn encoded<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::encode(value, &mut bytes).expect("it can be sent");
    bytes
}

/// Objects that may be lent at any time, and callbacks that may be held.
const LIMIT: usize = 24;
