//! A waveform being written, in VCD.
//!
//! The writer is `verilated`'s, in the host; the model's shim only adds its
//! signals to it and dumps them twice a cycle.

use std::ffi::c_void;
use std::fs::File;
use std::path::Path;

use verilated::vcd::Vcd;

use crate::model::ModelError;

/// An open waveform file. Dropping it writes what is buffered and closes it.
pub(crate) struct Trace {
    vcd: Vcd,
}

impl Trace {
    /// Opens `path`. `attach` gets Verilator's trace object before the file
    /// is open, which is when a model has to add its signals.
    pub(crate) fn open(path: &Path, attach: impl FnOnce(*mut c_void)) -> Result<Self, ModelError> {
        // Verilator says only that opening failed; this says why.
        File::create(path).map_err(|source| ModelError::Trace {
            path: path.to_path_buf(),
            source,
        })?;
        let mut vcd = Vcd::default();
        attach(vcd.0.cast());
        vcd.open(path).map_err(|source| ModelError::Trace {
            path: path.to_path_buf(),
            source,
        })?;
        Ok(Trace { vcd })
    }

    /// Writes what is buffered.
    pub(crate) fn flush(&mut self) {
        self.vcd.flush();
    }
}
