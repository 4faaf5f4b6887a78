//! Both sides' tables, and a wire between them that does the worst it may.
//!
//! What decides is the real thing: [`Calling`](crate::calling::Calling) and [`Serving`](crate::serving::Serving), proxies, the encoding of
//! references, the sessions and the batches of releases. What blocks and what carries is the test's: see [`wire`].
//! After every step the [`world`] compares what each table counts with what can still be reached.

use proptest::prelude::*;

mod things;
mod wire;
mod world;

use things::Oddity;
use world::{Cargo, Op, World};

/// B6, B7: whatever is sent, refused, dropped, too late, or cut off, in whatever order: an object and a closure live exactly as long as
/// somebody can reach them, and are dropped once.
#[test]
fn what_is_lent_lives_as_long_as_somebody_can_reach_it() {
    let cases = std::env::var("TABLE_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(150);
    let config =
        ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default() };
    proptest!(config, |(warm in prop_oneof![4 => Just(0_u8), 1 => 60_u8..=70], ops in ops())| {
        World::new(warm).run(ops);
    });
}

/// B7
#[test]
fn a_release_that_crosses_a_new_sending_takes_nothing_away() {
    use Op::*;
    World::new(0).run(vec![
        Make { main: false, count: 1 },
        ParentHandles(1),
        ChildHandles(1),
        Keep { main: false, cargo: Cargo::of_things(&[0]) },
        ParentHandles(1),
        ChildHandles(1),
        DropHeld(0),
        // It is sent again before the release arrives.
        Kept { main: false, times: 2 },
        ParentHandles(1),
        ChildRests,
        ParentDrops(0),
        ParentHandles(0),
        ChildHandles(1),
        DropHeld(0),
        ChildRests,
        ParentHandles(0),
    ]);
}

/// B7
#[test]
fn what_comes_too_late_is_given_back() {
    use Op::*;
    World::new(0).run(vec![
        Make { main: true, count: 3 },
        GiveUp,
        ParentHandles(0),
        ChildHandles(0),
        ChildRests,
        ParentHandles(0),
    ]);
}

/// B7: also where a call was given up and the parent has not come to it.
#[test]
fn a_release_does_not_overtake_a_use() {
    use Op::*;
    let uses = [Use { main: false, thing: 0 }, Keep { main: false, cargo: Cargo::of_things(&[0]) }];
    for use_of_it in uses {
        World::new(0).run(vec![
            Make { main: false, count: 1 },
            ParentHandles(1),
            ChildHandles(1),
            use_of_it,
            GiveUp,
            DropHeld(0),
            ChildRests,
            ParentHandles(0),
            ParentHandles(1),
            ChildHandles(1),
        ]);
    }
}

/// Operations and, in half of the cases, the end of the link among them.
fn ops() -> impl Strategy<Value = Vec<Op>> {
    let death = prop::option::of((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<bool>()));
    (prop::collection::vec(op(), 1..120), death).prop_map(|(mut ops, death)| {
        if let Some((closes, finishes, parent_first)) = death {
            let closes = closes.index(ops.len());
            ops.insert(closes, Op::LinkCloses);
            let (first, second) = if parent_first {
                (Op::ParentFinishes, Op::ChildFinishes)
            } else {
                (Op::ChildFinishes, Op::ParentFinishes)
            };
            ops.insert(closes + 1 + finishes.index(ops.len() - closes), first);
            ops.push(second);
        }
        ops
    })
}

fn op() -> impl Strategy<Value = Op> {
    let main = any::<bool>;
    prop_oneof![
        4 => (main(), 0_u8..4).prop_map(|(main, count)| Op::Make { main, count }),
        3 => (main(), 0_u8..3).prop_map(|(main, times)| Op::Kept { main, times }),
        3 => (main(), cargo()).prop_map(|(main, cargo)| Op::Keep { main, cargo }),
        2 => (main(), cargo()).prop_map(|(main, cargo)| Op::Fail { main, cargo }),
        2 => (main(), cargo()).prop_map(|(main, cargo)| Op::Unknown { main, cargo }),
        2 => (main(), any::<u8>()).prop_map(|(main, thing)| Op::Use { main, thing }),
        1 => main().prop_map(|main| Op::LookUp { main }),
        1 => oddity().prop_map(Op::Spoil),
        4 => any::<u8>().prop_map(Op::DropHeld),
        2 => Just(Op::MakeCallback),
        2 => any::<u8>().prop_map(Op::DropCallback),
        3 => any::<u8>().prop_map(Op::ParentDrops),
        3 => any::<u8>().prop_map(Op::ParentDropsCallback),
        3 => (any::<u8>(), cargo()).prop_map(|(callback, cargo)| Op::ParentInvokes { callback, cargo }),
        12 => lane().prop_map(Op::ParentHandles),
        12 => lane().prop_map(Op::ChildHandles),
        5 => Just(Op::GiveUp),
        3 => Just(Op::ChildRests),
        3 => Just(Op::ParentRests),
    ]
}

fn lane() -> impl Strategy<Value = u8> {
    prop_oneof![2 => Just(0), 3 => 1_u8..5]
}

fn oddity() -> impl Strategy<Value = Oddity> {
    prop_oneof![
        6 => Just(Oddity::None),
        1 => Just(Oddity::FailsToEncode),
        1 => Just(Oddity::PanicsToEncode),
        1 => Just(Oddity::FailsToDecode),
    ]
}

fn cargo() -> impl Strategy<Value = Cargo> {
    let picks = || prop::collection::vec(any::<u8>(), 0..4);
    (picks(), picks(), oddity()).prop_map(|(things, callbacks, oddity)| Cargo { things, callbacks, oddity })
}
