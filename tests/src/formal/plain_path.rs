//! The weight path of code `none`, which has no decoder: words pass unchanged.

use super::netlist::Cut;
use super::window::range;
use super::yosys::{Theorem, View};
use brownout_hdl::emit::Direction;

/// Clocks after the start of a pass in which words are looked at; the first word
/// needs five.
const CLOCKS: usize = 9;

/// The claim `unchanged`: in a pass that starts in clock 3, from any state, every
/// word that goes to the array up to [`CLOCKS`] clocks later is the one whose two
/// beats the host wrote in clocks 1 and 2.
///
/// The weight memory is replaced by one with the same word everywhere, so this is
/// about what happens to words and not about which comes when; that is what the
/// comparison with the golden model is about.
pub fn theorem(cut: &Cut) -> Theorem {
    let lanes = cut.lanes("weight");
    let bits = lanes[0].width;
    let (mut ports, mut connections) = (Vec::new(), Vec::new());
    for port in &cut.ports {
        let (name, range) = (&port.name, range(port.width));
        match (
            port.direction,
            lanes.iter().position(|lane| lane.name == *name),
        ) {
            (_, Some(lane)) => {
                connections.push(format!(".{name}(weights[{} +: {bits}])", lane * bits));
            }
            (Direction::Input, None) => {
                ports.push(format!("input wire {range} {name}"));
                connections.push(format!(".{name}({name})"));
            }
            (Direction::Output, None) if name == "weight_valid" => {
                connections.push(format!(".{name}({name})"));
            }
            (Direction::Output, None) => {}
        }
    }
    let text = format!(
        "
module theorem ({ports}, output wire unchanged);
    wire [63:0] weights;
    wire weight_valid;
    reg [63:0] written;
    always @(posedge clock) begin
        if (write_lane_0) written[31:0] <= write_data;
        if (write_lane_1) written[63:32] <= write_data;
    end
    {name} path ({connections});
    assign unchanged = !weight_valid || weights == written;
endmodule
",
        ports = ports.join(", "),
        name = cut.name,
        connections = connections.join(", "),
    );
    let last = 3 + CLOCKS;
    let mut given = Vec::new();
    for clock in 1..=last {
        for (input, at) in [("write_lane_0", 1), ("write_lane_1", 2), ("start", 3)] {
            given.push((clock, input.to_owned(), u64::from(clock == at)));
        }
        given.push((clock, "reset".to_owned(), 0));
    }
    Theorem {
        text,
        claims: vec!["unchanged"],
        view: View::Time {
            first: 4,
            clocks: last,
            given,
        },
    }
}

/// The path with a weight memory of a single word, which stands for all; `read` is what
/// comes out of it where `cell` is the word.
pub fn with_one_word(cut: &Cut, depth: usize, read: &str) -> Cut {
    cut.with_module(&format!("memory_{depth}x1x64"), |name| {
        let address = range((depth as u64).next_power_of_two().trailing_zeros() as usize);
        format!(
            "module {name} (input wire clock, input wire read_enable, input wire {address} read_address, output reg [63:0] read_data, input wire {address} write_address, input wire write_enable, input wire [63:0] write_data);
reg [63:0] cell;
always @(posedge clock) begin
    if (write_enable) cell <= write_data;
    if (read_enable) read_data <= {read};
end
endmodule
"
        )
    })
}
