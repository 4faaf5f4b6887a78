//! Calls of a child that runs on a thread of this process, over a link in memory: all of the way but for the transport. Beyond the call
//! that does nothing, one that brings an object is lending, holding and releasing it, and one that takes it along is resolving it.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::Criterion;
use remote_object::{CallError, Exports, Remote};
use remote_parent::{Parent, ProcessOptions, Transport, this_module};

#[remote_object::interface]
trait Shop: Send + Sync {
    fn nothing(&self, number: u64) -> Result<u64, CallError>;
    /// A new one.
    fn item(&self) -> Result<Remote<dyn Item>, CallError>;
    fn take(&self, item: Remote<dyn Item>) -> Result<(), CallError>;
}

#[remote_object::interface]
trait Item: Send + Sync {
    fn number(&self) -> Result<u64, CallError>;
}

struct Corner;

impl Shop for Corner {
    fn nothing(&self, number: u64) -> Result<u64, CallError> {
        Ok(number)
    }

    fn item(&self) -> Result<Remote<dyn Item>, CallError> {
        Ok(Remote::new(Arc::new(Numbered(7))))
    }

    fn take(&self, item: Remote<dyn Item>) -> Result<(), CallError> {
        drop(black_box(item));
        Ok(())
    }
}

struct Numbered(u64);

impl Item for Numbered {
    fn number(&self) -> Result<u64, CallError> {
        Ok(self.0)
    }
}

/// What runs in the child.
mod remote {
    use remote_child::Child;
    use remote_object::ChildExt;

    use crate::{Shop, calls};

    remote_child::register_module!(main);
    fn main(child: &Child) -> anyhow::Result<()> {
        if child.process().is_remote() {
            calls(&*child.remote().global::<dyn Shop>("shop")?)?;
            child.close();
        }
        Ok(())
    }
}

fn main() -> anyhow::Result<()> {
    remote_child::init();
    let parent = Parent::new()?;
    let exports = Exports::new();
    exports.global::<dyn Shop>("shop", Arc::new(Corner))?;
    exports.serve(&parent)?;
    parent.processes().on_error(|_process, error| panic!("{error}"));
    let child = parent.processes().spawn_with(ProcessOptions::new().transport(Transport::Memory))?;
    parent.remote_require("./remote", this_module!())?;
    while child.wait(Duration::from_secs(3600)).is_none() {}
    Ok(parent.close()?)
}

/// On the loop thread of the child, whose lane is there from the beginning.
fn calls(shop: &dyn Shop) -> anyhow::Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    criterion.bench_function("call", |bencher| bencher.iter(|| drop(black_box(shop.nothing(black_box(7))))));
    criterion.bench_function("call that brings an object", |bencher| bencher.iter(|| drop(black_box(shop.item()))));
    let item = shop.item()?;
    criterion.bench_function("call that takes one along", |bencher| {
        bencher.iter(|| drop(black_box(shop.take(item.clone()))));
    });
    criterion.final_summary();
    Ok(())
}
