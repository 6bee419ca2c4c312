//! The processing element against what a cell of the array is.
//!
//! A cell has two weights, W and S. In one clock W becomes S if `swap_in`, and S
//! becomes lane 0 of the bus if `valid_in`, `load_in` and the gate (if it has one), else
//! zero if `swap_in`; an
//! activation a is multiplied by the W of its own clock and added to the sum that
//! comes from above [`JOIN`] clocks later, which leaves [`LEAVE`] clocks after the
//! activation. What goes to the neighbours does so one clock later; what belongs to
//! the bus does so if `valid_in`, and stays otherwise.
//!
//! Said without a look inside and from any state: W at some clock is what the
//! activation 1 adds to the sum 0 then; below, `seen` is a W observed so.

use super::netlist::Cut;
use super::window::{Moment, depends_only_on, range};
use super::yosys::{Theorem, View, Window};

/// Clocks from an activation to the partial sum that it joins.
const JOIN: usize = 1;
/// Clocks from an activation to the partial sum with its product.
const LEAVE: usize = 2;

/// The claim `product`: with a weight that is loaded and swapped in all the time,
/// sum + activation · weight leaves.
pub fn function(cut: &Cut) -> Theorem {
    let cell = Cell::of(cut);
    let text = format!(
        "{}
    wire signed {activation} factor = activation;
    wire signed {weight} weight = bus{weight};
    wire signed [31:0] from_above = sum;
    assign product = out == from_above + factor * weight;
endmodule
",
        cell.head(
            "product",
            "wire swap = 1'b1, valid = 1'b1, load = 1'b1, gate = 1'b1;"
        ),
        activation = range(cell.activation),
        weight = range(cell.bits),
    );
    Theorem {
        text,
        claims: vec!["product"],
        view: View::Arithmetic,
    }
}

/// A weight that is loaded in one clock and swapped in the next is what an
/// activation of the clock after that meets, whatever happens before and later.
pub fn time(cut: &Cut) -> Window {
    let mut moments = vec![
        Moment::with("valid_in", 0, 1),
        Moment::with("load_in", 0, 1),
        Moment::with("swap_in", 1, 1),
        Moment::any("activation_in", 2),
        Moment::any("sum_in", 2 + JOIN),
    ];
    let lanes = cut.lanes("bus_in");
    moments.extend(lanes.iter().map(|lane| Moment::any(&lane.name, 0)));
    let gates = cut.lanes("gate_in");
    moments.extend(gates.iter().map(|gate| Moment::with(&gate.name, 0, 1)));
    depends_only_on(cut, &["sum_out"], 2 + LEAVE, &[], &moments)
}

/// The claims about weights, one theorem each: `kept` (without a swap W stays),
/// `stayed` (S stays where nothing is loaded or swapped, and W becomes S, whatever is
/// loaded in the same clock), `cleared` (a swap leaves zero in S, if nothing is loaded),
/// `loaded` (S is what was on the bus, also with a swap); and `passed` (what goes to the
/// neighbours, the bus by one lane on).
pub fn state(cut: &Cut) -> [Theorem; 5] {
    let weight = |claim, given, observed, compared, is| Scene {
        claim,
        given,
        observed,
        compared,
        is,
    };
    [
        weight("kept", &[(1, "swap", 0)], 1, 2, "seen == weight"),
        weight(
            "stayed",
            &[
                (1, "valid", 1),
                (1, "load", 1),
                (1, "gate", 1),
                (2, "swap", 0),
                (3, "swap", 1),
            ],
            1,
            4,
            "loaded_second || bus_first == weight",
        ),
        weight(
            "cleared",
            &[(1, "swap", 1), (2, "swap", 1)],
            2,
            3,
            "loaded_first || weight == 0",
        ),
        weight(
            "loaded",
            &[
                (1, "valid", 1),
                (1, "load", 1),
                (1, "gate", 1),
                (2, "swap", 1),
            ],
            1,
            3,
            "bus_first == weight",
        ),
    ]
    .map(|scene| scene.theorem(cut))
    .into_iter()
    .chain([passed(cut)])
    .collect::<Vec<_>>()
    .try_into()
    .expect("four scenes and one more")
}

/// A short story about the weights of a cell; all that is not given is free.
struct Scene {
    claim: &'static str,
    /// Clock, input, value.
    given: &'static [(usize, &'static str, u64)],
    /// The clock whose W is `seen`.
    observed: usize,
    /// The clock whose W is `weight`.
    compared: usize,
    /// What has to hold; signals that end in `_first` are those of clock 1.
    is: &'static str,
}

impl Scene {
    fn theorem(&self, cut: &Cut) -> Theorem {
        let given = self
            .given
            .iter()
            .map(|&(clock, input, value)| (clock, input, value));
        let looks = [self.observed, self.compared].into_iter();
        let looks = looks.flat_map(|clock| [(clock, "activation", 1), (clock + JOIN, "sum", 0)]);
        Theorem {
            text: self.text(&Cell::of(cut)),
            claims: vec![self.claim],
            view: View::Time {
                first: self.compared + LEAVE,
                clocks: self.compared + LEAVE,
                given: given
                    .chain(looks)
                    .map(|(clock, input, value)| (clock, input.to_owned(), value))
                    .collect(),
            },
        }
    }

    /// At the last clock, W of `compared` leaves.
    fn text(&self, cell: &Cell) -> String {
        let weight = range(cell.bits);
        let last = self.compared + LEAVE;
        let mut history = String::new();
        for clock in 1..last {
            history.push_str(&format!(
                "    reg signed [31:0] out_{clock};\n    reg signed {weight} bus_{clock};\n    reg loaded_{clock};\n"
            ));
        }
        let shift = |name: &str, now: &str| {
            let mut text = format!("        {name}_{} <= {now};\n", last - 1);
            for clock in 1..last - 1 {
                text.push_str(&format!(
                    "        {name}_{clock} <= {name}_{};\n",
                    clock + 1
                ));
            }
            text
        };
        format!(
            "{}    // Values of earlier clocks, as they are at the last one.
{history}
    always @(posedge clock) begin
{}{}{}    end
    wire signed [31:0] seen = out_{};
    wire signed {weight} bus_first = bus_1;
    wire loaded_first = loaded_1, loaded_second = loaded_2;
    wire signed [31:0] weight = out;
    assign {} = {};
endmodule
",
            cell.head(self.claim, ""),
            shift("out", "out"),
            shift("bus", &format!("bus{weight}")),
            shift(
                "loaded",
                if cell.gated {
                    "valid && load && gate"
                } else {
                    "valid && load"
                }
            ),
            self.observed + LEAVE,
            self.claim,
            self.is,
        )
    }
}

fn passed(cut: &Cut) -> Theorem {
    let cell = Cell::of(cut);
    let bus = range(cell.lanes * cell.bits);
    let gate = if cell.gated {
        " && gate_out == gate_before"
    } else {
        ""
    };
    let text = format!(
        "{}    reg {activation} activation_before;
    reg load_before, gate_before;
    reg {bus} bus_before;
    wire {twice} back = {{bus_out, bus_out}};
    wire {bus} unrotated = back[{width} - {bits} +: {width}];
    always @(posedge clock) begin
        activation_before <= activation;
        {{load_before, gate_before}} <= valid ? {{load, gate}} : {{load_out, gate_out}};
        bus_before <= valid ? bus : unrotated;
    end
    wire {twice} around = {{bus_before, bus_before}};
    assign passed = activation_out == activation_before
        && load_out == load_before && bus_out == around[{bits} +: {width}]{gate};
endmodule
",
        cell.head("passed", ""),
        activation = range(cell.activation),
        bits = cell.bits,
        twice = range(2 * cell.lanes * cell.bits),
        width = cell.lanes * cell.bits,
    );
    Theorem {
        text,
        claims: vec!["passed"],
        view: View::Time {
            first: 2,
            clocks: 2,
            given: Vec::new(),
        },
    }
}

/// What cells differ in.
struct Cell {
    name: String,
    /// Bits of an activation: nine where zero points are taken off.
    activation: usize,
    lanes: usize,
    bits: usize,
    gated: bool,
}

impl Cell {
    fn of(cut: &Cut) -> Self {
        let lanes = cut.lanes("bus_in");
        Self {
            name: cut.name.clone(),
            activation: cut.port("activation_in").width,
            lanes: lanes.len(),
            bits: lanes[0].width,
            gated: !cut.lanes("gate_in").is_empty(),
        }
    }

    /// A module with the cell in it, up to its claim; `fixed` declares swap, valid,
    /// load and gate if they are no inputs.
    fn head(&self, claim: &str, fixed: &str) -> String {
        let bus = range(self.lanes * self.bits);
        let free = match fixed {
            "" => "input wire swap, input wire valid, input wire load, input wire gate, ",
            _ => "",
        };
        let mut ports = String::new();
        for lane in 0..self.lanes {
            let slice = format!("[{} +: {}]", lane * self.bits, self.bits);
            ports.push_str(&format!(
                ", .bus_in_{lane}(bus{slice}), .bus_out_{lane}(bus_out{slice})"
            ));
        }
        if self.gated {
            ports.push_str(", .gate_in_0(gate), .gate_out_0(gate_out)");
        }
        format!(
            "
module theorem (
    input wire clock, {free}input wire {activation} activation, input wire {bus} bus, input wire [31:0] sum,
    output wire {claim}
);
    {fixed}
    wire signed [31:0] out;
    wire {activation} activation_out;
    wire load_out, gate_out;
    wire {bus} bus_out;
    {name} pe (
        .clock(clock), .activation_in(activation), .swap_in(swap), .valid_in(valid),
        .load_in(load), .sum_in(sum),
        .activation_out(activation_out), .load_out(load_out), .sum_out(out){ports}
    );
",
            name = self.name,
            activation = range(self.activation),
        )
    }
}
