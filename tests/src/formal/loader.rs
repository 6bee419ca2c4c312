//! The loader begins at the first beat of the first word after a reset, and after a restart.
//!
//! No test on the accelerator shows the first: whoever loads says what he loads, and this begins
//! anew as well.

use super::netlist::Cut;
use super::yosys::{Theorem, View};
use brownout_hdl::emit::Direction;

/// The claim `begins`, for each of the two inputs: what is taken in the clock after goes to the
/// first group of word 0.
pub fn beginnings(cut: &Cut) -> [Theorem; 2] {
    ["reset", "restart"].map(|by| {
        let others = cut.ports.iter().filter(|port| {
            port.direction == Direction::Input && port.name != "clock"
        });
        let (mut inputs, mut connections) = (String::new(), String::new());
        for port in others {
            let (name, last) = (&port.name, port.width - 1);
            inputs.push_str(&format!(", input wire [{last}:0] {name}"));
            connections.push_str(&format!(", .{name}({name})"));
        }
        let [address, group] = ["address", "activation_group"].map(|name| {
            let last = cut.port(name).width - 1;
            format!("wire [{last}:0] {name};")
        });
        let text = format!(
            "
module theorem (input wire clock{inputs}, output wire begins);
    {address}
    {group}
    {name} loader (.clock(clock){connections}, .address(address), .activation_group(activation_group));
    assign begins = address == 0 && activation_group == 0;
endmodule
",
            name = cut.name,
        );
        let taken = [("reset", 0), ("restart", 0), ("idle", 1), ("input_valid", 1)];
        let taken = taken.map(|(input, value)| (2, input.to_owned(), value));
        let given = std::iter::once((1, by.to_owned(), 1)).chain(taken).collect();
        Theorem {
            text,
            claims: vec!["begins"],
            view: View::Time { first: 3, clocks: 3, given },
        }
    })
}
