//! What runs in the children, one module a subject. A test tells them what to do by events and is answered by events.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};

use remote_child::Child;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub mod basics;
pub mod buffers;
pub mod callbacks;
pub mod calling;
pub mod contexts;
pub mod dynamic;
pub mod ending;
pub mod flood;
pub mod frames;
pub mod function_lives;
pub mod functions;
#[cfg(target_os = "linux")]
pub mod inherited;
pub mod limited;
pub mod loading;
#[cfg(target_os = "linux")]
pub mod mapped;
pub mod misuse;
pub mod mortal;
pub mod objects;
pub mod panics;
pub mod ports;
pub mod promises;
pub mod pumped;
pub mod reentry;
pub mod registering;
pub mod releases;
pub mod roots;
#[cfg(target_os = "linux")]
pub mod sandboxed;
pub mod steps;
pub mod stress;
pub mod surroundings;
pub mod turns;
pub mod typed;
pub mod unloading;
pub mod witness;

/// Answers each event of this name with what `act` gives, as the event [`answer_to`] names. An assertion that fails is an answer too.
fn answer<P, R, E>(child: &Child, event: &str, act: impl Fn(&Child, P) -> Result<R, E> + 'static)
where
    P: DeserializeOwned,
    R: Serialize,
    E: Display,
{
    let answer = answer_to(event);
    let own = child.clone();
    child.process().port().on(event, move |process, payload: P| {
        let acted = catch_unwind(AssertUnwindSafe(|| act(&own, payload)));
        let outcome: Result<R, String> = match acted {
            Ok(outcome) => outcome.map_err(|error| error.to_string()),
            Err(panic) => Err(match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
                (Some(text), _) => text.clone(),
                (_, Some(text)) => (*text).to_owned(),
                _ => "a panic".to_owned(),
            }),
        };
        if let Err(error) = process.port().emit(&answer, &outcome) {
            eprintln!("{answer}: {error}");
        }
    });
}

/// The event that answers another.
pub fn answer_to(event: &str) -> String {
    format!("{event}: answer")
}
