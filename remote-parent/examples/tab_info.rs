//! Tells which page was shown in which tab: an event of the content is forwarded to the parent, which knows the tab.
#![expect(clippy::print_stdout, reason = "examples print")]

use std::error::Error;
use std::sync::Arc;

use remote_parent::{FrameOptions, Parent, this_module};

/// What shows a frame in the parent.
struct Tab {
    host: &'static str,
}

/// What runs in every process.
mod remote {
    use remote_child::{Capture, Child, ContentEvent};

    remote_child::register_module!(main);
    fn main(child: &Child) {
        child.frames().add_event_listener("pageshow", Capture::Yes, |frame, event| {
            frame.port().emit(event.name(), &()).ok();
        });
        // In a browser this is what the engine says once it has loaded a page.
        child.frames().port().on("load", |frame, ()| frame.dispatch_event(&ContentEvent::new("pageshow")));
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    remote_child::init();
    let parent = Parent::new()?;
    parent.remote_require("./remote", this_module!())?;
    parent.frames().port().on("pageshow", |frame, ()| {
        if let Some(tab) = frame.element::<Tab>() {
            println!("{}: pageshow", tab.host);
        }
    });
    let process = parent.processes().spawn()?;
    for host in ["www.rust-lang.org", "doc.rust-lang.org", "crates.io"] {
        let frame = parent.frames().open(&process, FrameOptions::tab().element(Arc::new(Tab { host })))?;
        frame.port().emit("load", &())?;
    }
    Ok(parent.close()?)
}
