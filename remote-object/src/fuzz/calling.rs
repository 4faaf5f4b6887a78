//! What a parent can do to the tables of its child: whatever it answers, and whatever the application does meanwhile, what arrived is given
//! back once, and what was lent is counted.
//!
//! A child trusts its parent, so that this is about defects, and not about attacks.

use std::any::Any;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use remote_protocol::call::{CallError, Outcome, Release, Request, Root};
use remote_protocol::id::{CallId, LentId};
use remote_protocol::payload::Encoding;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::objects::{Things, Vault, pick, take};
use super::parent::{Answered, Failure, Given, Parent, outcome, references};
use super::{next, script};
use crate::buffer::{BufferView, RemoteBuffer};
use crate::callback::{AnyCallback, Callback};
use crate::calling::done;
use crate::dynamic::RemoteObject;
use crate::function::{AnyFunction, Function};
use crate::interface::Interface;
use crate::life::Life;
use crate::promise::Promise;
use crate::proxy;
use crate::remote::Remote;
use crate::remote_value::RemoteValue;
use crate::scope;

/// Takes the bytes for steps. Gives whether there were any.
#[must_use]
pub fn calling(mut bytes: &[u8]) -> bool {
    let parent = Parent::new();
    let mut application = Application::default();
    let mut steps = 0;
    while let Some(step) = next(&mut bytes) {
        steps += 1;
        application.perform(step, &parent);
        parent.check();
    }
    drop(application);
    parent.check();
    parent.check_cancelled();
    parent.close();
    parent.check_end();
    steps > 0
}

/// What parents and applications do.
#[must_use]
pub fn calling_seeds() -> Vec<(&'static str, Vec<u8>)> {
    use Encoding::{Dynamic, Typed};
    let will = Step::Answer;
    let one = |form, given| will(Answered::One(form, given));
    let many = |slots: &[u8]| {
        let things = slots.iter().map(|slot| Given::Object(*slot)).collect();
        Answered::Many(Typed, things)
    };
    let vault = || vec![one(Typed, Given::Object(0)), Step::LookUp { typed: true }];
    let by_name = || vec![one(Dynamic, Given::Vault(0)), Step::LookUp { typed: false }];
    let made = |slots: &[u8]| [will(many(slots)), Step::Make { vault: 0 }];
    let nothing = || will(Answered::Done { bytes: &[], references: Vec::new() });
    let keep = |things: &[u8], callbacks: &[u8], functions: &[u8], buffers: &[u8]| Step::Keep {
        vault: 0,
        things: things.to_vec(),
        callbacks: callbacks.to_vec(),
        functions: functions.to_vec(),
        buffers: buffers.to_vec(),
    };
    let steps = |first: Vec<Step<'static>>, then: Vec<Step<'static>>| first.into_iter().chain(then).collect::<Vec<_>>();
    let invoke = |bytes, references| Step::Invoke { callback: 0, form: Typed, bytes, references };
    let closures = || vec![Step::Callback { life: 0 }, Step::Function { life: 1 }];
    let release = |callback, count| Step::Release { callback, count };
    let buffer = |given| one(Typed, given);
    let fetched = |given| steps(vault(), vec![buffer(given), Step::Buffer { vault: 0 }]);
    [
        ("made", steps(vault(), [made(&[1, 2, 1]), made(&[2, 3])].concat())),
        ("given-back", steps(vault(), [&made(&[1, 2])[..], &[nothing(), keep(&[0, 1, 0], &[], &[], &[])]].concat())),
        (
            "called-back",
            steps(
                steps(vault(), closures()),
                vec![nothing(), keep(&[], &[0, 0], &[0], &[]), invoke(&[1, 0], vec![Given::Object(4)]), release(0, 2)],
            ),
        ),
        (
            "revoked",
            steps(
                steps(vault(), closures()),
                vec![nothing(), keep(&[], &[0], &[0], &[]), Step::End(0), invoke(&[0], Vec::new()), release(0, 1)],
            ),
        ),
        (
            "unsent",
            steps(
                steps(vault(), closures()),
                vec![will(Answered::Never(Failure::Busy)), keep(&[], &[0], &[0], &[]), keep(&[], &[0], &[], &[])],
            ),
        ),
        (
            "late",
            steps(
                steps(vault(), closures()),
                vec![
                    will(Answered::Never(Failure::Deadline)),
                    keep(&[], &[0], &[], &[]),
                    Step::Return { call: 1, answer: many(&[1, 2]) },
                    Step::Return { call: 1, answer: many(&[1]) },
                ],
            ),
        ),
        (
            "promised",
            steps(
                vault(),
                vec![
                    Step::Later { vault: 0, thing: 0 },
                    Step::Later { vault: 0, thing: 0 },
                    Step::Return { call: 2, answer: many(&[1]) },
                    Step::Take { promise: 1, waits: false },
                    will(many(&[2])),
                    Step::Take { promise: 0, waits: true },
                ],
            ),
        ),
        (
            "cancelled",
            steps(
                vault(),
                vec![
                    Step::Later { vault: 0, thing: 0 },
                    Step::Drop { what: 7, which: 0 },
                    Step::Return { call: 1, answer: many(&[1]) },
                    Step::Later { vault: 0, thing: 0 },
                    Step::Disconnect,
                ],
            ),
        ),
        (
            "by-name",
            steps(
                by_name(),
                vec![
                    one(Dynamic, Given::Thing(3)),
                    Step::Call { object: 0, later: false, things: vec![0], callbacks: Vec::new() },
                    Step::Call { object: 0, later: true, things: Vec::new(), callbacks: Vec::new() },
                    will(Answered::Many(Dynamic, vec![Given::Thing(4)])),
                    Step::TakeValue { promise: 0 },
                    Step::Downcast { object: 0 },
                ],
            ),
        ),
        (
            "buffer",
            steps(fetched(Given::Buffer { slot: 5, length: 9 }), {
                let piece = || will(Answered::Piece(9));
                vec![piece(), Step::Read { buffer: 0, start: 0, end: 9 }, piece(), Step::View { buffer: 0 }]
            }),
        ),
        ("buffer-copied", steps(fetched(Given::Copied(3)), vec![Step::Read { buffer: 0, start: 1, end: 3 }])),
        ("buffer-shown", steps(fetched(Given::Shown { slot: 3, place: 8 }), vec![Step::View { buffer: 0 }])),
        (
            "buffer-shared",
            steps(
                fetched(Given::Buffer { slot: 5, length: 1 << 20 }),
                vec![will(Answered::Done { bytes: &[0], references: Vec::new() }), Step::View { buffer: 0 }],
            ),
        ),
        ("here", steps(closures(), vec![Step::Post { callback: 0 }, Step::Run { function: 0 }, Step::Close])),
    ]
    .map(|(name, steps)| (name, script(&steps)))
    .into()
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Step<'a> {
    // What the parent does.
    /// To what it is asked next.
    #[serde(borrow)]
    Answer(Answered<'a>),
    Return {
        call: u32,
        #[serde(borrow)]
        answer: Answered<'a>,
    },
    Invoke {
        callback: u8,
        form: Encoding,
        #[serde(borrow)]
        bytes: &'a [u8],
        #[serde(borrow)]
        references: Vec<Given<'a>>,
    },
    Release {
        callback: u8,
        count: u32,
    },
    ReleaseAny(Release),
    Disconnect,
    Close,
    // What the application does.
    LookUp {
        typed: bool,
    },
    Make {
        vault: u8,
    },
    Buffer {
        vault: u8,
    },
    Keep {
        vault: u8,
        things: Vec<u8>,
        callbacks: Vec<u8>,
        functions: Vec<u8>,
        buffers: Vec<u8>,
    },
    Later {
        vault: u8,
        thing: u8,
    },
    Take {
        promise: u8,
        waits: bool,
    },
    /// By name.
    Call {
        object: u8,
        later: bool,
        things: Vec<u8>,
        callbacks: Vec<u8>,
    },
    TakeValue {
        promise: u8,
    },
    Downcast {
        object: u8,
    },
    Read {
        buffer: u8,
        start: u32,
        end: u32,
    },
    View {
        buffer: u8,
    },
    Callback {
        life: u8,
    },
    Function {
        life: u8,
    },
    Post {
        callback: u8,
    },
    Run {
        function: u8,
    },
    /// A context ends.
    End(u8),
    Drop {
        what: u8,
        which: u8,
    },
}

/// The application, and its contexts.
#[derive(Default)]
struct Application {
    lives: [Arc<Life>; 2],
    /// What was made for each.
    made: [Vec<LentId>; 2],
    vaults: Vec<Remote<dyn Vault>>,
    things: Things,
    objects: Vec<RemoteObject>,
    buffers: Vec<RemoteBuffer>,
    views: Vec<BufferView>,
    values: Vec<RemoteValue>,
    callbacks: Vec<Callback<Things>>,
    functions: Vec<Function<Things, RemoteValue>>,
    promises: Vec<Promise<Things, CallError>>,
    dynamic: Vec<Promise<RemoteValue, CallError>>,
}

impl Application {
    fn perform(&mut self, step: Step<'_>, parent: &Parent) {
        match step {
            Step::Answer(answer) => parent.end.will_say(&answer),
            Step::Return { call, answer } => {
                if let Ok(outcome) = outcome(&answer) {
                    parent.say(CallId(call), outcome);
                }
            }
            Step::Invoke { callback, form, bytes, references: given } => {
                let id = parent.end.lent(callback);
                let Ok(arrivals) = parent.give(references(&given)) else { return };
                if parent.end.has_closure(id) {
                    self.things.extend(scope::decode_owned::<Things>(form, bytes, arrivals).into_iter().flatten());
                } else {
                    drop(arrivals);
                    parent.calling.revoke_again(id);
                }
            }
            Step::Release { callback, count } => parent.release(Release { id: parent.end.lent(callback), count }),
            Step::ReleaseAny(release) => parent.release(release),
            Step::Disconnect => parent.disconnect(),
            Step::Close => parent.close(),
            Step::LookUp { typed: true } => self.vaults.extend(look_up(parent, Some(<dyn Vault>::NAME))),
            Step::LookUp { typed: false } => self.objects.extend(look_up(parent, None)),
            Step::Make { vault } => {
                let Some(vault) = pick(&self.vaults, vault) else { return };
                self.things.extend(vault.make(1).into_iter().flatten());
            }
            Step::Buffer { vault } => {
                let Some(vault) = pick(&self.vaults, vault) else { return };
                self.buffers.extend(vault.buffer(1));
            }
            Step::Keep { vault, things, callbacks, functions, buffers } => {
                let Some(vault) = pick(&self.vaults, vault) else { return };
                let _ = vault.keep(
                    picked(&self.things, &things),
                    picked(&self.callbacks, &callbacks),
                    picked(&self.functions, &functions),
                    picked(&self.buffers, &buffers),
                );
            }
            Step::Later { vault, thing } => {
                let Some(vault) = pick(&self.vaults, vault) else { return };
                self.promises.push(vault.later(pick(&self.things, thing).cloned()));
            }
            Step::Take { promise, waits: true } => {
                let Some(promise) = take(&mut self.promises, promise) else { return };
                self.things.extend(promise.wait_within(Duration::ZERO).into_iter().flatten());
            }
            Step::Take { promise, waits: false } => {
                let index = usize::from(promise) % self.promises.len().max(1);
                let Some(promise) = self.promises.get_mut(index) else { return };
                self.things.extend(promise.try_take().into_iter().flatten().flatten());
            }
            Step::Call { object, later, things, callbacks } => {
                let Some(object) = pick(&self.objects, object) else { return };
                let arguments = (picked(&self.things, &things), picked(&self.callbacks, &callbacks), &self.values);
                if later {
                    self.dynamic.push(object.call_async("later", arguments));
                } else if let Ok(value) = object.call("any", arguments) {
                    self.values.push(value);
                }
            }
            Step::TakeValue { promise } => {
                let Some(promise) = take(&mut self.dynamic, promise) else { return };
                self.values.extend(promise.wait());
            }
            Step::Downcast { object } => {
                let Some(object) = pick(&self.objects, object) else { return };
                self.vaults.extend(object.downcast());
            }
            Step::Read { buffer, start, end } => {
                let Some(buffer) = pick(&self.buffers, buffer) else { return };
                if let Ok(bytes) = buffer.read(start as usize..end as usize) {
                    assert_eq!(bytes.len(), (end - start) as usize);
                }
            }
            Step::View { buffer } => {
                let Some(buffer) = pick(&self.buffers, buffer) else { return };
                if let Ok(view) = buffer.view() {
                    assert_eq!(view.len(), buffer.len());
                    self.views.push(view);
                }
            }
            Step::Callback { life } => {
                let made = self.make(life, parent);
                self.callbacks.push(Callback::new(AnyCallback::Made(made), Encoding::Typed));
            }
            Step::Function { life } => {
                let made = self.make(life, parent);
                self.functions.push(Function::new(AnyFunction::Made(made), Encoding::Typed));
            }
            Step::Post { callback } => {
                let Some(callback) = pick(&self.callbacks, callback) else { return };
                let _ = callback.call(self.things.clone());
            }
            Step::Run { function } => {
                let Some(function) = pick(&self.functions, function) else { return };
                let _ = function.call(self.things.clone());
            }
            Step::End(life) => {
                let life = usize::from(life % 2);
                let ids = std::mem::take(&mut self.made[life]);
                let ids: Vec<_> = ids.into_iter().filter(|id| parent.end.has_closure(*id)).collect();
                parent.calling.revoke(&self.lives[life], &ids);
                parent.end.drop_closures(&ids);
            }
            Step::Drop { what, which } => self.drop_one(what, which),
        }
    }

    fn make(&mut self, life: u8, parent: &Parent) -> Arc<crate::calling::MadeCallback> {
        let life = usize::from(life % 2);
        let made = parent.calling.make_callback(&self.lives[life], Location::caller());
        if !self.lives[life].has_ended() {
            parent.end.remember(made.id());
            self.made[life].push(made.id());
        }
        made
    }

    fn drop_one(&mut self, what: u8, which: u8) {
        fn taken<T: 'static>(from: &mut Vec<T>, number: u8) -> Option<Box<dyn Any>> {
            take(from, number).map(|taken| Box::new(taken) as Box<dyn Any>)
        }
        drop(match what % 10 {
            0 => taken(&mut self.vaults, which),
            1 => taken(&mut self.things, which),
            2 => taken(&mut self.objects, which),
            3 => taken(&mut self.buffers, which),
            4 => taken(&mut self.views, which),
            5 => taken(&mut self.callbacks, which),
            6 => taken(&mut self.functions, which),
            7 => taken(&mut self.promises, which),
            8 => taken(&mut self.dynamic, which),
            _ => taken(&mut self.values, which),
        });
    }
}

/// Asks for a root, as a context does.
fn look_up<R: DeserializeOwned>(parent: &Parent, interface: Option<&str>) -> Option<R> {
    let request = Request::Lookup { root: Root::Module("vault".into()), interface: interface.map(Into::into) };
    let take = |outcome: Outcome<'_>| {
        let (outcome, arrivals) = parent.calling.receive(outcome);
        proxy::decode(&done(outcome).ok()?, arrivals).ok()
    };
    parent.calling.request(request, Vec::new, "vault", take).ok().flatten()
}

fn picked<T: Clone>(from: &[T], numbers: &[u8]) -> Vec<T> {
    numbers.iter().filter_map(|number| pick(from, *number).cloned()).collect()
}
