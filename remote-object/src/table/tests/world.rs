//! Both sides, what they hold, and the operations on them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, Weak};

use remote_protocol::call::{Invoke, Outcome, Request, Root};
use remote_protocol::id::LentId;
use remote_protocol::limits::{CALL, Limits};
use remote_protocol::payload::Encoding;
use remote_protocol::service::{Caller, Notify, Service};

use super::things::{Factory, Failure, Ledger, Load, Load2, Odd, Oddity, PANIC, Thing, Works, newer, number};
use super::wire::{LANES, Wire};
use crate::callback::{AnyCallback, Callback};
use crate::calling::{Calling, Late, Loop, MadeCallback};
use crate::exports::Exports;
use crate::interface::Interface;
use crate::life::Life;
use crate::remote::Remote;
use crate::serving::tests::serving;
use crate::serving::{ProcessService, Serving};
use crate::{proxy, scope};

/// One step. Numbers pick from what there is.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Make {
        main: bool,
        count: u8,
    },
    Kept {
        main: bool,
        times: u8,
    },
    Keep {
        main: bool,
        cargo: Cargo,
    },
    Fail {
        main: bool,
        cargo: Cargo,
    },
    Unknown {
        main: bool,
        cargo: Cargo,
    },
    Use {
        main: bool,
        thing: u8,
    },
    LookUp {
        main: bool,
    },
    /// The next result is odd.
    Spoil(Oddity),
    DropHeld(u8),
    MakeCallback,
    DropCallback(u8),
    ParentDrops(u8),
    ParentDropsCallback(u8),
    ParentInvokes {
        callback: u8,
        cargo: Cargo,
    },
    /// A message on a lane is received, if there is one.
    ParentHandles(u8),
    ChildHandles(u8),
    /// The innermost call has met its deadline.
    GiveUp,
    ChildRests,
    ParentRests,
    LinkCloses,
    /// The parent has noticed, and lets go of everything.
    ParentFinishes,
    /// The child's loop ends.
    ChildFinishes,
}

/// Which things and callbacks travel, and what is odd about it.
#[derive(Clone, Debug)]
pub(crate) struct Cargo {
    pub(crate) things: Vec<u8>,
    pub(crate) callbacks: Vec<u8>,
    pub(crate) oddity: Oddity,
}

impl Cargo {
    pub(crate) fn of_things(things: &[u8]) -> Self {
        Self { things: things.to_vec(), callbacks: Vec::new(), oddity: Oddity::None }
    }
}

pub(crate) struct World {
    wire: Arc<Wire>,
    script: Mutex<VecDeque<Op>>,
    // The parent.
    ledger: Arc<Ledger>,
    works: Arc<Works>,
    serving: Arc<Serving>,
    pub(crate) service: Arc<dyn Service>,
    _exports: Exports,
    // The child.
    pub(crate) calling: Arc<Calling>,
    pub(crate) late: Late,
    life: Arc<Life>,
    factory: Mutex<Option<Remote<dyn Factory>>>,
    things: Mutex<Vec<Remote<dyn Thing>>>,
    callbacks: Mutex<Vec<Callback<Load2>>>,
    made: Mutex<BTreeMap<LentId, Weak<MadeCallback>>>,
}

impl World {
    /// After as many batches of releases that the parent has not come to.
    pub(crate) fn new(warm: u8) -> Arc<Self> {
        let wire = Wire::new();
        let works = Arc::new(Works::default());
        let exports = Exports::new();
        exports.module::<dyn Factory>("factory", Arc::clone(&works) as Arc<dyn Factory>).unwrap();
        let serving = serving(Arc::downgrade(exports.roots()), Arc::clone(&wire) as Arc<dyn Notify>, Limits::new());
        let service = Arc::new(ProcessService(Arc::clone(&serving)));
        let calling = Calling::new(Arc::clone(&wire) as Arc<dyn Caller>, Arc::clone(&wire) as Arc<dyn Loop>, CALL);
        let world = Arc::new(Self {
            wire,
            script: Mutex::default(),
            ledger: Arc::clone(&works.ledger),
            works,
            serving,
            service,
            _exports: exports,
            late: Late(Arc::clone(&calling)),
            life: Arc::default(),
            calling,
            factory: Mutex::default(),
            things: Mutex::default(),
            callbacks: Mutex::default(),
            made: Mutex::default(),
        });
        world.wire.world.set(Arc::downgrade(&world)).unwrap();
        world.perform(Op::LookUp { main: false });
        for _ in 0..warm {
            world.perform(Op::Make { main: false, count: 1 });
            world.perform(Op::DropHeld(0));
            world.perform(Op::ChildRests);
        }
        world
    }

    pub(crate) fn run(self: &Arc<Self>, ops: Vec<Op>) {
        self.script.lock().unwrap().extend(ops);
        while let Some(op) = self.next_op() {
            self.perform(op);
        }
        if self.wire.lock().closed {
            self.perform(Op::ParentFinishes);
            self.perform(Op::ChildFinishes);
        } else {
            self.settle();
        }
        self.let_go();
        if !self.wire.lock().closed {
            self.settle();
        }
        assert!(self.serving.lent().is_empty() && self.calling.lent().is_empty());
        assert!(self.serving.held().is_empty() && self.calling.held().is_empty());
        assert!(self.wire.lock().closures.is_empty());
        assert!(self.ledger.things().values().all(|drops| *drops == 1), "{:?}", self.ledger);
    }

    pub(crate) fn next_op(&self) -> Option<Op> {
        self.script.lock().unwrap().pop_front()
    }

    pub(crate) fn perform(self: &Arc<Self>, op: Op) {
        match op {
            Op::Make { main, count } => {
                self.call(main, |factory| self.take(factory.make(count).unwrap_or_default()));
            }
            Op::Kept { main, times } => self.call(main, |factory| {
                if let Ok(kept) = factory.kept(times) {
                    self.take(kept.inner);
                }
            }),
            Op::Keep { main, cargo } => {
                let load = self.load(&cargo);
                self.call(main, |factory| drop(factory.keep(load)));
            }
            Op::Fail { main, cargo } => {
                let load = self.load(&cargo);
                self.call(main, |factory| {
                    if let Err(Failure::Failed(all)) = factory.fail(load) {
                        self.take(all.inner);
                    }
                });
            }
            Op::Unknown { main, cargo } => {
                let load = self.load(&cargo);
                self.wire.lock().main = main;
                let Some(factory) = self.look_up::<dyn newer::Factory>() else { return };
                self.wire.lock().main = main;
                tolerate(|| drop(factory.unknown(load)));
            }
            Op::Use { main, thing } => {
                let thing = pick(&self.things.lock().unwrap(), thing).cloned();
                self.wire.lock().main = main;
                if let Some(Ok(number)) = thing.map(|thing| thing.number()) {
                    let alive = self.ledger.things().get(&number) == Some(&0);
                    assert!(alive || self.wire.lock().closed, "thing {number} is used after it went");
                }
            }
            Op::LookUp { main } => {
                self.wire.lock().main = main;
                if let Some(found) = self.look_up::<dyn Factory>() {
                    let old = self.factory.lock().unwrap().replace(found);
                    drop(old);
                }
            }
            Op::Spoil(oddity) => *self.works.oddity.lock().unwrap() = Some(oddity),
            Op::DropHeld(thing) => drop(take(&self.things, thing)),
            // Nobody makes any once the loop has ended.
            Op::MakeCallback if self.wire.lock().child_finished => {}
            Op::MakeCallback => {
                let made = self.calling.make_callback(&self.life, Location::caller());
                assert!(self.wire.lock().closures.insert(made.id()));
                self.made.lock().unwrap().insert(made.id(), Arc::downgrade(&made));
                self.callbacks.lock().unwrap().push(Callback::new(AnyCallback::Made(made), Encoding::Typed));
            }
            Op::DropCallback(callback) => drop(take(&self.callbacks, callback)),
            Op::ParentDrops(thing) => drop(take(&self.works.things, thing)),
            Op::ParentDropsCallback(callback) => drop(take(&self.works.callbacks, callback)),
            Op::ParentInvokes { callback, cargo } => {
                let callback = pick(&self.works.callbacks.lock().unwrap(), callback).cloned();
                let kept = self.works.things.lock().unwrap().clone();
                let things = cargo.things.iter().filter_map(|thing| pick(&kept, *thing).cloned()).collect();
                let argument = Odd { inner: (things, ()), oddity: cargo.oddity };
                drop(kept);
                if let Some(callback) = callback {
                    tolerate(|| drop(callback.call(argument)));
                }
            }
            Op::ParentHandles(lane) => self.wire.parent_handles(usize::from(lane)),
            Op::ChildHandles(lane) => self.wire.child_handles(usize::from(lane)),
            // Nothing waits.
            Op::GiveUp => {}
            Op::ChildRests => self.wire.child_rests(),
            Op::ParentRests => self.wire.parent_rests(),
            Op::LinkCloses => self.wire.lock().closed = true,
            Op::ParentFinishes => self.parent_finishes(),
            Op::ChildFinishes => self.child_finishes(),
        }
        self.check();
    }

    /// Compares what is counted with what there is.
    pub(crate) fn check(&self) {
        let lent = self.serving.lent();
        let lent_callbacks = self.calling.lent();
        let state = self.wire.lock();
        if !state.closed {
            let mut reachable = state.objects();
            add(&mut reachable, self.calling.held());
            let counts: BTreeMap<_, _> = lent.iter().map(|(id, (_, count))| (*id, *count)).collect();
            assert_eq!(counts, reachable, "references that are lent, and those that the child can reach");

            let mut reachable = state.callbacks();
            add(&mut reachable, self.serving.held());
            let counts = lent_callbacks.iter().filter(|(_, (count, _))| *count > 0);
            let counts: BTreeMap<_, _> = counts.map(|(id, (count, _))| (*id, *count)).collect();
            assert_eq!(counts, reachable, "callbacks that are lent, and those that the parent can reach");
        }
        if state.parent_finished {
            assert!(lent.is_empty());
        }
        if state.child_finished {
            assert!(state.closures.is_empty());
        } else {
            let made = self.made.lock().unwrap();
            for (id, (count, kept)) in &lent_callbacks {
                let alive = made.get(id).is_some_and(|made| made.strong_count() > 0);
                assert_eq!((alive, alive || *count > 0), (*kept, true), "callback {id}");
            }
            assert!(state.closures.iter().eq(lent_callbacks.keys()));
        }
        drop(state);

        let mut alive: BTreeSet<_> = lent.values().filter_map(|(object, _)| number(object)).collect();
        drop(lent);
        let kept = self.works.things.lock().unwrap();
        alive.extend(kept.iter().map(|thing| thing.number().unwrap()));
        for (thing, drops) in self.ledger.things() {
            assert_eq!(drops, u32::from(!alive.contains(&thing)), "how often thing {thing} was dropped");
        }
    }

    pub(crate) fn invoked(&self, invoke: Invoke<'_>) {
        assert!(self.wire.lock().closures.contains(&invoke.callback), "a release has overtaken a call");
        let arrivals = self.calling.arrive(invoke.argument.references).unwrap();
        if let Ok(argument) = scope::decode::<Load2>(&invoke.argument.bytes.0, arrivals) {
            self.take(argument.inner.0);
        }
    }

    /// Calls the parent, if the child has what to call it with.
    fn call(&self, main: bool, call: impl FnOnce(&dyn Factory)) {
        let factory = self.factory.lock().unwrap().clone();
        self.wire.lock().main = main;
        if let Some(factory) = factory {
            tolerate(|| call(&*factory));
        }
    }

    fn look_up<T: Interface + ?Sized>(&self) -> Option<Remote<T>> {
        let request = Request::Lookup { root: Root::Module("factory".into()), interface: Some(T::NAME.into()) };
        let read = |outcome: Outcome<'_>| match self.calling.receive(outcome) {
            (Outcome::Done(payload), arrivals) => proxy::decode(&payload, arrivals).unwrap(),
            (other, _) => panic!("{other:?}"),
        };
        self.calling.request(request, Vec::new, "factory", read).ok()
    }

    fn load(&self, cargo: &Cargo) -> Load {
        let (things, callbacks) = (self.things.lock().unwrap(), self.callbacks.lock().unwrap());
        let things = cargo.things.iter().filter_map(|thing| pick(&things, *thing).cloned()).collect();
        let callbacks = cargo.callbacks.iter().filter_map(|callback| pick(&callbacks, *callback).cloned()).collect();
        Odd { inner: (things, callbacks), oddity: cargo.oddity }
    }

    fn take(&self, things: Vec<Remote<dyn Thing>>) {
        self.things.lock().unwrap().extend(things);
    }

    /// Everything that is on its way arrives, and both sides have nothing to do.
    fn settle(self: &Arc<Self>) {
        let lanes = || 0..u8::try_from(LANES).unwrap();
        loop {
            self.perform(Op::ChildRests);
            self.perform(Op::ParentRests);
            let state = self.wire.lock();
            let quiet = state.to_parent.iter().chain(&state.to_child).all(VecDeque::is_empty);
            if quiet && state.deferred.is_empty() {
                break;
            }
            drop(state);
            lanes().for_each(|lane| self.perform(Op::ParentHandles(lane)));
            lanes().for_each(|lane| self.perform(Op::ChildHandles(lane)));
        }
        let state = self.wire.lock();
        let left = (state.releases.pending().count(), state.parent_releases.len());
        assert_eq!(left, (0, 0), "releases that rest in processes with nothing to do");
    }

    /// Nobody holds anything any more.
    fn let_go(&self) {
        drop(self.factory.lock().unwrap().take());
        let of_child =
            (std::mem::take(&mut *self.things.lock().unwrap()), std::mem::take(&mut *self.callbacks.lock().unwrap()));
        drop(of_child);
        let things = std::mem::take(&mut *self.works.things.lock().unwrap());
        let callbacks = std::mem::take(&mut *self.works.callbacks.lock().unwrap());
        drop((things, callbacks));
        self.check();
    }

    fn parent_finishes(&self) {
        let mut state = self.wire.lock();
        state.closed = true;
        if !std::mem::replace(&mut state.parent_finished, true) {
            state.parent.gone();
            state.parent_releases.clear();
            drop(state);
            self.service.close();
        }
    }

    fn child_finishes(&self) {
        let mut state = self.wire.lock();
        state.closed = true;
        state.child_finished = true;
        state.releases.close();
        state.closures.clear();
        drop(state);
        self.calling.close();
    }
}

/// Calls something whose arguments may panic when they are encoded.
fn tolerate(call: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(call))
        && panic.downcast_ref() != Some(&PANIC)
    {
        resume_unwind(panic);
    }
}

fn pick<T>(from: &[T], number: u8) -> Option<&T> {
    from.get(usize::from(number) % from.len().max(1))
}

/// Takes one out, to be dropped when nothing is locked.
fn take<T>(from: &Mutex<Vec<T>>, number: u8) -> Option<T> {
    let mut from = from.lock().unwrap();
    let index = usize::from(number) % from.len().max(1);
    (index < from.len()).then(|| from.swap_remove(index))
}

fn add(counts: &mut BTreeMap<LentId, u32>, more: BTreeMap<LentId, u32>) {
    for (id, count) in more {
        *counts.entry(id).or_default() += count;
    }
}
