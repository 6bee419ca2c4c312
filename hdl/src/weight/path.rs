//! From the weight memory to the array's port.

use super::address::AddressCounter;
use super::decoder::Decoder;
use super::fault::FaultPipeline;
use super::fifo::WordFifo;
use super::fifo_depth;
use super::loader::TileLoader;
use super::popcount::PopCount;
use super::walk::BlockWalk;
use crate::comment;
use crate::memory::Memory;
use brownout_spec::code::{Code, CodeName};
use brownout_spec::config::Configuration;
use rust_hdl::prelude::*;

/// Weight memory, fault emulation, decoder and prefetch FIFO.
///
/// `N` is the width of a memory word, `WB` that of a weight.
#[derive(LogicBlock)]
pub struct WeightPath<const N: usize, const WB: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// Begins a pass at address 0 and loads its first tile; flushes what an earlier pass left.
    pub start: Signal<In, Bit>,
    /// Words of the pass - 1.
    pub weight_words: Signal<In, Bits<23>>,
    /// Loads the next tile: its words are popped from this clock on.
    pub load_start: Signal<In, Bit>,
    /// It begins with the first input channels of a tap.
    pub load_restart: Signal<In, Bit>,
    /// The tap's words lie on diagonals.
    pub load_diagonal: Signal<In, Bit>,
    /// Inputs of its groups - 1; this and the next three one clock after `load_start`.
    pub load_group_inputs: Signal<In, Bits<14>>,
    /// Outputs of its groups - 1.
    pub load_group_outputs: Signal<In, Bits<14>>,
    /// Columns that its first group still has, less one.
    pub load_columns_left: Signal<In, Bits<14>>,
    /// Row of that group's first input.
    pub load_first_row: Signal<In, Bits<6>>,
    /// The last word of the tile is popped in this clock or was before.
    pub load_ready: Signal<Out, Bit>,

    /// One for each 32-bit beat of a word; the last beat writes the word, so it must come last.
    pub write_lane: Vec<Signal<In, Bit>>,
    /// Word that the last beat writes.
    pub write_address: Signal<In, Bits<23>>,
    /// The beat; the third of a 72-bit word uses the lowest 8 bits.
    pub write_data: Signal<In, Bits<32>>,

    /// What happens to a word with a detected error.
    pub policy: Signal<In, Bits<2>>,
    /// Chip seed, low half; this and the next five with fault emulation only.
    pub chip_seed_low: Signal<In, Bits<32>>,
    /// Chip seed, high half.
    pub chip_seed_high: Signal<In, Bits<32>>,
    /// Number of the pass.
    pub pass: Signal<In, Bits<32>>,
    /// Fault threshold.
    pub threshold: Signal<In, Bits<32>>,
    /// Fault mode.
    pub fault_mode: Signal<In, Bits<2>>,
    /// Share of ones among stuck cells, in 1/256.
    pub ones_share: Signal<In, Bits<9>>,

    /// The weights of one word.
    pub weight: Vec<Signal<Out, Bits<WB>>>,
    /// They go to the array.
    pub weight_valid: Signal<Out, Bit>,
    /// First row of the word, in units of the rows of a word.
    pub weight_row: Signal<Out, Bits<6>>,
    /// Group of columns of the word.
    pub weight_group: Signal<Out, Bits<4>>,
    /// The word lies on a diagonal.
    pub weight_diagonal: Signal<Out, Bit>,
    /// For each row of the word, the first column that is not padding.
    pub weight_from: Vec<Signal<Out, Bits<7>>>,
    /// The first column behind those.
    pub weight_to: Vec<Signal<Out, Bits<7>>>,

    /// A word was read; the events of one word come in different clocks.
    pub word_read: Signal<Out, Bit>,
    /// A word was corrected.
    pub corrected: Signal<Out, Bit>,
    /// A word has an error that was detected and not corrected.
    pub detected: Signal<Out, Bit>,
    /// Address of that word.
    pub detected_address: Signal<Out, Bits<23>>,
    /// A word was disturbed.
    pub disturbed: Signal<Out, Bit>,
    /// How many of its bits were flipped; zero when no word was.
    pub flipped: Signal<Out, Bits<7>>,

    counter: AddressCounter,
    faults: Vec<FaultPipeline<N>>,
    flip_count: Vec<PopCount<N>>,
    memory: Memory<N>,
    decoder: Vec<Decoder<N, WB>>,
    fifo: WordFifo<WB>,
    loader: TileLoader,
    walk: BlockWalk,
    port_valid: DFF<Bit>,
    port_weight: Vec<DFF<Bits<WB>>>,

    held: Vec<DFF<Bits<32>>>,
    write_word: Signal<Local, Bits<N>>,
    flush: Signal<Local, Bit>,
    asks: Signal<Local, Bit>,
    read: DFF<Bit>,
    read_address: DFF<Bits<23>>,
    read_valid: DFF<Bit>,
    read_word: DFF<Bits<N>>,
    held_valid: DFF<Bit>,
    word: DFF<Bits<N>>,
    word_valid: DFF<Bit>,
    flips: DFF<Bits<N>>,
    any_flips: DFF<Bit>,
    counting: DFF<Bit>,
    counted: DFF<Bit>,
    decoding: DFF<Bit>,
    decoded: DFF<Bit>,
    decoded_address: DFF<Bits<23>>,
    has_faults: Constant<Bit>,
    has_decoder: Constant<Bit>,
    _held: usize,
    _last_beat_bits: usize,
    _lanes: usize,
    _rows_per_word: usize,
    _faults: usize,
    _decoders: usize,
}

impl<const N: usize, const WB: usize> WeightPath<N, WB> {
    /// The weight path of a validated configuration with words of `N` and weights of `WB` bits.
    pub fn new(configuration: &Configuration) -> Self {
        let code = Code::of(configuration);
        assert_eq!((code.n(), code.weight_bits().bits()), (N, WB));
        let lanes = code.weights_per_word();
        let depth = fifo_depth(configuration);
        let faults = usize::from(configuration.fault_emulation);
        let decoders = usize::from(configuration.code != CodeName::None);
        let beats = N.div_ceil(32);
        Self {
            clock: Default::default(),
            reset: Default::default(),
            start: Default::default(),
            weight_words: Default::default(),
            load_start: Default::default(),
            load_restart: Default::default(),
            load_diagonal: Default::default(),
            load_group_inputs: Default::default(),
            load_group_outputs: Default::default(),
            load_columns_left: Default::default(),
            load_first_row: Default::default(),
            load_ready: Default::default(),
            write_lane: (0..beats).map(|_| Default::default()).collect(),
            write_address: Default::default(),
            write_data: Default::default(),
            policy: Default::default(),
            chip_seed_low: Default::default(),
            chip_seed_high: Default::default(),
            pass: Default::default(),
            threshold: Default::default(),
            fault_mode: Default::default(),
            ones_share: Default::default(),
            weight: (0..lanes).map(|_| Default::default()).collect(),
            weight_valid: Default::default(),
            weight_row: Default::default(),
            weight_group: Default::default(),
            weight_diagonal: Default::default(),
            weight_from: (0..configuration.rows_per_word())
                .map(|_| Default::default())
                .collect(),
            weight_to: (0..configuration.rows_per_word())
                .map(|_| Default::default())
                .collect(),
            word_read: Default::default(),
            corrected: Default::default(),
            detected: Default::default(),
            detected_address: Default::default(),
            disturbed: Default::default(),
            flipped: Default::default(),
            counter: AddressCounter::new(depth),
            faults: (0..faults).map(|_| Default::default()).collect(),
            flip_count: (0..faults).map(|_| Default::default()).collect(),
            memory: Memory::new(configuration.depths.weights, 1),
            decoder: (0..decoders).map(|_| Decoder::new(&code)).collect(),
            fifo: WordFifo::new(depth, lanes),
            loader: TileLoader::new(configuration),
            walk: BlockWalk::new(configuration),
            port_valid: Default::default(),
            port_weight: (0..lanes).map(|_| Default::default()).collect(),
            held: (1..beats).map(|_| Default::default()).collect(),
            write_word: Default::default(),
            flush: Default::default(),
            asks: Default::default(),
            read: Default::default(),
            read_address: Default::default(),
            read_valid: Default::default(),
            read_word: Default::default(),
            held_valid: Default::default(),
            word: Default::default(),
            word_valid: Default::default(),
            flips: Default::default(),
            any_flips: Default::default(),
            counting: Default::default(),
            counted: Default::default(),
            decoding: Default::default(),
            decoded: Default::default(),
            decoded_address: Default::default(),
            has_faults: Constant::new(faults > 0),
            has_decoder: Constant::new(decoders > 0),
            _held: beats - 1,
            _last_beat_bits: N - 32 * (beats - 1),
            _lanes: lanes,
            _rows_per_word: configuration.rows_per_word(),
            _faults: faults,
            _decoders: decoders,
        }
    }
}

impl<const N: usize, const WB: usize> Logic for WeightPath<N, WB> {
    #[hdl_gen]
    fn update(&mut self) {
        comment!(
            "module weight_path: Weight memory, its faults, its decoder, and the words that wait \
             for the array."
        );
        comment!(
            "Words of a pass are asked for in order, ahead of need, as long as they fit into the \
             FIFO; the fault pipeline, if built in, stands in front of the memory, so that a word \
             is read two clocks before its flips are ready. Address and enable of the memory come from registers."
        );
        comment!("ports start: a pass begins");
        comment!("ports load_start: sequencer: loads the next tile, and which");
        comment!("ports write_lane: weight memory, written by the host in parts of 32 bits");
        comment!("ports policy: settings");
        comment!("ports chip_seed_low: settings of the fault emulation");
        comment!(
            "ports weight: a word for the array, its place in the tile, and what of it is padding"
        );
        comment!("ports word_read: events to be counted");
        dff_setup!(
            self,
            clock,
            port_valid,
            read,
            read_address,
            read_valid,
            read_word,
            held_valid,
            word,
            word_valid,
            flips,
            any_flips,
            counting,
            counted,
            decoding,
            decoded,
            decoded_address
        );
        self.flush.next = self.start.val() || self.reset.val();

        comment!("the host's beats of a word wait for its last one");
        self.write_word.next = 0.into();
        for b in 0..self._held {
            self.held[b].clock.next = self.clock.val();
            self.held[b].d.next = self.held[b].q.val();
            if self.write_lane[b].val() {
                self.held[b].d.next = self.write_data.val();
            }
            for i in 0..32 {
                self.write_word.next = self
                    .write_word
                    .val()
                    .replace_bit(32 * b + i, self.held[b].q.val().get_bit(i));
            }
        }
        for last in self._held..(self._held + 1) {
            self.memory.write_enable[0].next = self.write_lane[last].val();
            for i in 0..self._last_beat_bits {
                self.write_word.next = self
                    .write_word
                    .val()
                    .replace_bit(32 * last + i, self.write_data.val().get_bit(i));
            }
        }
        self.memory.clock.next = self.clock.val();
        self.memory.write_address.next = self.write_address.val();
        self.memory.write_data[0].next = self.write_word.val();

        comment!("addresses, as long as the FIFO has room");
        self.counter.clock.next = self.clock.val();
        self.counter.reset.next = self.reset.val();
        self.counter.start.next = self.start.val();
        self.counter.last_address.next = self.weight_words.val();
        self.counter.pop.next = self.loader.pop.val();

        comment!(
            "the register behind the memory, its own if it has one, and the one in which a word meets its flips"
        );
        self.read_word.d.next = self.memory.read_data[0].val();
        self.held_valid.d.next = self.read_valid.q.val();
        self.word.d.next = self.read_word.q.val();
        self.word_valid.d.next = self.held_valid.q.val();
        if self.has_faults.val() {
            for f in 0..self._faults {
                self.faults[f].clock.next = self.clock.val();
                self.faults[f].reset.next = self.reset.val();
                self.faults[f].clear.next = self.start.val();
                self.faults[f].valid.next = self.counter.issue.val();
                self.faults[f].address.next = self.counter.address.val();
                self.faults[f].chip_seed_low.next = self.chip_seed_low.val();
                self.faults[f].chip_seed_high.next = self.chip_seed_high.val();
                self.faults[f].pass.next = self.pass.val();
                self.faults[f].threshold.next = self.threshold.val();
                self.faults[f].fault_mode.next = self.fault_mode.val();
                self.faults[f].ones_share.next = self.ones_share.val();
                self.faults[f].stored.next = self.read_word.q.val();
                self.asks.next = self.faults[f].read.val();
                self.flips.d.next = self.faults[f].flips.val();
                self.word.d.next = self.read_word.q.val() ^ self.faults[f].flips.val();
                self.flip_count[f].clock.next = self.clock.val();
                self.flip_count[f].word.next = self.flips.q.val();
                self.flipped.next = 0.into();
                if self.counted.q.val() {
                    self.flipped.next = self.flip_count[f].count.val();
                }
            }
            if self.read.q.val() {
                self.read_address.d.next = self.read_address.q.val() + 1;
            }
            self.any_flips.d.next = self.word_valid.q.val() && self.flips.q.val().any();
            self.counting.d.next = self.word_valid.q.val();
            self.counted.d.next = self.counting.q.val();
            self.disturbed.next = self.any_flips.q.val();
        } else {
            self.asks.next = self.counter.issue.val();
            self.read_address.d.next = self.counter.address.val();
            self.disturbed.next = false;
            self.flipped.next = 0.into();
        }
        comment!("the failing memory is read once for every word and never else");
        self.read.d.next = self.asks.val();
        self.memory.read_address.next = self.read_address.q.val();
        self.memory.read_enable.next = self.read.q.val();
        self.read_valid.d.next = self.read.q.val();
        self.word_read.next = self.word_valid.q.val();

        comment!("decoded words wait for their tile");
        self.fifo.clock.next = self.clock.val();
        self.fifo.reset.next = self.reset.val();
        self.fifo.clear.next = self.start.val();
        if self.has_decoder.val() {
            for d in 0..self._decoders {
                self.decoder[d].clock.next = self.clock.val();
                self.decoder[d].word.next = self.word.q.val();
                self.decoder[d].policy.next = self.policy.val();
                self.corrected.next = self.decoded.q.val() && self.decoder[d].corrected.val();
                self.detected.next = self.decoded.q.val() && self.decoder[d].detected.val();
                for l in 0..self._lanes {
                    self.fifo.write_weight[l].next = self.decoder[d].weight[l].val();
                }
            }
            self.decoding.d.next = self.word_valid.q.val();
            self.decoded.d.next = self.decoding.q.val();
            if self.decoded.q.val() {
                self.decoded_address.d.next = self.decoded_address.q.val() + 1;
            }
            self.detected_address.next = self.decoded_address.q.val();
            self.fifo.write.next = self.decoded.q.val();
        } else {
            for width in WB..(WB + 1) {
                for l in 0..self._lanes {
                    self.fifo.write_weight[l].next = self.word.q.val().get_bits::<WB>(width * l);
                }
            }
            self.corrected.next = false;
            self.detected.next = false;
            self.detected_address.next = 0.into();
            self.fifo.write.next = self.word_valid.q.val();
        }

        comment!("words of a tile go to the array");
        self.loader.clock.next = self.clock.val();
        self.loader.reset.next = self.reset.val();
        self.loader.start.next = self.start.val();
        self.loader.load_start.next = self.load_start.val();
        self.loader.load_restart.next = self.load_restart.val();
        self.loader.load_diagonal.next = self.load_diagonal.val();
        self.loader.available.next = self.fifo.available.val();
        self.loader.available_next.next = self.fifo.available_next.val();
        self.loader.exhausted.next = self.counter.exhausted.val();
        self.loader.exhausted_next.next = self.counter.exhausted_next.val();
        self.fifo.pop.next = self.loader.pop.val();
        self.load_ready.next = self.loader.load_ready.val();
        for l in 0..self._lanes {
            self.port_weight[l].clock.next = self.clock.val();
            self.port_weight[l].d.next = self.fifo.weight[l].val();
            self.weight[l].next = self.port_weight[l].q.val();
        }
        self.port_valid.d.next = self.loader.weight_valid.val();
        self.weight_valid.next = self.port_valid.q.val();
        self.walk.clock.next = self.clock.val();
        self.walk.opens.next = self.loader.opens.val();
        self.walk.reopens.next = self.loader.reopens.val();
        self.walk.load_diagonal.next = self.loader.diagonal_late.val();
        self.walk.load_group_inputs.next = self.load_group_inputs.val();
        self.walk.load_group_outputs.next = self.load_group_outputs.val();
        self.walk.load_columns_left.next = self.load_columns_left.val();
        self.walk.load_first_row.next = self.load_first_row.val();
        self.walk.valid.next = self.port_valid.q.val();
        self.weight_row.next = self.walk.weight_row.val();
        self.weight_group.next = self.walk.weight_group.val();
        self.weight_diagonal.next = self.walk.weight_diagonal.val();
        for k in 0..self._rows_per_word {
            self.weight_from[k].next = self.walk.weight_from[k].val();
            self.weight_to[k].next = self.walk.weight_to[k].val();
        }

        if self.flush.val() {
            self.read_address.d.next = 0.into();
            self.read.d.next = false;
            self.port_valid.d.next = false;
            self.read_valid.d.next = false;
            self.held_valid.d.next = false;
            self.word_valid.d.next = false;
            self.any_flips.d.next = false;
            self.counting.d.next = false;
            self.counted.d.next = false;
            self.decoding.d.next = false;
            self.decoded.d.next = false;
            self.decoded_address.d.next = 0.into();
        }
    }
}
