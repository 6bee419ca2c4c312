//! The reset of a board against its description.
//!
//! A press of the button resets [`LATENCY`] clocks later, for [`HELD`] clocks, and power-up is
//! as good as a press. Said without a look inside and from any state: once that many clocks
//! have passed, reset is held if and only if the button was pressed at one of the [`HELD`]
//! clocks that matter. What comes before is up to the initial value.

use super::netlist::Cut;
use super::yosys::{Theorem, View};

/// Clocks for which reset is held after a press.
const HELD: usize = 256;
/// Clocks from a press to the reset: two of the synchronizer and one of the counter.
const LATENCY: usize = 3;

/// The claim `held`, for all presses and from any state: reset, exactly if the button was
/// pressed from [`LATENCY`] + [`HELD`] - 1 to [`LATENCY`] clocks ago.
///
/// The initial value is left out of the module, since it would be the only state to start from.
pub fn function(cut: &Cut) -> (Cut, Theorem) {
    let text = format!(
        "
module theorem (input wire clock, input wire button, output wire held);
    reg [{last}:0] pressed;
    always @(posedge clock) pressed <= {{pressed[{next}:0], button}};
    wire reset;
    {name} board_reset (.clock(clock), .button(button), .held(reset));
    assign held = reset == (|pressed[{last}:{first}]);
endmodule
",
        last = LATENCY + HELD - 2,
        next = LATENCY + HELD - 3,
        first = LATENCY - 1,
        name = cut.name,
    );
    let clocks = LATENCY + HELD;
    let theorem = Theorem {
        text,
        claims: vec!["held"],
        view: View::Time {
            first: clocks,
            clocks,
            given: Vec::new(),
        },
    };
    (without_initial_value(cut), theorem)
}

/// The claim `power_up`, for all presses: reset at each of the first [`HELD`] clocks that the
/// FPGA has, whatever the synchronizer shows then.
pub fn power_up(cut: &Cut) -> Theorem {
    let text = format!(
        "
module theorem (input wire clock, input wire button, output wire power_up);
    {} board_reset (.clock(clock), .button(button), .held(power_up));
endmodule
",
        cut.name
    );
    Theorem {
        text,
        claims: vec!["power_up"],
        view: View::Time {
            first: 1,
            clocks: HELD,
            given: Vec::new(),
        },
    }
}

/// The module as it would be if its counter started anywhere.
pub fn without_initial_value(cut: &Cut) -> Cut {
    cut.replace("initial count_q = 9'd0;\n", "")
}
