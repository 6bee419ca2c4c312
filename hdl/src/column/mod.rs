//! Beneath the array: accumulators, pooling and requantization, one lane per column.
//!
//! Column j works one cycle behind column j − 1, as the array's partial sums arrive.
//! Control of column 0 is presented in cycle c, its partial sum in c + 1 (column j's
//! in c + 1 + j), the operands of all columns in c + 1. Results:
//!
//! | output | cycle |
//! | --- | --- |
//! | `activation`, all columns, with `activation_valid` | c + columns + 11, 2 later with tables |
//! | `result` of column j, with `result_valid` | c + 12 + j |
//!
//! An accumulator address may be presented again in c + 5. In a wide layer the
//! values of one column lie at least as many cycles apart as there are columns, so
//! that no two columns give a result in the same cycle. Layer constants hold from
//! one cycle before the first control of a layer until its last output.

mod accumulator;
mod lane;
mod multiplier;
mod requantizer;

pub use accumulator::Accumulator;
pub use lane::Column;
pub use multiplier::Multiplier;
pub use requantizer::Requantizer;

use crate::array::Skew;
use crate::comment;
use brownout_spec::config::Configuration;
use rust_hdl::prelude::*;

/// The accumulators and requantizers of all columns; operands have `AB` bits.
#[derive(LogicBlock)]
pub struct Columns<const AB: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// Column 0 gets a value in the next cycle.
    pub valid: Signal<In, Bit>,
    /// It starts a new accumulation.
    pub first: Signal<In, Bit>,
    /// It completes one.
    pub last: Signal<In, Bit>,
    /// Output pixel.
    pub accumulator_address: Signal<In, Bits<16>>,
    /// Output tile.
    pub parameter_address: Signal<In, Bits<12>>,
    /// Partial sums, column j one cycle after column j − 1.
    pub partial_sum: Vec<Signal<In, Bits<32>>>,
    /// Residuals or activations to pool, all columns at once; zero where there is none,
    /// the least number where a maximum must not see it.
    pub operand: Vec<Signal<In, Bits<AB>>>,
    /// The layer pools.
    pub pool: Signal<In, Bit>,
    /// It adds a residual, with the last value of an accumulation; a pool does not fold that one.
    pub residual: Signal<In, Bit>,
    /// It pools by summing; otherwise it takes maxima.
    pub average: Signal<In, Bit>,
    /// The layer's results are wide.
    pub wide: Signal<In, Bit>,
    /// s.
    pub shift: Signal<In, Bits<5>>,
    /// sr, at most s.
    pub residual_shift: Signal<In, Bits<5>>,
    /// Smallest activation, signed.
    pub low: Signal<In, Bits<8>>,
    /// Largest activation, signed.
    pub high: Signal<In, Bits<8>>,
    /// mr, signed.
    pub residual_multiplier: Signal<In, Bits<16>>,
    /// Which columns' parameters to write.
    pub parameter_write: Vec<Signal<In, Bit>>,
    /// 0: b[31:0]; 1: m in the upper, b[47:32] in the lower half.
    pub parameter_half: Signal<In, Bit>,
    /// Output tile to write.
    pub parameter_write_address: Signal<In, Bits<12>>,
    /// What to write.
    pub parameter_data: Signal<In, Bits<32>>,
    /// The layer's outputs are looked up in a table.
    pub tabled: Signal<In, Bit>,
    /// Which table.
    pub table_number: Signal<In, Bits<5>>,
    /// Write an entry of every column's tables.
    pub table_write: Signal<In, Bit>,
    /// Entry to write.
    pub table_write_address: Signal<In, Bits<13>>,
    /// What to write.
    pub table_data: Signal<In, Bits<8>>,
    /// Activations of one pixel.
    pub activation: Vec<Signal<Out, Bits<8>>>,
    /// They are valid; never in a wide layer.
    pub activation_valid: Signal<Out, Bit>,
    /// Result of a wide layer, one column a cycle.
    pub result: Signal<Out, Bits<32>>,
    /// It is valid.
    pub result_valid: Signal<Out, Bit>,
    column: Vec<Column<AB>>,
    operand_skew: Skew<AB>,
    deskew: Skew<8>,
    // Pool, residual, maximum, s, s - sr, limits and mr, from bit 0 on.
    settings: Signal<Local, Bits<45>>,
    setting: Vec<DFF<Bits<45>>>,
    left: Signal<Local, Bits<5>>,
    operands_move: DFF<Bit>,
    limiting: DFF<Bit>,
    clamping: DFF<Bit>,
    moving: DFF<Bit>,
    last_limiting: DFF<Bit>,
    last_clamping: DFF<Bit>,
    aligned: DFF<Bit>,
    reading: DFF<Bit>,
    moving_late: DFF<Bit>,
    last_reading: DFF<Bit>,
    aligned_late: DFF<Bit>,
    has_tables: Constant<Bit>,
    gathered: Signal<Local, Bits<48>>,
    any_valid: Signal<Local, Bit>,
    gathered_sum: DFF<Bits<48>>,
    gathered_valid: DFF<Bit>,
    tail: Signal<Local, Bits<17>>,
    low_half: DFF<Bits<32>>,
    wider: DFF<Bit>,
    sign: DFF<Bit>,
    checked_valid: DFF<Bit>,
    saturated: DFF<Bits<32>>,
    saturated_valid: DFF<Bit>,
    positive_limit: Constant<Bits<32>>,
    negative_limit: Constant<Bits<32>>,
    _columns: usize,
}

impl<const AB: usize> Columns<AB> {
    /// The columns of a configuration.
    pub fn new(configuration: &Configuration) -> Self {
        fn many<T: Default>(count: usize) -> Vec<T> {
            (0..count).map(|_| T::default()).collect()
        }
        let columns = configuration.columns;
        Self {
            clock: Default::default(),
            reset: Default::default(),
            valid: Default::default(),
            first: Default::default(),
            last: Default::default(),
            accumulator_address: Default::default(),
            parameter_address: Default::default(),
            partial_sum: (0..columns).map(|_| Default::default()).collect(),
            operand: (0..columns).map(|_| Default::default()).collect(),
            pool: Default::default(),
            residual: Default::default(),
            average: Default::default(),
            wide: Default::default(),
            shift: Default::default(),
            residual_shift: Default::default(),
            low: Default::default(),
            high: Default::default(),
            residual_multiplier: Default::default(),
            parameter_write: (0..columns).map(|_| Default::default()).collect(),
            parameter_half: Default::default(),
            parameter_write_address: Default::default(),
            parameter_data: Default::default(),
            tabled: Default::default(),
            table_number: Default::default(),
            table_write: Default::default(),
            table_write_address: Default::default(),
            table_data: Default::default(),
            activation: (0..columns).map(|_| Default::default()).collect(),
            activation_valid: Default::default(),
            result: Default::default(),
            result_valid: Default::default(),
            column: (0..columns).map(|_| Column::new(configuration)).collect(),
            operand_skew: Skew::new(columns),
            deskew: Skew::new(columns),
            settings: Default::default(),
            setting: many(columns),
            left: Default::default(),
            operands_move: Default::default(),
            limiting: Default::default(),
            clamping: Default::default(),
            moving: Default::default(),
            last_limiting: Default::default(),
            last_clamping: Default::default(),
            aligned: Default::default(),
            reading: Default::default(),
            moving_late: Default::default(),
            last_reading: Default::default(),
            aligned_late: Default::default(),
            has_tables: Constant::new(configuration.tables > 0),
            gathered: Default::default(),
            any_valid: Default::default(),
            gathered_sum: Default::default(),
            gathered_valid: Default::default(),
            tail: Default::default(),
            low_half: Default::default(),
            wider: Default::default(),
            sign: Default::default(),
            checked_valid: Default::default(),
            saturated: Default::default(),
            saturated_valid: Default::default(),
            positive_limit: Constant::new(0x7fff_ffffu64.into()),
            negative_limit: Constant::new(0x8000_0000u64.into()),
            _columns: columns,
        }
    }
}

impl<const AB: usize> Logic for Columns<AB> {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module columns: Accumulation, pooling and requantization beneath the array.");
        comment!(
            "Column j works j clocks after column 0; behind the requantizers the activations of a \
             pixel are brought together again."
        );
        comment!("ports valid: control of column 0, from the sequencer");
        comment!("ports partial_sum: array, one diagonal a clock");
        comment!("ports operand: operand port of the activation buffers");
        comment!("ports pool: the layer");
        comment!("ports parameter_write: parameter memories, written by the host");
        comment!("ports tabled: tables, and how the host writes them");
        comment!("ports activation: outputs of a pixel, for the activation buffers");
        comment!("ports result: outputs of the last layer, one channel a clock");
        comment!("table positive_limit: what 32-bit results saturate at");
        dff_setup!(
            self,
            clock,
            operands_move,
            clamping,
            limiting,
            moving,
            last_limiting,
            last_clamping,
            aligned,
            reading,
            moving_late,
            last_reading,
            aligned_late,
            gathered_sum,
            gathered_valid,
            low_half,
            wider,
            sign,
            checked_valid,
            saturated,
            saturated_valid
        );
        self.operand_skew.clock.next = self.clock.val();
        self.deskew.clock.next = self.clock.val();

        comment!(
            "the layer's settings: each column has its own, close to where they are read; they \
             keep ahead of the control"
        );
        self.left.next = self.shift.val() - self.residual_shift.val();
        self.settings.next = 0.into();
        self.settings.next = self.settings.val().replace_bit(0, self.pool.val());
        self.settings.next = self.settings.val().replace_bit(1, self.residual.val());
        self.settings.next = self
            .settings
            .val()
            .replace_bit(2, self.pool.val() && !self.average.val());
        for b in 0..5 {
            self.settings.next = self
                .settings
                .val()
                .replace_bit(b + 3, self.shift.val().get_bit(b));
            self.settings.next = self
                .settings
                .val()
                .replace_bit(b + 8, self.left.val().get_bit(b));
        }
        for b in 0..8 {
            self.settings.next = self
                .settings
                .val()
                .replace_bit(b + 13, self.low.val().get_bit(b));
            self.settings.next = self
                .settings
                .val()
                .replace_bit(b + 21, self.high.val().get_bit(b));
        }
        for b in 0..16 {
            self.settings.next = self
                .settings
                .val()
                .replace_bit(b + 29, self.residual_multiplier.val().get_bit(b));
        }
        self.setting[0].d.next = self.settings.val();
        for j in 1..self._columns {
            self.setting[j].d.next = self.setting[j - 1].q.val();
        }
        for j in 0..self._columns {
            self.setting[j].clock.next = self.clock.val();
        }

        comment!("control, from column to column");
        self.column[0].valid_in.next = self.valid.val();
        self.column[0].first_in.next = self.first.val();
        self.column[0].last_in.next = self.last.val();
        self.column[0].accumulator_address_in.next = self.accumulator_address.val();
        self.column[0].parameter_address_in.next = self.parameter_address.val();
        for j in 1..self._columns {
            self.column[j].valid_in.next = self.column[j - 1].valid_out.val();
            self.column[j].first_in.next = self.column[j - 1].first_out.val();
            self.column[j].last_in.next = self.column[j - 1].last_out.val();
            self.column[j].accumulator_address_in.next =
                self.column[j - 1].accumulator_address_out.val();
            self.column[j].parameter_address_in.next =
                self.column[j - 1].parameter_address_out.val();
        }
        for j in 0..self._columns {
            self.operand_skew.lane[j].next = self.operand[j].val();
            self.column[j].clock.next = self.clock.val();
            self.column[j].reset.next = self.reset.val();
            self.column[j].partial_sum.next = self.partial_sum[j].val();
            self.column[j].operand.next = self.operand_skew.skewed[j].val();
            self.column[j].pool.next = self.setting[j].q.val().get_bit(0);
            self.column[j].adds_residual.next = self.setting[j].q.val().get_bit(1);
            self.column[j].maximum.next = self.setting[j].q.val().get_bit(2);
            self.column[j].shift.next = self.setting[j].q.val().get_bits::<5>(3);
            self.column[j].residual_shift.next = self.setting[j].q.val().get_bits::<5>(8);
            self.column[j].residual_multiplier.next = self.setting[j].q.val().get_bits::<16>(29);
            self.column[j].low.next = self.setting[j].q.val().get_bits::<8>(13);
            self.column[j].high.next = self.setting[j].q.val().get_bits::<8>(21);
            self.column[j].parameter_write.next = self.parameter_write[j].val();
            self.column[j].parameter_half.next = self.parameter_half.val();
            self.column[j].parameter_write_address.next = self.parameter_write_address.val();
            self.column[j].parameter_data.next = self.parameter_data.val();
            self.column[j].tabled.next = self.tabled.val();
            self.column[j].table_number.next = self.table_number.val();
            self.column[j].table_write.next = self.table_write.val();
            self.column[j].table_write_address.next = self.table_write_address.val();
            self.column[j].table_data.next = self.table_data.val();
        }

        comment!("operands move if the layer reads them, activations while there are any");
        self.operands_move.d.next = self.pool.val() || self.residual.val();
        self.operand_skew.enable.next = self.operands_move.q.val();
        self.any_valid.next = false;
        for j in 0..self._columns {
            self.any_valid.next = self.any_valid.val() || self.column[j].shifted_valid.val();
        }
        self.limiting.d.next = self.any_valid.val();
        self.clamping.d.next = self.limiting.q.val();
        self.moving.d.next = self.clamping.q.val();
        self.deskew.enable.next = self.moving.q.val();
        if self.has_tables.val() {
            comment!("tables: two clocks more");
            self.reading.d.next = self.moving.q.val();
            self.moving_late.d.next = self.reading.q.val();
            self.deskew.enable.next = self.moving_late.q.val();
        }

        comment!("activations: the last column is the latest, so column 0 waits longest");
        for c in self._columns..(self._columns + 1) {
            for j in 0..self._columns {
                self.deskew.lane[c - 1 - j].next = self.column[j].activation.val();
                self.activation[j].next = self.deskew.skewed[c - 1 - j].val();
            }
            for j in (self._columns - 1)..self._columns {
                self.last_limiting.d.next = self.column[j].shifted_valid.val() && !self.wide.val();
            }
        }
        self.last_clamping.d.next = self.last_limiting.q.val();
        self.aligned.d.next = self.last_clamping.q.val();
        self.activation_valid.next = self.aligned.q.val();
        if self.has_tables.val() {
            self.last_reading.d.next = self.aligned.q.val();
            self.aligned_late.d.next = self.last_reading.q.val();
            self.activation_valid.next = self.aligned_late.q.val();
        }

        comment!("wide results: one column at a time, saturated once for all");
        self.gathered.next = 0.into();
        if self.wide.val() {
            for j in 0..self._columns {
                if self.column[j].shifted_valid.val() {
                    self.gathered.next = self.gathered.val() | self.column[j].shifted.val();
                }
            }
        }
        self.gathered_valid.d.next = self.any_valid.val() && self.wide.val();
        self.gathered_sum.d.next = self.gathered.val();
        self.tail.next = self.gathered_sum.q.val().get_bits::<17>(31);
        self.low_half.d.next = self.gathered_sum.q.val().get_bits::<32>(0);
        self.wider.d.next = !self.tail.val().all() && self.tail.val().any();
        self.sign.d.next = self.gathered_sum.q.val().get_bit(47);
        self.checked_valid.d.next = self.gathered_valid.q.val();
        self.saturated.d.next = self.low_half.q.val();
        if self.wider.q.val() {
            self.saturated.d.next = self.positive_limit.val();
            if self.sign.q.val() {
                self.saturated.d.next = self.negative_limit.val();
            }
        }
        self.saturated_valid.d.next = self.checked_valid.q.val();
        self.result.next = self.saturated.q.val();
        self.result_valid.next = self.saturated_valid.q.val();
        if self.reset.val() {
            self.limiting.d.next = false;
            self.clamping.d.next = false;
            self.moving.d.next = false;
            self.last_limiting.d.next = false;
            self.last_clamping.d.next = false;
            self.aligned.d.next = false;
            self.reading.d.next = false;
            self.moving_late.d.next = false;
            self.last_reading.d.next = false;
            self.aligned_late.d.next = false;
            self.gathered_valid.d.next = false;
            self.checked_valid.d.next = false;
            self.saturated_valid.d.next = false;
        }
    }
}
