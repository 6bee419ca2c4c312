//! A delay line gives back all bits of a value, as many clocks later as its name says.
//!
//! Some lines carry numbers of which a small network never uses the highest bits, so no pass
//! shows whether those arrive.

use super::netlist::Cut;
use super::window::range;
use super::yosys::{Theorem, View};

/// The number of clocks in the name of a module `..._delay_<clocks>x<bits>`.
pub fn clocks(cut: &Cut) -> Option<usize> {
    let (_, size) = cut.module.rsplit_once("_delay_")?;
    size.split_once('x')?.0.parse().ok()
}

/// The claim `late`: from any state, what leaves in the last clock is what entered `clocks`
/// before it, whatever enters between.
pub fn late(cut: &Cut, clocks: usize) -> Theorem {
    let bits = range(cut.port("value").width);
    let last = clocks - 1;
    let text = format!(
        "
module theorem (input wire clock, input wire {bits} value, output wire late);
    reg {bits} before [0:{last}];
    integer i;
    always @(posedge clock) begin
        before[0] <= value;
        for (i = 1; i < {clocks}; i = i + 1) before[i] <= before[i - 1];
    end
    wire {bits} delayed;
    {} line (.clock(clock), .value(value), .delayed(delayed));
    assign late = delayed == before[{last}];
endmodule
",
        cut.name
    );
    Theorem {
        text,
        claims: vec!["late"],
        view: View::Time {
            first: clocks + 1,
            clocks: clocks + 1,
            given: Vec::new(),
        },
    }
}
