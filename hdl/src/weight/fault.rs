//! The voltage-controlled fault emulation: which bits of a word flip.

use super::cipher::CipherStage;
use crate::comment;
use crate::fixed::Fixed;
use brownout_spec::cycles::{FAULT_STAGES as STAGES, ROUNDS_PER_STAGE};
use brownout_spec::fault::{
    MODE_STUCK_AT, MODE_TRANSIENT, PLANES, ROUND_CONSTANTS, TRANSIENT_TAG, WARM_UP_ROUNDS,
};
use rust_hdl::prelude::*;

/// First stage that shows planes of the draw.
const FIRST_PLANES: usize = WARM_UP_ROUNDS / ROUNDS_PER_STAGE;
/// First stage that shows planes of the polarity.
const FIRST_POLARITY: usize = FIRST_PLANES + PLANES / ROUNDS_PER_STAGE;

/// The flips of one word a clock: [`brownout_spec::fault::ChipFaults::flips`] in hardware.
///
/// A word's address is presented with `valid`; [`STAGES`] clocks later its flips stand at the
/// output, if the stored word is then presented. Registers of a stage move only when a word moves
/// into it. Seed, pass, threshold, mode and share must not change while words are inside.
#[derive(LogicBlock)]
pub struct FaultPipeline<const N: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// Forgets all words inside.
    pub clear: Signal<In, Bit>,
    /// An address is presented.
    pub valid: Signal<In, Bit>,
    /// Address of the word.
    pub address: Signal<In, Bits<23>>,
    /// Chip seed, low half.
    pub chip_seed_low: Signal<In, Bits<32>>,
    /// Chip seed, high half.
    pub chip_seed_high: Signal<In, Bits<32>>,
    /// Number of the pass.
    pub pass: Signal<In, Bits<32>>,
    /// A cell is faulty iff its draw is less.
    pub threshold: Signal<In, Bits<32>>,
    /// 0 none, 1 persistent, 2 transient, 3 stuck-at.
    pub fault_mode: Signal<In, Bits<2>>,
    /// Share of stuck cells that are stuck at one, in 1/256, at most 256.
    pub ones_share: Signal<In, Bits<9>>,
    /// The stored word of the flips at the output.
    pub stored: Signal<In, Bits<N>>,
    /// The word whose flips stand at the output three clocks later has to be read in the next one.
    pub read: Signal<Out, Bit>,
    /// Flips stand at the output.
    pub flips_valid: Signal<Out, Bit>,
    /// The lanes that the read inverts.
    pub flips: Signal<Out, Bits<N>>,
    stage: Vec<CipherStage<N>>,
    round_constant: Vec<Fixed<Bits<32>>>,
    transient_tag: Fixed<Bits<32>>,
    transient: Fixed<Bits<2>>,
    stuck_at: Fixed<Bits<2>>,
    all_lanes: Fixed<Bits<N>>,
    word_valid: Vec<DFF<Bit>>,
    enable: Vec<Signal<Local, Bit>>,
    disturbs: Signal<Local, Bit>,
    /// Cells known to be faulty, while their polarities are drawn.
    faulty: Vec<DFF<Bits<N>>>,
    wide_address: Signal<Local, Bits<32>>,
    share: Signal<Local, Bits<8>>,
    polarity_start: Signal<Local, Bits<N>>,
}

impl<const N: usize> Default for FaultPipeline<N> {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            clear: Default::default(),
            valid: Default::default(),
            address: Default::default(),
            chip_seed_low: Default::default(),
            chip_seed_high: Default::default(),
            pass: Default::default(),
            threshold: Default::default(),
            fault_mode: Default::default(),
            ones_share: Default::default(),
            stored: Default::default(),
            read: Default::default(),
            flips_valid: Default::default(),
            flips: Default::default(),
            stage: (0..STAGES)
                .map(|stage| CipherStage::new(stage >= FIRST_PLANES))
                .collect(),
            round_constant: ROUND_CONSTANTS.iter().map(|c| Fixed::new(*c)).collect(),
            transient_tag: Fixed::new(TRANSIENT_TAG),
            transient: Fixed::new(MODE_TRANSIENT),
            stuck_at: Fixed::new(MODE_STUCK_AT),
            all_lanes: Bits::mask().into(),
            word_valid: (0..STAGES).map(|_| Default::default()).collect(),
            enable: (0..STAGES).map(|_| Default::default()).collect(),
            disturbs: Default::default(),
            faulty: (FIRST_POLARITY..STAGES)
                .map(|_| Default::default())
                .collect(),
            wide_address: Default::default(),
            share: Default::default(),
            polarity_start: Default::default(),
        }
    }
}

impl<const N: usize> Logic for FaultPipeline<N> {
    #[hdl_gen]
    fn update(&mut self) {
        comment!(
            "module fault_pipeline: The bits of a word that a read at low voltage inverts, {stage} \
             clocks after its address."
        );
        comment!(
            "A word's address, the chip's seed and, for transient faults, the pass go through a \
             keyed permutation, two rounds a clock (round constants: the fraction of pi, 32 bits \
             at a time). Every round shows one bit of each lane's draw, least significant first; \
             the draws are compared with the threshold on the way, then in 8 more rounds with the \
             share of stuck cells that are stuck at one."
        );
        comment!("ports clear: forgets all words inside");
        comment!("ports valid: the word whose flips are asked for");
        comment!("ports chip_seed_low: what decides over faults; fixed during a pass");
        comment!("ports stored: the stored word of the flips at the output");
        comment!(
            "ports read: the word is read in the next clock, its flips are shown two clocks after that"
        );
        self.disturbs.next = self.fault_mode.val().any();
        for s in 0..STAGES {
            self.word_valid[s].clock.next = self.clock.val();
            self.stage[s].clock.next = self.clock.val();
            self.stage[s].round_constant[0].next = self.round_constant[2 * s].val();
            self.stage[s].round_constant[1].next = self.round_constant[2 * s + 1].val();
            if s == 0 {
                self.word_valid[s].d.next = self.valid.val();
                self.enable[s].next = self.valid.val() && self.disturbs.val();
            } else {
                self.word_valid[s].d.next = self.word_valid[s - 1].q.val();
                self.enable[s].next = self.word_valid[s - 1].q.val() && self.disturbs.val();
                for r in 0..4 {
                    self.stage[s].row[r].next = self.stage[s - 1].row_after[r].val();
                }
            }
            self.stage[s].enable.next = self.enable[s].val();
        }
        self.wide_address.next = bit_cast::<32, 23>(self.address.val());
        self.stage[0].row[0].next = self.wide_address.val();
        self.stage[0].row[1].next = 0.into();
        self.stage[0].row[2].next = self.chip_seed_low.val();
        self.stage[0].row[3].next = self.chip_seed_high.val();
        if self.fault_mode.val() == self.transient.val() {
            self.stage[0].row[0].next = self.wide_address.val() ^ self.transient_tag.val();
            self.stage[0].row[1].next = self.pass.val();
        }

        comment!("draw < threshold in each lane, from the first stage that shows planes");
        for s in 0..FIRST_PLANES {
            self.stage[s].less_in.next = 0.into();
            for k in 0..2 {
                self.stage[s].threshold[k].next = false;
            }
        }
        for s in FIRST_PLANES..FIRST_POLARITY {
            for first in FIRST_PLANES..(FIRST_PLANES + 1) {
                if s == first {
                    self.stage[s].less_in.next = 0.into();
                } else {
                    self.stage[s].less_in.next = self.stage[s - 1].less.val();
                }
                for k in 0..2 {
                    self.stage[s].threshold[k].next =
                        self.threshold.val().get_bit(2 * (s - first) + k);
                }
            }
        }

        comment!(
            "second draw < share: stuck at one; a share of 256 takes every lane from the start"
        );
        self.share.next = self.ones_share.val().get_bits::<8>(0);
        self.polarity_start.next = 0.into();
        if self.ones_share.val().get_bit(8) {
            self.share.next = 255.into();
            self.polarity_start.next = self.all_lanes.val();
        }
        for s in FIRST_POLARITY..STAGES {
            for first in FIRST_POLARITY..(FIRST_POLARITY + 1) {
                self.faulty[s - first].clock.next = self.clock.val();
                self.faulty[s - first].d.next = self.faulty[s - first].q.val();
                if s == first {
                    self.stage[s].less_in.next = self.polarity_start.val();
                    if self.enable[s].val() {
                        self.faulty[s - first].d.next = self.stage[s - 1].less.val();
                    }
                } else {
                    self.stage[s].less_in.next = self.stage[s - 1].less.val();
                    if self.enable[s].val() {
                        self.faulty[s - first].d.next = self.faulty[s - first - 1].q.val();
                    }
                }
                for k in 0..2 {
                    self.stage[s].threshold[k].next = self.share.val().get_bit(2 * (s - first) + k);
                }
            }
        }

        comment!("a stuck cell inverts only what differs from its polarity");
        self.flips.next = 0.into();
        for last in (STAGES - 1)..STAGES {
            for first in FIRST_POLARITY..(FIRST_POLARITY + 1) {
                if self.disturbs.val() {
                    self.flips.next = self.faulty[last - first].q.val();
                }
                if self.fault_mode.val() == self.stuck_at.val() {
                    self.flips.next = self.faulty[last - first].q.val()
                        & (self.stored.val() ^ self.stage[last].less.val());
                }
            }
        }
        for last in (STAGES - 1)..STAGES {
            self.read.next = self.word_valid[last - 3].q.val();
            self.flips_valid.next = self.word_valid[last].q.val();
        }
        if self.clear.val() || self.reset.val() {
            for s in 0..STAGES {
                self.word_valid[s].d.next = false;
            }
        }
    }
}
