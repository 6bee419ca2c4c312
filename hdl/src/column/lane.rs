//! One column: control, accumulator, parameters, requantizer and tables.

use super::accumulator::Accumulator;
use super::requantizer::Requantizer;
use crate::comment;
use crate::memory::Memory;
use brownout_spec::arithmetic::TABLE_ENTRIES;
use brownout_spec::config::Configuration;
use rust_hdl::prelude::*;

/// What a column of the array needs beneath it; operands have `AB` bits.
///
/// Control arrives in cycle 0, partial sum and operand in cycle 1; the registered
/// control is the next column's, as everything reaches it one cycle later.
#[derive(LogicBlock)]
pub struct Column<const AB: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// A value arrives in the next cycle.
    pub valid_in: Signal<In, Bit>,
    /// It starts a new accumulation.
    pub first_in: Signal<In, Bit>,
    /// It completes one and goes on to the requantizer.
    pub last_in: Signal<In, Bit>,
    /// Output pixel.
    pub accumulator_address_in: Signal<In, Bits<16>>,
    /// Output tile, as an address of the parameter memory.
    pub parameter_address_in: Signal<In, Bits<12>>,
    /// `valid_in` of the cycle before.
    pub valid_out: Signal<Out, Bit>,
    /// `first_in` of the cycle before.
    pub first_out: Signal<Out, Bit>,
    /// `last_in` of the cycle before.
    pub last_out: Signal<Out, Bit>,
    /// `accumulator_address_in` of the cycle before.
    pub accumulator_address_out: Signal<Out, Bits<16>>,
    /// `parameter_address_in` of the cycle before.
    pub parameter_address_out: Signal<Out, Bits<12>>,
    /// From the array, cycle 1.
    pub partial_sum: Signal<In, Bits<32>>,
    /// Residual, or the activation to pool, cycle 1.
    pub operand: Signal<In, Bits<AB>>,
    /// The layer pools.
    pub pool: Signal<In, Bit>,
    /// The layer adds a residual.
    pub adds_residual: Signal<In, Bit>,
    /// The layer takes maxima.
    pub maximum: Signal<In, Bit>,
    /// s.
    pub shift: Signal<In, Bits<5>>,
    /// s − sr.
    pub residual_shift: Signal<In, Bits<5>>,
    /// mr.
    pub residual_multiplier: Signal<In, Bits<16>>,
    /// Smallest activation, signed.
    pub low: Signal<In, Bits<8>>,
    /// Largest activation, signed.
    pub high: Signal<In, Bits<8>>,
    /// Write this column's parameter memory.
    pub parameter_write: Signal<In, Bit>,
    /// 0: b[31:0]; 1: m, b[47:32].
    pub parameter_half: Signal<In, Bit>,
    /// Output tile to write.
    pub parameter_write_address: Signal<In, Bits<12>>,
    /// What to write.
    pub parameter_data: Signal<In, Bits<32>>,
    /// The layer's outputs are looked up in a table.
    pub tabled: Signal<In, Bit>,
    /// Which table.
    pub table_number: Signal<In, Bits<5>>,
    /// Write an entry of the tables.
    pub table_write: Signal<In, Bit>,
    /// Entry to write.
    pub table_write_address: Signal<In, Bits<13>>,
    /// What to write.
    pub table_data: Signal<In, Bits<8>>,
    /// The sum, shifted and not clamped, cycle 9.
    pub shifted: Signal<Out, Bits<48>>,
    /// It is valid, cycle 9.
    pub shifted_valid: Signal<Out, Bit>,
    /// The activation, cycle 12; with tables 14.
    pub activation: Signal<Out, Bits<8>>,
    accumulator: Accumulator<AB>,
    parameters: Memory<32>,
    requantizer: Requantizer<AB>,
    valid: DFF<Bit>,
    first: DFF<Bit>,
    last: DFF<Bit>,
    pixel: DFF<Bits<16>>,
    tile: DFF<Bits<12>>,
    complete: DFF<Bit>,
    residual: DFF<Bits<AB>>,
    tables: Vec<Memory<8>>,
    entry: Signal<Local, Bits<8>>,
    first_entry: Signal<Local, Bits<23>>,
    plain: DFF<Bits<8>>,
    looked_up: DFF<Bits<8>>,
    _tables: usize,
}

impl<const AB: usize> Column<AB> {
    /// A column of a configuration's memories.
    pub fn new(configuration: &Configuration) -> Self {
        let depths = &configuration.depths;
        let tables = match configuration.tables {
            0 => Vec::new(),
            tables => vec![Memory::new(tables * TABLE_ENTRIES, 1)],
        };
        Self {
            clock: Default::default(),
            reset: Default::default(),
            valid_in: Default::default(),
            first_in: Default::default(),
            last_in: Default::default(),
            accumulator_address_in: Default::default(),
            parameter_address_in: Default::default(),
            valid_out: Default::default(),
            first_out: Default::default(),
            last_out: Default::default(),
            accumulator_address_out: Default::default(),
            parameter_address_out: Default::default(),
            partial_sum: Default::default(),
            operand: Default::default(),
            pool: Default::default(),
            adds_residual: Default::default(),
            maximum: Default::default(),
            shift: Default::default(),
            residual_shift: Default::default(),
            residual_multiplier: Default::default(),
            low: Default::default(),
            high: Default::default(),
            parameter_write: Default::default(),
            parameter_half: Default::default(),
            parameter_write_address: Default::default(),
            parameter_data: Default::default(),
            shifted: Default::default(),
            shifted_valid: Default::default(),
            tabled: Default::default(),
            table_number: Default::default(),
            table_write: Default::default(),
            table_write_address: Default::default(),
            table_data: Default::default(),
            activation: Default::default(),
            accumulator: Accumulator::new(depths.accumulators),
            parameters: Memory::new(depths.parameters, 2),
            requantizer: Requantizer::new(),
            valid: Default::default(),
            first: Default::default(),
            last: Default::default(),
            pixel: Default::default(),
            tile: Default::default(),
            complete: Default::default(),
            residual: Default::default(),
            entry: Default::default(),
            first_entry: Default::default(),
            plain: Default::default(),
            looked_up: Default::default(),
            _tables: tables.len(),
            tables,
        }
    }
}

impl<const AB: usize> Logic for Column<AB> {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module column: Accumulator, parameters and requantizer of one column.");
        comment!("Control passes from column to column, one clock each.");
        comment!("ports valid_in: control from the left");
        comment!("ports valid_out: control to the right");
        comment!("ports partial_sum: array and operand port");
        comment!("ports pool: the layer");
        comment!("ports parameter_write: parameter memory, written by the host");
        comment!("ports tabled: tables, and how the host writes them");
        comment!("ports shifted: results: before and after the clamp");
        dff_setup!(
            self, clock, valid, first, last, pixel, tile, complete, residual, plain, looked_up
        );
        self.valid.d.next = self.valid_in.val();
        self.first.d.next = self.first_in.val();
        self.last.d.next = self.last_in.val();
        self.pixel.d.next = self.accumulator_address_in.val();
        self.tile.d.next = self.parameter_address_in.val();
        self.valid_out.next = self.valid.q.val();
        self.first_out.next = self.first.q.val();
        self.last_out.next = self.last.q.val();
        self.accumulator_address_out.next = self.pixel.q.val();
        self.parameter_address_out.next = self.tile.q.val();

        self.accumulator.clock.next = self.clock.val();
        self.accumulator.reset.next = self.reset.val();
        self.accumulator.read_address.next = self.accumulator_address_in.val();
        self.accumulator.valid.next = self.valid.q.val();
        self.accumulator.first.next = self.first.q.val();
        self.accumulator.last.next = self.last.q.val();
        self.accumulator.address.next = self.pixel.q.val();
        self.accumulator.partial_sum.next = self.partial_sum.val();
        self.accumulator.operand.next = self.operand.val();
        self.accumulator.pool.next = self.pool.val();
        self.accumulator.residual.next = self.adds_residual.val();
        self.accumulator.maximum.next = self.maximum.val();

        self.parameters.clock.next = self.clock.val();
        self.parameters.read_enable.next = true;
        self.parameters.read_address.next = bit_cast::<23, 12>(self.tile.q.val());
        self.parameters.write_address.next = bit_cast::<23, 12>(self.parameter_write_address.val());
        self.parameters.write_enable[0].next =
            self.parameter_write.val() && !self.parameter_half.val();
        self.parameters.write_enable[1].next =
            self.parameter_write.val() && self.parameter_half.val();
        self.parameters.write_data[0].next = self.parameter_data.val();
        self.parameters.write_data[1].next = self.parameter_data.val();

        self.requantizer.clock.next = self.clock.val();
        self.requantizer.reset.next = self.reset.val();
        self.requantizer.value.next = self.accumulator.value.val();
        self.complete.d.next = self.valid.q.val() && self.last.q.val();
        self.residual.d.next = self.operand.val();
        if !self.adds_residual.val() {
            self.residual.d.next = 0.into();
        }
        self.requantizer.valid.next = self.complete.q.val();
        self.requantizer.operand.next = self.residual.q.val();
        self.requantizer.bias_low.next = self.parameters.read_data[0].val();
        self.requantizer.multiplier_and_bias.next = self.parameters.read_data[1].val();
        self.requantizer.pool.next = self.pool.val() && !self.adds_residual.val();
        self.requantizer.residual_multiplier.next = self.residual_multiplier.val();
        self.requantizer.residual_shift.next = self.residual_shift.val();
        self.requantizer.shift.next = self.shift.val();
        self.requantizer.low.next = self.low.val();
        self.requantizer.high.next = self.high.val();
        self.shifted.next = self.requantizer.shifted.val();
        self.shifted_valid.next = self.requantizer.shifted_valid.val();
        self.activation.next = self.requantizer.activation.val();
        for t in 0..self._tables {
            comment!(
                "tables: the first entry is that of -128; what is not looked up waits as long"
            );
            self.entry.next = self.requantizer.activation.val() ^ 0x80;
            self.first_entry.next = bit_cast::<23, 5>(self.table_number.val()) << 8;
            self.tables[t].clock.next = self.clock.val();
            self.tables[t].read_enable.next = self.tabled.val();
            self.tables[t].read_address.next =
                self.first_entry.val() + bit_cast::<23, 8>(self.entry.val());
            self.tables[t].write_address.next = bit_cast::<23, 13>(self.table_write_address.val());
            self.tables[t].write_enable[0].next = self.table_write.val();
            self.tables[t].write_data[0].next = self.table_data.val();
            self.plain.d.next = self.requantizer.activation.val();
            self.looked_up.d.next = self.plain.q.val();
            if self.tabled.val() {
                self.looked_up.d.next = self.tables[t].read_data[0].val();
            }
            self.activation.next = self.looked_up.q.val();
        }

        if self.reset.val() {
            self.valid.d.next = false;
            self.complete.d.next = false;
        }
    }
}
