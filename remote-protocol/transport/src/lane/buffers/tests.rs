use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use remote_protocol::id::LaneId;
use remote_protocol::link::{BufferSpace, BufferView, Link, Received};

use super::{GRAIN_BYTES, Space, View};
use crate::lane::pair;

const GRAIN: usize = GRAIN_BYTES as usize;

/// The memory that a space takes, in bytes.
fn taken(space: &Space) -> u64 {
    space.file().unwrap().metadata().unwrap().blocks() * 512
}

fn joined(bytes: usize) -> (Space, View) {
    let space = Space::new(bytes).unwrap();
    let view = View::map(space.descriptor().unwrap().as_fd()).unwrap();
    (space, view)
}

#[test]
fn the_child_sees_what_the_parent_put() {
    let (parent, child) = pair().unwrap();
    let (space, view) = (parent.buffer_space().unwrap(), child.buffer_view().unwrap());
    assert!(parent.buffer_view().is_none() && child.buffer_space().is_none());
    let [one, other] = [vec![1; 100_000], vec![2; 5]];
    let first = space.put(&one).unwrap();
    let second = space.put(&other).unwrap();
    assert_eq!(first.offset % GRAIN_BYTES + second.offset % GRAIN_BYTES, 0);

    let shown = view.show(first.offset, 100_000).unwrap();

    assert!(*(*shown).as_ref() == one);
    assert_eq!((*view.show(second.offset, 5).unwrap()).as_ref(), other);
    // What was shown stays for as long as anybody has it, whatever becomes of the link.
    parent.close();
    drop((parent, child, space, view));
    assert!(*(*shown).as_ref() == one);
}

#[test]
fn what_goes_is_given_back_to_the_system() {
    let (space, _view) = joined(16 * GRAIN);
    assert_eq!(taken(&space), 0);
    let kept = space.put(&[1; 3 * GRAIN]).unwrap();
    let gone = space.put(&[2; 2 * GRAIN + 1]).unwrap();
    assert!(taken(&space) > 5 * GRAIN_BYTES);

    space.remove(gone.id);
    assert!(taken(&space) > 5 * GRAIN_BYTES, "it is lent");
    space.give_back(gone.id);
    assert_eq!(space.lend(gone.id), None);
    assert!(taken(&space) > 5 * GRAIN_BYTES, "others may come there");
    let tidy_at = space.tidy(Instant::now()).unwrap();
    assert_eq!(space.tidy(tidy_at - Duration::from_nanos(1)), Some(tidy_at));
    assert!(taken(&space) > 5 * GRAIN_BYTES, "it is too early");

    assert_eq!(space.tidy(tidy_at), None);

    assert_eq!((taken(&space), space.is_untidy()), (3 * GRAIN_BYTES, false));
    // What may be lent again is there yet.
    space.give_back(kept.id);
    assert_eq!(taken(&space), 3 * GRAIN_BYTES);
    assert_eq!(space.lend(kept.id), Some(kept.offset));
    space.give_back(kept.id);
    space.remove(kept.id);
    let tidy_at = space.tidy(Instant::now()).unwrap();
    space.tidy(tidy_at);
    assert_eq!(taken(&space), 0);
}

/// Whoever drops the last handle, and whatever the child does: nobody has to say anything for it.
#[test]
fn who_sleeps_on_the_main_lane_gives_memory_back() {
    let (parent, child) = pair().unwrap();
    let space = Arc::clone(parent.end.shared.space().unwrap());
    let mut main = parent.open(LaneId::MAIN).unwrap();
    let asleep = thread::spawn(move || main.rx.recv(&mut Vec::new(), None));
    // At any moment of going to sleep, and while it sleeps.
    for _ in 0..2 {
        let place = space.put(&[1; GRAIN]).unwrap();
        space.give_back(place.id);
        assert_eq!(taken(&space), GRAIN_BYTES);
        space.remove(place.id);
        let watchdog = Instant::now() + Duration::from_secs(20);
        while taken(&space) > 0 {
            assert!(Instant::now() < watchdog, "it is still there");
            thread::sleep(Duration::from_millis(10));
        }
    }
    child.close();
    assert!(matches!(asleep.join().unwrap(), Received::Closed(_)));
}

#[test]
fn room_that_only_spare_copies_take_is_room() {
    let (space, view) = joined(8 * GRAIN);
    let spare = [space.put(&[1; GRAIN]).unwrap(), space.put(&[1; GRAIN]).unwrap()];
    spare.iter().for_each(|place| space.give_back(place.id));
    let large = space.put(&[2; 8 * GRAIN]).unwrap();
    assert!(spare.iter().all(|place| space.lend(place.id).is_none()));
    assert!((*view.show(large.offset, 8 * GRAIN_BYTES).unwrap()).as_ref() == [2; 8 * GRAIN]);
    assert_eq!(space.put(&[3]), None);
    assert_eq!(taken(&space), 8 * GRAIN_BYTES);
}

#[test]
fn nothing_is_shown_that_is_not_there() {
    let (_space, view) = joined(GRAIN);
    for (offset, length) in [(0, GRAIN_BYTES + 1), (GRAIN_BYTES, 1), (1, u64::MAX), (u64::MAX, 0), (u64::MAX, 1)] {
        assert!(view.show(offset, length).is_none(), "{offset} {length}");
    }
    assert_eq!((*view.show(GRAIN_BYTES, 0).unwrap()).as_ref(), []);
    assert_eq!((*view.show(0, GRAIN_BYTES).unwrap()).as_ref(), [0; GRAIN]);
}

#[test]
fn when_the_link_is_closed_nothing_changes_under_who_still_reads() {
    let (space, view) = joined(4 * GRAIN);
    let lent = space.put(&[1; 100]).unwrap();
    let shown = view.show(lent.offset, 100).unwrap();

    space.close();
    space.give_back(lent.id);
    space.remove(lent.id);

    assert_eq!((*shown).as_ref(), [1; 100]);
    assert_eq!(space.put(&[2; 100]), None);
    assert_eq!(space.lend(lent.id), None);
}

/// B6: what a child is given of it allows nothing but reading, nor does what it maps, whatever it asks of the system.
#[test]
fn the_childs_mapping_cannot_be_made_writable() {
    let space = Arc::new(Space::new(1234 * GRAIN).unwrap());
    let descriptor = space.descriptor().unwrap();
    let view = View::map(descriptor.as_fd()).unwrap();
    let file = File::from(descriptor);
    assert!(file.write_at(b"x", 0).is_err());
    assert!(file.set_len(0).is_err());
    // Not even the parent, whose descriptor can be written to, can change the size.
    let writable = space.file().unwrap();
    assert!(writable.set_len(0).is_err() && writable.set_len(1 << 40).is_err());
    let number = file.as_raw_fd();
    assert!(fs::read_link(format!("/proc/self/fd/{number}")).unwrap().to_str().unwrap().contains("remote-buffers"));

    let smaps = fs::read_to_string("/proc/self/smaps").unwrap();
    let (_, rest) = smaps.split_once("memfd:remote-buffers").unwrap();
    let flags = rest.lines().find_map(|line| line.strip_prefix("VmFlags:")).unwrap();
    let flags: Vec<_> = flags.split_whitespace().collect();

    // It is readable, and neither writable nor ever to be: there is no `mw`.
    assert!(flags.contains(&"rd") && flags.contains(&"ms"), "{flags:?}");
    assert!(!flags.contains(&"wr") && !flags.contains(&"mw"), "{flags:?}");
    drop(view);
}
