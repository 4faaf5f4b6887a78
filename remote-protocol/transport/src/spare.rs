//! Buffers that were used and can be used again.

/// A few empty buffers.
///
/// A buffer is given out only for a record that fills a good part of it: else small records would wait in the
/// buffers of large ones, and a queue bounded by the length of its records would take a multiple of that.
#[derive(Default)]
pub(crate) struct Spare(Vec<Vec<u8>>);

impl Spare {
    /// An empty buffer for `length` bytes.
    pub(crate) fn take(&mut self, length: usize) -> Vec<u8> {
        match self.0.pop_if(|spare| spare.capacity() <= 2 * length.max(SMALL)) {
            Some(spare) => spare,
            None => Vec::with_capacity(length),
        }
    }

    /// Takes a buffer back.
    pub(crate) fn give(&mut self, mut buffer: Vec<u8>) {
        if self.0.len() < SPARES && buffer.capacity() > 0 {
            buffer.clear();
            self.0.push(buffer);
        }
    }
}

/// Enough for a sender and a receiver that take turns, and few enough to forget about.
const SPARES: usize = 4;

/// Buffers of up to twice this length are given out for any record.
const SMALL: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_empty() {
        let mut spare = Spare::default();
        spare.give(vec![1, 2, 3]);

        let buffer = spare.take(2);

        assert!(buffer.is_empty());
        assert_eq!(buffer.capacity(), 3);
    }

    #[test]
    fn a_small_record_gets_no_large_buffer() {
        let mut spare = Spare::default();
        spare.give(Vec::with_capacity(64 * 1024));

        assert!(spare.take(1).capacity() <= 2 * SMALL);
        assert_eq!(spare.take(40 * 1024).capacity(), 64 * 1024);
    }

    #[test]
    fn only_a_few_are_kept() {
        let mut spare = Spare::default();
        for _ in 0..10 * SPARES {
            spare.give(vec![0]);
        }

        assert_eq!(spare.0.len(), SPARES);
    }
}
