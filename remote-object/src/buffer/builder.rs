use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};

use super::RemoteBuffer;

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
