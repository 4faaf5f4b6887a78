//! Uses buffers of the parent.

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Duration;

use remote_child::Child;
use remote_object::{CallError, ChildExt, Remote, RemoteBuffer};

use crate::buffers::{BODIES, Gallery, noise};
use crate::gate::Report;
use crate::modules::answer;

remote_child::register_module!(main);
fn main(child: &Child) {
    answer(child, "buffer body", |child, name: String| {
        let gallery = gallery(child)?;
        let by_name = child.remote().require_dynamic("gallery")?;
        let (_, body) = BODIES.iter().find(|(other, _)| *other == name).expect("a body of this name");
        body(&gallery, &by_name)
    });
    answer(child, "copy", |child, (path, bytes): (PathBuf, u64)| {
        let gallery = gallery(child)?;
        let picture = gallery.picture(bytes)?;
        assert_eq!(picture.as_local().is_none(), child.process().is_remote());
        assert!(picture.to_vec()? == noise(bytes));
        assert!(gallery.is_original(picture.clone())?);
        gallery.write(path, picture)
    });
    answer(child, "borrow until refused", |child, bytes: u64| {
        let gallery = gallery(child)?;
        let one = gallery.canvas(bytes)?;
        // It weighs no more for being lent often.
        let again = gallery.echo(one.clone())?;
        assert_eq!(again, one);
        drop(one);
        let mut held = vec![again];
        loop {
            match gallery.canvas(bytes) {
                Ok(canvas) => held.push(canvas),
                Err(error) => {
                    let count = held.len();
                    // One less, and there is room for one more.
                    held.pop();
                    held.push(gallery.canvas(bytes)?);
                    return Ok::<_, CallError>((count, error));
                }
            }
        }
    });
    answer(child, "send its own", |child, ()| {
        let own = RemoteBuffer::from(vec![1, 2, 3]);
        assert_eq!((own.as_local(), own.to_vec()?), (Some(&[1, 2, 3][..]), vec![1, 2, 3]));
        gallery(child)?.is_original(own)
    });
    answer(child, "get what cannot be sent", |child, bytes: u64| gallery(child)?.unsendable(bytes).map(drop));
    answer(child, "ignore", |child, bytes: u64| gallery(child)?.picture(bytes).map(drop));
    let kept = RefCell::new(None);
    answer(child, "keep", move |child, bytes: u64| {
        let picture = gallery(child)?.picture(bytes)?;
        drop(kept.replace(Some(picture)));
        Ok::<_, CallError>(())
    });
    answer(child, "view", |child, bytes: u64| {
        let process = child.process();
        let viewer = child.remote().callback(move |picture: RemoteBuffer| {
            let same = picture.to_vec().is_ok_and(|seen| seen == noise(bytes));
            drop(picture);
            process.port().emit("viewed", &same).expect("the parent is there");
        });
        gallery(child)?.show(bytes, viewer)
    });
    // What is said about giving up cannot be an event: the parent's thread for this process waits, too.
    let own = child.clone();
    child.process().port().on("give up a buffer", move |_process, (report, gate): (String, String)| {
        let gallery = gallery(&own).expect("it is exported");
        let deadline = own.call_deadline();
        own.remote().set_call_deadline(Duration::from_millis(100));
        let late = gallery.picture_at(&gate, 100_000).expect_err("nobody opens the gate so soon");
        own.remote().set_call_deadline(deadline);
        Report::at(&report).say(&format!("{late:?}"));
    });
}

fn gallery(child: &Child) -> Result<Remote<dyn Gallery>, CallError> {
    child.remote().require("gallery")
}
