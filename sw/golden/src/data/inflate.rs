//! Bytes of a file that may be compressed, and may not grow without limit.

use flate2::read::MultiGzDecoder;
use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// Most bytes that a byte of a compressed file may become. Deflate reaches
/// 1032; MNIST's images become 4.8.
pub const MOST_INFLATION: u64 = 100;
/// Bytes that any compressed file may become, so that a short one of equal bytes is allowed.
pub const FREE_BYTES: u64 = 4 << 20;

/// A plain or gzip-compressed stream; compressed bytes may not grow beyond the limit.
pub struct Bounded<R> {
    stream: Stream<R>,
    /// Bytes given out.
    given: u64,
}

enum Stream<R> {
    Plain(R),
    Compressed {
        decoder: Box<MultiGzDecoder<Counted<R>>>,
        taken: Rc<Cell<u64>>,
    },
}

/// Counts the bytes that are read through it.
struct Counted<R> {
    reader: R,
    bytes: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, part: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(part)?;
        self.bytes.set(self.bytes.get() + read as u64);
        Ok(read)
    }
}

impl<R: Read> Bounded<R> {
    /// The stream behind a reader.
    pub fn new(reader: R, compressed: bool) -> Self {
        let taken = Rc::new(Cell::new(0));
        let stream = if compressed {
            let bytes = Rc::clone(&taken);
            let decoder = Box::new(MultiGzDecoder::new(Counted { reader, bytes }));
            Stream::Compressed { decoder, taken }
        } else {
            Stream::Plain(reader)
        };
        Self { stream, given: 0 }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, part: &mut [u8]) -> io::Result<usize> {
        let (read, taken) = match &mut self.stream {
            Stream::Plain(reader) => return reader.read(part),
            Stream::Compressed { decoder, taken } => (decoder.read(part)?, taken.get()),
        };
        self.given += read as u64;
        if self.given > FREE_BYTES + MOST_INFLATION * taken {
            return Err(io::Error::other(format!(
                "it inflates to more than {MOST_INFLATION} times its size, which no images do"
            )));
        }
        Ok(read)
    }
}
