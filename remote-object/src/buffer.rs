use std::fmt;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use remote_protocol::call::CallError;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::scope;

mod builder;
mod held;
mod memory;
mod view;

pub use builder::BufferBuilder;
pub(crate) use held::HeldBuffer;
pub(crate) use memory::{LentMemory, Memory};
pub use view::BufferView;

/// A handle to bytes that lie in the parent.
///
/// The parent makes one of bytes it has, or [in place](crate::Exports::buffer), and hands it out as an argument, a result or part of
/// one. A child reads from it what it needs, and passes it back: then the parent has the very [bytes](Self::as_local), and not one
/// of them has travelled. It is a cheap clone, usable from any thread; the bytes live until neither side has a handle to them. They
/// never change. At most 256 MiB are lent to one process at any time, unless the parent's limits say otherwise.
///
/// What is copied, and when: nothing, as long as the handle is only passed on. Over shared memory the parent copies the bytes when a
/// child first wants more than half of them, once for each process, to where that process then [sees](Self::view) them, as often as it
/// likes; the copy goes with the last handle of the two sides, or earlier, when the process has none any more and others need the room. Its
/// memory serves the next buffer of its size for a second, before the system has it back.
/// Elsewhere, and for what is shorter than 64 KiB or finds no room there, what is read is sent each time.
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
            Place::Parent(held) => held.length(),
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

    /// All bytes, to be read in place.
    ///
    /// In the parent that costs nothing. In a child over shared memory it is the memory itself: the first handle that wants it has the
    /// parent copy the bytes there, once for each process, where they then stay while anybody has a handle to them; no one after that waits
    /// for more than the pages it looks at. Elsewhere it is a copy, as [`to_vec`](Self::to_vec) makes it.
    ///
    /// ```
    /// use remote_object::RemoteBuffer;
    ///
    /// let buffer = RemoteBuffer::from(b"\x89PNG\r\n".to_vec());
    /// assert!(buffer.view()?.starts_with(b"\x89PNG"));
    /// # Ok::<_, remote_object::CallError>(())
    /// ```
    ///
    /// # Blocking
    ///
    /// In a child, for one call at most for the call deadline, or, where it is a copy, as [`read`](Self::read).
    ///
    /// # Errors
    ///
    /// In a child as any call.
    pub fn view(&self) -> Result<BufferView, CallError> {
        let shown = match &self.place {
            Place::Here(_) => None,
            Place::Parent(held) => {
                held.show_for(self, held.length())?;
                match held.here() {
                    Some(shown) => Some(Arc::clone(shown)),
                    None => Some(Arc::new(self.to_vec()?) as _),
                }
            }
        };
        Ok(BufferView { buffer: self.clone(), shown })
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
    /// up to 4 KiB mostly do. Over shared memory for one call at most, once half of the bytes have been asked for.
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
        let bytes = match &self.place {
            Place::Here(memory) => memory.bytes(),
            Place::Parent(held) => {
                if held.here().is_none() {
                    held.show_for(self, end - start)?;
                }
                let Some(shown) = held.here() else { return held.read(self, start, end, &mut take) };
                (**shown).as_ref()
            }
        };
        let out_of_range = || CallError::Range { start: start as u64, end: end as u64, length: self.len() as u64 };
        take(bytes.get(start..end).ok_or_else(out_of_range)?);
        Ok(())
    }
}

impl From<Vec<u8>> for RemoteBuffer {
    fn from(bytes: Vec<u8>) -> Self {
        Self::here(Memory::new(bytes))
    }
}

impl From<Arc<[u8]>> for RemoteBuffer {
    fn from(bytes: Arc<[u8]>) -> Self {
        Self::here(Memory::new(bytes))
    }
}

/// Whether they are the same buffer: clones of one, on whatever way they came. Bytes are not compared.
impl PartialEq for RemoteBuffer {
    fn eq(&self, other: &Self) -> bool {
        match (&self.place, &other.place) {
            (Place::Here(one), Place::Here(other)) => one.address() == other.address(),
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

/// What a buffer is called among the objects.
const NAME: &str = "RemoteBuffer";

/// What errors call the reading of a buffer.
pub(crate) const READ: &str = "RemoteBuffer::read";

#[cfg(test)]
pub(crate) mod tests;
