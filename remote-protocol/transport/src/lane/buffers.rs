//! Memory for buffers, beside that of the rings.
//!
//! A file of the parent's own for each child. The parent writes it as one writes a file, and never maps or reads it: what a child could do
//! to it, it does to itself. The child maps it for reading, with a descriptor that allows nothing else and that it then closes.

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

use remote_protocol::id::LaneId;
use remote_protocol::link::{BufferSpace, BufferView, PlaceId, Placed, Shown};
use rustix::fs::{FallocateFlags, Mode, OFlags, fallocate, open};
use rustix::process::{Resource, getrlimit};

use super::end::Shared;
use super::memory::{Window, sealed_file};
use super::places::{GRAIN_BYTES, Places, Taken};
use crate::lock::lock;

/// The parent's end.
pub(super) struct Space {
    /// `None` when the link is closed. Nothing is vacated then: the child may still read.
    file: Mutex<Option<Arc<File>>>,
    places: Mutex<Places>,
    /// When to tidy up, if there is something; and whether there is, to be asked often.
    tidy_at: Mutex<Option<Instant>>,
    is_untidy: AtomicBool,
    /// Whose receiver does that.
    owner: OnceLock<Weak<Shared>>,
}

impl Space {
    /// Room for so many bytes of buffers, or for [`MOST_BYTES`], all of it free. None of it takes memory yet.
    pub(super) fn new(bytes: usize) -> io::Result<Self> {
        // A longer file than this process may write would end it with a signal.
        let limit = getrlimit(Resource::Fsize).current.unwrap_or(u64::MAX) / GRAIN_BYTES * GRAIN_BYTES;
        let bytes = (bytes as u64).min(MOST_BYTES).next_multiple_of(GRAIN_BYTES).min(limit).max(GRAIN_BYTES);
        let length = usize::try_from(bytes).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let file = sealed_file("remote-buffers", length)?;
        Ok(Self {
            file: Mutex::new(Some(Arc::new(file.into()))),
            places: Mutex::new(Places::new(bytes)),
            tidy_at: Mutex::default(),
            is_untidy: AtomicBool::new(false),
            owner: OnceLock::new(),
        })
    }

    /// It is part of this end, whose receiver on the main lane will [tidy up](Self::tidy).
    pub(super) fn belongs_to(&self, owner: &Arc<Shared>) {
        // It has one owner for its whole life.
        let _ = self.owner.set(Arc::downgrade(owner));
    }

    /// Whether there is something to [tidy up](Self::tidy), now or later.
    pub(super) fn is_untidy(&self) -> bool {
        self.is_untidy.load(Ordering::SeqCst)
    }

    /// Gives memory back to the system that served nobody for a while. Gives when to do that the next time.
    pub(super) fn tidy(&self, now: Instant) -> Option<Instant> {
        let mut tidy_at = lock(&self.tidy_at);
        if let Some(at) = tidy_at.filter(|at| now < *at) {
            return Some(at);
        }
        *tidy_at = None;
        self.is_untidy.store(false, Ordering::SeqCst);
        drop(tidy_at);
        let next = || lock(&self.places).tidy();
        while let Some(range) = next() {
            self.vacate(&range);
        }
        None
    }

    /// Sees to it that what is left is tidied up some time.
    fn left(&self, is_untidy: bool) {
        if !is_untidy {
            return;
        }
        let mut tidy_at = lock(&self.tidy_at);
        if tidy_at.is_some() {
            return;
        }
        *tidy_at = Some(Instant::now() + UNTIDY);
        self.is_untidy.store(true, Ordering::SeqCst);
        drop(tidy_at);
        if let Some(owner) = self.owner.get().and_then(Weak::upgrade) {
            owner.rouse(LaneId::MAIN);
        }
    }

    /// A descriptor of the file for reading alone.
    pub(super) fn descriptor(&self) -> io::Result<OwnedFd> {
        use std::os::fd::AsRawFd;

        let file = self.file().ok_or(io::ErrorKind::NotConnected)?;
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        Ok(open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
    }

    /// The link is closed.
    pub(super) fn close(&self) {
        let file = lock(&self.file).take();
        drop(file);
    }

    fn file(&self) -> Option<Arc<File>> {
        lock(&self.file).clone()
    }

    /// Gives memory back to the system, and then calls it free.
    fn vacate(&self, range: &Range<u64>) {
        let Some(file) = self.file() else { return };
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        if let Err(error) = fallocate(&*file, flags, range.start, range.end - range.start) {
            tracing::debug!(%error, "the memory of a buffer is not given back");
        }
        lock(&self.places).vacated(range);
    }
}

impl BufferSpace for Space {
    fn put(&self, bytes: &[u8]) -> Option<Placed> {
        let file = self.file()?;
        loop {
            // Neither is held while the other is, nor while bytes are written.
            let taken = lock(&self.places).take(bytes.len() as u64);
            match taken {
                Taken::Full => return None,
                Taken::Vacate(range) => self.vacate(&range),
                Taken::Placed(id, range) => {
                    if let Err(error) = file.write_all_at(bytes, range.start) {
                        tracing::debug!(%error, bytes = bytes.len(), "a buffer is not shared");
                        self.remove(id);
                        self.give_back(id);
                        return None;
                    }
                    return Some(Placed { id, offset: range.start });
                }
            }
        }
    }

    fn lend(&self, place: PlaceId) -> Option<u64> {
        self.file()?;
        lock(&self.places).lend(place)
    }

    fn give_back(&self, place: PlaceId) {
        let mut places = lock(&self.places);
        let (vacated, is_untidy) = (places.give_back(place), places.is_untidy());
        drop(places);
        vacated.iter().for_each(|range| self.vacate(range));
        self.left(is_untidy);
    }

    fn remove(&self, place: PlaceId) {
        let mut places = lock(&self.places);
        places.remove(place);
        let is_untidy = places.is_untidy();
        drop(places);
        self.left(is_untidy);
    }
}

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Space").field("open", &self.file().is_some()).finish_non_exhaustive()
    }
}

/// How long pages wait for the next buffer of their size.
const UNTIDY: Duration = Duration::from_secs(1);

/// What is mapped at most: it takes room among the addresses of the child. Buffers past it are lent as well, and read piece by piece.
const MOST_BYTES: u64 = if usize::BITS < 64 { 1 << 28 } else { 1 << 32 };

/// The child's end.
pub(super) struct View(Arc<Window>);

impl View {
    pub(super) fn map(file: BorrowedFd<'_>) -> io::Result<Self> {
        Ok(Self(Arc::new(Window::map(file.as_fd())?)))
    }
}

impl BufferView for View {
    fn show(&self, offset: u64, length: u64) -> Option<Shown> {
        let start = usize::try_from(offset).ok()?;
        let end = usize::try_from(offset.checked_add(length)?).ok()?;
        self.0.bytes(start..end)?;
        Some(Arc::new(Part { window: Arc::clone(&self.0), range: start..end }))
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").finish_non_exhaustive()
    }
}

/// Some bytes of a window.
struct Part {
    window: Arc<Window>,
    range: Range<usize>,
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        // There are such bytes, or it would not have been made.
        self.window.bytes(self.range.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
