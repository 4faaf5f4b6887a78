//! Events whose type both sides share.

use remote_child::{Child, Event, FrameId, FrameOptions};
use serde::{Deserialize, Serialize};

use crate::modules::answer;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ping {
    pub number: u32,
    pub texts: Vec<String>,
    /// What only a typed event can carry: a `Value` has no such integers.
    pub wide: u128,
}

impl Ping {
    pub fn new(number: u32) -> Self {
        Self { number, texts: vec!["one".to_owned(), String::new()], wide: u128::MAX }
    }
}

pub const PING: Event<Ping> = Event::new("ping");
/// By whom a ping was heard, and the ping.
pub const PONG: Event<(String, Ping)> = Event::new("pong");
pub const EMPTY: Event<()> = Event::new("empty");

/// The same names, with other types of the same names.
pub mod other {
    use remote_child::Event;
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct Ping {
        pub text: String,
    }

    pub const PING: Event<Ping> = Event::new("ping");
    pub const PONG: Event<u8> = Event::new("pong");
}

remote_child::register_module!(main);
fn main(child: &Child) {
    let (process, frames) = (child.process(), child.frames());
    process.port().on(PING, |process, ping| {
        process.port().emit(PONG, &("process".to_owned(), ping)).expect("the parent is there");
    });
    process.port().once(PING, |process, ping| {
        process.port().emit(PONG, &("process, once".to_owned(), ping)).expect("the parent is there");
    });
    frames.port().on(PING, |frame, ping| {
        frame.port().emit(PONG, &("frames".to_owned(), ping)).expect("the parent is there");
    });
    frames.for_every(|frame| {
        frame.port().on(PING, |frame, ping| {
            frame.port().emit(PONG, &("frame".to_owned(), ping)).expect("the parent is there");
        });
    });
    process.port().on(EMPTY, |process, ()| process.port().emit(EMPTY, &()).expect("the parent is there"));
    answer(child, "pong", |child, number: u32| {
        child.process().port().emit(PONG, &("asked".to_owned(), Ping::new(number)))
    });
    answer(child, "pong to all frames", |child, number: u32| {
        child.frames().port().emit(PONG, &("asked".to_owned(), Ping::new(number)))
    });
    answer(child, "a frame for pings", |child, ()| {
        child.frames().register((), FrameOptions::new()).map(|frame| frame.id())
    });
    answer(child, "pong of a frame", |child, (frame, number): (FrameId, u32)| {
        let frame = child.frames().get(frame).expect("it is there");
        frame.port().emit(PONG, &("asked".to_owned(), Ping::new(number)))
    });
    // Listeners that do not fit, beside those that do.
    answer(child, "listen by name", |child, ()| {
        child.process().port().on("ping", |process, text: String| {
            process.port().emit("heard by name", &text).expect("the parent is there");
        });
        Ok::<_, String>(())
    });
    answer(child, "listen to the other", |child, ()| {
        child.process().port().on(other::PING, |process, ping| {
            process.port().emit("heard by the other", &ping).expect("the parent is there");
        });
        Ok::<_, String>(())
    });
}
