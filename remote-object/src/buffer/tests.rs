use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use remote_protocol::limits::BUFFER_SHARED_BYTES;
use remote_protocol::link::{BufferSpace, BufferView as View, PlaceId, Placed, Shown};

use super::*;

/// Shared memory that is none: what is put there is shown from there.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    /// By where they lie.
    copies: Mutex<BTreeMap<u64, Copied>>,
    next: AtomicU64,
    pub(crate) limit: usize,
}

#[derive(Debug)]
struct Copied {
    bytes: Arc<Vec<u8>>,
    leases: u32,
    can_be_lent: bool,
}

impl Shelf {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, ..Self::default() })
    }

    /// How often each copy is lent.
    pub(crate) fn leases(&self) -> Vec<u32> {
        self.copies.lock().unwrap().values().map(|copy| copy.leases).collect()
    }

    fn change(&self, place: PlaceId, change: impl FnOnce(&mut Copied)) {
        let mut copies = self.copies.lock().unwrap();
        let Some(copy) = copies.get_mut(&place.0) else { return };
        change(copy);
        if (copy.leases, copy.can_be_lent) == (0, false) {
            copies.remove(&place.0);
        }
    }

    /// Makes room of what is not lent.
    fn evict(&self) {
        self.copies.lock().unwrap().retain(|_, copy| copy.leases > 0);
    }
}

impl BufferSpace for Shelf {
    fn put(&self, bytes: &[u8]) -> Option<Placed> {
        let mut copies = self.copies.lock().unwrap();
        let taken: usize = copies.values().map(|copy| copy.bytes.len()).sum();
        if bytes.len() > self.limit - taken {
            return None;
        }
        let offset = self.next.fetch_add(1 << 30, Ordering::Relaxed);
        copies.insert(offset, Copied { bytes: Arc::new(bytes.to_vec()), leases: 1, can_be_lent: true });
        Some(Placed { id: PlaceId(offset), offset })
    }

    fn lend(&self, place: PlaceId) -> Option<u64> {
        let mut copies = self.copies.lock().unwrap();
        let copy = copies.get_mut(&place.0)?;
        assert!(copy.can_be_lent, "it was removed");
        copy.leases += 1;
        Some(place.0)
    }

    fn give_back(&self, place: PlaceId) {
        self.change(place, |copy| copy.leases -= 1);
    }

    fn remove(&self, place: PlaceId) {
        self.change(place, |copy| copy.can_be_lent = false);
    }
}

impl View for Shelf {
    fn show(&self, offset: u64, length: u64) -> Option<Shown> {
        let copies = self.copies.lock().unwrap();
        let bytes = &copies.get(&offset)?.bytes;
        (bytes.len() as u64 == length).then(|| Arc::clone(bytes) as Shown)
    }
}

fn space(shelf: &Arc<Shelf>) -> Arc<dyn BufferSpace> {
    Arc::clone(shelf) as _
}

fn share(lent: &LentMemory, shelf: &Arc<Shelf>) -> Option<u64> {
    lent.share(|| Some(space(shelf)))
}

const LONG: usize = BUFFER_SHARED_BYTES;

/// B14
#[test]
fn a_buffer_is_copied_once_for_each_process_and_no_sooner_than_it_is_wanted() {
    let memory = Memory::new(vec![1; LONG]);
    let shelves = [Shelf::new(LONG), Shelf::new(LONG)];
    let lent = shelves.each_ref().map(|_| LentMemory::new(memory.clone()));
    assert_eq!(lent[0].place(|| Some(space(&shelves[0]))), None);
    for (lent, shelf) in lent.iter().zip(&shelves) {
        let place = share(lent, shelf).unwrap();
        assert_eq!((share(lent, shelf), lent.place(|| Some(space(shelf)))), (Some(place), Some(place)));
        assert_eq!(shelf.leases(), [1]);
        assert!(*(*shelf.show(place, LONG as u64).unwrap()).as_ref() == *memory.bytes());
    }
}

/// B14, B6
#[test]
fn a_copy_stays_while_it_is_lent_and_may_while_the_parent_has_the_buffer() {
    let memory = Memory::new(vec![1; LONG]);
    let shelf = Shelf::new(LONG);
    let lend = || LentMemory::new(memory.clone());
    let [first, second] = [lend(), lend()];
    let place = share(&first, &shelf);
    assert_eq!(second.place(|| Some(space(&shelf))), place);
    assert_eq!(shelf.leases(), [2]);
    drop(first);
    drop(second);
    assert_eq!(shelf.leases(), [0]);
    // The next one finds it there, as long as it did not make room for others.
    assert_eq!(lend().place(|| Some(space(&shelf))), place);
    shelf.evict();
    assert_eq!(lend().place(|| Some(space(&shelf))), None);
    let again = lend();
    assert!(share(&again, &shelf).is_some_and(|again| Some(again) != place));
    drop(memory);
    assert_eq!(shelf.leases(), [1]);
    drop(again);
    assert_eq!(shelf.leases(), []);
}

/// B14: where there is no room, nor such memory, or for a short one, nothing is shared.
#[test]
fn what_finds_no_room_is_not_shared() {
    let shelf = Shelf::new(LONG);
    let long = LentMemory::new(Memory::new(vec![1; LONG + 1]));
    assert_eq!((share(&long, &shelf), long.share(|| None)), (None, None));
    let short = LentMemory::new(Memory::new(vec![1; LONG - 1]));
    assert_eq!(short.share(|| panic!("it is not asked for")), None);
    let fitting = LentMemory::new(Memory::new(vec![1; LONG]));
    assert!(share(&fitting, &shelf).is_some());
}

/// B14, A8: a buffer that outlives many processes keeps nothing of them.
#[test]
fn nothing_is_kept_of_processes_that_are_gone() {
    let memory = Memory::new(vec![1; LONG]);
    for _ in 0..100 {
        let shelf = Shelf::new(LONG);
        assert!(share(&LentMemory::new(memory.clone()), &shelf).is_some());
        assert_eq!(Arc::strong_count(&shelf), 1);
    }
    assert_eq!(memory.copies(), 1);
}
