//! The decoder of one code, derived from the code's columns.

use crate::comment;
use brownout_spec::code::{Code, Codeword};
use rust_hdl::prelude::*;

/// Corrects one error a word and reports what it cannot correct.
///
/// Two clocks: the syndrome, then the correction and the policy. Signs are repeated on the
/// way out, so that the check bits of in-place codes need no register behind the correction.
/// Lanes that the memory holds inverted are check lanes, which no weight is read from: it is
/// enough to invert their parities. `N` is the word's width, `WB` a weight's.
#[derive(LogicBlock)]
pub struct Decoder<const N: usize, const WB: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// A word as it was read.
    pub word: Signal<In, Bits<N>>,
    /// What happens to a word with a detected error: 0 keep, 1 zero, 2 zero the constrained weights.
    pub policy: Signal<In, Bits<2>>,
    /// The weights of the word presented two cycles earlier.
    pub weight: Vec<Signal<Out, Bits<WB>>>,
    /// One lane of it was inverted.
    pub corrected: Signal<Out, Bit>,
    /// It has an error that was not corrected.
    pub detected: Signal<Out, Bit>,
    parity_mask: Vec<Constant<Bits<N>>>,
    /// The parities of a stored word without error.
    stored_parity: Constant<Bits<8>>,
    is_coset: Constant<Bit>,
    column: Vec<Constant<Bits<8>>>,
    /// Bit s: the syndrome of odd weight whose low seven bits are s is a column.
    is_column: Constant<Bits<128>>,
    column_set: Signal<Local, Bits<128>>,
    low_syndrome: Signal<Local, Bits<7>>,
    odd: Signal<Local, Bit>,
    corrects: Signal<Local, Bit>,
    uncorrectable: Signal<Local, Bit>,
    has_gaps: Constant<Bit>,
    repeats_sign: Vec<Constant<Bit>>,
    constrained: Vec<Constant<Bit>>,
    parity: Signal<Local, Bits<8>>,
    received: DFF<Bits<N>>,
    syndrome: DFF<Bits<8>>,
    accused: Signal<Local, Bits<N>>,
    word_corrected: DFF<Bits<N>>,
    any_corrected: DFF<Bit>,
    any_detected: DFF<Bit>,
    restored: Signal<Local, Bits<N>>,
    clear_constrained: Signal<Local, Bit>,
    clear_others: Signal<Local, Bit>,
    _checks: usize,
    _lanes: usize,
}

impl<const N: usize, const WB: usize> Decoder<N, WB> {
    /// The decoder of `code`, which has words of `N` and weights of `WB` bits, and check bits.
    pub fn new(code: &Code) -> Self {
        assert_eq!((code.n(), code.weight_bits().bits()), (N, WB));
        assert!(code.check_bits() > 0, "code none has no decoder");
        assert_eq!(code.inverted() & !code.check_mask(), 0, "weights are plain");
        let lanes = code.weights_per_word();
        let in_field = u128::from(code.field_mask());
        Self {
            clock: Default::default(),
            word: Default::default(),
            policy: Default::default(),
            weight: (0..lanes).map(|_| Default::default()).collect(),
            corrected: Default::default(),
            detected: Default::default(),
            parity_mask: (0..code.check_bits())
                .map(|check| Constant::new(lanes_of(code.mask(check))))
                .collect(),
            stored_parity: Constant::new(u64::from(code.syndrome(Codeword(0))).into()),
            is_coset: Constant::new(!code.storage().is_plain()),
            column: code
                .columns()
                .iter()
                .map(|&column| Constant::new(u64::from(column).into()))
                .collect(),
            is_column: Constant::new(
                code.columns()
                    .iter()
                    .fold(Bits::default(), |set: Bits<128>, &column| {
                        set.replace_bit(usize::from(column & 0x7f), true)
                    }),
            ),
            column_set: Default::default(),
            low_syndrome: Default::default(),
            odd: Default::default(),
            has_gaps: Constant::new(code.n() < 1 << (code.check_bits() - 1)),
            corrects: Default::default(),
            uncorrectable: Default::default(),
            repeats_sign: (0..N)
                .map(|lane| Constant::new(code.check_mask() & in_field & 1 << lane != 0))
                .collect(),
            constrained: (0..lanes)
                .map(|position| Constant::new(code.is_constrained(position)))
                .collect(),
            parity: Default::default(),
            received: Default::default(),
            syndrome: Default::default(),
            accused: Default::default(),
            word_corrected: Default::default(),
            any_corrected: Default::default(),
            any_detected: Default::default(),
            restored: Default::default(),
            clear_constrained: Default::default(),
            clear_others: Default::default(),
            _checks: code.check_bits(),
            _lanes: lanes,
        }
    }
}

/// A mask of lanes as rust-hdl's type, which is made from at most 64 bits at once.
fn lanes_of<const N: usize>(mask: u128) -> Bits<N> {
    (0..N).fold(Bits::default(), |bits, lane| {
        bits.replace_bit(lane, mask >> lane & 1 == 1)
    })
}

impl<const N: usize, const WB: usize> Logic for Decoder<N, WB> {
    #[hdl_gen]
    fn update(&mut self) {
        comment!(
            "module decoder: Corrects single errors of a code word, detects double ones; two \
             clocks."
        );
        comment!(
            "Stands between the weight memory and the FIFO. The code is the one that the \
             configuration names; where words are stored as a coset of it, the lanes of check \
             bits 0 and 1 arrive inverted, and a word without error has the parities STORED_PARITY."
        );
        comment!("ports word: a word as it was read");
        comment!(
            "ports policy: word with a detected error: 0 keep, 1 zero, 2 zero the constrained \
             weights"
        );
        comment!("ports weight: its weights, two clocks later");
        comment!("ports corrected: what was found");
        comment!(
            "table parity_mask: rows of the code's parity-check matrix (see `brownout info --code`): the lanes that each check bit covers"
        );
        dff_setup!(
            self,
            clock,
            received,
            syndrome,
            word_corrected,
            any_corrected,
            any_detected
        );
        comment!("first clock: the parity of the lanes of each check");
        self.parity.next = 0.into();
        for check in 0..self._checks {
            self.parity.next = self.parity.val().replace_bit(
                check,
                (self.word.val() & self.parity_mask[check].val()).xor(),
            );
        }
        self.received.d.next = self.word.val();
        self.syndrome.d.next = self.parity.val();
        if self.is_coset.val() {
            comment!(
                "the memory holds the lanes of two check bits inverted: zeros and ones are errors"
            );
            self.syndrome.d.next = self.parity.val() ^ self.stored_parity.val();
        }
        comment!("second clock: the lane whose column the syndrome is");
        self.accused.next = 0.into();
        for lane in 0..N {
            self.accused.next = self
                .accused
                .val()
                .replace_bit(lane, self.syndrome.q.val() == self.column[lane].val());
        }
        comment!("whether there is one: columns have odd weight, so two errors give an even one");
        self.odd.next = self.syndrome.q.val().xor();
        self.corrects.next = self.odd.val();
        if self.has_gaps.val() {
            comment!("not every odd syndrome is a column: bit s tells it for low bits s");
            self.column_set.next = self.is_column.val();
            self.low_syndrome.next = self.syndrome.q.val().get_bits::<7>(0);
            self.corrects.next = self.odd.val()
                && self
                    .column_set
                    .val()
                    .get_bit(self.low_syndrome.val().index());
        }
        self.any_corrected.d.next = self.corrects.val();
        self.uncorrectable.next = self.syndrome.q.val().any() && !self.corrects.val();
        self.any_detected.d.next = self.uncorrectable.val();
        comment!("the corrected word, or zero as the policy says: a reset of the register");
        self.clear_others.next = self.uncorrectable.val() && self.policy.val().get_bit(0);
        self.clear_constrained.next = self.uncorrectable.val() && self.policy.val().any();
        self.word_corrected.d.next = self.received.q.val() ^ self.accused.val();
        for position in 0..self._lanes {
            for width in WB..(WB + 1) {
                for bit in 0..WB {
                    if self.constrained[position].val() {
                        if self.clear_constrained.val() {
                            self.word_corrected.d.next = self
                                .word_corrected
                                .d
                                .val()
                                .replace_bit(position * width + bit, false);
                        }
                    } else {
                        if self.clear_others.val() {
                            self.word_corrected.d.next = self
                                .word_corrected
                                .d
                                .val()
                                .replace_bit(position * width + bit, false);
                        }
                    }
                }
            }
        }
        comment!("signs repeated in non-informative bits");
        self.restored.next = self.word_corrected.q.val();
        for lane in 0..N {
            if self.repeats_sign[lane].val() {
                self.restored.next = self
                    .restored
                    .val()
                    .replace_bit(lane, self.word_corrected.q.val().get_bit(lane + 1));
            }
        }
        for width in WB..(WB + 1) {
            for position in 0..self._lanes {
                self.weight[position].next = self.restored.val().get_bits::<WB>(width * position);
            }
        }
        self.corrected.next = self.any_corrected.q.val();
        self.detected.next = self.any_detected.q.val();
    }
}
