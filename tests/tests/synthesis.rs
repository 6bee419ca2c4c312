//! What Yosys makes of the emitted Verilog on an ECP5: the right blocks, and no larger decoders.
//!
//! `make synth` measures whole accelerators; this keeps what a change could silently lose.

use std::fs;
use std::path::Path;
use std::process::Command;

use brownout_hdl::emit::Emitted;
use brownout_hdl::generate::generate;
use brownout_spec::code::CodeName;
use brownout_spec::config::WeightBits;
use brownout_tests::configurations::configuration;
use brownout_tests::formal::yosys;
use brownout_tests::synthesis::{
    Netlist, YOSYS_SCRIPT, pin_blocks, place_and_route, plain_decoder, synthesize,
};
use serde_json::Value;

fn emitted(code: CodeName, bits: WeightBits) -> Emitted {
    let mut configuration = configuration(4, 8, bits, code);
    configuration.fault_emulation = false;
    configuration.depths.weights = 4096;
    generate(&configuration).expect("the configuration is valid")
}

/// Synthesizes one module of `text`, whose children come with it.
fn cells(text: &str, top: &str) -> Netlist {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("synthesis-{top}"));
    synthesize(text, top, YOSYS_SCRIPT, &folder).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_cell_of_the_array_is_one_multiplier_block() {
    let emitted = emitted(CodeName::Inplace64_57, WeightBits::Eight);
    let netlist = cells(&emitted.text(), "brownout_array");
    assert_eq!(netlist.count("MULT18X18D"), 4 * 8);
    assert_eq!(netlist.count("DP16KD"), 0);
}

/// Cells of a whole accelerator when multipliers and memories are mapped and nothing else yet.
fn blocks(emitted: &Emitted) -> impl Fn(&str) -> usize {
    let files = [("design.v", &*emitted.text())];
    let script =
        "read_verilog design.v\nsynth_ecp5 -top brownout -run begin:map_ffram\nlog CELLS\nstat\n";
    let (log, said) = yosys::run(&files, script);
    let (_, table) = log
        .rsplit_once("CELLS\n")
        .unwrap_or_else(|| panic!("Yosys does not get to its end: {said}"));
    let table = table.to_owned();
    move |cell| {
        let row = table.lines().find_map(|line| line.strip_suffix(cell));
        row.map_or(0, |count| count.trim().parse().expect("a number"))
    }
}

#[test]
fn the_whole_accelerator_has_exactly_the_blocks_that_its_configuration_says() {
    let small = emitted(CodeName::Inplace64_57, WeightBits::Eight);
    let count = blocks(&small);
    // One for each cell; for each column two for 32 x 16 bits and one for the residual.
    let (rows, columns) = (4, 8);
    assert_eq!(count("MULT18X18D"), rows * columns + columns * 3);
    // A DP16KD holds 4096 x 4 or 512 x 36 bits. Per column: a word of the accumulator, and one
    // of parameters with twice as many bits. Three activation buffers have 64 bits a word.
    let (weights, activations, program, results) = (64 / 4, 3 * 2, 1, 1);
    let columns_own = columns * (1 + 2);
    let expected = weights + activations + program + results + columns_own;
    assert_eq!(count("DP16KD"), expected);
    // The FIFO of words before the array, 64 bits wide and 8 deep, read and written at once.
    assert_eq!(count("TRELLIS_DPR16X4"), 64 / 4);
    // None is left for flip-flops.
    assert_eq!(count("$mem_v2"), 0);
}

#[test]
fn the_weights_lie_in_block_ram_alone() {
    let emitted = emitted(CodeName::Inplace64_57, WeightBits::Eight);
    // 4096 words of 64 bits: a DP16KD holds 4096 x 4 bits.
    let top = "brownout_memory_4096x1x64";
    let netlist = cells(&emitted.text(), top);
    assert_eq!(netlist.count("DP16KD"), 16);
    // No emulation of simultaneous reads and writes around it, no distributed RAM.
    assert_eq!(netlist.count("TRELLIS_FF"), 0, "{netlist:?}");
    assert_eq!(netlist.count("TRELLIS_DPR16X4"), 0, "{netlist:?}");

    // The check would see a memory that block RAM cannot be: one that answers at once.
    let module = emitted
        .modules
        .iter()
        .find(|module| module.name == top)
        .expect("the weight memory");
    let asynchronous = module
        .text
        .lines()
        .filter(|line| !line.contains("(* ram_style"))
        .collect::<Vec<_>>()
        .join("\n")
        .replace(
            "    if (read_enable) read_word <= cells[read_address];\n",
            "",
        )
        .replace(
            "reg [63:0] read_word;",
            "wire [63:0] read_word = cells[read_address];",
        );
    assert_ne!(asynchronous, module.text);
    let control = format!("{top}_control");
    let netlist = cells(
        &asynchronous.replace(&format!("module {top} "), &format!("module {control} ")),
        &control,
    );
    assert_eq!(netlist.count("DP16KD"), 0);
}

/// Look-up tables beyond those of a plain Hsiao (64,57) decoder, which has neither policies
/// nor repeated signs: measured, so that a change for the worse is seen.
const BEYOND_PLAIN: [(CodeName, WeightBits, i64); 5] = [
    (CodeName::Inplace64_57, WeightBits::Eight, 3),
    (CodeName::Inplace64_57, WeightBits::Four, 1),
    (CodeName::Inplace32_26, WeightBits::Four, -85),
    (CodeName::Secded72_64, WeightBits::Eight, 38),
    (CodeName::Secded72_64, WeightBits::Four, 38),
];

#[test]
fn the_decoders_are_not_larger_than_they_were_measured_beside_a_plain_one() {
    let plain = cells(&plain_decoder(), "hsiao_64_57").lut4() as i64;
    for (code, bits, beyond) in BEYOND_PLAIN {
        let mut configuration = configuration(4, 16, bits, code);
        configuration.fault_emulation = false;
        let emitted = generate(&configuration).expect("the configuration is valid");
        let module = emitted
            .modules
            .iter()
            .find(|module| module.name == "brownout_decoder")
            .expect("a code has a decoder");
        let renamed = format!("decoder_{}_{bits:?}", code.to_string().replace('-', "_"));
        let text = emitted
            .module_file(module)
            .replace("module brownout_decoder ", &format!("module {renamed} "));
        let lut4 = cells(&text, &renamed).lut4() as i64;
        println!("{code}, {bits:?}: {lut4} LUT4, plain (64,57): {plain}");
        assert!(
            lut4 <= plain + beyond,
            "{code}, {bits:?}: {lut4} LUT4, the plain decoder has {plain}"
        );
    }
}

/// A memory, a multiplier and look-up tables, with paths from each to each.
const BLOCKS: &str = "
module small(input clock, input [3:0] a, output reg [1:0] q);
  (* no_rw_check, ram_style = \"block\" *) reg [1:0] cells[0:511];
  reg [3:0] a_q, b_q;
  reg [1:0] r;
  reg signed [5:0] p;
  always @(posedge clock) begin
    a_q <= a;
    b_q <= b_q ^ {a_q[2:0], ^a_q ^ &b_q};
    if (a_q[0]) cells[{5'd0, b_q}] <= a_q[3:2];
    r <= cells[{5'd0, a_q}];
    p <= $signed(a_q) * $signed(b_q);
    q <= r ^ {&b_q, ^p};
  end
endmodule
";

#[test]
fn pinned_blocks_are_where_they_were_asked_and_the_list_of_paths_agrees_with_the_report() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("synthesis-pinned");
    synthesize(BLOCKS, "small", YOSYS_SCRIPT, &folder).unwrap_or_else(|error| panic!("{error}"));
    let said = pin_blocks(&folder, "small").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(said, "2 multipliers and memory blocks have their places");
    // That it returns says that both analyses find the same slowest path.
    let timing = place_and_route(&folder, 1).unwrap_or_else(|error| panic!("{error}"));
    let slowest = &timing.slow_groups[0];
    assert!((1e6 / timing.fmax_mhz - f64::from(slowest.picoseconds)).abs() <= 1.0);

    let netlist = fs::read_to_string(folder.join("netlist.json")).expect("a netlist");
    let netlist: Value = serde_json::from_str(&netlist).expect("JSON");
    let status = Command::new("nextpnr-ecp5")
        .args(["--85k", "--speed", "6", "--package", "CABGA756", "--quiet"])
        .args(["--json", "netlist.json", "--write", "placed.json"])
        .arg("--lpf-allow-unconstrained")
        .current_dir(&folder)
        .status()
        .expect("nextpnr-ecp5 is there");
    assert!(status.success());
    let placed = fs::read_to_string(folder.join("placed.json")).expect("a placed netlist");
    let placed: Value = serde_json::from_str(&placed).expect("JSON");
    let asked: Vec<_> = netlist["modules"]["small"]["cells"]
        .as_object()
        .expect("cells")
        .iter()
        .filter_map(|(name, cell)| Some((name, cell["attributes"].get("BEL")?)))
        .collect();
    assert_eq!(asked.len(), 2);
    for (name, place) in asked {
        let cell = &placed["modules"]["top"]["cells"][name];
        assert_eq!(&cell["attributes"]["NEXTPNR_BEL"], place, "{name}");
    }
}
