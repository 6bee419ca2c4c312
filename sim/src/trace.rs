//! A waveform being written, in VCD.
//!
//! The writer is `verilated`'s, in the host; the model's shim only adds its
//! signals to it and dumps them twice a cycle. That writer ends the whole
//! process when the disk is full, so it gets a pipe, and a thread of ours
//! writes to the file what comes out of it, up to a limit: the file ends with
//! the last point in time that is in it whole.
//!
//! VCD and not FST: Verilator's writer of FST needs the headers of zlib and
//! LZ4, which it does not bring.

use std::ffi::{CStr, c_char, c_void};
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use verilated::vcd::{Vcd, VcdC};

use crate::model::ModelError;

/// Bytes that are moved at once.
const PART: usize = 64 << 10;
/// What every point in time begins with, and nothing else in a VCD file.
pub(crate) const TIME: &[u8] = b"\n#";
/// Unit of all times, which is the models'.
const NANOSECONDS: &CStr = c"1ns";

// `verilated` says the unit only after the header is written.
unsafe extern "C" {
    fn verilatedvcdc_set_time_unit(vcd: *mut VcdC, unit: *const c_char);
    fn verilatedvcdc_set_time_resolution(vcd: *mut VcdC, unit: *const c_char);
}

/// An open waveform file.
pub(crate) struct Trace {
    path: PathBuf,
    /// Whether the limit is reached.
    full: Arc<AtomicBool>,
    /// Closed before the pipe's other end is waited for.
    vcd: Option<Vcd>,
    mover: Option<JoinHandle<io::Result<()>>>,
}

impl Trace {
    /// Opens `path`, for at most `most` bytes. `attach` gets Verilator's trace object before the
    /// file is open, which is when a model has to add its signals.
    pub(crate) fn open(
        path: &Path,
        most: u64,
        attach: impl FnOnce(*mut c_void),
    ) -> Result<Self, ModelError> {
        let refused = |source| ModelError::Trace {
            path: path.to_path_buf(),
            source,
        };
        let file = File::create(path).map_err(refused)?;
        let (reader, writer) = io::pipe().map_err(refused)?;
        let full = Arc::new(AtomicBool::new(false));
        let kept = Kept {
            file,
            most,
            bytes: 0,
            whole: 0,
            newline: false,
            full: Arc::clone(&full),
        };
        let mover = thread::Builder::new()
            .spawn(move || move_to(reader, kept))
            .map_err(refused)?;
        let mut vcd = Vcd::default();
        // SAFETY: the object is alive, and the text ends with a zero.
        unsafe {
            verilatedvcdc_set_time_unit(vcd.0, NANOSECONDS.as_ptr());
            verilatedvcdc_set_time_resolution(vcd.0, NANOSECONDS.as_ptr());
        }
        attach(vcd.0.cast());
        vcd.open(name_of(&writer)).map_err(refused)?;
        // Verilator has opened the pipe for itself.
        drop(writer);
        Ok(Trace {
            path: path.to_path_buf(),
            full,
            vcd: Some(vcd),
            mover: Some(mover),
        })
    }

    /// Whether the limit is reached, and nothing more is kept.
    pub(crate) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Writes what is buffered and closes the file.
    ///
    /// # Errors
    /// When not all of the waveform could be written.
    pub(crate) fn close(mut self) -> Result<(), ModelError> {
        self.finish().map_err(|source| ModelError::Trace {
            path: self.path.clone(),
            source,
        })
    }

    fn finish(&mut self) -> io::Result<()> {
        // The pipe ends here.
        drop(self.vcd.take());
        match self.mover.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Ok(()),
        }
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        // Who wants to know whether the file is whole has closed it.
        let _ = self.finish();
    }
}

/// The pipe as a file that can be opened by name.
fn name_of(writer: &PipeWriter) -> PathBuf {
    PathBuf::from(format!("/dev/fd/{}", writer.as_raw_fd()))
}

/// What is kept of a waveform.
struct Kept {
    file: File,
    /// Bytes that the file may have.
    most: u64,
    /// Bytes that it has.
    bytes: u64,
    /// Bytes in front of the last point in time.
    whole: u64,
    /// Whether its last byte ends a line.
    newline: bool,
    full: Arc<AtomicBool>,
}

impl Kept {
    /// Appends a part; at the limit cuts off the point in time that is not whole.
    fn add(&mut self, part: &[u8]) -> io::Result<()> {
        if self.full.load(Ordering::Relaxed) {
            return Ok(());
        }
        let room = usize::try_from(self.most - self.bytes).unwrap_or(usize::MAX);
        let fitting = &part[..part.len().min(room)];
        if self.newline && fitting.first() == TIME.last() {
            self.whole = self.bytes;
        }
        if let Some(place) = fitting.windows(TIME.len()).rposition(|two| two == TIME) {
            // The line's end belongs to what is in front.
            self.whole = self.bytes + place as u64 + 1;
        }
        self.file.write_all(fitting)?;
        self.bytes += fitting.len() as u64;
        self.newline = fitting.last() == TIME.first();
        if fitting.len() < part.len() {
            self.full.store(true, Ordering::Relaxed);
            self.file.set_len(self.whole)?;
        }
        Ok(())
    }
}

/// Moves everything into the file; after an error the rest is taken and dropped,
/// so that the other end never waits.
fn move_to(mut reader: PipeReader, mut kept: Kept) -> io::Result<()> {
    let mut part = vec![0; PART];
    let mut result = Ok(());
    loop {
        match reader.read(&mut part) {
            Ok(0) => return result,
            Ok(read) if result.is_ok() => result = kept.add(&part[..read]),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a file keeps of a text that comes in parts of so many bytes.
    fn kept(text: &str, most: u64, part: usize) -> (String, bool) {
        let path = tempfile::NamedTempFile::new().unwrap();
        let full = Arc::new(AtomicBool::new(false));
        let mut kept = Kept {
            file: path.reopen().unwrap(),
            most,
            bytes: 0,
            whole: 0,
            newline: false,
            full: Arc::clone(&full),
        };
        for part in text.as_bytes().chunks(part) {
            kept.add(part).unwrap();
        }
        let text = std::fs::read_to_string(path.path()).unwrap();
        (text, full.load(Ordering::Relaxed))
    }

    #[test]
    fn a_file_at_its_limit_ends_with_a_whole_point_in_time_however_its_bytes_come() {
        let text = "head\n#10\n1a\n0#\n#20\n0a\n#30\n1a\n";
        for part in 1..=text.len() {
            assert_eq!(kept(text, text.len() as u64, part), (text.into(), false));
            for most in 6..text.len() as u64 {
                let (found, full) = kept(text, most, part);
                let expected = match most {
                    23.. => "head\n#10\n1a\n0#\n#20\n0a\n",
                    16..23 => "head\n#10\n1a\n0#\n",
                    _ => "head\n",
                };
                assert!(full);
                assert_eq!(found, expected, "{most} bytes in parts of {part}");
            }
        }
    }
}
