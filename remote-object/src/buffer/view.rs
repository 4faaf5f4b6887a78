use std::fmt;
use std::ops::Deref;

use remote_protocol::link::Shown;

use super::RemoteBuffer;

/// The bytes of a [`RemoteBuffer`], to be read in place. [`RemoteBuffer::view`] gives one.
///
/// They never change. While there is one, so is the buffer, with all that this costs. It is a cheap clone, usable from any thread.
#[derive(Clone)]
pub struct BufferView {
    /// What is shown stays only while the buffer is held.
    pub(super) buffer: RemoteBuffer,
    /// `None` where the buffer has the bytes itself.
    pub(super) shown: Option<Shown>,
}

impl Deref for BufferView {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.shown {
            Some(shown) => (**shown).as_ref(),
            None => self.buffer.as_local().unwrap_or_default(),
        }
    }
}

impl AsRef<[u8]> for BufferView {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for BufferView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferView").field("len", &self.len()).finish_non_exhaustive()
    }
}
