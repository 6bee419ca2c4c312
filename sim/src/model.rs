//! A model loaded into this process: ports, clock, time, waveform.
//!
//! The shared object finds its Verilator runtime in this program, which is why
//! every program that loads models is linked with `--export-dynamic`. Each
//! model has a Verilator context of its own, so models are independent, also
//! in time; one model belongs to one thread at a time.

use std::error::Error as _;
use std::ffi::{CString, c_char, c_int, c_void};
use std::io;
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use thiserror::Error;

use crate::build::{Direction, PortInfo};
use crate::cache::CompiledModel;
use crate::trace::Trace;

/// Why a model could not be loaded or used.
#[derive(Debug, Error)]
pub enum ModelError {
    /// The dynamic loader refused the shared object.
    #[error(
        "could not load the model {path}: {reason} (a program which loads models must be linked \
         with -Wl,--export-dynamic)"
    )]
    Load {
        /// The shared object.
        path: PathBuf,
        /// The loader's words.
        reason: String,
    },
    /// No such port.
    #[error("module `{top}` has no port `{name}`; it has: {known}")]
    NoPort {
        /// Top module.
        top: String,
        /// The name asked for.
        name: String,
        /// All names, separated by commas.
        known: String,
    },
    /// The model was built without waveforms.
    #[error("the model of `{0}` was built without waveforms: build it with `trace` set")]
    NotTraceable(String),
    /// No memory for a model.
    #[error("there is no memory for a model of `{0}`")]
    NoMemory(String),
    /// The waveform file cannot be written.
    #[error("could not write the waveform {path}: {source}")]
    Trace {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The C interface of `shim.cpp`.
struct Functions {
    new: unsafe extern "C" fn(u32) -> *mut c_void,
    delete: unsafe extern "C" fn(*mut c_void),
    settle: unsafe extern "C" fn(*mut c_void),
    edge: unsafe extern "C" fn(*mut c_void),
    step: unsafe extern "C" fn(*mut c_void),
    run: unsafe extern "C" fn(*mut c_void, u64, *const u8) -> u64,
    port: unsafe extern "C" fn(*mut c_void, u32) -> *mut c_void,
    signal: unsafe extern "C" fn(*mut c_void, *const c_char, *const c_char) -> *mut c_void,
    trace: unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int,
}

/// The code of a model, from which any number of models can be made.
pub struct ModelLibrary {
    id: u64,
    top: String,
    ports: Vec<PortInfo>,
    call: Functions,
    /// Keeps the code behind `call` in memory.
    _library: Library,
}

/// A port of every model of one [`ModelLibrary`]: a handle to be looked up
/// once, and used every cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    library: u64,
    index: u32,
    bits: u32,
    direction: Direction,
}

impl Port {
    /// Width in bits.
    pub fn bits(self) -> u32 {
        self.bits
    }

    /// Input or output, seen from the model.
    pub fn direction(self) -> Direction {
        self.direction
    }

    /// Number of 32-bit words in which [`Model::words`] shows the port; only
    /// ports of more than 64 bits have words.
    pub fn words(self) -> usize {
        self.bits.div_ceil(u32::BITS) as usize
    }
}

/// A signal of one [`Model`].
#[derive(Clone, Copy, Debug)]
pub struct Signal {
    address: NonNull<c_void>,
}

impl ModelLibrary {
    /// Loads the shared object of a built model.
    ///
    /// # Errors
    /// If the dynamic loader refuses it, for instance because this program
    /// does not export the Verilator runtime.
    pub fn open(compiled: &CompiledModel) -> Result<Arc<Self>, ModelError> {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        let path = compiled.library();
        let refused = |error: libloading::Error| ModelError::Load {
            path: path.to_path_buf(),
            // The message is in the source; the error itself says "dlopen failed".
            reason: error.source().unwrap_or(&error).to_string(),
        };
        // All symbols are resolved now: one which is missing must be an error
        // here, and not the end of the process in the middle of a run.
        // SAFETY: the cache compared the file with the hash of what our own
        // builder made from our shim and Verilator's code, whose initializers
        // only register names with the runtime.
        let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) };
        let library = library.map_err(refused)?;
        // SAFETY: the types are those of the functions in shim.cpp.
        let call = unsafe {
            Functions {
                new: *library.get(b"model_new").map_err(refused)?,
                delete: *library.get(b"model_delete").map_err(refused)?,
                settle: *library.get(b"model_settle").map_err(refused)?,
                edge: *library.get(b"model_edge").map_err(refused)?,
                step: *library.get(b"model_step").map_err(refused)?,
                run: *library.get(b"model_run").map_err(refused)?,
                port: *library.get(b"model_port").map_err(refused)?,
                signal: *library.get(b"model_signal").map_err(refused)?,
                trace: *library.get(b"model_trace").map_err(refused)?,
            }
        };
        Ok(Arc::new(ModelLibrary {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            top: compiled.top().to_string(),
            ports: compiled.ports().to_vec(),
            call,
            _library: library,
        }))
    }

    /// The port of this name.
    ///
    /// # Errors
    /// If there is none.
    pub fn port(&self, name: &str) -> Result<Port, ModelError> {
        let found = self.ports.iter().position(|port| port.name == name);
        let Some(index) = found else {
            let names: Vec<_> = self.ports.iter().map(|port| port.name.as_str()).collect();
            return Err(ModelError::NoPort {
                top: self.top.clone(),
                name: name.to_string(),
                known: names.join(", "),
            });
        };
        Ok(Port {
            library: self.id,
            index: index as u32,
            bits: self.ports[index].bits,
            direction: self.ports[index].direction,
        })
    }

    /// All ports, in the order of Verilator's header.
    pub fn ports(&self) -> &[PortInfo] {
        &self.ports
    }
}

/// Whether a shared object which was just built finds every symbol it needs.
pub(crate) fn resolves(library: &Path) -> bool {
    // SAFETY: as in `ModelLibrary::open`; it was built a moment ago.
    unsafe { Library::open(Some(library), RTLD_NOW | RTLD_LOCAL) }.is_ok()
}

/// One simulated instance of a design.
///
/// Inputs keep their value until written again. A cycle is: write inputs,
/// [`settle`](Self::settle) if outputs that depend on them are to be read
/// before the clock edge, then [`step`](Self::step), then read outputs.
///
/// Access panics if a [`Port`] of another library is used, if an output is
/// written, or if a value does not fit: these are mistakes of the caller's
/// code and never depend on data.
pub struct Model {
    /// Points into memory of the shared object's `Model`.
    handle: NonNull<c_void>,
    /// Where each port lives, in the order of the library's table.
    addresses: Vec<NonNull<c_void>>,
    cycles: u64,
    trace: Option<Trace>,
    library: Arc<ModelLibrary>,
}

// SAFETY: a model, its context and its trace are owned by `handle` alone, and
// the runtime binds none of them to the thread which made them.
unsafe impl Send for Model {}

impl Model {
    /// Loads a built model and makes one instance, with registers at zero.
    ///
    /// # Errors
    /// See [`ModelLibrary::open`].
    pub fn load(compiled: &CompiledModel) -> Result<Self, ModelError> {
        Ok(Self::new(&ModelLibrary::open(compiled)?))
    }

    /// An instance with all registers and memories at zero.
    pub fn new(library: &Arc<ModelLibrary>) -> Self {
        Self::create(library, 0)
    }

    /// An instance whose registers, memories and inputs start at random
    /// values drawn from `seed`, if the model was built with
    /// `random_initial`; at zero otherwise.
    pub fn with_seed(library: &Arc<ModelLibrary>, seed: u32) -> Self {
        // Verilator's seed is a positive int; 0 would mean the time of day.
        Self::create(library, seed % i32::MAX as u32 + 1)
    }

    fn create(library: &Arc<ModelLibrary>, seed: u32) -> Self {
        // SAFETY: `new` takes any number; what it returns is freed by our
        // Drop, before the library can go, of which we hold a share.
        let handle = unsafe { (library.call.new)(seed) };
        let handle = NonNull::new(handle).expect("model_new never returns null");
        let addresses = (0..library.ports.len() as u32)
            .map(|index| {
                // SAFETY: the handle is alive and the index below the table's length.
                let address = unsafe { (library.call.port)(handle.as_ptr(), index) };
                NonNull::new(address).expect("a port is a member of the model")
            })
            .collect();
        Model {
            handle,
            addresses,
            cycles: 0,
            trace: None,
            library: Arc::clone(library),
        }
    }

    /// The code this model runs.
    pub fn library(&self) -> &Arc<ModelLibrary> {
        &self.library
    }

    /// The port of this name; see [`ModelLibrary::port`].
    ///
    /// # Errors
    /// If there is none.
    pub fn port(&self, name: &str) -> Result<Port, ModelError> {
        self.library.port(name)
    }

    /// Clock cycles stepped so far. In a waveform, cycle n begins at 10n ns
    /// and has its rising edge at 10n + 5 ns.
    pub fn cycles(&self) -> u64 {
        self.cycles
    }

    /// Evaluates with the clock low: afterwards the outputs belong to the
    /// inputs as they are, before the next clock edge.
    pub fn settle(&mut self) {
        // SAFETY: the handle is alive, and `&mut` excludes any other use.
        unsafe { (self.library.call.settle)(self.handle.as_ptr()) }
    }

    /// The rising clock edge, for inputs that have been settled.
    pub fn edge(&mut self) {
        // SAFETY: as in `settle`.
        unsafe { (self.library.call.edge)(self.handle.as_ptr()) }
        self.cycles += 1;
    }

    /// One clock cycle: settles, then the rising edge.
    pub fn step(&mut self) {
        // SAFETY: as in `settle`.
        unsafe { (self.library.call.step)(self.handle.as_ptr()) }
        self.cycles += 1;
    }

    /// Steps until the one-bit output `stop` is high after a clock edge, for
    /// at most `limit` cycles. Returns the number of cycles, 0 if it was high
    /// already, or none if it stayed low.
    pub fn run_until(&mut self, stop: Port, limit: u64) -> Option<u64> {
        assert_eq!(stop.bits, 1, "the stop condition is one bit");
        let stop: *const u8 = self.address(stop).cast();
        // SAFETY: the handle is alive; a one-bit port is a byte inside it.
        let cycles = unsafe { (self.library.call.run)(self.handle.as_ptr(), limit, stop) };
        self.cycles += cycles;
        // SAFETY: the same byte, which nothing changes now.
        (unsafe { *stop } != 0).then_some(cycles)
    }

    /// The value of a port of at most 64 bits.
    pub fn read(&self, port: Port) -> u64 {
        let address = self.address(port);
        // SAFETY: the address is that of a live member, whose type Verilator
        // chooses by its width: CData, SData, IData or QData.
        unsafe {
            match port.bits {
                0..=8 => u64::from(address.cast::<u8>().read()),
                9..=16 => u64::from(address.cast::<u16>().read()),
                17..=32 => u64::from(address.cast::<u32>().read()),
                33..=64 => address.cast::<u64>().read(),
                bits => panic!("a port of {bits} bits is read as words"),
            }
        }
    }

    /// Sets an input of at most 64 bits.
    pub fn write(&mut self, port: Port, value: u64) {
        let address = self.input(port);
        assert!(
            port.bits >= u64::BITS || value >> port.bits == 0,
            "{value:#x} does not fit into {} bits",
            port.bits
        );
        // SAFETY: as in `read`; the casts keep the value, which was checked.
        unsafe {
            match port.bits {
                0..=8 => address.cast::<u8>().write(value as u8),
                9..=16 => address.cast::<u16>().write(value as u16),
                17..=32 => address.cast::<u32>().write(value as u32),
                33..=64 => address.cast::<u64>().write(value),
                bits => panic!("a port of {bits} bits is written as words"),
            }
        }
    }

    /// The value of a port of more than 64 bits, as 32-bit words, least
    /// significant first.
    pub fn words(&self, port: Port) -> &[u32] {
        let address = self.address(port);
        assert!(
            port.bits > u64::BITS,
            "a port of {} bits has no words",
            port.bits
        );
        // SAFETY: VlWide is a plain array of that many words, inside the
        // live model, which is not evaluated while `self` is borrowed.
        unsafe { slice::from_raw_parts(address.cast(), port.words()) }
    }

    /// Sets an input of more than 64 bits from [`Port::words`] words, least
    /// significant first.
    pub fn write_words(&mut self, port: Port, words: &[u32]) {
        let address = self.input(port);
        assert!(
            port.bits > u64::BITS,
            "a port of {} bits has no words",
            port.bits
        );
        assert_eq!(
            words.len(),
            port.words(),
            "words of a {}-bit port",
            port.bits
        );
        let spare = port.words() as u32 * u32::BITS - port.bits;
        assert!(
            words[words.len() - 1].leading_zeros() >= spare,
            "the highest word does not fit into {} bits",
            port.bits
        );
        // SAFETY: as in `words`; source and destination have this length, and
        // a slice from outside cannot overlap the model.
        unsafe { ptr::copy_nonoverlapping(words.as_ptr(), address.cast(), words.len()) }
    }

    /// Where a signal lies, if the model was built with public signals and has it: `scope` is the
    /// path of its module or block, from the top's name on.
    pub fn signal(&self, scope: &str, name: &str) -> Option<Signal> {
        // Verilator's own top is above ours.
        let scope = CString::new(format!("TOP.{scope}")).ok()?;
        let name = CString::new(name).ok()?;
        let call = self.library.call.signal;
        // SAFETY: the handle is alive, and both texts outlive the call.
        let found = unsafe { call(self.handle.as_ptr(), scope.as_ptr(), name.as_ptr()) };
        NonNull::new(found).map(|address| Signal { address })
    }

    /// `width` bits, at most 120, of a signal of this model, from `low` on. The caller knows that it
    /// has them.
    ///
    /// # Safety
    /// `signal` is of this model and has at least `low + width` bits.
    pub unsafe fn signal_bits(&self, signal: Signal, low: usize, width: usize) -> u128 {
        assert!(width <= 120, "{width} bits at once");
        let (first, last) = (low / 8, (low + width).div_ceil(8));
        let mut value = 0;
        for byte in (first..last).rev() {
            // SAFETY: signals of all widths lie with their lowest byte first.
            let byte = unsafe { signal.address.as_ptr().cast::<u8>().add(byte).read() };
            value = value << 8 | u128::from(byte);
        }
        value >> (low % 8) & (u128::MAX >> (128 - width))
    }

    /// Writes a waveform (VCD) of everything from now on, until
    /// [`stop_trace`](Self::stop_trace), another waveform or the model's end.
    ///
    /// # Errors
    /// If the model was built without waveforms, the file cannot be created, or
    /// the waveform before this one could not be written.
    pub fn trace_to(&mut self, path: &Path) -> Result<(), ModelError> {
        self.trace_up_to(path, u64::MAX)
    }

    /// The same into a file of at most `most` bytes, which ends with the last point in time that
    /// it has room for; [`trace_is_full`](Self::trace_is_full) says when that is reached.
    ///
    /// # Errors
    /// As [`trace_to`](Self::trace_to).
    pub fn trace_up_to(&mut self, path: &Path, most: u64) -> Result<(), ModelError> {
        self.stop_trace()?;
        let (attach, handle) = (self.library.call.trace, self.handle.as_ptr());
        // SAFETY: the handle is alive; null detaches, which is always allowed.
        if unsafe { attach(handle, ptr::null_mut()) } == 0 {
            return Err(ModelError::NotTraceable(self.library.top.clone()));
        }
        let trace = Trace::open(path, most, |vcd| {
            // SAFETY: `vcd` is the VerilatedVcdC of a trace that is not open
            // yet; it is detached again before it is freed.
            unsafe { attach(handle, vcd) };
        });
        match trace {
            Ok(trace) => self.trace = Some(trace),
            Err(error) => {
                self.stop_trace()?;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Whether the waveform's file has no room for more.
    pub fn trace_is_full(&self) -> bool {
        self.trace.as_ref().is_some_and(Trace::is_full)
    }

    /// Ends the waveform, if there is one; the file is complete then.
    ///
    /// # Errors
    /// If not all of it could be written, for instance because the disk is full.
    pub fn stop_trace(&mut self) -> Result<(), ModelError> {
        // SAFETY: as in `trace_to`.
        unsafe { (self.library.call.trace)(self.handle.as_ptr(), ptr::null_mut()) };
        self.trace.take().map_or(Ok(()), Trace::close)
    }

    fn address(&self, port: Port) -> *mut c_void {
        assert_eq!(port.library, self.library.id, "a port of another model");
        self.addresses[port.index as usize].as_ptr()
    }

    fn input(&self, port: Port) -> *mut c_void {
        assert_eq!(
            port.direction,
            Direction::Input,
            "only inputs can be written"
        );
        self.address(port)
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // Who wants to know whether the waveform is whole has ended it.
        let _ = self.stop_trace();
        // SAFETY: the handle is alive and never used again.
        unsafe { (self.library.call.delete)(self.handle.as_ptr()) }
    }
}
