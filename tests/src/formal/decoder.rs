//! The decoder of a code against the code's table.

use super::netlist::Cut;
use super::window::{Moment, depends_only_on, range};
use super::yosys::{Theorem, View, Window};
use brownout_spec::code::{Code, Policy};
use brownout_spec::cycles::DECODER_LATENCY;
use brownout_spec::quantity::Lane;
use std::fmt::Write;

/// No error is clean, one is corrected, two are detected and get what the
/// policy says, and any word at all is decoded as by the table; for all data,
/// all places of errors and all policies of the code.
///
/// Any word is a stored word with some check bits inverted, and which ones is its
/// syndrome, since the column of a check lane has a single bit. Where words are
/// stored as a coset, a word of zeros and one of ones are detected, too.
///
/// Claims: `clean`, `single`, `double`, `any`, and `stuck` of a coset.
pub fn function(cut: &Cut, code: &Code) -> Theorem {
    let n = code.n();
    let field = code.weights_per_word() * code.weight_bits().bits();
    let place_bits = usize::BITS as usize - (n - 1).leading_zeros() as usize;
    let (word, weights, place) = (range(n), range(field), range(place_bits));
    let syndrome = range(code.check_bits());
    let inverted = code
        .check_lanes()
        .enumerate()
        .map(|(check, lane)| format!("({n}'d0 | inverted[{check}]) << {}", lane.0))
        .collect::<Vec<_>>()
        .join(" | ");
    let mut text = format!(
        "{}{}{}{}",
        encoder(code),
        table_decoder(code),
        expected(code),
        packed(cut, code)
    );
    let supported = policies(code)
        .map(|policy| format!("policy == 2'd{}", policy.number()))
        .collect::<Vec<_>>()
        .join(" || ");
    let mut claims = vec!["clean", "single", "double", "any"];
    if !code.storage().is_plain() {
        claims.push("stuck");
    }
    write!(
        text,
        "
module theorem (
    input wire clock, input wire {weights} data, input wire {syndrome} inverted,
    input wire {place} first, input wire {place} second, input wire [1:0] policy,
    output wire clean, output wire single, output wire double, output wire any, output wire stuck
);
    wire {word} sent;
    encoder encoder (data, sent);
    wire {word} one = sent ^ ({n}'d1 << first);
    wire {word} two = one ^ ({n}'d1 << second);
    wire {word} received = sent ^ ({inverted});
    wire {weights} meant, kept, table_weights, w0, w1, w2, w3, w4, w5;
    wire c0, d0, c1, d1, c2, d2, c3, d3, c4, d4, c5, d5, table_corrected, table_detected;
    expected expected_sent (sent, 1'b0, policy, meant);
    expected expected_two (two, 1'b1, policy, kept);
    table_decoder by_table (received, inverted, policy, table_weights, table_corrected, table_detected);
    packed_decoder decoder_0 (clock, sent, policy, w0, c0, d0);
    packed_decoder decoder_1 (clock, one, policy, w1, c1, d1);
    packed_decoder decoder_2 (clock, two, policy, w2, c2, d2);
    packed_decoder decoder_3 (clock, received, policy, w3, c3, d3);
    packed_decoder decoder_4 (clock, {n}'d0, policy, w4, c4, d4);
    packed_decoder decoder_5 (clock, ~{n}'d0, policy, w5, c5, d5);
    wire supported = {supported};
    assign clean = w0 == meant && !c0 && !d0;
    assign single = first >= {n} || (w1 == meant && c1 && !d1);
    assign double = !supported || first >= {n} || second >= {n} || first == second
        || (w2 == kept && !c2 && d2);
    assign any = !supported
        || (w3 == table_weights && c3 == table_corrected && d3 == table_detected);
    assign stuck = !c4 && d4 && !c5 && d5;
endmodule
"
    )
    .expect("writing to a string cannot fail");
    Theorem {
        text,
        claims,
        view: View::Parities,
    }
}

/// A word comes out [`DECODER_LATENCY`] clocks later, whatever comes before and after it.
pub fn time(cut: &Cut) -> Window {
    let outputs: Vec<&str> = cut
        .lanes("weight")
        .iter()
        .map(|port| port.name.as_str())
        .chain(["corrected", "detected"])
        .collect();
    let word = Moment::any("word", 0);
    depends_only_on(cut, &outputs, DECODER_LATENCY, &[("policy", None)], &[word])
}

/// The policies that mean something for the code.
fn policies(code: &Code) -> impl Iterator<Item = Policy> {
    let name = code.name();
    Policy::ALL
        .into_iter()
        .filter(move |policy| policy.supported_by(name))
}

/// Module `encoder`: data lanes as they are, check bit i so that the parity of
/// all lanes whose column has bit i is even, then inverted where the memory holds
/// its inverse. Bits of `data` in check lanes are ignored.
fn encoder(code: &Code) -> String {
    let checks: Vec<Lane> = code.check_lanes().collect();
    let is_check = |lane: usize| checks.iter().any(|check| usize::from(check.0) == lane);
    let field = code.weights_per_word() * code.weight_bits().bits();
    let mut text = format!(
        "module encoder (input wire {} data, output wire {} word);\n",
        range(field),
        range(code.n())
    );
    for lane in (0..code.n()).filter(|&lane| !is_check(lane)) {
        writeln!(text, "assign word[{lane}] = data[{lane}];").expect("a string");
    }
    for (check, lane) in checks.iter().enumerate() {
        let lanes: Vec<String> = (0..code.n())
            .filter(|&lane| !is_check(lane) && code.columns()[lane] >> check & 1 == 1)
            .map(|lane| format!("data[{lane}]"))
            .collect();
        let inverted = match code.is_inverted(*lane) {
            true => " ^ 1'b1",
            false => "",
        };
        let parity = lanes.join(" ^ ");
        writeln!(text, "assign word[{}] = {parity}{inverted};", lane.0).expect("a string");
    }
    text.push_str("endmodule\n");
    text
}

/// Module `expected`: the weights of a word that is not corrected. Check bits,
/// inverted or not, are none of them: inside weights the sign above is repeated;
/// then, if an error was detected, the policy.
fn expected(code: &Code) -> String {
    let field = code.weights_per_word() * code.weight_bits().bits();
    let checks: Vec<usize> = code.check_lanes().map(|lane| usize::from(lane.0)).collect();
    let mut text = format!(
        "module expected (input wire {} word, input wire detected, input wire [1:0] policy, output wire {} weights);\n",
        range(code.n()),
        range(field)
    );
    for lane in 0..field {
        let source = if checks.contains(&lane) {
            lane + 1
        } else {
            lane
        };
        let position = lane / code.weight_bits().bits();
        let zeroed: Vec<String> = policies(code)
            .filter(|policy| match policy {
                Policy::Keep => false,
                Policy::Zero => true,
                Policy::ZeroConstrained => code.is_constrained(position),
            })
            .map(|policy| format!("policy == 2'd{}", policy.number()))
            .collect();
        writeln!(
            text,
            "assign weights[{lane}] = word[{source}] && !(detected && ({}));",
            zeroed.join(" || ")
        )
        .expect("a string");
    }
    text.push_str("endmodule\n");
    text
}

/// Module `table_decoder`: the syndrome is looked up among the columns.
fn table_decoder(code: &Code) -> String {
    let n = code.n();
    let field = code.weights_per_word() * code.weight_bits().bits();
    let mut text = format!(
        "module table_decoder (input wire {word} word, input wire {syndrome} syndrome, input wire [1:0] policy, output wire {weights} weights, output wire corrected, output wire detected);
reg {word} error;
always @* case (syndrome)
",
        word = range(n),
        weights = range(field),
        syndrome = range(code.check_bits()),
    );
    for (lane, column) in code.columns().iter().enumerate() {
        writeln!(
            text,
            "{}'d{column}: error = {n}'d1 << {lane};",
            code.check_bits()
        )
        .expect("a string");
    }
    writeln!(
        text,
        "default: error = {n}'d0;
endcase
assign corrected = error != 0;
assign detected = syndrome != 0 && error == 0;
expected weights_of (word ^ error, detected, policy, weights);
endmodule"
    )
    .expect("a string");
    text
}

/// Module `packed_decoder`: the decoder with its weights side by side.
fn packed(cut: &Cut, code: &Code) -> String {
    let bits = code.weight_bits().bits();
    let lanes = cut.lanes("weight");
    assert_eq!(
        lanes.len(),
        code.weights_per_word(),
        "weights of {}",
        cut.name
    );
    let weights: Vec<String> = lanes
        .iter()
        .enumerate()
        .map(|(position, port)| format!(".{}(weights[{} +: {bits}])", port.name, position * bits))
        .collect();
    format!(
        "module packed_decoder (input wire clock, input wire {} word, input wire [1:0] policy, output wire {} weights, output wire corrected, output wire detected);
{} decoder (.clock(clock), .word(word), .policy(policy), .corrected(corrected), .detected(detected), {});
endmodule
",
        range(code.n()),
        range(lanes.len() * bits),
        cut.name,
        weights.join(", ")
    )
}
