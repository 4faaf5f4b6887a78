//! The tables that both sides keep: listeners by event, items that come and go, and what is being given back. Those of references are
//! measured by the calls that bring and take them, in `in_process` of `remote-object`.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion};
use remote_protocol::call::Release;
use remote_protocol::id::LentId;
use remote_protocol::limits::RELEASES;
use remote_protocol::listeners::Listeners;
use remote_protocol::releases::Releases;
use remote_protocol::roster::Roster;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    listeners(&mut criterion);
    roster(&mut criterion);
    releases(&mut criterion);
    criterion.final_summary();
}

/// One event is told to all its listeners, among those of other events.
fn listeners(criterion: &mut Criterion) {
    for (events, each) in [(1, 1), (64, 1), (64, 16)] {
        let mut listeners: Listeners<Arc<str>> = Listeners::default();
        for event in 0..events {
            for _ in 0..each {
                listeners.add(&format!("event {event}"), false, "listener".into());
            }
        }
        criterion.bench_function(&format!("tell {each} of {} listeners", events * each), |bencher| {
            bencher.iter(|| {
                let mut turn = listeners.turn();
                while let Some(listener) = listeners.next(black_box("event 0"), &mut turn) {
                    black_box(listener);
                }
            });
        });
    }
}

/// One item comes and goes, beside others that stay.
fn roster(criterion: &mut Criterion) {
    let mut roster: Roster<u32, Arc<str>, Arc<str>, Arc<str>> = Roster::default();
    for key in 1..1000 {
        roster.attach(key, "item".into());
    }
    let item: Arc<str> = "item".into();
    criterion.bench_function("attach and detach one of 1000 items", |bencher| {
        bencher.iter(|| {
            roster.attach(0, Arc::clone(&item));
            black_box(roster.detach(black_box(0)));
        });
    });
}

/// A batch is gathered and taken.
fn releases(criterion: &mut Criterion) {
    let mut batch = Vec::new();
    criterion.bench_function("gather and take a batch of releases", |bencher| {
        bencher.iter_batched_ref(
            Releases::new,
            |releases| {
                for slot in 0..RELEASES as u32 {
                    let _ = black_box(releases.add(Release { id: LentId { slot, generation: 0 }, count: 1 }));
                }
                black_box(releases.take(&mut batch))
            },
            BatchSize::SmallInput,
        );
    });
}
