//! The result stream: a FIFO that holds every result of a pass.

use crate::comment;
use crate::fixed::Fixed;
use crate::memory::Memory;
use brownout_spec::config::RESULT_FIFO_DEPTH;
use rust_hdl::prelude::*;

/// Keeps the results of the channels in use until the host takes them, so that back-pressure never reaches the array.
#[derive(LogicBlock)]
pub struct ResultFifo {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// A layer begins.
    pub layer_start: Signal<In, Bit>,
    /// Layer constant: output tiles - 1.
    pub output_tiles: Signal<In, Bits<12>>,
    /// Layer constant: columns in use in the last output tile.
    pub last_columns: Signal<In, Bits<7>>,
    /// A column's result arrives; every column of a tile gives one, in order.
    pub push: Signal<In, Bit>,
    /// The result.
    pub data: Signal<In, Bits<32>>,
    /// Nothing waits.
    pub empty: Signal<Out, Bit>,
    /// Stream handshake.
    pub output_ready: Signal<In, Bit>,
    /// Stream handshake.
    pub output_valid: Signal<Out, Bit>,
    /// Stream data.
    pub output_data: Signal<Out, Bits<32>>,
    memory: Memory<32>,
    column: DFF<Bits<7>>,
    tile: DFF<Bits<12>>,
    surplus: DFF<Bit>,
    next_column: Signal<Local, Bits<7>>,
    next_tile: Signal<Local, Bits<12>>,
    keep: Signal<Local, Bit>,
    last_column: Fixed<Bits<7>>,
    write_pointer: DFF<Bits<9>>,
    read_pointer: DFF<Bits<9>>,
    output_valid_register: DFF<Bit>,
    waiting: Signal<Local, Bit>,
}

impl ResultFifo {
    /// The FIFO behind `columns` columns.
    pub fn new(columns: usize) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            layer_start: Default::default(),
            output_tiles: Default::default(),
            last_columns: Default::default(),
            push: Default::default(),
            data: Default::default(),
            empty: Default::default(),
            output_ready: Default::default(),
            output_valid: Default::default(),
            output_data: Default::default(),
            memory: Memory::new(RESULT_FIFO_DEPTH, 1),
            column: Default::default(),
            tile: Default::default(),
            surplus: Default::default(),
            next_column: Default::default(),
            next_tile: Default::default(),
            keep: Default::default(),
            last_column: Fixed::new(columns - 1),
            write_pointer: Default::default(),
            read_pointer: Default::default(),
            output_valid_register: Default::default(),
            waiting: Default::default(),
        }
    }
}

impl Logic for ResultFifo {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module result_fifo: Keeps all results of a pass until the host takes them.");
        comment!("It cannot overflow: no pass starts before it is empty. Latency: two clocks.");
        comment!("ports layer_start: the layer, and its descriptor");
        comment!("ports push: results, column after column");
        comment!("ports empty: no result waits");
        comment!("ports output_ready: result stream");
        dff_setup!(
            self,
            clock,
            column,
            tile,
            surplus,
            write_pointer,
            read_pointer,
            output_valid_register
        );
        comment!("columns beyond the layer's channels give no result; known before they come");
        self.next_column.next = self.column.q.val();
        self.next_tile.next = self.tile.q.val();
        if self.push.val() {
            self.next_column.next = self.column.q.val() + 1;
            if self.column.q.val() == self.last_column.val() {
                self.next_column.next = 0.into();
                self.next_tile.next = self.tile.q.val() + 1;
            }
        }
        if self.layer_start.val() {
            self.next_column.next = 0.into();
            self.next_tile.next = 0.into();
        }
        self.column.d.next = self.next_column.val();
        self.tile.d.next = self.next_tile.val();
        self.surplus.d.next = (self.next_tile.val() == self.output_tiles.val())
            && (self.next_column.val() >= self.last_columns.val());
        self.keep.next = self.push.val() && !self.surplus.q.val();

        self.memory.clock.next = self.clock.val();
        self.memory.write_address.next =
            bit_cast::<20, 8>(self.write_pointer.q.val().get_bits::<8>(0));
        self.memory.read_enable.next = true;
        self.memory.read_address.next =
            bit_cast::<20, 8>(self.read_pointer.q.val().get_bits::<8>(0));
        self.memory.write_enable[0].next = self.keep.val();
        self.memory.write_data[0].next = self.data.val();
        self.waiting.next = self.write_pointer.q.val() != self.read_pointer.q.val();
        if self.keep.val() {
            self.write_pointer.d.next = self.write_pointer.q.val() + 1;
        }
        comment!("the word at the read pointer is there one clock after the pointer");
        self.output_valid_register.d.next = self.waiting.val();
        if self.output_valid_register.q.val() && self.output_ready.val() {
            self.read_pointer.d.next = self.read_pointer.q.val() + 1;
            self.output_valid_register.d.next = false;
        }
        if self.reset.val() {
            self.write_pointer.d.next = 0.into();
            self.read_pointer.d.next = 0.into();
            self.output_valid_register.d.next = false;
        }
        self.empty.next = !self.waiting.val();
        self.output_valid.next = self.output_valid_register.q.val();
        self.output_data.next = self.memory.read_data[0].val();
    }
}
