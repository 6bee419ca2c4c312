//! A waveform being written, in VCD.
//!
//! The writer is `verilated`'s, in the host; the model's shim only adds its
//! signals to it and dumps them twice a cycle. That writer ends the whole
//! process when the disk is full, so it gets a pipe, and a thread of ours
//! writes to the file what comes out of it.

use std::ffi::c_void;
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use verilated::vcd::Vcd;

use crate::model::ModelError;

/// Bytes that are moved at once.
const PART: usize = 64 << 10;

/// An open waveform file.
pub(crate) struct Trace {
    path: PathBuf,
    /// Closed before the pipe's other end is waited for.
    vcd: Option<Vcd>,
    mover: Option<JoinHandle<io::Result<()>>>,
}

impl Trace {
    /// Opens `path`. `attach` gets Verilator's trace object before the file
    /// is open, which is when a model has to add its signals.
    pub(crate) fn open(path: &Path, attach: impl FnOnce(*mut c_void)) -> Result<Self, ModelError> {
        let refused = |source| ModelError::Trace {
            path: path.to_path_buf(),
            source,
        };
        let file = File::create(path).map_err(refused)?;
        let (reader, writer) = io::pipe().map_err(refused)?;
        let mover = thread::Builder::new()
            .spawn(move || move_to(reader, file))
            .map_err(refused)?;
        let mut vcd = Vcd::default();
        attach(vcd.0.cast());
        vcd.open(name_of(&writer)).map_err(refused)?;
        // Verilator has opened the pipe for itself.
        drop(writer);
        Ok(Trace {
            path: path.to_path_buf(),
            vcd: Some(vcd),
            mover: Some(mover),
        })
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

/// Moves everything into the file; after an error the rest is taken and dropped,
/// so that the other end never waits.
fn move_to(mut reader: PipeReader, mut file: File) -> io::Result<()> {
    let mut part = vec![0; PART];
    let mut result = Ok(());
    loop {
        match reader.read(&mut part) {
            Ok(0) => return result,
            Ok(read) if result.is_ok() => result = file.write_all(&part[..read]),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
