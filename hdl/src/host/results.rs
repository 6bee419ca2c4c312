//! The result stream: a memory that holds every result of a pass.

use crate::comment;
use crate::fixed::Fixed;
use crate::memory::Memory;
use rust_hdl::prelude::*;

/// Keeps the results of the channels in use until the host takes them, so that back-pressure never
/// reaches the array.
///
/// They come by output tile, pixel and column, and leave by pixel and channel: each is written
/// where it belongs. In the last output tile all that is in front of a result is there, and the
/// host may take it.
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
    /// Layer constant: pixels - 1.
    pub last_pixel: Signal<In, Bits<10>>,
    /// Layer constant: channels, that is, results of a pixel.
    pub channels: Signal<In, Bits<11>>,
    /// A column's result arrives; every column of a tile gives one, in order.
    pub push: Signal<In, Bit>,
    /// The result.
    pub data: Signal<In, Bits<32>>,
    /// Nothing waits, or did not in the clock before.
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
    in_last_tile: DFF<Bit>,
    before_last_tile: DFF<Bit>,
    last_used: DFF<Bits<7>>,
    tile_number_after: Signal<Local, Bits<12>>,
    empty_register: DFF<Bit>,
    keep: Signal<Local, Bit>,
    last_column: Fixed<Bits<7>>,
    pixel: DFF<Bits<10>>,
    at_last_pixel: DFF<Bit>,
    tile_begin: DFF<Bits<11>>,
    tile_after: Signal<Local, Bits<11>>,
    pixel_begin: DFF<Bits<11>>,
    write_pointer: DFF<Bits<11>>,
    write_after: Signal<Local, Bits<11>>,
    end_pointer: DFF<Bits<11>>,
    read_pointer: DFF<Bits<11>>,
    columns: Fixed<Bits<11>>,
    output_valid_register: DFF<Bit>,
    waiting: Signal<Local, Bit>,
}

impl ResultFifo {
    /// The memory of `depth` results behind `columns` columns.
    pub fn new(columns: usize, depth: usize) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            layer_start: Default::default(),
            output_tiles: Default::default(),
            last_columns: Default::default(),
            last_pixel: Default::default(),
            channels: Default::default(),
            push: Default::default(),
            data: Default::default(),
            empty: Default::default(),
            output_ready: Default::default(),
            output_valid: Default::default(),
            output_data: Default::default(),
            memory: Memory::new(depth, 1),
            column: Default::default(),
            tile: Default::default(),
            surplus: Default::default(),
            in_last_tile: Default::default(),
            before_last_tile: Default::default(),
            last_used: Default::default(),
            tile_number_after: Default::default(),
            empty_register: Default::default(),
            keep: Default::default(),
            last_column: Fixed::new(columns - 1),
            pixel: Default::default(),
            at_last_pixel: Default::default(),
            tile_begin: Default::default(),
            tile_after: Default::default(),
            pixel_begin: Default::default(),
            write_pointer: Default::default(),
            write_after: Default::default(),
            end_pointer: Default::default(),
            columns: Fixed::new(columns),
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
        comment!(
            "It cannot overflow: no pass starts before it is empty. Results leave in the order of \
             pixels, channels inside; two clocks after all in front of them are there."
        );
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
            in_last_tile,
            before_last_tile,
            last_used,
            empty_register,
            pixel,
            at_last_pixel,
            tile_begin,
            pixel_begin,
            write_pointer,
            end_pointer,
            read_pointer,
            output_valid_register
        );
        comment!("columns beyond the layer's channels give no result; known before they come");
        self.at_last_pixel.d.next = self.pixel.q.val() == self.last_pixel.val();
        self.last_used.d.next = self.last_columns.val() - 1;
        self.tile_number_after.next = self.tile.q.val() + 1;
        self.before_last_tile.d.next = self.tile_number_after.val() == self.output_tiles.val();
        if self.push.val() {
            self.column.d.next = self.column.q.val() + 1;
            if self.in_last_tile.q.val() && (self.column.q.val() == self.last_used.q.val()) {
                self.surplus.d.next = true;
            }
            if self.column.q.val() == self.last_column.val() {
                self.column.d.next = 0.into();
                self.surplus.d.next = false;
                if self.at_last_pixel.q.val() {
                    self.tile.d.next = self.tile_number_after.val();
                    self.in_last_tile.d.next = self.before_last_tile.q.val();
                }
            }
        }
        if self.layer_start.val() {
            self.column.d.next = 0.into();
            self.tile.d.next = 0.into();
            self.surplus.d.next = false;
            self.in_last_tile.d.next = self.output_tiles.val() == 0;
        }
        self.keep.next = self.push.val() && !self.surplus.q.val();

        comment!(
            "where it belongs: behind the pixels before it and the channels of tiles before its own"
        );
        self.tile_after.next = self.tile_begin.q.val() + self.columns.val();
        self.write_after.next = self.write_pointer.q.val() + 1;
        if self.push.val() {
            self.write_pointer.d.next = self.write_after.val();
            if self.column.q.val() == self.last_column.val() {
                self.pixel.d.next = self.pixel.q.val() + 1;
                self.pixel_begin.d.next = self.pixel_begin.q.val() + self.channels.val();
                self.write_pointer.d.next = self.pixel_begin.q.val() + self.channels.val();
                if self.at_last_pixel.q.val() {
                    self.pixel.d.next = 0.into();
                    self.tile_begin.d.next = self.tile_after.val();
                    self.pixel_begin.d.next = self.tile_after.val();
                    self.write_pointer.d.next = self.tile_after.val();
                }
            }
        }

        self.memory.clock.next = self.clock.val();
        self.memory.write_address.next =
            bit_cast::<23, 10>(self.write_pointer.q.val().get_bits::<10>(0));
        self.memory.read_enable.next = true;
        self.memory.read_address.next =
            bit_cast::<23, 10>(self.read_pointer.q.val().get_bits::<10>(0));
        self.memory.write_enable[0].next = self.keep.val();
        self.memory.write_data[0].next = self.data.val();
        self.waiting.next = self.end_pointer.q.val() != self.read_pointer.q.val();
        if self.keep.val() && self.in_last_tile.q.val() {
            self.end_pointer.d.next = self.write_after.val();
        }
        comment!("the word at the read pointer is there one clock after the pointer");
        self.output_valid_register.d.next = self.waiting.val();
        if self.output_valid_register.q.val() && self.output_ready.val() {
            self.read_pointer.d.next = self.read_pointer.q.val() + 1;
            self.output_valid_register.d.next = false;
        }
        comment!("no result waits when a layer begins, so that each pass begins at the first word");
        if self.layer_start.val() {
            self.pixel.d.next = 0.into();
            self.tile_begin.d.next = 0.into();
            self.pixel_begin.d.next = 0.into();
            self.write_pointer.d.next = 0.into();
        }
        if self.layer_start.val() || self.reset.val() {
            self.end_pointer.d.next = 0.into();
            self.read_pointer.d.next = 0.into();
            self.output_valid_register.d.next = false;
        }
        self.empty_register.d.next = !self.waiting.val();
        self.empty.next = self.empty_register.q.val();
        self.output_valid.next = self.output_valid_register.q.val();
        self.output_data.next = self.memory.read_data[0].val();
    }
}
