use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use remote_protocol::call::{CallError, Outcome, Request};
use remote_protocol::codec;
use remote_protocol::id::LentId;
use remote_protocol::limits::{BUFFER_PIECE_BYTES, BUFFER_SHARED_BYTES};
use remote_protocol::link::Shown;

use super::{READ, RemoteBuffer};
use crate::calling::{Calling, done};
use crate::scope::Arrival;
use crate::table::Arrivals;

/// A buffer of the parent, as long as anything here can read it.
pub(crate) struct HeldBuffer {
    id: LentId,
    length: usize,
    /// Its bytes, where they need not be asked for: a copy that came along, or memory that the parent shows.
    here: OnceLock<Shown>,
    /// How many bytes have been asked for in pieces.
    asked: AtomicUsize,
    /// Whether the parent has said that it cannot show them.
    is_hidden: AtomicBool,
    calling: Arc<Calling>,
    arrivals: Arrivals,
}

impl HeldBuffer {
    /// A buffer of the parent that this process has been lent. `copy` came along with the reference, if anything did.
    pub(crate) fn new(calling: Arc<Calling>, id: LentId, length: u64, copy: Option<&[u8]>) -> Self {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let here: OnceLock<Shown> = OnceLock::new();
        if let Some(copy) = copy.filter(|copy| copy.len() == length) {
            here.get_or_init(|| Arc::new(copy.to_vec()));
        }
        let (asked, is_hidden) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self { id, length, here, asked, is_hidden, calling, arrivals: Arrivals::default() }
    }

    pub(crate) const fn id(&self) -> LentId {
        self.id
    }

    pub(crate) const fn length(&self) -> usize {
        self.length
    }

    pub(crate) const fn calling(&self) -> &Arc<Calling> {
        &self.calling
    }

    /// Its bytes, where they need not be asked for.
    pub(super) fn here(&self) -> Option<&Shown> {
        self.here.get()
    }

    /// The parent shows the bytes, at this place of the memory for buffers.
    pub(crate) fn show_at(&self, place: u64) -> Result<(), String> {
        if self.here.get().is_some() {
            return Ok(());
        }
        let shown = self.calling.buffer_view().and_then(|view| view.show(place, self.length as u64));
        let shown = shown.ok_or_else(|| {
            format!("a buffer of {} bytes at {place}, where there is no memory that is shared", self.length)
        })?;
        // Another thread may have been told the same.
        let _ = self.here.set(shown);
        Ok(())
    }

    /// Has the parent show the bytes, if that can be and is worth it for one who wants so many of them at once.
    pub(super) fn show_for(&self, buffer: &RemoteBuffer, wanted: usize) -> Result<(), CallError> {
        if self.length < BUFFER_SHARED_BYTES || self.is_hidden.load(Ordering::Relaxed) {
            return Ok(());
        }
        if self.calling.buffer_view().is_none() {
            return Ok(());
        }
        // To show them, the parent copies all. So that is not done for a few, nor are they asked for bit by bit for ever.
        let before = self.asked.fetch_add(wanted, Ordering::Relaxed);
        if before.saturating_add(wanted) < self.length / 2 {
            return Ok(());
        }
        self.show(buffer)
    }

    /// Has the parent show the bytes, if it can. `buffer` is this one.
    pub(super) fn show(&self, buffer: &RemoteBuffer) -> Result<(), CallError> {
        let place = self.request(buffer, Request::Share { buffer: self.id }, |payload| {
            codec::decode::<Option<u64>>(payload).map_err(|error| error.to_string())
        })?;
        match place {
            Some(place) => self.show_at(place).map_err(broken),
            None => {
                self.is_hidden.store(true, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    /// Asks the parent for bytes piece by piece, and gives these to `take`. `buffer` is this one.
    pub(super) fn read(
        &self,
        buffer: &RemoteBuffer,
        start: usize,
        end: usize,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<(), CallError> {
        let mut offset = start;
        while offset < end {
            let length = BUFFER_PIECE_BYTES.min(end - offset);
            let request = Request::Read { buffer: self.id, offset: offset as u64, length: length as u64 };
            self.request(buffer, request, |piece| {
                if piece.len() != length {
                    return Err(format!("expected {length} bytes, found {}", piece.len()));
                }
                take(piece);
                Ok(())
            })?;
            offset += length;
        }
        Ok(())
    }

    /// Asks the parent for something of this buffer.
    fn request<R>(
        &self,
        buffer: &RemoteBuffer,
        request: Request<'_>,
        take: impl FnOnce(&[u8]) -> Result<R, String>,
    ) -> Result<R, CallError> {
        // The bytes have to be there until the parent has come to it.
        let kept = || vec![Arrival::Buffer(buffer.clone())];
        self.calling.request(request, kept, READ, |outcome: Outcome<'_>| {
            // Bytes refer to nothing; what they refer to all the same is given back.
            let (outcome, _arrivals) = self.calling.receive(outcome);
            take(&done(outcome)?.bytes.0).map_err(broken)
        })?
    }
}

impl AsRef<Arrivals> for HeldBuffer {
    fn as_ref(&self) -> &Arrivals {
        &self.arrivals
    }
}

impl Drop for HeldBuffer {
    fn drop(&mut self) {
        self.calling.give_back_buffer(self.id, &self.arrivals);
    }
}

/// What is wrong with what the parent answered.
fn broken(reason: String) -> CallError {
    CallError::Result { method: READ.to_owned(), reason }
}
