//! A child that minds its own business: it calls the parent all the time, and tells how that went.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use remote_child::Child;
use remote_object::{ChildExt, Remote};
use serde::{Deserialize, Serialize};

use crate::interfaces::Workshop;
use crate::modules::answer;

/// How the calls of a witness went.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Testimony {
    /// Those that returned what they had to.
    pub calls: u64,
    /// What else came of one.
    pub failures: Vec<String>,
    /// How long each took, in nanoseconds, while there are not too many.
    latencies: Vec<u64>,
}

impl Testimony {
    /// In words.
    #[must_use]
    pub fn latencies(&self) -> String {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let at = |hundredth: usize| {
            let index = sorted.len().saturating_sub(1) * hundredth / 100;
            Duration::from_nanos(sorted.get(index).copied().unwrap_or_default())
        };
        format!("{} calls, median {:?}, 99 % {:?}, longest {:?}", self.calls, at(50), at(99), at(100))
    }
}

#[derive(Default)]
struct Witness {
    testimony: Mutex<Testimony>,
    stopped: AtomicBool,
    workshop: OnceLock<Remote<dyn Workshop>>,
}

impl Witness {
    fn call(&self, workshop: &Remote<dyn Workshop>, number: i64) {
        let begun = Instant::now();
        let sum = workshop.add(number, number);
        let took = begun.elapsed();
        let mut testimony = self.testimony.lock().unwrap_or_else(PoisonError::into_inner);
        if sum.as_ref().is_ok_and(|sum| *sum == 2 * number) {
            testimony.calls += 1;
        } else {
            testimony.failures.push(format!("twice {number}: {sum:?}"));
        }
        if testimony.latencies.len() < MOST {
            testimony.latencies.push(took.as_nanos().try_into().unwrap_or(u64::MAX));
        }
    }
}

remote_child::register_module!(main);
fn main(child: &Child) {
    let witness = Arc::new(Witness::default());
    let own = Arc::clone(&witness);
    answer(child, "watch", move |child, ()| {
        let workshop = child.remote().require::<dyn Workshop>("workshop").map_err(|error| error.to_string())?;
        let own = Arc::clone(&own);
        // Held to the end, so that it is alive whatever else is.
        let workshop = own.workshop.get_or_init(|| workshop).clone();
        thread::spawn(move || {
            let mut number = 0;
            while !own.stopped.load(Ordering::Acquire) {
                number += 1;
                own.call(&workshop, number);
                // The others need the processors, too.
                thread::sleep(PAUSE);
            }
        });
        Ok::<_, String>(())
    });
    let own = Arc::clone(&witness);
    answer(child, "watched", move |child, ()| {
        let workshop = child.remote().require::<dyn Workshop>("workshop").map_err(|error| error.to_string())?;
        own.call(&workshop, -1);
        Ok::<_, String>(own.testimony.lock().unwrap_or_else(PoisonError::into_inner).calls)
    });
    answer(child, "testify", move |_child, ()| {
        witness.stopped.store(true, Ordering::Release);
        Ok::<_, String>(std::mem::take(&mut *witness.testimony.lock().unwrap_or_else(PoisonError::into_inner)))
    });
}

const PAUSE: Duration = Duration::from_micros(500);
const MOST: usize = 100_000;
