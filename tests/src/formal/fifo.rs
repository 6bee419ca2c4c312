//! The weight FIFO's account of its words.
//!
//! In a pass it is never empty between two words, because words come as fast as
//! they can be used; so no pass shows whether it would be right about that.

use super::netlist::Cut;
use super::window::range;
use super::yosys::{Theorem, View};
use brownout_hdl::emit::Direction;

/// Clocks after a `clear` for which all orders of writes and reads are tried.
const CLOCKS: usize = 8;

/// Claims `right` (there is a word exactly if more were written than taken since a `clear`)
/// and `next` (`available_next` is what `available` will be).
pub fn account(cut: &Cut) -> Theorem {
    let mut inputs = String::new();
    let mut connections = String::new();
    for port in cut.ports.iter().filter(|p| p.direction == Direction::Input) {
        let name = &port.name;
        connections.push_str(&format!(".{name}({name}), "));
        if !["clock", "pop", "reset"].contains(&name.as_str()) {
            inputs.push_str(&format!(", input wire {} {name}", range(port.width)));
        }
    }
    let text = format!(
        "
module theorem (input wire clock, input wire want{inputs}, output wire right, output wire next);
    wire available, available_next;
    wire reset = 1'b0;
    wire pop = want && available;
    reg [3:0] stored;
    wire [3:0] after = clear ? 4'd0 : stored + write - pop;
    always @(posedge clock) stored <= after;
    {} fifo ({connections}.available(available), .available_next(available_next));
    assign right = available == (stored != 4'd0);
    assign next = available_next == (after != 4'd0);
endmodule
",
        cut.name,
    );
    let clear = (1..=CLOCKS).map(|clock| (clock, "clear".to_owned(), u64::from(clock == 1)));
    Theorem {
        text,
        claims: vec!["right", "next"],
        view: View::Time {
            first: 2,
            clocks: CLOCKS,
            given: clear.collect(),
        },
    }
}
