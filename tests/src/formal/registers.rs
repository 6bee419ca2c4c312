//! The counters as the host reads them.
//!
//! No simulation runs until a counter passes 2³², so only a proof sees the
//! high halves at work.

use super::netlist::Cut;
use super::yosys::{Theorem, View};
use brownout_hdl::emit::Direction;
use brownout_spec::registers::{CYCLES_LOW, REGISTERS, Register};

/// Claims `low` and `high`: two clocks that read the halves of a counter, low first, give its
/// value in the first of them, whatever happens between and to other counters; `kept`: what was
/// read stays without another read.
pub fn counters(cut: &Cut, fault_emulation: bool) -> Theorem {
    let registers: Vec<&Register> = REGISTERS
        .iter()
        .filter(|r| r.address >= CYCLES_LOW.address && r.name.ends_with("_LOW"))
        .filter(|r| fault_emulation || !r.fault_emulation)
        .collect();
    let count = registers.len();
    let mut inputs = String::new();
    let mut connections = Vec::new();
    for port in cut.ports.iter().filter(|p| p.direction == Direction::Input) {
        let name = &port.name;
        connections.push(format!(".{name}({name})"));
        if !["clock", "register_address", "register_read"].contains(&name.as_str()) {
            inputs.push_str(&format!(", input wire [{}:0] {name}", port.width - 1));
        }
    }
    let addresses: String = registers
        .iter()
        .enumerate()
        .map(|(place, register)| format!("which == {place} ? 8'd{} : ", register.address))
        .collect();
    let values: String = (0..count)
        .map(|place| format!("which == {place} ? counters_{place} : "))
        .collect();
    let text = format!(
        "
module theorem (
    input wire clock, input wire [7:0] other_address{inputs},
    input wire at_low, input wire at_high, output wire low, output wire high, output wire kept
);
    (* anyconst *) wire [3:0] which;
    wire [7:0] number = {addresses}8'd0;
    wire [63:0] counter = {values}64'd0;
    wire register_read = at_low || at_high;
    wire [7:0] register_address = at_low ? number : at_high ? number + 8'd1 : other_address;
    wire [31:0] read_data;
    {} registers ({}, .read_data(read_data));
    // At clock 5: the counter at clock 2, and what was read then.
    reg [63:0] value_4, value_3, value_2;
    reg [31:0] data_4, data_3;
    always @(posedge clock) begin
        {{value_2, value_3, value_4}} <= {{value_3, value_4, counter}};
        {{data_3, data_4}} <= {{data_4, read_data}};
    end
    assign low = which >= {count} || data_3 == value_2[31:0];
    assign high = which >= {count} || read_data == value_2[63:32];
    assign kept = data_4 == data_3;
endmodule
",
        cut.name,
        connections.join(", "),
    );
    let given = [(1, 0, 0), (2, 1, 0), (3, 0, 0), (4, 0, 1), (5, 0, 0)];
    Theorem {
        text,
        claims: vec!["low", "high", "kept"],
        view: View::Time {
            first: 5,
            clocks: 5,
            given: given
                .into_iter()
                .flat_map(|(clock, low, high)| {
                    [("at_low", low), ("at_high", high)]
                        .map(|(input, value)| (clock, input.to_owned(), value))
                })
                .collect(),
        },
    }
}
