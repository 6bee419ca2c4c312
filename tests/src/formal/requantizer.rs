//! The requantizer against its formula.

use super::netlist::Cut;
use super::window::{Moment, depends_only_on, range};
use super::yosys::{Theorem, View, Window};

/// Settings of a layer, at which the requantizer may look at any clock; and no reset.
const HELD: [(&str, Option<u64>); 7] = [
    ("reset", Some(0)),
    ("pool", None),
    ("residual_multiplier", None),
    ("residual_shift", None),
    ("shift", None),
    ("low", None),
    ("high", None),
];
/// When the inputs of one value come, in clocks.
const MOMENTS: [(&str, usize); 5] = [
    ("valid", 0),
    ("operand", 0),
    ("bias_low", 0),
    ("multiplier_and_bias", 0),
    ("value", 2),
];
/// Clocks until the shifted sum, and until the activation.
const LATENCY: (usize, usize) = (7, 10);

/// Claims `shifted`: (acc·m + b + ((r·mr) << k)) >> s in 48 bits, k = s − sr, with
/// r·mr zero in a pool; `activation`: that, clamped between low and high. All
/// widths are full and all values free, but low ≤ high, and −256, which is no difference of two
/// activations, is no residual.
///
/// The multiplier is replaced by one whose product is its 32 and 16 bits side
/// by side. So the product is a free 48-bit value, and the formula has to hold
/// for the true one too; which that is says the multiplier's own proof. Shifts are written in the
/// steps that the module takes; that they are the formula's is claimed of any number: `left`, `right`;
/// `fits`: the residual's product has 24 bits.
pub fn function(cut: &Cut) -> Theorem {
    let text = format!(
        "
module theorem (
    input wire clock, input wire [31:0] acc, input wire [15:0] m, input wire signed [47:0] b,
    input wire signed {operand} r, input wire signed [15:0] mr, input wire pool,
    input wire [4:0] k, input wire [4:0] s, input wire signed [7:0] low, input wire signed [7:0] high,
    input wire signed [47:0] number,
    output wire shifted, output wire activation, output wire fits, output wire left, output wire right
);
    wire [47:0] wide;
    wire [7:0] y;
    wire wide_valid;
    {name} requantizer (
        .clock(clock), .reset(1'b0), .valid(1'b1), .value(acc), .operand(r),
        .bias_low(b[31:0]), .multiplier_and_bias({{m, b[47:32]}}), .pool(pool),
        .residual_multiplier(mr), .residual_shift(k), .shift(s), .low(low), .high(high),
        .shifted(wide), .shifted_valid(wide_valid), .activation(y)
    );
    wire excepted = r == -256;
    wire signed [47:0] product = {{acc, m}};
    // A solver that finds the same product and shift in the module need not compare products.
    wire [4:0] eights = k & 5'd24;
    wire [4:0] rest = k & 5'd7;
    wire signed [47:0] exact = r * mr;
    wire signed [23:0] whole = r * mr;
    assign fits = excepted || exact == whole;
    wire [47:0] coarse = {{{{24{{whole[23]}}}}, whole}} << eights;
    wire [47:0] residual = (pool ? 48'd0 : coarse) << rest;
    wire signed [47:0] sum = product + (b + residual);
    wire signed [47:0] by_sixteen = s[4] ? sum >>> 16 : sum;
    wire signed [47:0] by_eight = s[3] ? by_sixteen >>> 8 : by_sixteen;
    wire signed [63:0] extended = by_eight;
    wire signed [47:0] result = extended[{{3'd0, s[2:0]}} +: 48];
    wire [47:0] left_coarse = {{number}} << eights;
    wire [47:0] left_once = number <<< k;
    assign left = left_once == left_coarse << rest;
    wire signed [47:0] right_sixteen = s[4] ? number >>> 16 : number;
    wire signed [47:0] right_eight = s[3] ? right_sixteen >>> 8 : right_sixteen;
    wire signed [63:0] right_extended = right_eight;
    wire signed [47:0] right_once = number >>> s;
    assign right = right_once == right_extended[{{3'd0, s[2:0]}} +: 48];
    wire signed [47:0] lowest = low;
    wire signed [47:0] highest = high;
    wire signed [47:0] clamped = result < lowest ? lowest : result > highest ? highest : result;
    assign shifted = excepted || wide_valid && wide == result;
    assign activation = excepted || highest < lowest || y == clamped[7:0];
endmodule
",
        operand = range(cut.port("operand").width),
        name = cut.name,
    );
    Theorem {
        text,
        claims: vec!["shifted", "activation", "fits", "left", "right"],
        view: View::Arithmetic,
    }
}

/// The requantizer with its multiplier as [`function`] wants it.
pub fn with_free_product(cut: &Cut) -> Cut {
    cut.with_module("multiplier", |name| {
        format!(
            "module {name} (input wire clock, input wire enable, input wire enable_sum, input wire [31:0] multiplicand, input wire [15:0] factor, output wire [47:0] product);
assign product = {{multiplicand, factor}};
endmodule
"
        )
    })
}

/// A value that is valid when it enters comes out as if it were alone, whatever
/// else the requantizer is doing.
pub fn time(cut: &Cut) -> [Window; 2] {
    let moments = MOMENTS.map(|(input, clock)| match input {
        "valid" => Moment::with(input, clock, 1),
        _ => Moment::any(input, clock),
    });
    [("shifted", LATENCY.0), ("activation", LATENCY.1)]
        .map(|(output, latency)| depends_only_on(cut, &[output], latency, &HELD, &moments))
}
