//! Everything at once, in an order that is drawn, and both sides keep account of it.
//!
//! `REMOTE_STRESS_SEED` repeats a run that failed, `REMOTE_STRESS_STEPS` makes it longer.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::env;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use remote_parent::{
    DetachReason, Frame, FrameId, FrameOptions, Loader, ParentOptions, Process, ProcessId, Transport, this_module,
};
use tests::modules::stress::{Act, Command, Heard, Name, Report};

use crate::harness::{Events, PATIENCE, Setup};

/// How much there may be of what.
struct Scale {
    transport: Transport,
    steps: usize,
    children: usize,
    frames: usize,
    loaders: usize,
    /// Steps between two looks at everything.
    quiet: usize,
}

/// A10: 64 children, 1000 frames and up to 4 loaders: both sides' lists agree, and everything that is said is heard once, in order.
#[test]
fn both_sides_agree_whatever_happens_memory() {
    let scale =
        Scale { transport: Transport::Memory, steps: 20_000, children: 64, frames: 1000, loaders: 4, quiet: 500 };
    stress("both_sides_agree_whatever_happens_memory", &scale);
}

/// A10: so with processes of their own.
#[test]
fn both_sides_agree_whatever_happens_ipc() {
    let scale = Scale { transport: Transport::Ipc, steps: 10_000, children: 64, frames: 1000, loaders: 3, quiet: 500 };
    stress("both_sides_agree_whatever_happens_ipc", &scale);
}

/// A10: so over shared memory.
#[cfg(target_os = "linux")]
#[test]
fn both_sides_agree_whatever_happens_lane() {
    let scale = Scale { transport: Transport::Lane, steps: 10_000, children: 64, frames: 1000, loaders: 3, quiet: 500 };
    stress("both_sides_agree_whatever_happens_lane", &scale);
}

fn stress(name: &str, scale: &Scale) {
    let given = |variable: &str| env::var(variable).ok().map(|value| value.parse::<u64>().expect("a number"));
    let drawn = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| now.as_nanos() as u64);
    let mut seed = given("REMOTE_STRESS_SEED").unwrap_or_else(drawn);
    let mut left = given("REMOTE_STRESS_STEPS").map_or(scale.steps, |steps| usize::try_from(steps).expect("it fits"));
    // A parent of its own for each part, and a watchdog.
    while left > 0 {
        let steps = left.min(scale.steps);
        let setup = Setup::long(name, scale.transport, ParentOptions::new());
        World::new(setup, scale, Random::new(seed)).run(steps);
        left -= steps;
        seed = seed.wrapping_add(1);
    }
}

/// Marsaglia's xorshift.
struct Random {
    seed: u64,
    state: u64,
}

impl Random {
    const fn new(seed: u64) -> Self {
        // It must not be zero, and near seeds shall not look alike.
        Self { seed, state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1 }
    }

    fn below(&mut self, limit: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        ((self.state >> 11) as usize) % limit
    }

    fn chance(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }
}

impl Drop for Random {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("REMOTE_STRESS_SEED={}", self.seed);
        }
    }
}

/// What a process was made to say.
enum Said {
    Process(u64),
    Frame(u64, Name),
    /// On all the frames that the process has at that moment.
    Frames(u64, Vec<Name>),
}

/// What has to come of what happened between one loader and one process.
#[derive(Default)]
struct Account {
    hears: Vec<Heard>,
    says: Vec<Said>,
}

type HeardHere = Arc<Mutex<HashMap<ProcessId, Vec<(u64, Option<FrameId>)>>>>;

/// A loader, and what its listeners heard.
struct Side {
    loader: Loader,
    heard: HeardHere,
    reports: Events<Report>,
    accounts: BTreeMap<ProcessId, Account>,
}

/// A frame, in the order in which its process handles what is done to it.
#[derive(Clone)]
struct Known {
    name: Name,
    tab: bool,
    /// Not known of those that were registered since the last look.
    id: Option<FrameId>,
}

struct Living {
    process: Process,
    frames: Vec<Known>,
}

/// A process that ends, in good order or not.
struct Ending {
    process: Process,
    killed: bool,
}

struct World {
    scale_children: usize,
    scale_frames: usize,
    scale_loaders: usize,
    scale_quiet: usize,
    random: Random,
    number: u64,
    sides: Vec<Side>,
    unloaded: Vec<Side>,
    /// The main process is the first.
    living: Vec<Living>,
    ending: Vec<Ending>,
    /// The frames that children registered, by what they are called.
    names: Arc<Mutex<HashMap<FrameId, u64>>>,
    /// When the parent opened a frame.
    births: HashMap<FrameId, u64>,
    attached: Events<ProcessId>,
    detached: Events<(Process, DetachReason)>,
    frames_attached: Events<Frame>,
    started: usize,
    setup: Setup,
}

impl World {
    fn new(setup: Setup, scale: &Scale, random: Random) -> Self {
        let (tell, attached) = Events::new("attach");
        setup.parent().processes().on_attach(move |process| tell.tell(process.id()));
        let (tell, frames_attached) = Events::new("a frame's attach");
        setup.parent().frames().on_attach(move |frame| tell.tell(frame.clone()));
        let main = Living { process: setup.main(), frames: Vec::new() };
        let mut world = Self {
            scale_children: scale.children,
            scale_frames: scale.frames,
            scale_loaders: scale.loaders,
            scale_quiet: scale.quiet,
            random,
            number: 0,
            sides: Vec::new(),
            unloaded: Vec::new(),
            living: vec![main],
            ending: Vec::new(),
            names: Arc::default(),
            births: HashMap::new(),
            attached,
            detached: setup.detaches(),
            frames_attached,
            started: 0,
            setup,
        };
        world.add_side(world.setup.parent().first_loader().clone());
        for _ in 0..scale.children {
            world.spawn();
        }
        while world.frames() < scale.frames {
            world.number += 1;
            world.open();
        }
        world
    }

    fn run(mut self, steps: usize) {
        for step in 1..=steps {
            self.step();
            if step.is_multiple_of(self.scale_quiet) || step == steps {
                self.look();
            }
        }
        self.setup.close().expect("all processes end in time");
    }

    fn step(&mut self) {
        self.number += 1;
        let frames = self.frames();
        match self.random.below(1000) {
            0..12 if self.living.len() <= self.scale_children => self.spawn(),
            12..16 => self.end(false),
            16..20 => self.end(true),
            20..22 if self.sides.len() < self.scale_loaders => {
                let loader = self.setup.parent().loader("another").expect("the parent is open");
                self.add_side(loader);
            }
            22..24 if self.sides.len() > 1 => self.unload(),
            24..140 if frames < self.scale_frames => self.open(),
            140..240 if frames < self.scale_frames => {
                let tab = self.random.chance(2);
                let (side, living) = self.any();
                let name = Name::Registered(self.number);
                self.living[living].frames.push(Known { name, tab, id: None });
                self.command(side, living, Act::Register { tab });
            }
            240..300 => self.close_frame(),
            300..350 => self.move_frame(),
            350..400 => self.tell_all_processes(),
            400..404 => self.tell_all_frames(),
            404..500 => self.tell_a_frame(),
            500..640 => self.say_on_a_frame(),
            640..660 => {
                let (side, living) = self.any();
                let names = self.living[living].frames.iter().map(|frame| frame.name).collect();
                let said = Said::Frames(self.number, names);
                self.account(side, living).says.push(said);
                self.command(side, living, Act::SayOnAll);
            }
            660..840 => {
                let (side, living) = self.any();
                let said = Said::Process(self.number);
                self.account(side, living).says.push(said);
                self.command(side, living, Act::Say);
            }
            _ => {
                let (side, living) = self.any();
                self.command(side, living, Act::Hear);
            }
        }
    }

    fn frames(&self) -> usize {
        self.living.iter().map(|living| living.frames.len()).sum()
    }

    fn any(&mut self) -> (usize, usize) {
        (self.random.below(self.sides.len()), self.random.below(self.living.len()))
    }

    /// A process and one of its frames.
    fn any_frame(&mut self) -> Option<(usize, usize)> {
        let living = self.random.below(self.living.len());
        let frames = self.living[living].frames.len();
        (frames > 0).then(|| (living, self.random.below(frames)))
    }

    fn account(&mut self, side: usize, living: usize) -> &mut Account {
        self.sides[side].accounts.entry(self.living[living].process.id()).or_default()
    }

    /// A process as a loader sees it.
    fn seen(&self, side: usize, living: usize) -> Process {
        let id = self.living[living].process.id();
        self.sides[side].loader.processes().get(id).expect("every loader sees it")
    }

    fn command(&mut self, side: usize, living: usize, act: Act) {
        let command = Command { number: self.number, act };
        self.seen(side, living).port().emit("command", &command).expect("it is there");
        let number = self.number;
        self.account(side, living).hears.push((number, None));
    }

    fn spawn(&mut self) {
        let process = self.setup.spawn();
        for side in &mut self.sides {
            side.accounts.insert(process.id(), Account::default());
        }
        self.living.push(Living { process, frames: Vec::new() });
        self.started += 1;
    }

    fn end(&mut self, killed: bool) {
        if self.living.len() < 2 {
            return;
        }
        let index = 1 + self.random.below(self.living.len() - 1);
        let Living { process, .. } = self.living.swap_remove(index);
        if killed {
            process.kill();
        } else {
            process.close();
        }
        self.ending.push(Ending { process, killed });
    }

    fn add_side(&mut self, loader: Loader) {
        let heard = HeardHere::default();
        let (tell, reports) = Events::new("report");
        let own = Arc::clone(&heard);
        loader.processes().port().on("said", move |process, number: u64| {
            own.lock().unwrap().entry(process.id()).or_default().push((number, None));
        });
        let own = Arc::clone(&heard);
        loader.frames().port().on("said", move |frame, number: u64| {
            own.lock().unwrap().entry(frame.process().id()).or_default().push((number, Some(frame.id())));
        });
        let names = Arc::clone(&self.names);
        loader.frames().port().on("registered", move |frame, number: u64| {
            assert_eq!(names.lock().unwrap().insert(frame.id(), number), None);
        });
        loader.processes().port().on("report", move |_process, report: Report| tell.tell(report));
        loader.remote_require("tests::modules::stress", this_module!()).expect("it is a module's name");
        let accounts = self.living.iter().map(|living| (living.process.id(), Account::default())).collect();
        self.sides.push(Side { loader, heard, reports, accounts });
    }

    fn unload(&mut self) {
        let index = 1 + self.random.below(self.sides.len() - 1);
        let side = self.sides.swap_remove(index);
        side.loader.unload("drawn");
        assert!(side.loader.processes().port().emit("command", &()).is_err());
        self.unloaded.push(side);
    }

    fn open(&mut self) {
        let tab = self.random.chance(2);
        let living = self.random.below(self.living.len());
        let options = if tab { FrameOptions::tab() } else { FrameOptions::new() };
        let options = options.element(Arc::new(self.number));
        let frame = self.setup.parent().frames().open(&self.living[living].process, options).expect("it is there");
        self.opened(living, &frame, tab);
    }

    fn opened(&mut self, living: usize, frame: &Frame, tab: bool) {
        assert_eq!(frame.is_tab(), tab);
        self.births.insert(frame.id(), self.number);
        self.living[living].frames.push(Known { name: Name::Opened(frame.id()), tab, id: Some(frame.id()) });
    }

    /// From either side, or from both at once.
    fn close_frame(&mut self) {
        let Some((living, frame)) = self.any_frame() else { return };
        let Known { name, id, .. } = self.living[living].frames.remove(frame);
        let handle = id.and_then(|id| self.setup.parent().frames().get(id));
        let how = self.random.below(4);
        if how > 0 || handle.is_none() {
            let side = self.random.below(self.sides.len());
            self.command(side, living, Act::Close(name));
        }
        if let Some(handle) = handle
            && how < 2
        {
            handle.close();
            // Nobody hears it any more.
            let _ = handle.port().emit("hear", &self.number);
        }
    }

    fn move_frame(&mut self) {
        let Some((old, frame)) = self.any_frame() else { return };
        let new = self.random.below(self.living.len());
        let Some(handle) = self.living[old].frames[frame].id.and_then(|id| self.setup.parent().frames().get(id)) else {
            return;
        };
        let Some(element) = handle.element::<u64>() else { return };
        let Known { tab, .. } = self.living[old].frames.remove(frame);
        handle.move_to(&self.living[new].process).expect("both are there");
        let moved = loop {
            let attached = self.frames_attached.next();
            let same = attached.element::<u64>().is_some_and(|other| Arc::ptr_eq(&other, &element));
            if same && attached.id() != handle.id() {
                break attached;
            }
        };
        assert_eq!(moved.process(), &self.living[new].process);
        self.opened(new, &moved, tab);
    }

    fn tell_all_processes(&mut self) {
        let side = self.random.below(self.sides.len());
        let command = Command { number: self.number, act: Act::Hear };
        self.sides[side].loader.processes().port().emit("command", &command).expect("nobody is stuck");
        for living in 0..self.living.len() {
            let number = self.number;
            self.account(side, living).hears.push((number, None));
        }
    }

    fn tell_all_frames(&mut self) {
        let side = self.random.below(self.sides.len());
        self.sides[side].loader.frames().port().emit("hear", &self.number).expect("nobody is stuck");
        for living in 0..self.living.len() {
            let number = self.number;
            let names: Vec<_> = self.living[living].frames.iter().map(|frame| (number, Some(frame.name))).collect();
            self.account(side, living).hears.extend(names);
        }
    }

    fn tell_a_frame(&mut self) {
        let Some((living, frame)) = self.any_frame() else { return };
        let Known { name, id: Some(id), .. } = self.living[living].frames[frame] else { return };
        let side = self.random.below(self.sides.len());
        let handle = self.sides[side].loader.frames().get(id).expect("every loader sees it");
        handle.port().emit("hear", &self.number).expect("it is there");
        let number = self.number;
        self.account(side, living).hears.push((number, Some(name)));
    }

    fn say_on_a_frame(&mut self) {
        let Some((living, frame)) = self.any_frame() else { return };
        let name = self.living[living].frames[frame].name;
        let side = self.random.below(self.sides.len());
        let number = self.number;
        self.account(side, living).says.push(Said::Frame(number, name));
        self.command(side, living, Act::SayOn(name));
    }

    /// Waits until all is quiet, and compares everything.
    fn look(&mut self) {
        for side in &self.sides {
            for living in &self.living {
                let process = side.loader.processes().get(living.process.id()).expect("every loader sees it");
                process.port().emit("report", &()).expect("it is there");
            }
        }
        let ending = std::mem::take(&mut self.ending);
        for Ending { process, killed } in &ending {
            let reason = process.wait(PATIENCE).expect("it goes");
            let expected = match (killed, self.setup.transport()) {
                (false, _) => DetachReason::Closed,
                (true, Transport::Memory) => DetachReason::Disconnected,
                (true, _) => DetachReason::Killed { signal: 9 },
            };
            assert_eq!(reason, expected, "process {}", process.id());
        }
        let killed: BTreeSet<ProcessId> =
            ending.iter().filter(|ending| ending.killed).map(|ending| ending.process.id()).collect();
        let here = |living: &Living| living.process.id();
        let alive: BTreeSet<ProcessId> = self.living.iter().map(here).collect();
        // Those of the loaders that are there first: what a process says on them comes after what it said on others before.
        for index in 0..self.sides.len() {
            let reports = self.reports(&self.sides[index], &killed);
            self.lists(&self.sides[index], &reports);
            let side = &mut self.sides[index];
            let accounts = std::mem::take(&mut side.accounts);
            side.accounts = alive.iter().map(|id| (*id, Account::default())).collect();
            self.compare(index, false, &accounts, &reports, &killed);
        }
        for index in 0..self.unloaded.len() {
            let reports = self.reports(&self.unloaded[index], &killed);
            let side = &mut self.unloaded[index];
            let accounts = std::mem::take(&mut side.accounts);
            assert!(side.loader.is_unloaded());
            assert!(side.loader.processes().is_empty() && side.loader.frames().is_empty());
            self.compare(index, true, &accounts, &reports, &killed);
        }
        self.unloaded.clear();
        let attached: BTreeSet<ProcessId> = self.attached.so_far().into_iter().collect();
        let detached: BTreeSet<ProcessId> = self.detached.so_far().iter().map(|(process, _)| process.id()).collect();
        assert_eq!(attached.len(), std::mem::take(&mut self.started));
        assert_eq!(detached, ending.iter().map(|ending| ending.process.id()).collect());
        self.frames_attached.so_far();
    }

    /// What the processes of a side say of themselves: each once, a killed one perhaps.
    fn reports(&self, side: &Side, killed: &BTreeSet<ProcessId>) -> BTreeMap<ProcessId, Report> {
        let certain = side.accounts.keys().filter(|id| !killed.contains(id)).count();
        let mut reports = BTreeMap::new();
        let mut count = 0;
        while count < certain {
            let report = side.reports.next();
            count += usize::from(!killed.contains(&report.process));
            let process = report.process;
            assert!(reports.insert(process, report).is_none(), "process {process} reports twice");
        }
        reports
    }

    /// Everybody tells of the same processes and frames.
    fn lists(&self, side: &Side, reports: &BTreeMap<ProcessId, Report>) {
        let here: Vec<ProcessId> = side.loader.processes().iter().map(|process| process.id()).collect();
        let mut expected: Vec<ProcessId> = self.living.iter().map(|living| living.process.id()).collect();
        assert_eq!(here[0], expected[0], "the main process is the first");
        let mut sorted = here.clone();
        sorted.sort();
        expected.sort();
        assert_eq!(sorted, expected);
        let mut frames: BTreeMap<ProcessId, BTreeSet<(FrameId, bool)>> = BTreeMap::new();
        for frame in side.loader.frames().iter() {
            assert!(frame.is_attached());
            frames.entry(frame.process().id()).or_default().insert((frame.id(), frame.is_tab()));
        }
        for living in &self.living {
            let id = living.process.id();
            let report = &reports[&id];
            let there: BTreeSet<(FrameId, bool)> = report.frames.iter().map(|(id, _, tab)| (*id, *tab)).collect();
            let here = frames.remove(&id).unwrap_or_default();
            assert_eq!(here, there, "the frames of process {id}");
            let named: BTreeSet<(Name, bool)> = report.frames.iter().map(|(_, name, tab)| (*name, *tab)).collect();
            let known: BTreeSet<(Name, bool)> = living.frames.iter().map(|frame| (frame.name, frame.tab)).collect();
            assert_eq!(known, named, "the frames of process {id}");
        }
        assert!(frames.is_empty(), "frames in no process: {frames:?}");
    }

    fn compare(
        &mut self,
        side: usize,
        unloaded: bool,
        accounts: &BTreeMap<ProcessId, Account>,
        reports: &BTreeMap<ProcessId, Report>,
        killed: &BTreeSet<ProcessId>,
    ) {
        let sides = if unloaded { &self.unloaded } else { &self.sides };
        let mut heard_here = std::mem::take(&mut *sides[side].heard.lock().unwrap());
        for (id, account) in accounts {
            let heard = heard_here.remove(id).unwrap_or_default();
            self.said(&account.says, &heard, killed.contains(id));
            match reports.get(id) {
                Some(report) => assert_eq!(sorted(&report.heard), sorted(&account.hears), "heard in process {id}"),
                None => assert!(killed.contains(id)),
            }
        }
        assert!(heard_here.is_empty(), "heard of processes unknown: {heard_here:?}");
        let reports = if unloaded { None } else { Some(reports) };
        for living in &mut self.living {
            let Some(report) = reports.and_then(|reports| reports.get(&living.process.id())) else { continue };
            let ids: HashMap<Name, FrameId> = report.frames.iter().map(|(id, name, _)| (*name, *id)).collect();
            for frame in &mut living.frames {
                frame.id = Some(ids[&frame.name]);
            }
        }
    }

    /// All that a process said was heard, once and in order; of one that was killed, the beginning of it.
    fn said(&self, said: &[Said], heard: &[(u64, Option<FrameId>)], killed: bool) {
        let names = self.names.lock().unwrap();
        let name = |id: FrameId| names.get(&id).map_or(Name::Opened(id), |number| Name::Registered(*number));
        let mut heard = heard.iter().peekable();
        for said in said {
            let (number, expected) = match said {
                Said::Process(number) => (*number, vec![None]),
                Said::Frame(number, name) => (*number, vec![Some(*name)]),
                Said::Frames(number, names) => (*number, names.iter().copied().map(Some).collect()),
            };
            let mut on = Vec::new();
            while let Some((_, frame)) = heard.next_if(|(other, _)| *other == number) {
                on.push(frame.map(name));
            }
            if on.is_empty() && killed && heard.peek().is_none() {
                return;
            }
            if let Said::Frames(..) = said {
                // The parent has frames, perhaps, that the process does not know yet.
                on.retain(|name| match name {
                    Some(Name::Opened(id)) => expected.contains(name) || self.births[id] <= number,
                    _ => true,
                });
            }
            let [mut on, mut expected] = [on, expected];
            on.sort();
            expected.sort();
            assert_eq!(on, expected, "what was said with number {number}");
        }
        let rest: Vec<_> = heard.collect();
        assert!(rest.is_empty(), "nobody said: {rest:?}");
    }
}

/// In order, but for that of the frames that hear the same.
fn sorted(heard: &[Heard]) -> Vec<Heard> {
    let mut sorted = heard.to_vec();
    sorted.chunk_by_mut(|one, other| one.0 == other.0).for_each(<[_]>::sort);
    sorted
}
