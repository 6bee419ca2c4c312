//! The requantizer: from accumulator and residual to the output of a layer.

use super::multiplier::Multiplier;
use crate::comment;
use rust_hdl::prelude::*;

/// y = clamp((acc·m + b + ((r·mr) << (s − sr))) >> s, low, high), one value a cycle.
///
/// r has `AB` bits: eight, or nine where its zero point is taken off. Its product has 24, also of
/// the largest magnitudes, 255 and 2¹⁵.
///
/// Every stage rests unless its value is a complete one: most accumulations are not.
///
/// Cycles are counted from the [`Column`](super::Column)'s cycle 1:
///
/// | cycle | stage |
/// | --- | --- |
/// | 1 | m and b leave their memory; r·mr |
/// | 2 | acc arrives, first multiplier stage; residual shift |
/// | 3 | second multiplier stage; b + residual |
/// | 4 | sum, 48 bits |
/// | 5 | arithmetic shift by s |
/// | 6 | `shifted` leaves for the wide result; which limit it passes |
/// | 7 | clamp |
/// | 8 | `activation` leaves |
#[derive(LogicBlock, Default)]
pub struct Requantizer<const AB: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// A complete accumulator follows, cycle 1.
    pub valid: Signal<In, Bit>,
    /// It, cycle 2.
    pub value: Signal<In, Bits<32>>,
    /// r, cycle 1.
    pub operand: Signal<In, Bits<AB>>,
    /// b, bits 31..0, cycle 1.
    pub bias_low: Signal<In, Bits<32>>,
    /// m and b, bits 47..32, cycle 1.
    pub multiplier_and_bias: Signal<In, Bits<32>>,
    /// The layer pools, so its operand is no residual.
    pub pool: Signal<In, Bit>,
    /// mr.
    pub residual_multiplier: Signal<In, Bits<16>>,
    /// s − sr.
    pub residual_shift: Signal<In, Bits<5>>,
    /// s.
    pub shift: Signal<In, Bits<5>>,
    /// Smallest activation, signed.
    pub low: Signal<In, Bits<8>>,
    /// Largest activation, signed.
    pub high: Signal<In, Bits<8>>,
    /// The sum, shifted and not clamped, cycle 6.
    pub shifted: Signal<Out, Bits<48>>,
    /// It is valid, cycle 6.
    pub shifted_valid: Signal<Out, Bit>,
    /// y, cycle 8.
    pub activation: Signal<Out, Bits<8>>,
    multiplier: Multiplier,
    channel_multiplier: DFF<Bits<16>>,
    bias: DFF<Bits<48>>,
    bias_late: DFF<Bits<48>>,
    residual: DFF<Signed<24>>,
    residual_shifted: DFF<Bits<48>>,
    offset: DFF<Bits<48>>,
    sum: DFF<Signed<48>>,
    result: DFF<Signed<48>>,
    narrow: DFF<Bits<8>>,
    above: DFF<Bit>,
    below: DFF<Bit>,
    overflow: DFF<Bit>,
    negative: DFF<Bit>,
    clamped: DFF<Bits<8>>,
    valid_2: DFF<Bit>,
    valid_3: DFF<Bit>,
    valid_4: DFF<Bit>,
    valid_5: DFF<Bit>,
    valid_6: DFF<Bit>,
    valid_7: DFF<Bit>,
    operand_signed: Signal<Local, Signed<AB>>,
    residual_signed: Signal<Local, Signed<16>>,
    residual_product: Signal<Local, Signed<32>>,
    residual_wide: Signal<Local, Signed<48>>,
    residual_bits: Signal<Local, Bits<48>>,
    bias_word: Signal<Local, Bits<48>>,
    total: Signal<Local, Bits<48>>,
    coarse: Signal<Local, Signed<48>>,
    coarse_wide: Signal<Local, Signed<64>>,
    fine: Signal<Local, Bits<4>>,
    result_bits: Signal<Local, Bits<48>>,
    tail: Signal<Local, Bits<41>>,
    low_bits: Signal<Local, Signed<8>>,
    low_signed: Signal<Local, Signed<8>>,
    high_signed: Signal<Local, Signed<8>>,
}

impl<const AB: usize> Logic for Requantizer<AB> {
    #[hdl_gen]
    fn update(&mut self) {
        comment!(
            "module requantizer: clamp((acc * m + b + ((r * mr) << (s - sr))) >> s, low, high)."
        );
        comment!(
            "acc is the accumulator's value, m and b the channel's multiplier and bias, r the \
             residual operand with its multiplier mr; everything is signed."
        );
        comment!("ports valid: a value to requantize, and its operand");
        comment!("ports bias_low: the channel's parameters: b[31:0], then m above b[47:32]");
        comment!("ports pool: the layer: s, s - sr, and limits");
        comment!("ports shifted: the sum >> s, as the last layer gives it");
        comment!("ports activation: clamped, two clocks later");
        dff_setup!(
            self,
            clock,
            channel_multiplier,
            bias,
            bias_late,
            residual,
            residual_shifted,
            offset,
            sum,
            result,
            narrow,
            above,
            below,
            overflow,
            negative,
            clamped,
            valid_2,
            valid_3,
            valid_4,
            valid_5,
            valid_6,
            valid_7
        );
        comment!("cycle 1: parameters and residual product");
        self.bias_word.next = 0.into();
        for b in 0..32 {
            self.bias_word.next = self
                .bias_word
                .val()
                .replace_bit(b, self.bias_low.val().get_bit(b));
        }
        for b in 0..16 {
            self.bias_word.next = self
                .bias_word
                .val()
                .replace_bit(b + 32, self.multiplier_and_bias.val().get_bit(b));
        }
        self.operand_signed.next = signed_cast(self.operand.val());
        self.residual_signed.next = signed_cast(self.residual_multiplier.val());
        self.residual_product.next =
            signed_bit_cast::<16, AB>(self.operand_signed.val()) * self.residual_signed.val();
        if self.valid.val() {
            self.channel_multiplier.d.next = self.multiplier_and_bias.val().get_bits::<16>(16);
            self.bias.d.next = self.bias_word.val();
            self.residual.d.next = self.residual_product.val().get_bits::<24>(0);
        }

        comment!("cycles 2 and 3: product of the accumulator, offset");
        self.multiplier.clock.next = self.clock.val();
        self.multiplier.enable.next = self.valid_2.q.val();
        self.multiplier.enable_sum.next = self.valid_3.q.val();
        self.multiplier.multiplicand.next = self.value.val();
        self.multiplier.factor.next = self.channel_multiplier.q.val();
        self.residual_wide.next = signed_bit_cast::<48, 24>(self.residual.q.val());
        self.residual_bits.next = unsigned_cast(self.residual_wide.val());
        if self.valid_2.q.val() {
            self.residual_shifted.d.next = self.residual_bits.val() << self.residual_shift.val();
            if self.pool.val() {
                self.residual_shifted.d.next = 0.into();
            }
            self.bias_late.d.next = self.bias.q.val();
        }
        if self.valid_3.q.val() {
            self.offset.d.next = self.bias_late.q.val() + self.residual_shifted.q.val();
        }

        comment!("cycle 4: sum");
        self.total.next = self.multiplier.product.val() + self.offset.q.val();
        if self.valid_4.q.val() {
            self.sum.d.next = signed_cast(self.total.val());
        }

        comment!("cycle 5: arithmetic shift, first by 16, then by up to 15");
        self.coarse.next = self.sum.q.val();
        if self.shift.val().get_bit(4) {
            self.coarse.next = signed_bit_cast::<48, 32>(self.sum.q.val().get_bits::<32>(16));
        }
        self.coarse_wide.next = signed_bit_cast::<64, 48>(self.coarse.val());
        self.fine.next = self.shift.val().get_bits::<4>(0);
        if self.valid_5.q.val() {
            self.result.d.next = self
                .coarse_wide
                .val()
                .get_bits::<48>(self.fine.val().index());
        }

        comment!("cycle 6: which limit; bits 47..7 are equal in values of eight bits");
        self.result_bits.next = unsigned_cast(self.result.q.val());
        self.tail.next = self.result_bits.val().get_bits::<41>(7);
        self.low_bits.next = signed_cast(self.result_bits.val().get_bits::<8>(0));
        self.low_signed.next = signed_cast(self.low.val());
        self.high_signed.next = signed_cast(self.high.val());
        if self.valid_6.q.val() {
            self.narrow.d.next = unsigned_cast(self.low_bits.val());
            self.above.d.next = self.low_bits.val() > self.high_signed.val();
            self.below.d.next = self.low_bits.val() < self.low_signed.val();
            self.overflow.d.next = !self.tail.val().all() && self.tail.val().any();
            self.negative.d.next = self.result_bits.val().get_bit(47);
        }

        comment!("cycle 7: clamp");
        if self.valid_7.q.val() {
            self.clamped.d.next = self.narrow.q.val();
            if self.above.q.val() {
                self.clamped.d.next = self.high.val();
            }
            if self.below.q.val() {
                self.clamped.d.next = self.low.val();
            }
            if self.overflow.q.val() {
                self.clamped.d.next = self.high.val();
                if self.negative.q.val() {
                    self.clamped.d.next = self.low.val();
                }
            }
        }

        self.valid_2.d.next = self.valid.val();
        self.valid_3.d.next = self.valid_2.q.val();
        self.valid_4.d.next = self.valid_3.q.val();
        self.valid_5.d.next = self.valid_4.q.val();
        self.valid_6.d.next = self.valid_5.q.val();
        self.valid_7.d.next = self.valid_6.q.val();
        self.shifted.next = self.result_bits.val();
        self.shifted_valid.next = self.valid_6.q.val();
        self.activation.next = self.clamped.q.val();
        if self.reset.val() {
            self.valid_2.d.next = false;
            self.valid_3.d.next = false;
            self.valid_4.d.next = false;
            self.valid_5.d.next = false;
            self.valid_6.d.next = false;
            self.valid_7.d.next = false;
        }
    }
}
