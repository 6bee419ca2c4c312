//! The wide multiplier: a leaf, because rust-hdl multiplies 16 × 16 bits only.

use rust_hdl::prelude::*;

/// A signed 32 × 16 bit product, 48 bits, two cycles later.
///
/// The multiplicand is cut into halves so that each stage-1 register is the output
/// register of one 18 × 18 DSP block; stage 2 adds them.
#[derive(LogicBlock, Default)]
pub struct Multiplier {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// The factors are worth multiplying; without it stage 1 keeps its value.
    pub enable: Signal<In, Bit>,
    /// So were those of the cycle before; without it the product keeps its value.
    pub enable_sum: Signal<In, Bit>,
    /// Signed, 32 bits.
    pub multiplicand: Signal<In, Bits<32>>,
    /// Signed, 16 bits.
    pub factor: Signal<In, Bits<16>>,
    /// Product of the factors of two cycles ago.
    pub product: Signal<Out, Bits<48>>,
    _low: i64,
    _high: i64,
}

impl Logic for Multiplier {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            if self.enable_sum.val() {
                let sum = (self._high << 16) + self._low;
                self.product.next = Bits::from(sum as u64 & ((1 << 48) - 1));
            }
            if self.enable.val() {
                let multiplicand = self.multiplicand.val().to_u64() as u32 as i32;
                let factor = i64::from(self.factor.val().to_u64() as u16 as i16);
                self._low = i64::from(multiplicand & 0xffff) * factor;
                self._high = i64::from(multiplicand >> 16) * factor;
            }
        }
    }

    fn connect(&mut self) {
        self.product.connect();
    }

    fn hdl(&self) -> Verilog {
        Verilog::Custom(
            "\
// module multiplier: Signed product of 32 x 16 bits in two stages, of which each half fits one DSP block.
// ports enable: stage 1 and stage 2 take new values
// ports multiplicand: factors
// ports product: their product, two clocks later
reg signed [31:0] low;
reg signed [31:0] high;
wire signed [31:0] low_half = {16'd0, multiplicand[15:0]};
wire signed [31:0] high_half = {{16{multiplicand[31]}}, multiplicand[31:16]};
wire signed [31:0] factor_wide = {{16{factor[15]}}, factor};

always @(posedge clock) begin
    if (enable) begin
        low <= low_half * factor_wide;
        high <= high_half * factor_wide;
    end
    if (enable_sum) product <= {high, 16'd0} + {{16{low[31]}}, low};
end
"
            .into(),
        )
    }
}
