//! Bytes of a file that may be compressed, and may not grow without limit.

use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use std::cell::Cell;
use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;

/// Most bytes that a byte of a compressed file may become. Deflate reaches
/// 1032; MNIST's images become 4.8, CIFAR-10's 1.4.
pub const MOST_INFLATION: u64 = 100;
/// Bytes that any compressed file may become, so that a short one of equal bytes is allowed.
pub const FREE_BYTES: u64 = 4 << 20;
/// Most memory that the decoder of an xz stream may ask for: a dictionary of
/// 64 MiB, as level 9 of `xz` uses it, and the decoder's own tables.
pub const XZ_MEMORY_KIB: u32 = 65 << 10;

/// How a file is compressed, as the end of its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    Plain,
    /// gzip: the name ends in `.gz`.
    Gzip,
    /// xz: the name ends in `.xz`.
    Xz,
}

impl Compression {
    /// What the name of a file says.
    pub fn of(path: &Path) -> Self {
        match path.extension().and_then(|end| end.to_str()) {
            Some("gz") => Self::Gzip,
            Some("xz") => Self::Xz,
            _ => Self::Plain,
        }
    }
}

/// A plain or compressed stream; compressed bytes may not grow beyond the limit.
pub struct Bounded<R: Read> {
    stream: Stream<R>,
    /// Bytes read from the file.
    taken: Rc<Cell<u64>>,
    /// Bytes given out.
    given: u64,
}

enum Stream<R: Read> {
    Plain(R),
    Gzip(Box<MultiGzDecoder<Counted<R>>>),
    Xz(Box<XzReader<Counted<R>>>),
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
    pub fn new(reader: R, compression: Compression) -> Self {
        let taken = Rc::new(Cell::new(0));
        let counted = |reader| Counted {
            reader,
            bytes: Rc::clone(&taken),
        };
        let stream = match compression {
            Compression::Plain => Stream::Plain(reader),
            Compression::Gzip => Stream::Gzip(Box::new(MultiGzDecoder::new(counted(reader)))),
            Compression::Xz => {
                let reader = XzReader::new_mem_limit(counted(reader), true, XZ_MEMORY_KIB);
                Stream::Xz(Box::new(reader))
            }
        };
        Self {
            stream,
            taken,
            given: 0,
        }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, part: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.stream {
            Stream::Plain(reader) => return reader.read(part),
            Stream::Gzip(decoder) => decoder.read(part)?,
            Stream::Xz(decoder) => decoder.read(part).map_err(explain)?,
        };
        self.given += read as u64;
        if self.given > FREE_BYTES + MOST_INFLATION * self.taken.get() {
            return Err(io::Error::other(format!(
                "it inflates to more than {MOST_INFLATION} times its size, which no images do"
            )));
        }
        Ok(read)
    }
}

/// The decoder's complaint in words for the one who has the file.
fn explain(error: io::Error) -> io::Error {
    let text = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the xz stream is cut short".to_owned(),
        io::ErrorKind::OutOfMemory => format!(
            "the xz stream wants a dictionary of more than 64 MiB ({XZ_MEMORY_KIB} KiB with tables); allowed are the levels 0 to 9 of xz"
        ),
        io::ErrorKind::Interrupted => return error,
        _ => format!("the xz stream is damaged: {error}"),
    };
    io::Error::new(error.kind(), text)
}
