//! Moving registers into the ECP5's blocks changes nothing that a netlist computes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use brownout_tests::synthesis::{BlockRegisters, Mapped};

/// Registers that can move: behind a product, one with an enable, behind a memory's word, and
/// with an enable behind a wider one. Some that cannot: a product that is read in the same
/// clock, one whose register holds while a signal is high, one whose register has a reset.
const DESIGN: &str = "
module moved(
    input clock, input enable, input write, input [8:0] address, input [8:0] write_address,
    input hold, input clear, input signed [2:0] a, input signed [2:0] b, input [35:0] data,
    output reg signed [5:0] product, output reg signed [5:0] held, output reg [17:0] word,
    output reg [35:0] wide_word, output reg signed [5:0] kept, output reg signed [5:0] cleared,
    output signed [5:0] at_once, output reg signed [5:0] late
);
  reg signed [2:0] a_q, b_q;
  (* no_rw_check *) reg [17:0] cells [0:511];
  (* no_rw_check *) reg [35:0] wide_cells [0:511];
  reg [17:0] read_word;
  reg [35:0] wide_read;
  assign at_once = a_q * a_q;
  always @(posedge clock) begin
    a_q <= a;
    b_q <= b;
    product <= a_q * b_q;
    late <= at_once;
    if (enable) held <= b_q * b_q;
    if (!hold) kept <= a_q * ~b_q;
    cleared <= ~a_q * b_q;
    if (clear) cleared <= 0;
    if (write) cells[write_address] <= data[17:0];
    if (write) wide_cells[write_address] <= data;
    wide_read <= wide_cells[address];
    if (enable) wide_word <= wide_read;
    read_word <= cells[address];
    word <= read_word;
  end
endmodule
";
/// Both netlists with the blocks' models, and induction over clocks from registers at zero.
const PROOF: &str = "
read_rtlil gold.il
read_rtlil gate.il
miter -equiv -flatten gold gate miter
hierarchy -top miter
opt -full
async2sync
sat -tempinduct -maxsteps 6 -set-init-zero -prove trigger 0 miter
";

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("a folder for the netlists");
    let models = include_str!("../src/synthesis/ecp5_blocks.v");
    fs::write(folder.join("models.v"), models).expect("the models");
    folder
}

/// Runs Yosys in `folder` and returns its log.
fn yosys(folder: &Path, script: &str) -> String {
    let log = folder.join("yosys.log");
    let status = Command::new("yosys")
        .args(["-q", "-l", "yosys.log", "-p", script])
        .current_dir(folder)
        .status()
        .expect("yosys is there");
    let text = fs::read_to_string(&log).expect("a log");
    assert!(status.success(), "{text}");
    text
}

/// The design as Yosys maps it.
fn mapped(folder: &Path) -> Mapped {
    fs::write(folder.join("design.v"), DESIGN).expect("the design");
    yosys(
        folder,
        "read_verilog design.v; synth_ecp5 -top moved -json gold.json",
    );
    let text = fs::read_to_string(folder.join("gold.json")).expect("a netlist");
    serde_json::from_str(&text).expect("Yosys writes JSON")
}

/// Whether Yosys proves that `gate` computes what the netlist `gold.json` computes.
fn equivalent(folder: &Path, gate: &str) -> bool {
    fs::write(folder.join("gate.json"), gate).expect("a netlist");
    let mut script = String::new();
    for side in ["gold", "gate"] {
        script += &format!(
            "read_json {side}.json\ndelete =A:blackbox\nread_verilog models.v\n\
             read_verilog +/lattice/common_sim.vh\nhierarchy -check -top moved\n\
             proc\nflatten\nopt_clean\nrename moved {side}\n\
             write_rtlil {side}.il\ndesign -reset\n"
        );
    }
    fs::write(folder.join("prove.ys"), script + PROOF).expect("a script");
    let log = yosys(folder, "script prove.ys");
    let proved = log.contains("Induction step proven: SUCCESS!");
    assert!(
        proved || log.contains("SAT temporal induction proof finished - model found for base case"),
        "neither proved nor refuted: {log}"
    );
    proved
}

#[test]
fn registers_move_into_blocks_and_the_netlist_computes_the_same() {
    let folder = folder("block-registers");
    let mut netlist = mapped(&folder);
    let before = netlist.cells("moved");
    let done = netlist.use_block_registers("moved");
    // Six bits of two products and words of 18 and 36 bits; the wider takes both ports.
    assert_eq!(
        done,
        BlockRegisters {
            multipliers: 2,
            memory_ports: 3,
            flip_flops: 2 * 6 + 18 + 36,
            aligned: 5,
        }
    );
    let after = netlist.cells("moved");
    assert_eq!(after["TRELLIS_FF"] + done.flip_flops, before["TRELLIS_FF"]);

    let text = serde_json::to_string(&netlist).expect("a netlist is JSON");
    assert!(equivalent(&folder, &text));
    // The proof sees a register that is missing, or that has lost its enable.
    for (setting, wrong) in [
        ("\"REG_OUTPUT_CLK\":\"CLK0\"", "\"REG_OUTPUT_CLK\":\"NONE\""),
        ("\"REG_OUTPUT_CE\":\"CE0\"", "\"REG_OUTPUT_CE\":\"NONE\""),
        ("\"REGMODE_B\":\"OUTREG\"", "\"REGMODE_B\":\"NOREG\""),
    ] {
        let mutant = text.replace(setting, wrong);
        assert_ne!(mutant, text, "{setting}");
        assert!(!equivalent(&folder, &mutant), "{wrong}");
    }
}
