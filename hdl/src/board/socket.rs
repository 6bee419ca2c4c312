//! The place of the accelerator in a board's top.

use rust_hdl::prelude::*;

/// An accelerator whose modules are printed on their own: its ports and its name.
#[derive(LogicBlock)]
pub struct AcceleratorSocket {
    /// Clock of everything.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// Register bus: write strobe.
    pub register_write: Signal<In, Bit>,
    /// Register bus: read strobe.
    pub register_read: Signal<In, Bit>,
    /// Register bus: register number.
    pub register_address: Signal<In, Bits<8>>,
    /// Register bus: what to write.
    pub register_write_data: Signal<In, Bits<32>>,
    /// Register bus: what was read.
    pub register_read_data: Signal<Out, Bits<32>>,
    /// Input stream.
    pub input_valid: Signal<In, Bit>,
    /// Input stream.
    pub input_data: Signal<In, Bits<32>>,
    /// Input stream.
    pub input_ready: Signal<Out, Bit>,
    /// Result stream.
    pub output_valid: Signal<Out, Bit>,
    /// Result stream.
    pub output_data: Signal<Out, Bits<32>>,
    /// Result stream.
    pub output_ready: Signal<In, Bit>,
    _module: String,
}

impl AcceleratorSocket {
    /// A socket for the accelerator that is printed as `module`.
    pub fn new(module: &str) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            register_write: Default::default(),
            register_read: Default::default(),
            register_address: Default::default(),
            register_write_data: Default::default(),
            register_read_data: Default::default(),
            input_valid: Default::default(),
            input_data: Default::default(),
            input_ready: Default::default(),
            output_valid: Default::default(),
            output_data: Default::default(),
            output_ready: Default::default(),
            _module: module.to_string(),
        }
    }
}

impl Logic for AcceleratorSocket {
    fn update(&mut self) {}

    fn connect(&mut self) {
        self.register_read_data.connect();
        self.input_ready.connect();
        self.output_valid.connect();
        self.output_data.connect();
    }

    fn hdl(&self) -> Verilog {
        Verilog::Blackbox(BlackBox {
            code: String::new(),
            name: self._module.clone(),
        })
    }
}
