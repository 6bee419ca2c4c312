//! The buffers and their two read ports.

use super::BUFFERS;
use crate::comment;
use crate::memory::Memory;
use brownout_spec::config::Configuration;
use rust_hdl::prelude::*;

/// Clocks from a read to the choice of its lanes.
const WAIT: usize = 4;

/// Three activation buffers of max(rows, columns) lanes, whose ports give `AB` bits: eight, or nine
/// where zero points are taken off.
///
/// A read presented in cycle t gives masked lanes in t + 5 on both ports: the memories' addresses
/// are registered, and so are their words, before a buffer is chosen and then a tile of lanes. The
/// array port reads the source buffer of a convolution, the operand port any
/// other; while no pass runs, the operand port serves the debug window.
#[derive(LogicBlock)]
pub struct ActivationBuffers<const AB: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Layer constant: pooling layer, which has no array port.
    pub pool: Signal<In, Bit>,
    /// Layer constant: an average pool.
    pub average: Signal<In, Bit>,
    /// Layer constant: buffer of the array port, or of a pool's taps.
    pub source: Signal<In, Bits<2>>,
    /// Layer constant: buffer of the residual operand.
    pub operand_source: Signal<In, Bits<2>>,
    /// Layer constant: zero point of the source, signed; without effect where none are taken off.
    pub source_zero: Signal<In, Bits<8>>,
    /// Layer constant: zero point of the residual operand, signed.
    pub operand_zero: Signal<In, Bits<8>>,
    /// Array port: word.
    pub source_address: Signal<In, Bits<16>>,
    /// Array port: zero where false (padding).
    pub source_inside: Signal<In, Bit>,
    /// Array port: tile of rows within the word.
    pub source_select: Signal<In, Bits<4>>,
    /// Array port: rows in use; the others read zero.
    pub source_rows: Signal<In, Bits<7>>,
    /// Array port: one activation for each row.
    pub row: Vec<Signal<Out, Bits<AB>>>,
    /// Operand port: word.
    pub operand_address: Signal<In, Bits<16>>,
    /// Operand port: it reads a residual; in a pool otherwise a tap, of the source buffer.
    pub operand_residual: Signal<In, Bit>,
    /// Operand port: false gives zero, or in a maximum pool the least number.
    pub operand_enable: Signal<In, Bit>,
    /// Operand port: tile of columns within the word.
    pub operand_select: Signal<In, Bits<4>>,
    /// Operand port: columns in use; the others read zero.
    pub operand_columns: Signal<In, Bits<7>>,
    /// Operand port: one operand for each column.
    pub operand: Vec<Signal<Out, Bits<AB>>>,
    /// Debug window in place of the operand port.
    pub debug: Signal<In, Bit>,
    /// Debug window: word.
    pub debug_address: Signal<In, Bits<16>>,
    /// Debug window: buffer.
    pub debug_buffer: Signal<In, Bits<2>>,
    /// Debug window: group of four lanes.
    pub debug_group: Signal<In, Bits<4>>,
    /// Debug window: four lanes, the lowest in bits 7..0.
    pub debug_data: Signal<Out, Bits<32>>,
    /// Write port: buffer.
    pub write_buffer: Signal<In, Bits<2>>,
    /// Write port: word.
    pub write_address: Signal<In, Bits<16>>,
    /// Write port: lanes to write.
    pub write_lane: Vec<Signal<In, Bit>>,
    /// Write port: what to write.
    pub write_data: Vec<Signal<In, Bits<8>>>,
    buffer: Vec<Memory<8>>,
    read_address: Vec<DFF<Bits<16>>>,
    address: Signal<Local, Bits<16>>,
    row_used: Vec<DFF<Bit>>,
    // Inside, enable, both selections, both numbers in use and residual, from bit 0 on.
    wanted: Signal<Local, Bits<25>>,
    waiting: Vec<DFF<Bits<25>>>,
    inside_late: Signal<Local, Bit>,
    select_late: Signal<Local, Bits<4>>,
    rows_late: Signal<Local, Bits<7>>,
    residual_before_words: Signal<Local, Bit>,
    residual_late: Signal<Local, Bit>,
    enable_late: Signal<Local, Bit>,
    tile_late: Signal<Local, Bits<4>>,
    columns_late: Signal<Local, Bits<7>>,
    operand_buffer: DFF<Bits<2>>,
    column_used: Vec<DFF<Bit>>,
    word: Vec<DFF<Bits<8>>>,
    source_word: Vec<DFF<Bits<8>>>,
    operand_word: Vec<DFF<Bits<8>>>,
    source_lane: Vec<Signal<Local, Bits<8>>>,
    operand_lane: Vec<Signal<Local, Bits<8>>>,
    source_signed: Vec<Signal<Local, Signed<8>>>,
    operand_signed: Vec<Signal<Local, Signed<8>>>,
    source_wide: Vec<Signal<Local, Signed<AB>>>,
    operand_wide: Vec<Signal<Local, Signed<AB>>>,
    taken_off: Signal<Local, Bits<8>>,
    source_zero_signed: Signal<Local, Signed<8>>,
    operand_zero_signed: Signal<Local, Signed<8>>,
    source_zero_wide: Signal<Local, Signed<AB>>,
    operand_zero_wide: Signal<Local, Signed<AB>>,
    source_value: Vec<Signal<Local, Signed<AB>>>,
    operand_value: Vec<Signal<Local, Signed<AB>>>,
    row_register: Vec<DFF<Bits<AB>>>,
    operand_register: Vec<DFF<Bits<AB>>>,
    debug_lane: Vec<Signal<Local, Bits<8>>>,
    debug_register: DFF<Bits<32>>,
    zero_points: Constant<Bit>,
    row_number: Vec<Constant<Bits<7>>>,
    column_number: Vec<Constant<Bits<7>>>,
    _rows: usize,
    _columns: usize,
    _lanes: usize,
    _depth: usize,
}

impl<const AB: usize> ActivationBuffers<AB> {
    /// The buffers of a configuration.
    pub fn new(configuration: &Configuration) -> Self {
        fn many<T: Default>(count: usize) -> Vec<T> {
            (0..count).map(|_| T::default()).collect()
        }
        let (rows, columns) = (configuration.rows, configuration.columns);
        let lanes = configuration.activation_lanes();
        let depth = configuration.depths.activations;
        let numbers = |n: usize| (0..n).map(|i| Constant::new((i as u64).into())).collect();
        Self {
            clock: Default::default(),
            pool: Default::default(),
            average: Default::default(),
            source: Default::default(),
            operand_source: Default::default(),
            source_zero: Default::default(),
            operand_zero: Default::default(),
            source_address: Default::default(),
            source_inside: Default::default(),
            source_select: Default::default(),
            source_rows: Default::default(),
            row: many(rows),
            operand_address: Default::default(),
            operand_residual: Default::default(),
            operand_enable: Default::default(),
            operand_select: Default::default(),
            operand_columns: Default::default(),
            operand: many(columns),
            debug: Default::default(),
            debug_address: Default::default(),
            debug_buffer: Default::default(),
            debug_group: Default::default(),
            debug_data: Default::default(),
            write_buffer: Default::default(),
            write_address: Default::default(),
            write_lane: many(lanes),
            write_data: many(lanes),
            buffer: (0..BUFFERS).map(|_| Memory::new(depth, lanes)).collect(),
            read_address: many(BUFFERS),
            address: Default::default(),
            row_used: many(rows),
            wanted: Default::default(),
            waiting: many(WAIT),
            inside_late: Default::default(),
            select_late: Default::default(),
            rows_late: Default::default(),
            residual_before_words: Default::default(),
            residual_late: Default::default(),
            enable_late: Default::default(),
            tile_late: Default::default(),
            columns_late: Default::default(),
            operand_buffer: Default::default(),
            column_used: many(columns),
            word: many(BUFFERS * lanes),
            source_word: many(lanes),
            operand_word: many(lanes),
            source_lane: many(rows),
            operand_lane: many(columns),
            source_signed: many(rows),
            operand_signed: many(columns),
            source_wide: many(rows),
            operand_wide: many(columns),
            taken_off: Default::default(),
            source_zero_signed: Default::default(),
            operand_zero_signed: Default::default(),
            source_zero_wide: Default::default(),
            operand_zero_wide: Default::default(),
            source_value: many(rows),
            operand_value: many(columns),
            row_register: many(rows),
            operand_register: many(columns),
            debug_lane: many(4),
            debug_register: Default::default(),
            zero_points: Constant::new(configuration.zero_points),
            row_number: numbers(rows),
            column_number: numbers(columns),
            _rows: rows,
            _columns: columns,
            _lanes: lanes,
            _depth: depth,
        }
    }
}

impl<const AB: usize> Logic for ActivationBuffers<AB> {
    #[hdl_gen]
    fn update(&mut self) {
        comment!(
            "module activation_buffers: Three activation memories behind an array port, an \
             operand port and a debug window."
        );
        comment!(
            "A word holds a pixel's channels; a port takes the tile of the word that it needs, \
             and zeros outside the map and beyond the channels."
        );
        comment!("ports pool: the layer");
        comment!("ports source_address: array port: one tile of rows");
        comment!("ports operand_address: operand port: one tile of columns");
        comment!("ports debug: debug window, while no pass runs: four lanes");
        comment!("ports write_buffer: write port, lane by lane");
        dff_setup!(self, clock, operand_buffer, debug_register);
        for w in 0..WAIT {
            self.waiting[w].clock.next = self.clock.val();
        }
        for i in 0..self._rows {
            self.row_used[i].clock.next = self.clock.val();
            self.row_register[i].clock.next = self.clock.val();
        }
        for j in 0..self._columns {
            self.column_used[j].clock.next = self.clock.val();
            self.operand_register[j].clock.next = self.clock.val();
        }

        comment!("addresses: the source of a convolution belongs to the array port");
        self.address.next = self.operand_address.val();
        if self.debug.val() {
            self.address.next = self.debug_address.val();
        }
        for b in 0..BUFFERS {
            self.read_address[b].clock.next = self.clock.val();
            self.read_address[b].d.next = self.address.val();
            if (self.source.val().index() == b) && !self.pool.val() && !self.debug.val() {
                self.read_address[b].d.next = self.source_address.val();
            }
            self.buffer[b].clock.next = self.clock.val();
            self.buffer[b].read_address.next = self.read_address[b].q.val().index().to_bits::<23>();
            self.buffer[b].read_enable.next = true;
            self.buffer[b].write_address.next = bit_cast::<23, 16>(self.write_address.val());
            for l in 0..self._lanes {
                self.buffer[b].write_enable[l].next =
                    self.write_lane[l].val() && (self.write_buffer.val().index() == b);
                self.buffer[b].write_data[l].next = self.write_data[l].val();
            }
        }

        comment!("what is to be done with the words waits for them");
        self.wanted.next = 0.into();
        self.wanted.next = self.wanted.val().replace_bit(0, self.source_inside.val());
        self.wanted.next = self.wanted.val().replace_bit(1, self.operand_enable.val());
        for b in 0..4 {
            self.wanted.next = self
                .wanted
                .val()
                .replace_bit(b + 2, self.source_select.val().get_bit(b));
            self.wanted.next = self
                .wanted
                .val()
                .replace_bit(b + 6, self.operand_select.val().get_bit(b));
        }
        for b in 0..7 {
            self.wanted.next = self
                .wanted
                .val()
                .replace_bit(b + 10, self.source_rows.val().get_bit(b));
            self.wanted.next = self
                .wanted
                .val()
                .replace_bit(b + 17, self.operand_columns.val().get_bit(b));
        }
        self.wanted.next = self
            .wanted
            .val()
            .replace_bit(24, self.operand_residual.val());
        self.waiting[0].d.next = self.wanted.val();
        for w in 1..WAIT {
            self.waiting[w].d.next = self.waiting[w - 1].q.val();
        }
        for last in (WAIT - 1)..WAIT {
            self.inside_late.next = self.waiting[last].q.val().get_bit(0);
            self.enable_late.next = self.waiting[last].q.val().get_bit(1);
            self.select_late.next = self.waiting[last].q.val().get_bits::<4>(2);
            self.tile_late.next = self.waiting[last].q.val().get_bits::<4>(6);
            self.rows_late.next = self.waiting[last - 1].q.val().get_bits::<7>(10);
            self.columns_late.next = self.waiting[last - 1].q.val().get_bits::<7>(17);
            self.residual_before_words.next = self.waiting[last - 2].q.val().get_bit(24);
            self.residual_late.next = self.waiting[last].q.val().get_bit(24);
        }
        self.operand_buffer.d.next = self.operand_source.val();
        if self.pool.val() && !self.residual_before_words.val() {
            self.operand_buffer.d.next = self.source.val();
        }
        if self.debug.val() {
            self.operand_buffer.d.next = self.debug_buffer.val();
        }
        if self.zero_points.val() {
            comment!("zero points are taken off what is read, of nine bits then");
        }
        self.taken_off.next = self.operand_zero.val();
        if self.pool.val() && !self.residual_late.val() {
            self.taken_off.next = self.source_zero.val();
        }
        self.source_zero_signed.next = signed_cast(self.source_zero.val());
        self.operand_zero_signed.next = signed_cast(self.taken_off.val());
        self.source_zero_wide.next = signed_bit_cast::<AB, 8>(self.source_zero_signed.val());
        self.operand_zero_wide.next = signed_bit_cast::<AB, 8>(self.operand_zero_signed.val());
        for i in 0..self._rows {
            self.row_used[i].d.next = self.row_number[i].val() < self.rows_late.val();
        }
        for j in 0..self._columns {
            self.column_used[j].d.next = self.column_number[j].val() < self.columns_late.val();
        }

        comment!("words: block RAM is slow to answer, so a register follows; then, which buffer");
        for n in self._lanes..(self._lanes + 1) {
            for b in 0..BUFFERS {
                for l in 0..self._lanes {
                    self.word[b * n + l].clock.next = self.clock.val();
                    self.word[b * n + l].d.next = self.buffer[b].read_data[l].val();
                }
            }
            for l in 0..self._lanes {
                self.source_word[l].clock.next = self.clock.val();
                self.operand_word[l].clock.next = self.clock.val();
                self.source_word[l].d.next = 0.into();
                self.operand_word[l].d.next = 0.into();
            }
            for b in 0..BUFFERS {
                if self.source.val().index() == b {
                    for l in 0..self._lanes {
                        self.source_word[l].d.next = self.word[b * n + l].q.val();
                    }
                }
            }
            for b in 0..BUFFERS {
                if self.operand_buffer.q.val().index() == b {
                    for l in 0..self._lanes {
                        self.operand_word[l].d.next = self.word[b * n + l].q.val();
                    }
                }
            }
        }

        comment!("lanes: which tile of the word, zero outside the map and beyond the channels");
        for n in self._rows..(self._rows + 1) {
            for i in 0..self._rows {
                self.source_lane[i].next = 0.into();
                for s in 0..(self._lanes / self._rows) {
                    if self.select_late.val().index() == s {
                        self.source_lane[i].next = self.source_word[s * n + i].q.val();
                    }
                }
                self.source_signed[i].next = signed_cast(self.source_lane[i].val());
                self.source_wide[i].next = signed_bit_cast::<AB, 8>(self.source_signed[i].val());
                self.source_value[i].next = self.source_wide[i].val();
                if self.zero_points.val() {
                    self.source_value[i].next =
                        self.source_wide[i].val() - self.source_zero_wide.val();
                }
                self.row_register[i].d.next = 0.into();
                if self.inside_late.val() && self.row_used[i].q.val() {
                    self.row_register[i].d.next = unsigned_cast(self.source_value[i].val());
                }
                self.row[i].next = self.row_register[i].q.val();
            }
        }
        for n in self._columns..(self._columns + 1) {
            for j in 0..self._columns {
                self.operand_lane[j].next = 0.into();
                for s in 0..(self._lanes / self._columns) {
                    if self.tile_late.val().index() == s {
                        self.operand_lane[j].next = self.operand_word[s * n + j].q.val();
                    }
                }
                self.operand_signed[j].next = signed_cast(self.operand_lane[j].val());
                self.operand_wide[j].next = signed_bit_cast::<AB, 8>(self.operand_signed[j].val());
                self.operand_value[j].next = self.operand_wide[j].val();
                if self.zero_points.val() {
                    self.operand_value[j].next =
                        self.operand_wide[j].val() - self.operand_zero_wide.val();
                }
                self.operand_register[j].d.next = 0.into();
                if self.enable_late.val() {
                    if self.column_used[j].q.val() {
                        self.operand_register[j].d.next =
                            unsigned_cast(self.operand_value[j].val());
                    }
                } else if self.pool.val() && !self.average.val() {
                    if self.zero_points.val() {
                        self.operand_register[j].d.next = 0x100.into();
                    } else {
                        self.operand_register[j].d.next = 0x80.into();
                    }
                }
                self.operand[j].next = self.operand_register[j].q.val();
            }
        }

        comment!("debug window");
        for k in 0..4 {
            self.debug_lane[k].next = 0.into();
        }
        for g in 0..(self._lanes / 4) {
            if self.debug_group.val().index() == g {
                for k in 0..4 {
                    self.debug_lane[k].next = self.operand_word[4 * g + k].q.val();
                }
            }
        }
        for k in 0..4 {
            for l in 0..8 {
                self.debug_register.d.next = self
                    .debug_register
                    .d
                    .val()
                    .replace_bit(8 * k + l, self.debug_lane[k].val().get_bit(l));
            }
        }
        self.debug_data.next = self.debug_register.q.val();
    }
}
