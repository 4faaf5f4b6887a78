//! Changes the location of every frame, in whichever process it is, with one event.
#![expect(clippy::print_stdout, reason = "examples print")]

use std::error::Error;
use std::sync::mpsc;

use remote_parent::{FrameOptions, Parent, this_module};

/// What runs in every process.
mod remote {
    use std::cell::RefCell;

    use remote_child::Child;

    /// What is in a frame.
    struct Page {
        location: RefCell<String>,
    }

    remote_child::register_module!(main);
    fn main(child: &Child) {
        child.frames().for_every(|frame| {
            frame.set_content(Page { location: RefCell::new(format!("https://example.org/{}", frame.id())) });
        });
        child.frames().port().on("changeLocation", |frame, anchor: String| {
            let Some(page) = frame.content::<Page>() else { return };
            page.location.borrow_mut().push_str(&format!("#{anchor}"));
            frame.port().emit("location", &*page.location.borrow()).ok();
        });
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    remote_child::init();
    let parent = Parent::new()?;
    parent.remote_require("./remote", this_module!())?;

    let (locations, reported) = mpsc::channel();
    parent.frames().port().on("location", move |frame, location: String| {
        locations.send((frame.id(), location)).ok();
    });
    let one = parent.processes().spawn()?;
    let other = parent.processes().spawn()?;
    for process in [&one, &other, &one] {
        parent.frames().open(process, FrameOptions::tab())?;
    }
    parent.frames().port().emit("changeLocation", "foo")?;

    // Closing tells all that the children said, and then lets go of the listener, which ends `reported`.
    parent.close()?;
    let mut locations: Vec<_> = reported.iter().collect();
    locations.sort();
    for (_frame, location) in locations {
        println!("{location}");
    }
    Ok(())
}
