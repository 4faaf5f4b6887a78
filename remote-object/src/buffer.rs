use std::any::{Any, TypeId};
use std::fmt;
use std::io;
use std::ops::{Bound, Deref, DerefMut, RangeBounds};
use std::sync::Arc;

use remote_protocol::call::{CallError, Request};
use remote_protocol::id::LentId;
use remote_protocol::limits::BUFFER_PIECE_BYTES;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::calling::{Calling, done};
use crate::invocation::Invocation;
use crate::members::Members;
use crate::object::{Key, Object, Wanted, address};
use crate::scope::{self, Arrival};
use crate::table::Arrivals;

/// A handle to bytes that lie in the parent.
///
/// The parent makes one of bytes it has, or [in place](crate::Exports::buffer), and hands it out as an argument, a result or part of
/// one. A child reads from it what it needs, and passes it back: then the parent has the very [bytes](Self::as_local), and not one
/// of them has travelled. It is a cheap clone, usable from any thread; the bytes live until neither side has a handle to them. They
/// never change. At most 256 MiB are lent to one process at any time.
///
/// A handle is not the bytes. To take it for them is the mistake by which images that were written to files through Electron's
/// `remote` came out as text: whoever writes it to a file, prints it or takes a slice of it does not get that far here.
///
/// ```compile_fail,E0277
/// # use remote_object::RemoteBuffer;
/// fn save(image: &RemoteBuffer) -> std::io::Result<()> {
///     std::fs::write("page.png", image) // no `AsRef<[u8]>`
/// }
/// ```
///
/// ```compile_fail,E0277
/// # use remote_object::RemoteBuffer;
/// fn text(image: &RemoteBuffer) -> String {
///     format!("{image}") // no `Display`, and so no `to_string` either
/// }
/// ```
///
/// ```compile_fail,E0308
/// # use remote_object::RemoteBuffer;
/// fn bytes(image: &RemoteBuffer) -> &[u8] {
///     image // no `Deref`
/// }
/// ```
///
/// In a child the bytes are asked for, which takes time and can fail. Better still, the child does not have them at all: it passes the
/// handle to an object of the parent that does with them what is to be done.
///
/// ```
/// use remote_object::{CallError, RemoteBuffer};
///
/// #[remote_object::interface]
/// trait Files: Send + Sync {
///     fn write(&self, name: &str, bytes: RemoteBuffer) -> Result<(), CallError>;
/// }
///
/// // In a child.
/// fn save(image: &RemoteBuffer, files: &dyn Files) -> Result<(), Box<dyn std::error::Error>> {
///     std::fs::write("copy.png", image.to_vec()?)?;
///     Ok(files.write("page.png", image.clone())?)
/// }
///
/// // In the parent.
/// struct Folder;
///
/// impl Files for Folder {
///     fn write(&self, name: &str, bytes: RemoteBuffer) -> Result<(), CallError> {
///         let bytes = bytes.as_local().expect("in the parent buffers are local");
///         std::fs::write(name, bytes).map_err(|error| CallError::from_error(&error))
///     }
/// }
/// ```
#[derive(Clone)]
pub struct RemoteBuffer {
    place: Place,
}

/// Where the bytes are.
#[derive(Clone)]
enum Place {
    Here(Memory),
    Parent(Arc<HeldBuffer>),
}

impl RemoteBuffer {
    pub(crate) const fn here(memory: Memory) -> Self {
        Self { place: Place::Here(memory) }
    }

    pub(crate) const fn held(held: Arc<HeldBuffer>) -> Self {
        Self { place: Place::Parent(held) }
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.place {
            Place::Here(memory) => memory.bytes().len(),
            Place::Parent(held) => held.length,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes themselves, where they are: in the parent, and in its main process's own modules. `None` for a buffer of another
    /// process, whether or not there is a copy of it here.
    #[must_use]
    pub fn as_local(&self) -> Option<&[u8]> {
        match &self.place {
            Place::Here(memory) => Some(memory.bytes()),
            Place::Parent(_) => None,
        }
    }

    /// A copy of some of the bytes.
    ///
    /// ```
    /// use remote_object::RemoteBuffer;
    ///
    /// let buffer = RemoteBuffer::from(b"\x89PNG\r\n".to_vec());
    /// assert_eq!(buffer.read(1..4)?, b"PNG");
    /// assert_eq!(buffer.read(4..)?, b"\r\n");
    /// let error = buffer.read(4..8).unwrap_err();
    /// assert_eq!(error.to_string(), "there are no bytes 4..8 in a buffer of 6");
    /// # Ok::<_, remote_object::CallError>(())
    /// ```
    ///
    /// # Blocking
    ///
    /// In a child, for one call for each MiB, each at most for the call deadline; not at all where the bytes came along with the handle, as
    /// up to 4 KiB mostly do.
    ///
    /// # Errors
    ///
    /// [`CallError::Range`], when the buffer has no such bytes; in a child as any call.
    pub fn read(&self, range: impl RangeBounds<usize>) -> Result<Vec<u8>, CallError> {
        let (start, end) = self.check(range)?;
        let mut bytes = Vec::new();
        self.each_piece(start, end, |piece| bytes.extend_from_slice(piece))?;
        Ok(bytes)
    }

    /// Fills `target` with the bytes from `offset` on; otherwise as [`read`](Self::read). When it fails, part of it may be filled.
    ///
    /// # Blocking
    ///
    /// As [`read`](Self::read).
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn read_into(&self, offset: usize, target: &mut [u8]) -> Result<(), CallError> {
        let (start, end) = self.check(offset..offset.saturating_add(target.len()))?;
        let mut rest = target;
        self.each_piece(start, end, |piece| {
            // All pieces together are as long as the target.
            if let Some((filled, left)) = std::mem::take(&mut rest).split_at_mut_checked(piece.len()) {
                filled.copy_from_slice(piece);
                rest = left;
            }
        })
    }

    /// A copy of all bytes; otherwise as [`read`](Self::read).
    ///
    /// # Blocking
    ///
    /// As [`read`](Self::read).
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn to_vec(&self) -> Result<Vec<u8>, CallError> {
        self.read(..)
    }

    /// The bytes, if they are of this process; what they are held by if not.
    pub(crate) const fn memory(&self) -> Result<&Memory, &Arc<HeldBuffer>> {
        match &self.place {
            Place::Here(memory) => Ok(memory),
            Place::Parent(held) => Err(held),
        }
    }

    /// The first byte of a range and the one behind its last.
    fn check(&self, range: impl RangeBounds<usize>) -> Result<(usize, usize), CallError> {
        let length = self.len();
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(start) => start.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(end) => end.saturating_add(1),
            Bound::Excluded(end) => *end,
            Bound::Unbounded => length.max(start),
        };
        if start > end || end > length {
            return Err(CallError::Range { start: start as u64, end: end as u64, length: length as u64 });
        }
        Ok((start, end))
    }

    /// Gives `take` the bytes of a range that was checked, in order.
    fn each_piece(&self, start: usize, end: usize, mut take: impl FnMut(&[u8])) -> Result<(), CallError> {
        let here = match &self.place {
            Place::Here(memory) => Some(memory),
            Place::Parent(held) => held.here.as_ref(),
        };
        if let Some(memory) = here {
            let bytes = memory.bytes().get(start..end);
            let out_of_range = || CallError::Range { start: start as u64, end: end as u64, length: self.len() as u64 };
            take(bytes.ok_or_else(out_of_range)?);
            return Ok(());
        }
        let Place::Parent(held) = &self.place else { return Ok(()) };
        let mut offset = start;
        while offset < end {
            let length = BUFFER_PIECE_BYTES.min(end - offset);
            held.read(self, offset, length, &mut take)?;
            offset += length;
        }
        Ok(())
    }
}

impl From<Vec<u8>> for RemoteBuffer {
    fn from(bytes: Vec<u8>) -> Self {
        Self::here(Memory(Arc::new(bytes)))
    }
}

impl From<Arc<[u8]>> for RemoteBuffer {
    fn from(bytes: Arc<[u8]>) -> Self {
        Self::here(Memory(Arc::new(bytes)))
    }
}

/// Whether they are the same buffer: clones of one, on whatever way they came. Bytes are not compared.
impl PartialEq for RemoteBuffer {
    fn eq(&self, other: &Self) -> bool {
        match (&self.place, &other.place) {
            (Place::Here(one), Place::Here(other)) => address(&one.0) == address(&other.0),
            (Place::Parent(one), Place::Parent(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl Eq for RemoteBuffer {}

impl fmt::Debug for RemoteBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteBuffer").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Serialize for RemoteBuffer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        scope::send_buffer(self).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RemoteBuffer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let reference = Deserialize::deserialize(deserializer)?;
        scope::receive_buffer(reference).map_err(serde::de::Error::custom)
    }
}

/// Bytes that are put together in place, to become a [`RemoteBuffer`]. [`Exports::buffer`](crate::Exports::buffer) makes one.
///
/// It is a slice of zeros to be filled, and a writer that fills it from the front and fails at its end; what is not filled stays 0.
///
/// ```
/// use std::io::Write;
///
/// let exports = remote_object::Exports::new();
/// let mut pixels = exports.buffer(8);
/// pixels.write_all(b"head")?;
/// pixels[6] = 0xff;
/// assert_eq!(pixels.finish().as_local(), Some(&b"head\0\0\xff\0"[..]));
/// # Ok::<_, std::io::Error>(())
/// ```
pub struct BufferBuilder {
    bytes: Vec<u8>,
    /// How many were written as by a writer.
    written: usize,
}

impl BufferBuilder {
    pub(crate) fn new(length: usize) -> Self {
        Self { bytes: vec![0; length], written: 0 }
    }

    /// The buffer. Its bytes do not change any more, and are not copied.
    #[must_use]
    pub fn finish(self) -> RemoteBuffer {
        self.bytes.into()
    }
}

impl Deref for BufferBuilder {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for BufferBuilder {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl io::Write for BufferBuilder {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.bytes.get_mut(self.written..).unwrap_or_default().write(bytes)?;
        self.written += written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for BufferBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferBuilder").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Bytes in this process, and what keeps them where they are: memory of its own, a copy that came along with a reference, or whatever
/// a link would map.
///
/// It lies in the table of what is lent beside the objects, and has no methods.
#[derive(Clone)]
pub(crate) struct Memory(Arc<dyn AsRef<[u8]> + Send + Sync>);

impl Memory {
    pub(crate) fn bytes(&self) -> &[u8] {
        (*self.0).as_ref()
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
}

impl Object for Memory {
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
        Key::new(address(&self.0), TypeId::of::<Self>())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn upcast(&self, _wanted: Wanted<'_>) -> Option<Arc<dyn Object>> {
        None
    }

    fn weight(&self) -> usize {
        self.bytes().len()
    }
}

/// A buffer of the parent, as long as anything here can read it.
pub(crate) struct HeldBuffer {
    id: LentId,
    length: usize,
    /// Its bytes, where they need not be asked for.
    here: Option<Memory>,
    calling: Arc<Calling>,
    arrivals: Arrivals,
}

impl HeldBuffer {
    /// A buffer of the parent that this process has been lent. `copy` came along with the reference, if anything did.
    pub(crate) fn new(calling: Arc<Calling>, id: LentId, length: u64, copy: Option<&[u8]>) -> Self {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let here = copy.filter(|copy| copy.len() == length).map(|copy| Memory(Arc::new(copy.to_vec())));
        Self { id, length, here, calling, arrivals: Arrivals::default() }
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

    /// Asks the parent for one piece, and gives it to `take`. `buffer` is this one.
    fn read(
        &self,
        buffer: &RemoteBuffer,
        offset: usize,
        length: usize,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<(), CallError> {
        let request = Request::Read { buffer: self.id, offset: offset as u64, length: length as u64 };
        // The bytes have to be there until the parent has come to it.
        let kept = || vec![Arrival::Buffer(buffer.clone())];
        self.calling.request(request, kept, READ, |outcome| {
            // Bytes refer to nothing; what they refer to all the same is given back.
            let (outcome, _arrivals) = self.calling.receive(outcome);
            let piece = done(outcome)?.bytes.0;
            if piece.len() != length {
                let reason = format!("expected {length} bytes, found {}", piece.len());
                return Err(CallError::Result { method: READ.to_owned(), reason });
            }
            take(&piece);
            Ok(())
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

/// What a buffer is called among the objects.
const NAME: &str = "RemoteBuffer";

/// What errors call the reading of a buffer.
pub(crate) const READ: &str = "RemoteBuffer::read";
