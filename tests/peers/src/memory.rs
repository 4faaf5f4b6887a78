//! Shared memory for the contenders that have none of their own. The only unsafe code here.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU32;

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// A mapping of a memory file, shared with whoever maps it too.
pub struct Shared {
    file: OwnedFd,
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the mapping is used through atomics only, and lives as long as this.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    pub fn new(length: usize) -> anyhow::Result<Self> {
        // Without `CLOEXEC`: the caller inherits it.
        let file = memfd_create("peers", MemfdFlags::empty())?;
        ftruncate(&file, length as u64)?;
        Self::open(file, length)
    }

    pub fn open(file: OwnedFd, length: usize) -> anyhow::Result<Self> {
        // SAFETY: a new mapping at a place that the kernel chooses.
        let start = unsafe {
            mmap(std::ptr::null_mut(), length, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, &file, 0)?
        };
        let start = NonNull::new(start.cast()).ok_or_else(|| anyhow::anyhow!("mapped at zero"))?;
        Ok(Self { file, start, length })
    }

    pub fn descriptor(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    pub fn word(&self, offset: usize) -> &AtomicU32 {
        assert!(offset.is_multiple_of(4) && offset + 4 <= self.length);
        // SAFETY: inside the mapping, aligned, and everybody uses it as an atomic.
        unsafe { self.start.add(offset).cast::<AtomicU32>().as_ref() }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: our own mapping, and every reference into it borrows from us.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.length) };
    }
}

/// A descriptor that was inherited, by its number.
pub fn inherited(number: RawFd) -> OwnedFd {
    use std::os::fd::FromRawFd as _;

    // SAFETY: the process that started us left it open for us, and named it to us once.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// Lets a process that is started from now on inherit a descriptor.
pub fn pass_on(descriptor: RawFd) -> anyhow::Result<()> {
    use rustix::io::{FdFlags, fcntl_setfd};

    // SAFETY: the caller holds it open.
    let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
    Ok(fcntl_setfd(descriptor, FdFlags::empty())?)
}
