//! The memory that two processes share. All unsafe code of the workspace is in this file.

use std::ffi::c_void;
use std::io;
use std::ops::Range;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::atomic::{AtomicU32, AtomicU64};

use rustix::fs::{
    FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, fcntl_get_seals, fstat, ftruncate, memfd_create,
};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// A file in memory, zero at first, whose size nobody can change any more.
///
/// So no access to a [`Region`] or a [`Window`] of it can fail, whatever the other process does.
pub(super) fn sealed_file(name: &str, bytes: usize) -> io::Result<OwnedFd> {
    let file = memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    ftruncate(&file, bytes as u64)?;
    fcntl_add_seals(&file, SEALS)?;
    Ok(file)
}

/// A mapping of a sealed file: words that another process may read and write at any time.
pub(super) struct Region {
    mapping: Mapping,
    /// The file, where parts of it may be given back.
    file: Option<OwnedFd>,
}

impl Region {
    /// Maps the whole of a file of [`sealed_file`].
    ///
    /// # Errors
    ///
    /// What the system says, or [`io::ErrorKind::InvalidData`] when the file is not sealed or not of this size.
    pub(super) fn map(file: BorrowedFd<'_>, bytes: usize) -> io::Result<Self> {
        if sealed_bytes(file)? != bytes {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(Self { mapping: Mapping::new(file, bytes, ProtFlags::READ | ProtFlags::WRITE)?, file: None })
    }

    /// Keeps the file, so that parts of it can be [vacated](Self::vacate).
    pub(super) fn keep(mut self, file: OwnedFd) -> Self {
        self.file = Some(file);
        self
    }

    /// Makes words zero and gives their memory back to the system, as far as that is whole pages.
    pub(super) fn vacate(&self, words: Range<usize>) {
        let Some(file) = &self.file else { return };
        let page = |words: usize| (FLAG_BYTES + words * size_of::<AtomicU64>()) as u64 / PAGE_BYTES;
        let (first, last) = (page(words.start) + 1, page(words.end));
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        if first < last {
            // Where it cannot be, it is used again as it is.
            let _ = fallocate(file, flags, first * PAGE_BYTES, (last - first) * PAGE_BYTES);
        }
    }

    /// The first [`FLAG_BYTES`], as words of 32 bits.
    #[inline]
    pub(super) fn flags(&self) -> &[AtomicU32] {
        let count = FLAG_BYTES.min(self.mapping.bytes) / size_of::<AtomicU32>();
        // SAFETY: `self.mapping` has so many bytes, of which these are the first, aligned to a page; they stay mapped, and the file as
        // long, because it is sealed, until `self` is dropped. Every bit pattern is a value. Everything else that reads or writes them, in
        // any process, does so while they are shared in this way: as atomics of this size, or at worst as plain memory in a process that
        // breaks the rules, whose writes the hardware keeps apart from ours word by word.
        unsafe { slice::from_raw_parts(self.mapping.base.as_ptr().cast(), count) }
    }

    /// What comes after the flags, as words of 64 bits.
    #[inline]
    pub(super) fn words(&self) -> &[AtomicU64] {
        let count = self.mapping.bytes.saturating_sub(FLAG_BYTES) / size_of::<AtomicU64>();
        let skipped = FLAG_BYTES.min(self.mapping.bytes);
        // SAFETY: `skipped` is within the mapping and a multiple of a page, or its very end, in which case `count` is 0; `count` words
        // from there on end within it. Flags and words do not overlap, so no word is accessed in two sizes. The rest is as for `flags`.
        unsafe { slice::from_raw_parts(self.mapping.base.as_ptr().byte_add(skipped).cast(), count) }
    }
}

/// A mapping of a sealed file of the parent that this process, a child, can only read.
pub(super) struct Window {
    mapping: Mapping,
}

impl Window {
    /// Maps the whole of a file of [`sealed_file`] that another process writes, and this one does not. A `file` that was opened for
    /// reading alone makes a mapping that stays so, whatever is tried: the system grants no other access to it later.
    ///
    /// # Errors
    ///
    /// What the system says, or [`io::ErrorKind::InvalidData`] when the file is not sealed.
    pub(super) fn map(file: BorrowedFd<'_>) -> io::Result<Self> {
        Ok(Self { mapping: Mapping::new(file, sealed_bytes(file)?, ProtFlags::READ)? })
    }

    /// Some of the bytes, while the parent lends them; `None` where there are none.
    pub(super) fn bytes(&self, range: Range<usize>) -> Option<&[u8]> {
        let length = range.end.checked_sub(range.start)?;
        if range.end > self.mapping.bytes {
            return None;
        }
        // SAFETY: the range is within the mapping, which stays, and the file as long, because it is sealed, until `self` is dropped. Nobody
        // writes these bytes meanwhile: this process cannot, no other child has the file, and the parent, which started this process, does
        // not while it lends them; that is when this is called and what it gives is used, as `BufferView::show` asks. A parent that does not
        // keep to that is not one that a child could be protected from.
        Some(unsafe { slice::from_raw_parts(self.mapping.base.as_ptr().byte_add(range.start).cast(), length) })
    }
}

/// A mapping of the beginning of a file, unmapped when dropped.
struct Mapping {
    base: NonNull<c_void>,
    bytes: usize,
}

impl Mapping {
    fn new(file: BorrowedFd<'_>, bytes: usize, protection: ProtFlags) -> io::Result<Self> {
        // SAFETY: no address is asked for, so that the mapping replaces nothing; and it is unmapped only when dropped.
        let base = unsafe { mmap(ptr::null_mut(), bytes, protection, MapFlags::SHARED, file, 0)? };
        let base = NonNull::new(base).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { base, bytes })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it is what `new` mapped, nobody else unmaps it, and whatever borrowed from `self` is gone.
        let unmapped = unsafe { munmap(self.base.as_ptr(), self.bytes) };
        if let Err(error) = unmapped {
            tracing::error!(%error, "shared memory was not unmapped");
        }
    }
}

// SAFETY: it is memory that any thread may use and unmap. What gives access to it through a shared reference gives atomics, or bytes that
// nobody writes.
unsafe impl Send for Mapping {}

// SAFETY: as for `Send`.
unsafe impl Sync for Mapping {}

/// How long a sealed file is, for ever.
fn sealed_bytes(file: BorrowedFd<'_>) -> io::Result<usize> {
    let is_sealed = fcntl_get_seals(file).is_ok_and(|seals| seals.contains(SEALS));
    let bytes = usize::try_from(fstat(file)?.st_size).ok();
    bytes.filter(|_| is_sealed).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// A page of flags comes first.
pub(super) const FLAG_BYTES: usize = 4096;

/// Of whatever size pages are; what is not whole pages is made zero, but not given back.
const PAGE_BYTES: u64 = 4096;

/// Its size stays what it is, and so does this.
const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);
