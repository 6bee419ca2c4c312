//! The input stream: 32-bit beats into one of the memories.

use crate::comment;
use crate::fixed::Fixed;
use brownout_spec::config::Configuration;
use brownout_spec::registers::LoadTarget;
use rust_hdl::prelude::*;

/// Distributes beats; accepts one a clock while no pass runs.
#[derive(LogicBlock, Default)]
pub struct Loader {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// No pass is running.
    pub idle: Signal<In, Bit>,
    /// Memory to fill.
    pub target: Signal<In, Bits<2>>,
    /// It is the tables, whatever `target` says; without effect where there are none.
    pub to_tables: Signal<In, Bit>,
    /// Begin again at the memory's first word.
    pub restart: Signal<In, Bit>,
    /// Stream handshake.
    pub input_valid: Signal<In, Bit>,
    /// Stream data.
    pub input_data: Signal<In, Bits<32>>,
    /// Stream handshake.
    pub input_ready: Signal<Out, Bit>,
    /// The beat to write.
    pub data: Signal<Out, Bits<32>>,
    /// Its word.
    pub address: Signal<Out, Bits<23>>,
    /// Weight memory: which part of the code word.
    pub weight_lane: Vec<Signal<Out, Bit>>,
    /// Program memory.
    pub program_write: Signal<Out, Bit>,
    /// Parameter memory of each column.
    pub parameter_write: Vec<Signal<Out, Bit>>,
    /// Which half of a parameter word.
    pub parameter_half: Signal<Out, Bit>,
    /// Tables of all columns.
    pub table_write: Signal<Out, Bit>,
    /// Activation buffer 0.
    pub activation_write: Signal<Out, Bit>,
    /// Which group of four lanes.
    pub activation_group: Signal<Out, Bits<4>>,
    word: DFF<Bits<23>>,
    beat: DFF<Bits<7>>,
    weight_write: Vec<DFF<Bit>>,
    program_strobe: DFF<Bit>,
    column_write: Vec<DFF<Bit>>,
    activation_strobe: DFF<Bit>,
    table_strobe: DFF<Bit>,
    write_word: DFF<Bits<23>>,
    write_beat: DFF<Bits<7>>,
    write_data: DFF<Bits<32>>,
    last_beat: Signal<Local, Bits<7>>,
    accept: Signal<Local, Bit>,
    others: Signal<Local, Bit>,
    has_tables: Fixed<Bit>,
    weights: Fixed<Bits<2>>,
    program: Fixed<Bits<2>>,
    parameters: Fixed<Bits<2>>,
    activations: Fixed<Bits<2>>,
    last_weight_beat: Fixed<Bits<7>>,
    last_parameter_beat: Fixed<Bits<7>>,
    last_activation_beat: Fixed<Bits<7>>,
    _weight_beats: usize,
    _columns: usize,
}

impl Loader {
    /// The loader of a configuration.
    pub fn new(configuration: &Configuration) -> Self {
        fn many<T: Default>(count: usize) -> Vec<T> {
            (0..count).map(|_| T::default()).collect()
        }
        let beats = configuration.code.word_bits().div_ceil(32);
        let columns = configuration.columns;
        let target = |t: LoadTarget| Fixed::new(t as u32);
        let last = |beats: usize| Fixed::new(beats - 1);
        Self {
            weight_lane: many(beats),
            weight_write: many(beats),
            parameter_write: many(columns),
            column_write: many(columns),
            weights: target(LoadTarget::Weights),
            program: target(LoadTarget::Program),
            parameters: target(LoadTarget::Parameters),
            activations: target(LoadTarget::Activations),
            has_tables: Fixed::flag(configuration.tables > 0),
            last_weight_beat: last(beats),
            last_parameter_beat: last(2 * columns),
            last_activation_beat: last(configuration.activation_lanes() / 4),
            _weight_beats: beats,
            _columns: columns,
            ..Self::default()
        }
    }
}

impl Logic for Loader {
    #[hdl_gen]
    fn update(&mut self) {
        comment!(
            "module loader: Input stream into weight, program, parameter{has_tables?, table:} or activation memory."
        );
        comment!(
            "Takes one beat a clock while no pass runs; the memory that is meant is written in \
             the next clock."
        );
        comment!("ports idle: no pass is running");
        comment!("ports target: LOAD_TARGET; `restart` begins again at the memory's first word");
        comment!("ports input_valid: input stream");
        comment!("ports data: the beat to write, and its word");
        comment!("ports weight_lane: write strobes: parts of a weight word, ...");
        dff_setup!(
            self,
            clock,
            word,
            beat,
            program_strobe,
            activation_strobe,
            table_strobe,
            write_word,
            write_beat,
            write_data
        );
        self.accept.next =
            self.input_valid.val() && self.idle.val() && !self.restart.val() && !self.reset.val();
        self.input_ready.next = self.idle.val() && !self.restart.val();
        self.last_beat.next = 0.into();
        if self.target.val() == self.weights.val() {
            self.last_beat.next = self.last_weight_beat.val();
        }
        if self.target.val() == self.parameters.val() {
            self.last_beat.next = self.last_parameter_beat.val();
        }
        if self.target.val() == self.activations.val() {
            self.last_beat.next = self.last_activation_beat.val();
        }
        self.others.next = self.accept.val();
        if self.has_tables.val() && self.to_tables.val() {
            self.last_beat.next = 0.into();
            self.others.next = false;
        }
        if self.accept.val() {
            self.write_word.d.next = self.word.q.val();
            self.write_beat.d.next = self.beat.q.val();
            self.write_data.d.next = self.input_data.val();
            self.beat.d.next = self.beat.q.val() + 1;
            if self.beat.q.val() == self.last_beat.val() {
                self.beat.d.next = 0.into();
                self.word.d.next = self.word.q.val() + 1;
            }
        }
        if self.restart.val() || self.reset.val() {
            self.beat.d.next = 0.into();
            self.word.d.next = 0.into();
        }

        comment!("one clock later: the strobe of the memory that is meant");
        self.data.next = self.write_data.q.val();
        self.address.next = self.write_word.q.val();
        for b in 0..self._weight_beats {
            self.weight_write[b].clock.next = self.clock.val();
            self.weight_write[b].d.next = self.others.val()
                && (self.target.val() == self.weights.val())
                && (self.beat.q.val().index() == b);
            self.weight_lane[b].next = self.weight_write[b].q.val();
        }
        self.program_strobe.d.next = self.others.val() && (self.target.val() == self.program.val());
        self.program_write.next = self.program_strobe.q.val();
        for j in 0..self._columns {
            self.column_write[j].clock.next = self.clock.val();
            self.column_write[j].d.next = self.others.val()
                && (self.target.val() == self.parameters.val())
                && (self.beat.q.val().get_bits::<6>(1).index() == j);
            self.parameter_write[j].next = self.column_write[j].q.val();
        }
        self.parameter_half.next = self.write_beat.q.val().get_bit(0);
        self.activation_strobe.d.next =
            self.others.val() && (self.target.val() == self.activations.val());
        self.table_strobe.d.next = self.accept.val() && self.to_tables.val();
        self.table_write.next = self.table_strobe.q.val();
        self.activation_write.next = self.activation_strobe.q.val();
        self.activation_group.next = self.write_beat.q.val().get_bits::<4>(0);
    }
}
