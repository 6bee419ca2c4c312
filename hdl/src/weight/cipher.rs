//! One stage of the fault pipeline: two rounds of the keyed permutation and what they decide.

use crate::comment;
use crate::fixed::Fixed;
use brownout_spec::cycles::ROUNDS_PER_STAGE;
use brownout_spec::fault::{FILTER, ROTATIONS};
use rust_hdl::prelude::*;

// A stage takes two planes, and so two bits of the threshold.
const _: () = assert!(ROUNDS_PER_STAGE == 2);

/// Two rounds, then the planes they show folded into `draw < threshold`.
///
/// [`brownout_spec::fault::cipher`] says what a round computes. The substitution follows the
/// sequence of operations of RECTANGLE's paper (Zhang et al. 2014, section 3.1), which a
/// synthesizer turns back into one four-input table a bit.
///
/// A plane holds one bit of every lane's draw, least significant first. Where the threshold's bit
/// is one, a lane whose bit is zero becomes less; where it is zero, a lane whose bit is one
/// becomes not less.
///
/// All of it stands under one `if`: registers move only with a word, and a simulator skips the
/// work of a stage that has none. Nothing is read behind the `if` but registers, so the defaults
/// in front of it cost no logic.
#[derive(LogicBlock, Default)]
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
    mixed: Vec<Signal<Local, Bits<32>>>,
    substituted: Vec<Signal<Local, Bits<32>>>,
    rotated: Vec<Signal<Local, Bits<32>>>,
    after: Vec<Signal<Local, Bits<32>>>,
    first_tap: Vec<Signal<Local, Bits<32>>>,
    second_row: Vec<Signal<Local, Bits<32>>>,
    second_tap: Vec<Signal<Local, Bits<32>>>,
    shown: Vec<Signal<Local, Bits<32>>>,
    plane: Vec<Signal<Local, Bits<N>>>,
    less_before: Vec<Signal<Local, Bits<N>>>,
    less_after: Vec<Signal<Local, Bits<N>>>,
    row_after_register: Vec<DFF<Bits<32>>>,
    less_register: DFF<Bits<N>>,
    /// For each bit of each row, the column it comes from.
    row_source: Vec<Fixed<Bits<5>>>,
    first_row_of: Vec<Fixed<Bits<2>>>,
    second_row_of: Vec<Fixed<Bits<2>>>,
    /// For each lane, the column of its second tap.
    tap_source: Vec<Fixed<Bits<5>>>,
    whole_groups: Fixed<Bits<2>>,
    folds: Fixed<Bit>,
    _groups: usize,
    _whole: usize,
    _rest: usize,
}

impl<const N: usize> CipherStage<N> {
    /// A stage that `folds` planes, or one that only mixes.
    pub fn new(folds: bool) -> Self {
        fn several<T: Default>(count: usize) -> Vec<T> {
            (0..count).map(|_| T::default()).collect()
        }
        let groups = N.div_ceil(32);
        let row_source = |bit: usize| (bit % 32 + 32 - ROTATIONS[bit / 32] as usize) % 32;
        let tap_source = |lane: usize| (lane % 32 + FILTER[lane / 32].offset as usize) % 32;
        Self {
            row: several(4),
            round_constant: several(2),
            threshold: several(2),
            row_after: several(4),
            before: several(2 * 4),
            mixed: several(2),
            substituted: several(2 * 4),
            rotated: several(2 * 4),
            after: several(2 * 4),
            first_tap: several(2 * groups),
            second_row: several(2 * groups),
            second_tap: several(2 * groups),
            shown: several(2 * groups),
            plane: several(2),
            less_before: several(2),
            less_after: several(2),
            row_after_register: several(4),
            row_source: (0..4 * 32).map(row_source).map(Fixed::new).collect(),
            first_row_of: FILTER.iter().map(|g| Fixed::new(g.first_row)).collect(),
            second_row_of: FILTER.iter().map(|g| Fixed::new(g.second_row)).collect(),
            tap_source: (0..32 * groups).map(tap_source).map(Fixed::new).collect(),
            whole_groups: Fixed::new(N / 32),
            folds: Fixed::flag(folds),
            _groups: groups,
            _whole: N / 32,
            _rest: N % 32,
            ..Self::default()
        }
    }
}

impl<const N: usize> Logic for CipherStage<N> {
    #[hdl_gen]
    fn update(&mut self) {
        comment!(
            "module cipher_{folds?fold:mix}: Two rounds of the keyed permutation{folds? and two bits of each lane's comparison:}, one clock later."
        );
        comment!(
            "The state is four rows of 32 bits; the substitution acts on each column of four, then \
             rows are rotated (S-box: RECTANGLE, Zhang et al. 2014, section 3.1)."
        );
        comment!(
            "Everything stands under the enable: registers move only with a word, and a simulator \
             skips a stage without one. What is computed there is read there only, so the zeros in \
             front cost no logic."
        );
        comment!("ports enable: the word that moves in, and its state");
        comment!("ports round_constant: constants of the two rounds");
        comment!(
            "ports less_in: lanes whose draw is less than the threshold as far as lower bits tell, and the threshold's bits for two more"
        );
        comment!("ports row_after: the word one clock later");
        dff_setup!(self, clock, less_register);
        for r in 0..4 {
            self.row_after_register[r].clock.next = self.clock.val();
            self.row_after_register[r].d.next = self.row_after_register[r].q.val();
            self.row_after[r].next = self.row_after_register[r].q.val();
        }
        self.less.next = self.less_register.q.val();
        for k in 0..2 {
            self.mixed[k].next = 0.into();
            for r in 0..4 {
                self.before[4 * k + r].next = 0.into();
                self.substituted[4 * k + r].next = 0.into();
                self.rotated[4 * k + r].next = 0.into();
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
            self.less_before[k].next = 0.into();
            self.less_after[k].next = 0.into();
        }
        if self.enable.val() {
            for k in 0..2 {
                for r in 0..4 {
                    if k == 0 {
                        self.before[4 * k + r].next = self.row[r].val();
                    } else {
                        self.before[4 * k + r].next = self.after[4 * k + r - 4].val();
                    }
                }
                comment!("round {k}: substitution, rotation, constant");
                self.mixed[k].next = self.before[4 * k].val()
                    ^ (self.before[4 * k + 3].val() | !self.before[4 * k + 1].val());
                self.substituted[4 * k].next = (self.before[4 * k].val()
                    & !self.before[4 * k + 1].val())
                    ^ self.before[4 * k + 2].val()
                    ^ self.before[4 * k + 3].val();
                self.substituted[4 * k + 1].next =
                    self.before[4 * k + 2].val() ^ self.mixed[k].val();
                self.substituted[4 * k + 2].next = self.mixed[k].val()
                    ^ (self.substituted[4 * k].val()
                        | (self.before[4 * k + 1].val() ^ self.before[4 * k + 2].val()));
                self.substituted[4 * k + 3].next = self.before[4 * k + 1].val()
                    ^ self.before[4 * k + 2].val()
                    ^ ((self.before[4 * k + 2].val() ^ self.before[4 * k + 3].val())
                        & self.mixed[k].val());
                for r in 0..4 {
                    for i in 0..32 {
                        self.rotated[4 * k + r].next = self.rotated[4 * k + r].val().replace_bit(
                            i,
                            self.substituted[4 * k + r]
                                .val()
                                .get_bit(self.row_source[32 * r + i].val().index()),
                        );
                    }
                    if r == 0 {
                        self.after[4 * k + r].next =
                            self.rotated[4 * k + r].val() ^ self.round_constant[k].val();
                    } else {
                        self.after[4 * k + r].next = self.rotated[4 * k + r].val();
                    }
                }
            }
            for r in 0..4 {
                self.row_after_register[r].d.next = self.after[4 + r].val();
            }
            if self.folds.val() {
                for k in 0..2 {
                    comment!("plane {k}: two taps of the state in each lane");
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
                    if k == 0 {
                        self.less_before[k].next = self.less_in.val();
                    } else {
                        self.less_before[k].next = self.less_after[k - 1].val();
                    }
                    comment!("a zero below a one is less, a one above a zero is not");
                    if self.threshold[k].val() {
                        self.less_after[k].next = self.less_before[k].val() | !self.plane[k].val();
                    } else {
                        self.less_after[k].next = self.less_before[k].val() & !self.plane[k].val();
                    }
                }
                self.less_register.d.next = self.less_after[1].val();
            }
        }
    }
}
