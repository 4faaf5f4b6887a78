//! A child leaks on purpose: it leaves callbacks with the parent and never takes them back, and keeps objects that it is done with. The
//! parent prints where.
#![expect(clippy::print_stdout, reason = "examples print")]

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use remote_object::{CallError, Callback, Exports, Listeners, Remote};
use remote_parent::{Parent, this_module};

/// A document of the parent.
#[remote_object::interface]
trait Document: Send + Sync {
    fn on_change(&self, listener: Callback<()>) -> Result<(), CallError>;
    fn off_change(&self, listener: Callback<()>) -> Result<bool, CallError>;
    fn paragraph(&self, number: u32) -> Result<Remote<dyn Paragraph>, CallError>;
}

/// One paragraph of it.
#[remote_object::interface]
trait Paragraph: Send + Sync {
    fn text(&self) -> Result<String, CallError>;
}

/// What runs in every process.
mod remote {
    use remote_child::Child;
    use remote_object::{CallError, ChildExt};

    use crate::Document;

    remote_child::register_module!(main);
    fn main(child: &Child) -> Result<(), CallError> {
        if !child.process().is_remote() {
            return Ok(());
        }
        let document = child.remote().global::<dyn Document>("document")?;
        let mut read = Vec::new();
        for number in 0..3 {
            let careful = child.remote().callback(|()| {});
            document.on_change(careful.clone())?;
            document.off_change(careful)?;
            document.on_change(child.remote().callback(|()| {}))?; // leaks
            let paragraph = document.paragraph(number)?;
            paragraph.text()?;
            read.push(paragraph); // leaks
        }
        child.process().port().on("count", move |_process, ()| println!("{} paragraphs", read.len()));
        child.process().port().emit("done", &()).ok();
        Ok(())
    }
}

#[derive(Default)]
struct Text {
    listeners: Listeners<()>,
}

impl Document for Text {
    fn on_change(&self, listener: Callback<()>) -> Result<(), CallError> {
        self.listeners.add("change", listener);
        Ok(())
    }

    fn off_change(&self, listener: Callback<()>) -> Result<bool, CallError> {
        Ok(self.listeners.remove(&listener))
    }

    fn paragraph(&self, number: u32) -> Result<Remote<dyn Paragraph>, CallError> {
        Ok(Remote::new(Arc::new(Numbered(number))))
    }
}

struct Numbered(u32);

impl Paragraph for Numbered {
    fn text(&self) -> Result<String, CallError> {
        Ok(format!("paragraph {}", self.0))
    }
}

fn main() -> anyhow::Result<()> {
    remote_child::init();
    let parent = Parent::new()?;
    let exports = Exports::new();
    exports.global::<dyn Document>("document", Arc::new(Text::default()))?;
    exports.serve(&parent)?;
    let (tell, told) = mpsc::channel();
    parent.processes().port().on("done", move |_process, ()| {
        tell.send(()).ok();
    });
    parent.remote_require("./remote", this_module!())?;
    let child = parent.processes().spawn()?;
    told.recv_timeout(Duration::from_secs(10))?;
    print!("{}", exports.leaks());

    child.close();
    anyhow::ensure!(child.wait(Duration::from_secs(10)).is_some(), "the child does not end");
    print!("{}", exports.leaks());
    Ok(parent.close()?)
}
