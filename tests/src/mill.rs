//! What calls functions, in the parent.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use remote_object::{CallError, Callback, Exports, Function, Remote, interface};
use remote_parent::Parent;
use serde::{Deserialize, Serialize};

use crate::interfaces::Item;

/// Calls functions in all ways.
#[interface]
pub trait Mill: Send + Sync {
    fn map(&self, numbers: &[i64], f: Function<i64, i64>) -> Result<Vec<i64>, CallError>;
    fn double(&self, number: i64) -> Result<i64, CallError>;
    /// Sends an item through it, and says whether it is the same one.
    fn pass(&self, item: Remote<dyn Item>, f: Function<Remote<dyn Item>, Remote<dyn Item>>) -> Result<bool, CallError>;
    /// The name of the item that it returns, which nobody else may hold.
    fn name_of(&self, f: Function<(), Remote<dyn Item>>) -> Result<String, CallError>;
    /// Calls the callback that it returns.
    fn ring(&self, f: Function<(), Callback<String>>) -> Result<(), CallError>;
    /// The length of what it makes of so many bytes.
    fn grind(&self, f: Function<String, String>, bytes: u64) -> Result<usize, CallError>;
    /// The text of the error, if there is one.
    fn attempt(&self, f: Function<i64, i64>, millis: u64) -> Result<Result<i64, String>, CallError>;
    /// Calls it while a lock of the application is held.
    fn locked(&self, f: Function<i64, i64>, millis: u64) -> Result<Result<i64, String>, CallError>;
    /// Needs that lock.
    fn needs_the_lock(&self) -> Result<(), CallError>;
    fn ask(&self, f: Function<String, u32>) -> Result<u32, CallError>;
    /// Keeps it, and gives back nothing.
    fn keep(&self, f: Function<String, u32>) -> Result<(), CallError>;
    /// Whether it is the one that is kept.
    fn is_kept(&self, f: Function<String, u32>) -> Result<bool, CallError>;
    /// Whether it is of the process `index`.
    fn enrol(&self, index: u32, f: Step) -> Result<(), CallError>;
    /// Carries out the steps of a plan; gives how many there were, itself included.
    fn carry_out(&self, plan: Plan) -> Result<u64, CallError>;
    /// Has another thread of the parent carry it out.
    fn carry_out_elsewhere(&self, plan: Plan) -> Result<u64, CallError>;
}

/// A function that carries out a plan as [`Mill::carry_out`] does, in a child.
pub type Step = Function<Plan, Result<u64, CallError>>;

/// What is to be done by calls and functions in turn: by the parent the steps by functions of children, by a child its steps by calls.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Plan {
    /// The child whose function carries it out, where the parent has it carried out.
    pub child: u32,
    /// Whether a child has it carried out by another thread of the parent.
    pub elsewhere: bool,
    /// Whether a child has it carried out by another thread of its own, and waits for that.
    pub aside: bool,
    /// How many more steps there are, each within the one before it.
    pub depth: u32,
    pub steps: Vec<Self>,
}

impl Plan {
    /// One step within another, each by the next of these children.
    #[must_use]
    pub fn chain(children: &[u32]) -> Self {
        let leaf = Self::default();
        // The parent carries out every other level.
        children.iter().rev().fold(leaf, |inner, child| {
            let function = Self { child: *child, steps: vec![inner], ..Self::default() };
            Self { steps: vec![function], ..Self::default() }
        })
    }

    /// How many steps there are, itself included.
    #[must_use]
    pub fn len(&self) -> u64 {
        1 + u64::from(self.depth) + self.steps.iter().map(Self::len).sum::<u64>()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// What it consists of, with what is left of its depth.
    #[must_use]
    pub fn into_steps(self) -> Vec<Self> {
        let mut steps = self.steps;
        if let Some(depth) = self.depth.checked_sub(1) {
            steps.push(Self { depth, steps: Vec::new(), ..self });
        }
        steps
    }
}

/// The mill itself, exported as `mill`.
#[derive(Default)]
pub struct Works {
    pub kept: Mutex<Option<Function<String, u32>>>,
    pub steps: Mutex<HashMap<u32, Step>>,
    /// What came of [`Mill::attempt`].
    pub attempted: Mutex<Vec<Result<i64, String>>>,
    /// The threads on which [`Mill::carry_out`] has been served.
    pub threads: Mutex<HashSet<ThreadId>>,
    lock: Mutex<()>,
}

impl Works {
    pub fn served(parent: &Parent) -> (Arc<Self>, Exports) {
        let exports = Exports::new();
        let works = Self::exported(&exports);
        exports.serve(parent).expect("nothing else is served");
        (works, exports)
    }

    /// A mill among other things.
    pub fn exported(exports: &Exports) -> Arc<Self> {
        let works = Arc::new(Self::default());
        exports.module("mill", Arc::clone(&works) as Arc<dyn Mill>).expect("it is the only one");
        works
    }

    pub fn step(&self, child: u32) -> Step {
        lock(&self.steps).get(&child).cloned().expect("it has been enrolled")
    }
}

impl Mill for Works {
    fn map(&self, numbers: &[i64], f: Function<i64, i64>) -> Result<Vec<i64>, CallError> {
        numbers.iter().map(|number| f.call(*number)).collect()
    }

    fn double(&self, number: i64) -> Result<i64, CallError> {
        Ok(2 * number)
    }

    fn pass(&self, item: Remote<dyn Item>, f: Function<Remote<dyn Item>, Remote<dyn Item>>) -> Result<bool, CallError> {
        Ok(f.call(item.clone())? == item)
    }

    fn name_of(&self, f: Function<(), Remote<dyn Item>>) -> Result<String, CallError> {
        f.call(())?.name()
    }

    fn ring(&self, f: Function<(), Callback<String>>) -> Result<(), CallError> {
        f.call(())?.call("rung".to_owned()).map_err(|error| CallError::from_error(&error))
    }

    fn grind(&self, f: Function<String, String>, bytes: u64) -> Result<usize, CallError> {
        let grain = "7".repeat(usize::try_from(bytes).expect("it fits"));
        Ok(f.call(grain)?.len())
    }

    fn attempt(&self, f: Function<i64, i64>, millis: u64) -> Result<Result<i64, String>, CallError> {
        let attempted = f.call_within(Duration::from_millis(millis), 1).map_err(|error| error.to_string());
        lock(&self.attempted).push(attempted.clone());
        Ok(attempted)
    }

    fn locked(&self, f: Function<i64, i64>, millis: u64) -> Result<Result<i64, String>, CallError> {
        let _guard = lock(&self.lock);
        self.attempt(f, millis)
    }

    fn needs_the_lock(&self) -> Result<(), CallError> {
        let _guard = lock(&self.lock);
        Ok(())
    }

    fn ask(&self, f: Function<String, u32>) -> Result<u32, CallError> {
        f.call("what is it?".to_owned())
    }

    fn keep(&self, f: Function<String, u32>) -> Result<(), CallError> {
        let old = lock(&self.kept).replace(f);
        drop(old);
        Ok(())
    }

    fn is_kept(&self, f: Function<String, u32>) -> Result<bool, CallError> {
        Ok(*lock(&self.kept) == Some(f))
    }

    fn enrol(&self, index: u32, f: Step) -> Result<(), CallError> {
        let old = lock(&self.steps).insert(index, f);
        drop(old);
        Ok(())
    }

    fn carry_out(&self, plan: Plan) -> Result<u64, CallError> {
        lock(&self.threads).insert(thread::current().id());
        let mut count = 1;
        for step in plan.into_steps() {
            count += self.step(step.child).call(step)??;
        }
        Ok(count)
    }

    fn carry_out_elsewhere(&self, plan: Plan) -> Result<u64, CallError> {
        // A scoped thread borrows us; what is called there may come back to any process.
        thread::scope(|scope| scope.spawn(|| self.carry_out(plan)).join().expect("nothing panics"))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
