//! Looks at the memory in which it sees buffers.

use std::cell::RefCell;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use remote_child::Child;
use remote_object::{BufferView, CallError, ChildExt, Remote};
use serde::{Deserialize, Serialize};

use crate::buffers::{Gallery, noise};
use crate::modules::answer;

/// What the system says of the mapping.
#[derive(Debug, Serialize, Deserialize)]
pub struct Mapping {
    /// Of the file.
    pub inode: u64,
    /// As in `/proc/self/smaps`.
    pub flags: Vec<String>,
    /// What descriptors of this process are of.
    pub descriptors: Vec<String>,
}

remote_child::register_module!(main);
fn main(child: &Child) {
    answer(child, "mapping", |_child, ()| mapping());
    let views = RefCell::new(Vec::<BufferView>::new());
    answer(child, "view", move |child, (count, bytes, drop_first): (usize, u64, usize)| {
        let gallery = gallery(child)?;
        let mut views = views.borrow_mut();
        views.drain(..drop_first);
        let mut shared = Vec::new();
        for _ in 0..count {
            let view = gallery.canvas(bytes)?.view()?;
            assert!(view.len() as u64 == bytes && view.iter().all(|byte| *byte == 0));
            shared.push(is_mapped(&view));
            views.push(view);
        }
        Ok::<_, CallError>(shared)
    });
    answer(child, "look", |child, bytes: u64| {
        let view = gallery(child)?.picture(bytes)?.view()?;
        assert!(*view == noise(bytes));
        Ok::<_, CallError>(is_mapped(&view))
    });
    answer(child, "look on", |child, bytes: u64| {
        let view = gallery(child)?.picture(bytes)?.view()?;
        let looks = Arc::new(AtomicBool::new(false));
        let looking = Arc::clone(&looks);
        thread::spawn(move || {
            let expected = noise(bytes);
            loop {
                if *view != expected {
                    // Whoever waits for this process sees that it did not end as it should.
                    std::process::abort();
                }
                looking.store(true, Ordering::Release);
            }
        });
        while !looks.load(Ordering::Acquire) {
            thread::yield_now();
        }
        Ok::<_, CallError>(())
    });
}

fn mapping() -> Result<Mapping, std::io::Error> {
    let maps = fs::read_to_string("/proc/self/smaps")?;
    let (before, after) = maps.split_once("/memfd:remote-buffers").expect("it is mapped");
    let inode = before.lines().last().and_then(|line| line.split_whitespace().last()).expect("a number");
    let flags = after.lines().find_map(|line| line.strip_prefix("VmFlags:")).expect("it has flags");
    let links = fs::read_dir("/proc/self/fd")?.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    Ok(Mapping {
        inode: inode.parse().expect("a number"),
        flags: flags.split_whitespace().map(str::to_owned).collect(),
        descriptors: links.map(|link| link.display().to_string()).collect(),
    })
}

/// Whether these bytes lie in the memory for buffers, and not in this process's own.
fn is_mapped(view: &[u8]) -> bool {
    let maps = fs::read_to_string("/proc/self/maps").expect("this is Linux");
    let line = maps.lines().find(|line| line.contains("remote-buffers")).expect("it is mapped");
    let (start, end) = line.split_whitespace().next().and_then(|range| range.split_once('-')).expect("a range");
    let number = |text| usize::from_str_radix(text, 16).expect("a number");
    (number(start)..number(end)).contains(&view.as_ptr().addr())
}

fn gallery(child: &Child) -> Result<Remote<dyn Gallery>, CallError> {
    child.remote().require("gallery")
}
