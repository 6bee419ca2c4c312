//! The multiplier leaf against its description in Rust.

use super::netlist::Cut;
use super::window::{Moment, depends_only_on};
use super::yosys::{Theorem, View, Window};

/// The claim `product`, at full width: the sum of the products of the factor
/// with the low half of the multiplicand, unsigned, and with its high half,
/// signed and shifted by 16, as in `hdl`'s description; that is the product of
/// factor and multiplicand, by the law of distribution.
pub fn function(cut: &Cut) -> Theorem {
    let text = format!(
        "
module theorem (input wire clock, input wire [31:0] multiplicand, input wire [15:0] factor, output wire product);
    wire [47:0] result;
    {} multiplier (.clock(clock), .enable(1'b1), .enable_sum(1'b1), .multiplicand(multiplicand), .factor(factor), .product(result));
    wire signed [63:0] wide_factor = $signed(factor);
    wire signed [63:0] low = $signed({{48'd0, multiplicand[15:0]}}) * wide_factor;
    wire signed [63:0] high = $signed(multiplicand[31:16]) * wide_factor;
    wire signed [63:0] sum = (high <<< 16) + low;
    assign product = result == sum[47:0];
endmodule
",
        cut.name
    );
    Theorem {
        text,
        claims: vec!["product"],
        view: View::Arithmetic,
    }
}

/// Two clocks, of which each has its own enable.
pub fn time(cut: &Cut) -> Window {
    let moments = [
        Moment::any("multiplicand", 0),
        Moment::any("factor", 0),
        Moment::with("enable", 0, 1),
        Moment::with("enable_sum", 1, 1),
    ];
    depends_only_on(cut, &["product"], 2, &[], &moments)
}
