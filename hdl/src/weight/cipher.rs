//! The keyed permutation behind the faults, two rounds a clock.

use crate::comment;
use brownout_spec::fault::{FILTER, ROTATIONS};
use rust_hdl::prelude::*;

/// One round: S-box on every column, rows rotated, a constant into row 0.
///
/// Combinational; [`brownout_spec::fault::cipher`] says what it computes. The substitution is
/// the sequence of operations of RECTANGLE's paper (Zhang et al. 2014, section 3.1), which a
/// synthesizer turns back into one four-input table a bit.
#[derive(LogicBlock)]
pub struct CipherRound {
    /// State before the round.
    pub row: Vec<Signal<In, Bits<32>>>,
    /// XORed into row 0.
    pub round_constant: Signal<In, Bits<32>>,
    /// State after the round.
    pub row_after: Vec<Signal<Out, Bits<32>>>,
    not_row_1: Signal<Local, Bits<32>>,
    difference: Signal<Local, Bits<32>>,
    sum: Signal<Local, Bits<32>>,
    middle: Signal<Local, Bits<32>>,
    substituted: Vec<Signal<Local, Bits<32>>>,
    rotated: Vec<Signal<Local, Bits<32>>>,
    /// For each row, where each of its bits comes from.
    source: Vec<Constant<Bits<5>>>,
}

impl Default for CipherRound {
    fn default() -> Self {
        let source = |bit: usize| (bit % 32 + 32 - ROTATIONS[bit / 32] as usize) % 32;
        Self {
            row: (0..4).map(|_| Default::default()).collect(),
            round_constant: Default::default(),
            row_after: (0..4).map(|_| Default::default()).collect(),
            not_row_1: Default::default(),
            difference: Default::default(),
            sum: Default::default(),
            middle: Default::default(),
            substituted: (0..4).map(|_| Default::default()).collect(),
            rotated: (0..4).map(|_| Default::default()).collect(),
            source: (0..4 * 32)
                .map(|bit| Constant::new((source(bit) as u64).into()))
                .collect(),
        }
    }
}

impl Logic for CipherRound {
    #[hdl_gen]
    fn update(&mut self) {
        comment!(
            "module cipher_round: substitution on each column, rotation of each row, constant"
        );
        self.not_row_1.next = !self.row[1].val();
        self.difference.next = self.row[2].val() ^ self.row[3].val();
        self.sum.next = self.row[1].val() ^ self.row[2].val();
        self.substituted[0].next =
            (self.row[0].val() & self.not_row_1.val()) ^ self.difference.val();
        self.middle.next = self.row[0].val() ^ (self.row[3].val() | self.not_row_1.val());
        self.substituted[1].next = self.row[2].val() ^ self.middle.val();
        self.substituted[2].next = self.middle.val() ^ (self.substituted[0].val() | self.sum.val());
        self.substituted[3].next = self.sum.val() ^ (self.difference.val() & self.middle.val());
        for r in 0..4 {
            self.rotated[r].next = 0.into();
            for i in 0..32 {
                self.rotated[r].next = self.rotated[r].val().replace_bit(
                    i,
                    self.substituted[r]
                        .val()
                        .get_bit(self.source[32 * r + i].val().index()),
                );
            }
        }
        self.row_after[0].next = self.rotated[0].val() ^ self.round_constant.val();
        for r in 1..4 {
            self.row_after[r].next = self.rotated[r].val();
        }
    }
}

/// Two rounds, and what the output filter shows after each of them.
#[derive(LogicBlock)]
pub struct CipherStage<const N: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// A word's state is at the input.
    pub enable: Signal<In, Bit>,
    /// State before the first round.
    pub row: Vec<Signal<In, Bits<32>>>,
    /// Constants of both rounds.
    pub round_constant: Vec<Signal<In, Bits<32>>>,
    /// State after the second round, one clock later.
    pub row_after: Vec<Signal<Out, Bits<32>>>,
    /// Plane after each round, in the same clock.
    pub plane: Vec<Signal<Out, Bits<N>>>,
    round: Vec<CipherRound>,
    state: Vec<DFF<Bits<32>>>,
    first_tap: Vec<Signal<Local, Bits<32>>>,
    second_row: Vec<Signal<Local, Bits<32>>>,
    second_tap: Vec<Signal<Local, Bits<32>>>,
    shown: Vec<Signal<Local, Bits<32>>>,
    first_row_of: Vec<Constant<Bits<2>>>,
    second_row_of: Vec<Constant<Bits<2>>>,
    /// For each group of 32 lanes, the bit that each lane's second tap comes from.
    source: Vec<Constant<Bits<5>>>,
    whole_groups: Constant<Bits<2>>,
    _groups: usize,
    _whole: usize,
    _rest: usize,
}

impl<const N: usize> Default for CipherStage<N> {
    fn default() -> Self {
        let groups = N.div_ceil(32);
        let source = |lane: usize| (lane % 32 + FILTER[lane / 32].offset as usize) % 32;
        let row = |row: usize| Constant::new((row as u64).into());
        Self {
            clock: Default::default(),
            enable: Default::default(),
            row: (0..4).map(|_| Default::default()).collect(),
            round_constant: (0..2).map(|_| Default::default()).collect(),
            row_after: (0..4).map(|_| Default::default()).collect(),
            plane: (0..2).map(|_| Default::default()).collect(),
            round: (0..2).map(|_| Default::default()).collect(),
            state: (0..4).map(|_| Default::default()).collect(),
            first_tap: (0..2 * groups).map(|_| Default::default()).collect(),
            second_row: (0..2 * groups).map(|_| Default::default()).collect(),
            second_tap: (0..2 * groups).map(|_| Default::default()).collect(),
            shown: (0..2 * groups).map(|_| Default::default()).collect(),
            first_row_of: FILTER.iter().map(|group| row(group.first_row)).collect(),
            second_row_of: FILTER.iter().map(|group| row(group.second_row)).collect(),
            source: (0..32 * groups)
                .map(|lane| Constant::new((source(lane) as u64).into()))
                .collect(),
            whole_groups: Constant::new((N as u64 / 32).into()),
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
            "module cipher_stage: two rounds of the keyed permutation and the planes they show"
        );
        for r in 0..4 {
            self.state[r].clock.next = self.clock.val();
            self.state[r].d.next = self.state[r].q.val();
            self.round[0].row[r].next = self.row[r].val();
            self.round[1].row[r].next = self.round[0].row_after[r].val();
            if self.enable.val() {
                self.state[r].d.next = self.round[1].row_after[r].val();
            }
            self.row_after[r].next = self.state[r].q.val();
        }
        for k in 0..2 {
            self.round[k].round_constant.next = self.round_constant[k].val();
            for groups in self._groups..(self._groups + 1) {
                for g in 0..self._groups {
                    self.first_tap[groups * k + g].next = 0.into();
                    self.second_row[groups * k + g].next = 0.into();
                    for r in 0..4 {
                        if self.first_row_of[g].val().index() == r {
                            self.first_tap[groups * k + g].next = self.round[k].row_after[r].val();
                        }
                        if self.second_row_of[g].val().index() == r {
                            self.second_row[groups * k + g].next = self.round[k].row_after[r].val();
                        }
                    }
                    self.second_tap[groups * k + g].next = 0.into();
                    for i in 0..32 {
                        self.second_tap[groups * k + g].next =
                            self.second_tap[groups * k + g].val().replace_bit(
                                i,
                                self.second_row[groups * k + g]
                                    .val()
                                    .get_bit(self.source[32 * g + i].val().index()),
                            );
                    }
                    self.shown[groups * k + g].next = self.first_tap[groups * k + g].val()
                        ^ self.second_tap[groups * k + g].val();
                }
                self.plane[k].next = 0.into();
                for g in 0..self._whole {
                    for i in 0..32 {
                        self.plane[k].next = self.plane[k]
                            .val()
                            .replace_bit(32 * g + i, self.shown[groups * k + g].val().get_bit(i));
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
    }
}
