//! A closure of a child maps numbers that live in the parent: the parent calls it, for its result, in the midst of the call that
//! it came with. Electron's `remote` says of this very example that it cannot be.
#![expect(clippy::print_stdout, reason = "examples print")]

use std::sync::Arc;

use remote_object::{CallError, Exports, Function};
use remote_parent::{Parent, this_module};

/// Some numbers.
#[remote_object::interface]
trait Numbers: Send + Sync {
    /// What `f` makes of each of them.
    fn map(&self, f: Function<i64, i64>) -> Result<Vec<i64>, CallError>;
}

struct OneToThree;

impl Numbers for OneToThree {
    fn map(&self, f: Function<i64, i64>) -> Result<Vec<i64>, CallError> {
        (1..=3).map(|number| f.call(number)).collect()
    }
}

/// What runs in every process.
mod remote {
    use remote_child::Child;
    use remote_object::ChildExt;

    use crate::Numbers;

    remote_child::register_module!(main);
    fn main(child: &Child) -> anyhow::Result<()> {
        if !child.process().is_remote() {
            return Ok(());
        }
        let numbers = child.remote().global::<dyn Numbers>("numbers")?;
        let more = 1;
        let mapped = numbers.map(child.remote().function(move |number: i64| number + more))?;
        println!("{mapped:?}");
        child.close();
        Ok(())
    }
}

fn main() -> anyhow::Result<()> {
    remote_child::init();
    let parent = Parent::new()?;
    let exports = Exports::new();
    exports.global::<dyn Numbers>("numbers", Arc::new(OneToThree))?;
    exports.serve(&parent)?;
    parent.remote_require("./remote", this_module!())?;
    parent.processes().spawn()?;
    parent.wait();
    Ok(parent.close()?)
}
