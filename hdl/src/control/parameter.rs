//! Which multipliers and constants an output pixel takes.

use crate::comment;
use rust_hdl::prelude::*;

/// Address of the current output tile's parameters, of the set that the pixel's place takes.
///
/// A layer has one set, or nine: first, in between and last row, and within each first, in
/// between and last column. A set has an address for every output tile. The address comes two
/// clocks after the pixel.
#[derive(LogicBlock, Default)]
pub struct ParameterAddress {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Number of the output tile.
    pub output_tile: Signal<In, Bits<12>>,
    /// The pixel lies in the first row.
    pub first_row: Signal<In, Bit>,
    /// The pixel lies in the last row.
    pub last_row: Signal<In, Bit>,
    /// The pixel lies in the first column.
    pub first_column: Signal<In, Bit>,
    /// The pixel lies in the last column.
    pub last_column: Signal<In, Bit>,
    /// Descriptor field.
    pub sets: Signal<In, Bit>,
    /// Descriptor field.
    pub parameter_base: Signal<In, Bits<12>>,
    /// Descriptor field.
    pub output_tiles: Signal<In, Bits<12>>,
    /// Address of the parameters.
    pub address: Signal<Out, Bits<12>>,
    tile: DFF<Bits<12>>,
    row_sets: DFF<Bits<12>>,
    column_sets: DFF<Bits<12>>,
    sum: DFF<Bits<12>>,
    one: Signal<Local, Bits<12>>,
    three: Signal<Local, Bits<12>>,
}

impl Logic for ParameterAddress {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module parameter_address: Parameters of the output tile, by the pixel's place.");
        comment!("ports output_tile: the pixel");
        comment!("ports sets: the layer's descriptor");
        comment!("ports address: two clocks later");
        dff_setup!(self, clock, tile, row_sets, column_sets, sum);
        self.one.next = self.output_tiles.val() + 1;
        self.three.next = self.one.val() + (self.one.val() << 1);
        self.tile.d.next = self.parameter_base.val() + self.output_tile.val();
        self.row_sets.d.next = 0.into();
        self.column_sets.d.next = 0.into();
        if self.sets.val() {
            if !self.first_row.val() {
                self.row_sets.d.next = self.three.val();
                if self.last_row.val() {
                    self.row_sets.d.next = self.three.val() << 1;
                }
            }
            if !self.first_column.val() {
                self.column_sets.d.next = self.one.val();
                if self.last_column.val() {
                    self.column_sets.d.next = self.one.val() << 1;
                }
            }
        }
        self.sum.d.next = self.tile.q.val() + self.row_sets.q.val() + self.column_sets.q.val();
        self.address.next = self.sum.q.val();
    }
}
