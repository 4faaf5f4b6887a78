use std::any::{Any, TypeId};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};

use remote_protocol::call::CallError;
use remote_protocol::limits::{BUFFER_PIECE_BYTES, BUFFER_SHARED_BYTES};
use remote_protocol::link::{BufferSpace, PlaceId};

use super::NAME;
use crate::invocation::Invocation;
use crate::members::Members;
use crate::object::{Key, Object, Wanted, address};

/// The bytes of a buffer, in the process that they are of, and where there are copies of them for others to see.
#[derive(Clone)]
pub(crate) struct Memory(Arc<Kept<dyn AsRef<[u8]> + Send + Sync>>);

struct Kept<T: ?Sized> {
    /// At most one for each process that has been lent the buffer, and lives.
    copies: Mutex<Vec<SharedCopy>>,
    bytes: T,
}

impl Memory {
    pub(crate) fn new(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self(Arc::new(Kept { copies: Mutex::default(), bytes }))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.bytes.as_ref()
    }

    pub(crate) fn address(&self) -> usize {
        address(&self.0)
    }

    /// What a child asks for in one request.
    pub(crate) fn piece(&self, offset: u64, length: u64) -> Result<&[u8], CallError> {
        let bytes = self.bytes();
        let end = offset.saturating_add(length);
        let range = usize::try_from(offset).ok().zip(usize::try_from(end).ok());
        let range = range.filter(|_| length <= BUFFER_PIECE_BYTES as u64);
        let piece = range.and_then(|(start, end)| bytes.get(start..end));
        piece.ok_or(CallError::Range { start: offset, end, length: bytes.len() as u64 })
    }

    /// How many copies it knows of.
    #[cfg(test)]
    pub(super) fn copies(&self) -> usize {
        lock(&self.0.copies).len()
    }

    /// Lends the copy that there is in `space`, if there is one.
    fn lend_in(&self, space: &Arc<dyn BufferSpace>) -> Option<Lease> {
        let mut copies = lock(&self.0.copies);
        let index = copies.iter().position(|copy| copy.is_in(space))?;
        let place = copies.get(index)?.place;
        match space.lend(place) {
            Some(offset) => Some(Lease { space: Arc::clone(space), place, offset }),
            None => {
                // It made room for others.
                let gone = copies.swap_remove(index);
                drop(copies);
                drop(gone);
                None
            }
        }
    }

    /// Copies the bytes into `space`, and lends that.
    fn put_in(&self, space: &Arc<dyn BufferSpace>) -> Option<Lease> {
        let placed = space.put(self.bytes())?;
        let copy = SharedCopy { space: Arc::downgrade(space), place: placed.id };
        let mut copies = lock(&self.0.copies);
        // Those of processes that are gone.
        copies.retain(|copy| copy.space.strong_count() > 0);
        copies.push(copy);
        drop(copies);
        Some(Lease { space: Arc::clone(space), place: placed.id, offset: placed.offset })
    }
}

/// A copy of a buffer's bytes, which goes with the buffer.
struct SharedCopy {
    space: Weak<dyn BufferSpace>,
    place: PlaceId,
}

impl SharedCopy {
    fn is_in(&self, space: &Arc<dyn BufferSpace>) -> bool {
        self.space.as_ptr().cast::<()>() == Arc::as_ptr(space).cast()
    }
}

impl Drop for SharedCopy {
    fn drop(&mut self) {
        if let Some(space) = self.space.upgrade() {
            space.remove(self.place);
        }
    }
}

/// A copy that a process can see: it stays where it is until this is dropped.
struct Lease {
    space: Arc<dyn BufferSpace>,
    place: PlaceId,
    offset: u64,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.space.give_back(self.place);
    }
}

/// A buffer that one process has been lent.
///
/// It lies in the table of what is lent beside the objects, and has no methods. While it lies there, the process may read.
pub(crate) struct LentMemory {
    /// Locked while the bytes are copied, so that this is done once.
    lease: Mutex<Option<Lease>>,
    memory: Memory,
}

impl LentMemory {
    pub(crate) fn new(memory: Memory) -> Self {
        Self { lease: Mutex::default(), memory }
    }

    pub(crate) const fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Where the process sees the bytes, if a copy for it is there already. Does not wait for one that is being made.
    pub(crate) fn place(&self, space: impl FnOnce() -> Option<Arc<dyn BufferSpace>>) -> Option<u64> {
        if !self.can_be_shared() {
            return None;
        }
        let mut lease = match self.lease.try_lock() {
            Ok(lease) => lease,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        if lease.is_none() {
            *lease = self.memory.lend_in(&space()?);
        }
        lease.as_ref().map(|lease| lease.offset)
    }

    /// Where the process sees the bytes, from now on at the latest; `None` when there is no room.
    pub(crate) fn share(&self, space: impl FnOnce() -> Option<Arc<dyn BufferSpace>>) -> Option<u64> {
        if !self.can_be_shared() {
            return None;
        }
        let mut lease = lock(&self.lease);
        if lease.is_none() {
            let space = space()?;
            *lease = self.memory.lend_in(&space).or_else(|| self.memory.put_in(&space));
        }
        lease.as_ref().map(|lease| lease.offset)
    }

    fn can_be_shared(&self) -> bool {
        self.memory.bytes().len() >= BUFFER_SHARED_BYTES
    }
}

impl Object for LentMemory {
    fn dispatch(&self, invocation: Invocation<'_>) {
        invocation.unknown(&Members::of(NAME, &[]));
    }

    fn interface(&self) -> &str {
        NAME
    }

    fn interfaces(&self) -> Vec<String> {
        vec![NAME.to_owned()]
    }

    fn key(&self) -> Key {
        Key::new(self.memory.address(), TypeId::of::<Self>())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn upcast(&self, _wanted: Wanted<'_>) -> Option<Arc<dyn Object>> {
        None
    }

    fn weight(&self) -> usize {
        self.memory.bytes().len()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
