//! The requantizer: from accumulator and residual to the output of a layer.

use super::multiplier::Multiplier;
use crate::comment;
use rust_hdl::prelude::*;

/// Stages behind the first that have to know whether a value is in them.
const STROBES: usize = 9;

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
/// | 2 | residual shift by a multiple of 8 |
/// | 3 | acc arrives, first multiplier stage; residual shift by up to 7 |
/// | 4 | second multiplier stage; b + residual |
/// | 5 | sum, 48 bits |
/// | 6 | arithmetic shift by a multiple of 8 |
/// | 7 | arithmetic shift by up to 7 |
/// | 8 | `shifted` leaves for the wide result; whether eight bits are enough |
/// | 9 | which limit it passes |
/// | 10 | clamp |
/// | 11 | `activation` leaves |
#[derive(LogicBlock, Default)]
pub struct Requantizer<const AB: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// A complete accumulator follows, cycle 1.
    pub valid: Signal<In, Bit>,
    /// It, cycle 3.
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
    /// The sum, shifted and not clamped, cycle 8.
    pub shifted: Signal<Out, Bits<48>>,
    /// It is valid, cycle 8.
    pub shifted_valid: Signal<Out, Bit>,
    /// y, cycle 11.
    pub activation: Signal<Out, Bits<8>>,
    multiplier: Multiplier,
    channel_multiplier: DFF<Bits<16>>,
    factor: DFF<Bits<16>>,
    bias: DFF<Bits<48>>,
    bias_late: DFF<Bits<48>>,
    bias_last: DFF<Bits<48>>,
    residual: DFF<Signed<24>>,
    residual_coarse: DFF<Bits<48>>,
    residual_shifted: DFF<Bits<48>>,
    offset: DFF<Bits<48>>,
    sum: DFF<Signed<48>>,
    coarse: DFF<Signed<48>>,
    result: DFF<Signed<48>>,
    low_byte: DFF<Bits<8>>,
    wider: DFF<Bit>,
    sign: DFF<Bit>,
    narrow: DFF<Bits<8>>,
    above: DFF<Bit>,
    below: DFF<Bit>,
    overflow: DFF<Bit>,
    negative: DFF<Bit>,
    clamped: DFF<Bits<8>>,
    // A value is in stage 2, 3 and so on.
    valid_in: Vec<DFF<Bit>>,
    operand_signed: Signal<Local, Signed<AB>>,
    residual_signed: Signal<Local, Signed<16>>,
    residual_product: Signal<Local, Signed<32>>,
    residual_wide: Signal<Local, Signed<48>>,
    residual_bits: Signal<Local, Bits<48>>,
    residual_eights: Signal<Local, Bits<5>>,
    residual_rest: Signal<Local, Bits<5>>,
    bias_word: Signal<Local, Bits<48>>,
    total: Signal<Local, Bits<48>>,
    by_sixteen: Signal<Local, Signed<48>>,
    coarse_wide: Signal<Local, Signed<64>>,
    fine: Signal<Local, Bits<3>>,
    result_bits: Signal<Local, Bits<48>>,
    tail: Signal<Local, Bits<41>>,
    low_bits: Signal<Local, Signed<8>>,
    low_signed: Signal<Local, Signed<8>>,
    high_signed: Signal<Local, Signed<8>>,
}

impl<const AB: usize> Requantizer<AB> {
    /// A requantizer.
    pub fn new() -> Self {
        Self {
            valid_in: (0..STROBES).map(|_| Default::default()).collect(),
            ..Self::default()
        }
    }
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
        comment!("ports activation: clamped, three clocks later");
        dff_setup!(
            self,
            clock,
            channel_multiplier,
            factor,
            bias,
            bias_late,
            bias_last,
            residual,
            residual_coarse,
            residual_shifted,
            offset,
            sum,
            coarse,
            result,
            low_byte,
            wider,
            sign,
            narrow,
            above,
            below,
            overflow,
            negative,
            clamped
        );
        for stage in 0..STROBES {
            self.valid_in[stage].clock.next = self.clock.val();
        }
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

        comment!("cycles 2 to 4: product of the accumulator, offset; shifts in two clocks");
        self.residual_wide.next = signed_bit_cast::<48, 24>(self.residual.q.val());
        self.residual_bits.next = unsigned_cast(self.residual_wide.val());
        self.residual_eights.next = self.residual_shift.val() & 0x18;
        self.residual_rest.next = self.residual_shift.val() & 0x07;
        if self.valid_in[0].q.val() {
            self.factor.d.next = self.channel_multiplier.q.val();
            self.bias_late.d.next = self.bias.q.val();
            self.residual_coarse.d.next = self.residual_bits.val() << self.residual_eights.val();
            if self.pool.val() {
                self.residual_coarse.d.next = 0.into();
            }
        }
        self.multiplier.clock.next = self.clock.val();
        self.multiplier.enable.next = self.valid_in[1].q.val();
        self.multiplier.enable_sum.next = self.valid_in[2].q.val();
        self.multiplier.multiplicand.next = self.value.val();
        self.multiplier.factor.next = self.factor.q.val();
        if self.valid_in[1].q.val() {
            self.bias_last.d.next = self.bias_late.q.val();
            self.residual_shifted.d.next = self.residual_coarse.q.val() << self.residual_rest.val();
        }
        if self.valid_in[2].q.val() {
            self.offset.d.next = self.bias_last.q.val() + self.residual_shifted.q.val();
        }

        comment!("cycle 5: sum");
        self.total.next = self.multiplier.product.val() + self.offset.q.val();
        if self.valid_in[3].q.val() {
            self.sum.d.next = signed_cast(self.total.val());
        }

        comment!("cycles 6 and 7: arithmetic shift, first by 16 and by 8, then by up to 7");
        self.by_sixteen.next = self.sum.q.val();
        if self.shift.val().get_bit(4) {
            self.by_sixteen.next = signed_bit_cast::<48, 32>(self.sum.q.val().get_bits::<32>(16));
        }
        if self.valid_in[4].q.val() {
            self.coarse.d.next = self.by_sixteen.val();
            if self.shift.val().get_bit(3) {
                self.coarse.d.next =
                    signed_bit_cast::<48, 40>(self.by_sixteen.val().get_bits::<40>(8));
            }
        }
        self.coarse_wide.next = signed_bit_cast::<64, 48>(self.coarse.q.val());
        self.fine.next = self.shift.val().get_bits::<3>(0);
        if self.valid_in[5].q.val() {
            self.result.d.next = self
                .coarse_wide
                .val()
                .get_bits::<48>(self.fine.val().index());
        }

        comment!("cycle 8: bits 47..7 are equal in values of eight bits");
        self.result_bits.next = unsigned_cast(self.result.q.val());
        self.tail.next = self.result_bits.val().get_bits::<41>(7);
        if self.valid_in[6].q.val() {
            self.low_byte.d.next = self.result_bits.val().get_bits::<8>(0);
            self.wider.d.next = !self.tail.val().all() && self.tail.val().any();
            self.sign.d.next = self.result_bits.val().get_bit(47);
        }

        comment!("cycle 9: which limit");
        self.low_bits.next = signed_cast(self.low_byte.q.val());
        self.low_signed.next = signed_cast(self.low.val());
        self.high_signed.next = signed_cast(self.high.val());
        if self.valid_in[7].q.val() {
            self.narrow.d.next = self.low_byte.q.val();
            self.above.d.next = self.low_bits.val() > self.high_signed.val();
            self.below.d.next = self.low_bits.val() < self.low_signed.val();
            self.overflow.d.next = self.wider.q.val();
            self.negative.d.next = self.sign.q.val();
        }

        comment!("cycle 10: clamp");
        if self.valid_in[8].q.val() {
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

        self.valid_in[0].d.next = self.valid.val();
        for stage in 1..STROBES {
            self.valid_in[stage].d.next = self.valid_in[stage - 1].q.val();
        }
        self.shifted.next = self.result_bits.val();
        self.shifted_valid.next = self.valid_in[6].q.val();
        self.activation.next = self.clamped.q.val();
        if self.reset.val() {
            for stage in 0..STROBES {
                self.valid_in[stage].d.next = false;
            }
        }
    }
}
