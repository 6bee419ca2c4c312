//! One stage of the fault pipeline: two rounds of the keyed permutation and what they decide.

use crate::comment;
use brownout_spec::cycles::ROUNDS_PER_STAGE;
use brownout_spec::fault::{FILTER, ROTATIONS};
use rust_hdl::prelude::*;

// A stage takes two planes, and so two bits of the threshold.
const _: () = assert!(ROUNDS_PER_STAGE == 2);

/// Two rounds, then the planes they show folded into `draw < threshold`.
///
/// [`brownout_spec::fault::cipher`] says what a round computes. The substitution is the sequence
/// of operations of RECTANGLE's paper (Zhang et al. 2014, section 3.1), which a synthesizer turns
/// back into one four-input table a bit.
///
/// A plane holds one bit of every lane's draw, least significant first. Where the threshold's bit
/// is one, a lane whose bit is zero becomes less; where it is zero, a lane whose bit is one
/// becomes not less.
///
/// All of it stands under one `if`: registers move only with a word, and a simulator skips the
/// work of a stage that has none. Nothing is read behind the `if` but registers, so the defaults
/// in front of it cost no logic.
#[derive(LogicBlock)]
pub struct CipherStage<const N: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// A word is at the input.
    pub enable: Signal<In, Bit>,
    /// Its state.
    pub row: Vec<Signal<In, Bits<32>>>,
    /// XORed into row 0 in the first and in the second round.
    pub round_constant: Vec<Signal<In, Bits<32>>>,
    /// Lanes whose draw is less than the threshold as far as lower bits tell.
    pub less_in: Signal<In, Bits<N>>,
    /// The threshold's bits for the two planes.
    pub threshold: Vec<Signal<In, Bit>>,
    /// State after both rounds, one clock later.
    pub row_after: Vec<Signal<Out, Bits<32>>>,
    /// Lanes that are less now, one clock later.
    pub less: Signal<Out, Bits<N>>,
    before: Vec<Signal<Local, Bits<32>>>,
    not_row_1: Vec<Signal<Local, Bits<32>>>,
    difference: Vec<Signal<Local, Bits<32>>>,
    sum: Vec<Signal<Local, Bits<32>>>,
    middle: Vec<Signal<Local, Bits<32>>>,
    substituted: Vec<Signal<Local, Bits<32>>>,
    after: Vec<Signal<Local, Bits<32>>>,
    first_tap: Vec<Signal<Local, Bits<32>>>,
    second_row: Vec<Signal<Local, Bits<32>>>,
    second_tap: Vec<Signal<Local, Bits<32>>>,
    shown: Vec<Signal<Local, Bits<32>>>,
    plane: Vec<Signal<Local, Bits<N>>>,
    decided: Vec<Signal<Local, Bits<N>>>,
    state: Vec<DFF<Bits<32>>>,
    mask: DFF<Bits<N>>,
    /// For each bit of each row, the column it comes from.
    row_source: Vec<Constant<Bits<5>>>,
    first_row_of: Vec<Constant<Bits<2>>>,
    second_row_of: Vec<Constant<Bits<2>>>,
    /// For each lane, the column of its second tap.
    tap_source: Vec<Constant<Bits<5>>>,
    whole_groups: Constant<Bits<2>>,
    folds: Constant<Bit>,
    _groups: usize,
    _whole: usize,
    _rest: usize,
}

impl<const N: usize> CipherStage<N> {
    /// A stage that `folds` planes, or one that only mixes.
    pub fn new(folds: bool) -> Self {
        fn locals<const W: usize>(count: usize) -> Vec<Signal<Local, Bits<W>>> {
            (0..count).map(|_| Default::default()).collect()
        }
        let groups = N.div_ceil(32);
        let row_source = |bit: usize| (bit % 32 + 32 - ROTATIONS[bit / 32] as usize) % 32;
        let tap_source = |lane: usize| (lane % 32 + FILTER[lane / 32].offset as usize) % 32;
        let row = |row: usize| Constant::new((row as u64).into());
        let column = |column: usize| Constant::new((column as u64).into());
        Self {
            clock: Default::default(),
            enable: Default::default(),
            row: (0..4).map(|_| Default::default()).collect(),
            round_constant: (0..2).map(|_| Default::default()).collect(),
            less_in: Default::default(),
            threshold: (0..2).map(|_| Default::default()).collect(),
            row_after: (0..4).map(|_| Default::default()).collect(),
            less: Default::default(),
            before: locals(2 * 4),
            not_row_1: locals(2),
            difference: locals(2),
            sum: locals(2),
            middle: locals(2),
            substituted: locals(2 * 4),
            after: locals(2 * 4),
            first_tap: locals(2 * groups),
            second_row: locals(2 * groups),
            second_tap: locals(2 * groups),
            shown: locals(2 * groups),
            plane: locals(2),
            decided: locals(2),
            state: (0..4).map(|_| Default::default()).collect(),
            mask: Default::default(),
            row_source: (0..4 * 32).map(row_source).map(column).collect(),
            first_row_of: FILTER.iter().map(|group| row(group.first_row)).collect(),
            second_row_of: FILTER.iter().map(|group| row(group.second_row)).collect(),
            tap_source: (0..32 * groups).map(tap_source).map(column).collect(),
            whole_groups: Constant::new((N as u64 / 32).into()),
            folds: Constant::new(folds),
            _groups: groups,
            _whole: N / 32,
            _rest: N % 32,
        }
    }
}

impl<const N: usize> Logic for CipherStage<N> {
    #[hdl_gen]
    fn update(&mut self) {
        comment!(
            "module cipher_stage: two rounds of the keyed permutation, and two bits of each lane's comparison"
        );
        dff_setup!(self, clock, mask);
        for r in 0..4 {
            self.state[r].clock.next = self.clock.val();
            self.state[r].d.next = self.state[r].q.val();
            self.row_after[r].next = self.state[r].q.val();
        }
        self.less.next = self.mask.q.val();
        for k in 0..2 {
            self.not_row_1[k].next = 0.into();
            self.difference[k].next = 0.into();
            self.sum[k].next = 0.into();
            self.middle[k].next = 0.into();
            for r in 0..4 {
                self.before[4 * k + r].next = 0.into();
                self.substituted[4 * k + r].next = 0.into();
                self.after[4 * k + r].next = 0.into();
            }
            for groups in self._groups..(self._groups + 1) {
                for g in 0..self._groups {
                    self.first_tap[groups * k + g].next = 0.into();
                    self.second_row[groups * k + g].next = 0.into();
                    self.second_tap[groups * k + g].next = 0.into();
                    self.shown[groups * k + g].next = 0.into();
                }
            }
            self.plane[k].next = 0.into();
            self.decided[k].next = 0.into();
        }
        if self.enable.val() {
            for k in 0..2 {
                comment!("substitution on each column");
                for r in 0..4 {
                    if k == 0 {
                        self.before[4 * k + r].next = self.row[r].val();
                    } else {
                        self.before[4 * k + r].next = self.after[4 * k + r - 4].val();
                    }
                }
                self.not_row_1[k].next = !self.before[4 * k + 1].val();
                self.difference[k].next =
                    self.before[4 * k + 2].val() ^ self.before[4 * k + 3].val();
                self.sum[k].next = self.before[4 * k + 1].val() ^ self.before[4 * k + 2].val();
                self.substituted[4 * k].next =
                    (self.before[4 * k].val() & self.not_row_1[k].val()) ^ self.difference[k].val();
                self.middle[k].next = self.before[4 * k].val()
                    ^ (self.before[4 * k + 3].val() | self.not_row_1[k].val());
                self.substituted[4 * k + 1].next =
                    self.before[4 * k + 2].val() ^ self.middle[k].val();
                self.substituted[4 * k + 2].next =
                    self.middle[k].val() ^ (self.substituted[4 * k].val() | self.sum[k].val());
                self.substituted[4 * k + 3].next =
                    self.sum[k].val() ^ (self.difference[k].val() & self.middle[k].val());
                comment!("rotation of each row, constant");
                for r in 0..4 {
                    for i in 0..32 {
                        self.after[4 * k + r].next = self.after[4 * k + r].val().replace_bit(
                            i,
                            self.substituted[4 * k + r]
                                .val()
                                .get_bit(self.row_source[32 * r + i].val().index()),
                        );
                    }
                }
                self.after[4 * k].next = self.after[4 * k].val() ^ self.round_constant[k].val();
            }
            for r in 0..4 {
                self.state[r].d.next = self.after[4 + r].val();
            }
            if self.folds.val() {
                for k in 0..2 {
                    comment!("the plane that a round shows: two taps of the state in each lane");
                    for groups in self._groups..(self._groups + 1) {
                        for g in 0..self._groups {
                            for r in 0..4 {
                                if self.first_row_of[g].val().index() == r {
                                    self.first_tap[groups * k + g].next =
                                        self.after[4 * k + r].val();
                                }
                                if self.second_row_of[g].val().index() == r {
                                    self.second_row[groups * k + g].next =
                                        self.after[4 * k + r].val();
                                }
                            }
                            for i in 0..32 {
                                self.second_tap[groups * k + g].next =
                                    self.second_tap[groups * k + g].val().replace_bit(
                                        i,
                                        self.second_row[groups * k + g]
                                            .val()
                                            .get_bit(self.tap_source[32 * g + i].val().index()),
                                    );
                            }
                            self.shown[groups * k + g].next = self.first_tap[groups * k + g].val()
                                ^ self.second_tap[groups * k + g].val();
                        }
                        for g in 0..self._whole {
                            for i in 0..32 {
                                self.plane[k].next = self.plane[k].val().replace_bit(
                                    32 * g + i,
                                    self.shown[groups * k + g].val().get_bit(i),
                                );
                            }
                        }
                        for i in 0..self._rest {
                            self.plane[k].next = self.plane[k].val().replace_bit(
                                32 * self.whole_groups.val().index() + i,
                                self.shown[groups * k + self.whole_groups.val().index()]
                                    .val()
                                    .get_bit(i),
                            );
                        }
                    }
                }
                comment!("comparison, one bit a plane");
                for k in 0..2 {
                    if k == 0 {
                        self.decided[k].next = self.less_in.val();
                    } else {
                        self.decided[k].next = self.decided[k - 1].val();
                    }
                    if self.threshold[k].val() {
                        self.decided[k].next = self.decided[k].val() | !self.plane[k].val();
                    } else {
                        self.decided[k].next = self.decided[k].val() & !self.plane[k].val();
                    }
                }
                self.mask.d.next = self.decided[1].val();
            }
        }
    }
}
