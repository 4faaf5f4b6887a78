//! What the whole promises, shown over every transport, with real processes wherever there are some.
//!
//! The comment of a test begins with the row of the list of behaviours that it shows.
#![forbid(unsafe_code)]

mod harness;

mod frames;
mod modules;
mod order;
mod ports;
mod processes;
mod values;

mod buffers;
mod callbacks;
mod contexts;
mod function_lives;
mod functions;
mod functions_pumped;
mod objects;
mod policy;
mod promises;
mod releases;
mod roots;
mod versions;

mod limits;
mod limits_set;
#[cfg(target_os = "linux")]
mod mapped;
mod misuse;
mod violations;
mod waiting;

mod dynamic;
mod ending;
mod leaving;
mod starting;

mod diagnostics;
mod loaders;
mod moving;
mod restarting;
mod starting_options;
mod typed;

mod hostile;
#[cfg(target_os = "linux")]
mod hostile_inheritance;
#[cfg(target_os = "linux")]
mod hostile_sandbox;

mod backpressure;
mod cycles;
mod executor;
mod reentry;
mod stress;
mod threads;
