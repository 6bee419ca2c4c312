//! An engine loaded into this process: ports, clock, lanes.

use crate::cache::CompiledModel;
use crate::link::LinkError;
use crate::model::ModelError;
use brownout_engine::{Port, Register, Source};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use std::error::Error as _;
use std::ffi::{CStr, c_char, c_void};
use std::ptr::NonNull;
use std::sync::Arc;

/// The C interface.
struct Functions {
    new: unsafe extern "C" fn() -> *mut c_void,
    delete: unsafe extern "C" fn(*mut c_void),
    settle: unsafe extern "C" fn(*mut c_void),
    edge: unsafe extern "C" fn(*mut c_void),
    run: unsafe extern "C" fn(*mut c_void, u64, *const u8) -> u64,
    port: unsafe extern "C" fn(*mut c_void, u32) -> *mut c_void,
    family: unsafe extern "C" fn(*mut c_void, u32) -> *mut c_void,
    diverged: unsafe extern "C" fn(*mut c_void) -> *const c_char,
}

/// The code of an engine, from which any number of models can be made.
pub struct EngineLibrary {
    top: String,
    lanes: usize,
    ports: Vec<Port>,
    registers: Vec<Register>,
    call: Functions,
    /// Keeps the code behind `call` in memory.
    _library: Library,
}

impl EngineLibrary {
    /// Loads what was compiled of `source`.
    ///
    /// # Errors
    /// If the dynamic loader refuses it.
    pub(super) fn open(
        compiled: &CompiledModel,
        source: &Source,
        lanes: usize,
    ) -> Result<Arc<Self>, ModelError> {
        let path = compiled.library();
        let refused = |error: libloading::Error| ModelError::Load {
            path: path.to_path_buf(),
            reason: error.source().unwrap_or(&error).to_string(),
        };
        // SAFETY: the cache compared the file with the hash of what was compiled of our own text,
        // which has no initializers.
        let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) };
        let library = library.map_err(refused)?;
        // SAFETY: the types are those of the functions in interface.h.
        let call = unsafe {
            Functions {
                new: *library.get(b"engine_new").map_err(refused)?,
                delete: *library.get(b"engine_delete").map_err(refused)?,
                settle: *library.get(b"engine_settle").map_err(refused)?,
                edge: *library.get(b"engine_edge").map_err(refused)?,
                run: *library.get(b"engine_run").map_err(refused)?,
                port: *library.get(b"engine_port").map_err(refused)?,
                family: *library.get(b"engine_family").map_err(refused)?,
                diverged: *library.get(b"engine_diverged").map_err(refused)?,
            }
        };
        Ok(Arc::new(Self {
            top: compiled.top().to_owned(),
            lanes,
            ports: source.ports.clone(),
            registers: source.registers.clone(),
            call,
            _library: library,
        }))
    }

    /// Runs side by side.
    pub fn lanes(&self) -> usize {
        self.lanes
    }

    /// All registers.
    pub fn registers(&self) -> &[Register] {
        &self.registers
    }
}

/// A port of a model.
#[derive(Clone, Copy, Debug)]
pub struct LanePort {
    address: NonNull<c_void>,
    width: usize,
    /// Values: one, or one a lane.
    values: usize,
}

/// Accelerators side by side.
pub struct EngineModel {
    handle: NonNull<c_void>,
    clocks: u64,
    library: Arc<EngineLibrary>,
}

// SAFETY: a model is owned by its handle alone, and its code has no state of its own.
unsafe impl Send for EngineModel {}

impl EngineModel {
    /// A model with all registers and memories at zero.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn new(library: &Arc<EngineLibrary>) -> Result<Self, ModelError> {
        // SAFETY: `new` takes nothing; what it returns is freed by our Drop, before the library can
        // go, of which we hold a share.
        let handle = unsafe { (library.call.new)() };
        let handle =
            NonNull::new(handle).ok_or_else(|| ModelError::NoMemory(library.top.clone()))?;
        Ok(Self {
            handle,
            clocks: 0,
            library: Arc::clone(library),
        })
    }

    /// The code this model runs.
    pub fn library(&self) -> &Arc<EngineLibrary> {
        &self.library
    }

    /// Clock edges so far.
    pub fn clocks(&self) -> u64 {
        self.clocks
    }

    /// The port of this name.
    ///
    /// # Errors
    /// If there is none.
    pub fn port(&self, name: &str) -> Result<LanePort, ModelError> {
        let ports = &self.library.ports;
        let missing = || ModelError::NoPort {
            top: self.library.top.clone(),
            name: name.to_owned(),
            known: ports
                .iter()
                .map(|p| p.name.as_str())
                .collect::<Vec<_>>()
                .join(", "),
        };
        let index = ports.iter().position(|port| port.name == name);
        let index = index.ok_or_else(missing)?;
        // SAFETY: the handle is alive and the index one of the table's.
        let address = unsafe { (self.library.call.port)(self.handle.as_ptr(), index as u32) };
        Ok(LanePort {
            address: NonNull::new(address).ok_or_else(missing)?,
            width: ports[index].width,
            values: if ports[index].lanes {
                self.library.lanes
            } else {
                1
            },
        })
    }

    /// Outputs as they are for the inputs as they are.
    pub fn settle(&mut self) {
        // SAFETY: the handle is alive, and `&mut` excludes any other use.
        unsafe { (self.library.call.settle)(self.handle.as_ptr()) }
    }

    /// A rising clock edge.
    pub fn edge(&mut self) {
        // SAFETY: as in `settle`.
        unsafe { (self.library.call.edge)(self.handle.as_ptr()) }
        self.clocks += 1;
    }

    /// Edges until the one-bit output `stop` is high, for at most `limit`; returns how many there
    /// were, or none if it stayed low.
    ///
    /// # Errors
    /// If `stop` can differ between lanes, or lanes have come apart.
    pub fn run_until(&mut self, stop: LanePort, limit: u64) -> Result<Option<u64>, LinkError> {
        if stop.values != 1 {
            return Err(LinkError::Apart("the end of a run".to_owned()));
        }
        let flag: *const u8 = stop.address.as_ptr().cast();
        // SAFETY: the handle is alive; a one-bit port is a byte inside it.
        let edges = unsafe { (self.library.call.run)(self.handle.as_ptr(), limit, flag) };
        self.clocks += edges;
        self.together()?;
        // SAFETY: the same byte, which nothing changes now.
        Ok((unsafe { *flag } != 0).then_some(edges))
    }

    /// # Errors
    /// If something differed between lanes that must not, since the model was made.
    pub fn together(&self) -> Result<(), LinkError> {
        // SAFETY: the handle is alive; what comes back is a constant text of the library.
        let name = unsafe { CStr::from_ptr((self.library.call.diverged)(self.handle.as_ptr())) };
        match name.to_bytes().is_empty() {
            true => Ok(()),
            false => Err(LinkError::Apart(name.to_string_lossy().into_owned())),
        }
    }

    /// The value of a port in a lane.
    pub fn read(&self, port: LanePort, lane: usize) -> u64 {
        // SAFETY: the address is that of a live member.
        unsafe { get(port.address.as_ptr(), port.width, lane.min(port.values - 1)) }
    }

    /// The value of a port that is equal in all lanes.
    ///
    /// # Errors
    /// If it is not.
    pub fn read_one(&self, port: LanePort, name: &str) -> Result<u64, LinkError> {
        let first = self.read(port, 0);
        match (1..port.values).all(|lane| self.read(port, lane) == first) {
            true => Ok(first),
            false => Err(LinkError::Apart(name.to_owned())),
        }
    }

    /// Sets an input in all lanes.
    pub fn write(&mut self, port: LanePort, value: u64) {
        for lane in 0..port.values {
            // SAFETY: as in `read`.
            unsafe { set(port.address.as_ptr(), port.width, lane, value) }
        }
    }

    /// Sets an input, in each lane to a value of its own.
    ///
    /// # Errors
    /// If it is one for all lanes and the values are not.
    pub fn write_each(
        &mut self,
        port: LanePort,
        name: &str,
        values: impl Iterator<Item = u64>,
    ) -> Result<(), LinkError> {
        let mut first = None;
        for (lane, value) in values.enumerate() {
            if lane < port.values {
                // SAFETY: as in `read`.
                unsafe { set(port.address.as_ptr(), port.width, lane, value) }
            } else if first != Some(value) {
                return Err(LinkError::Apart(name.to_owned()));
            }
            first.get_or_insert(value);
        }
        Ok(())
    }

    /// A register's value in a lane.
    pub fn register(&self, register: &Register, lane: usize) -> u128 {
        let lanes = if register.lanes {
            self.library.lanes
        } else {
            1
        };
        // SAFETY: the handle is alive, and the family is one of its members.
        unsafe {
            let base = (self.library.call.family)(self.handle.as_ptr(), register.family as u32);
            let at = register.index * lanes + lane.min(lanes - 1);
            match register.width {
                0..=64 => get(base, register.width, at).into(),
                _ => base.cast::<u128>().add(at).read(),
            }
        }
    }
}

/// Element `at` of an array of values of so many bits.
unsafe fn get(base: *mut c_void, width: usize, at: usize) -> u64 {
    // SAFETY: the caller's.
    unsafe {
        match width {
            0..=8 => base.cast::<u8>().add(at).read().into(),
            9..=16 => base.cast::<u16>().add(at).read().into(),
            17..=32 => base.cast::<u32>().add(at).read().into(),
            _ => base.cast::<u64>().add(at).read(),
        }
    }
}

unsafe fn set(base: *mut c_void, width: usize, at: usize, value: u64) {
    // SAFETY: the caller's.
    unsafe {
        match width {
            0..=8 => base.cast::<u8>().add(at).write(value as u8),
            9..=16 => base.cast::<u16>().add(at).write(value as u16),
            17..=32 => base.cast::<u32>().add(at).write(value as u32),
            _ => base.cast::<u64>().add(at).write(value),
        }
    }
}

impl Drop for EngineModel {
    fn drop(&mut self) {
        // SAFETY: the handle is alive and never used again.
        unsafe { (self.library.call.delete)(self.handle.as_ptr()) }
    }
}
