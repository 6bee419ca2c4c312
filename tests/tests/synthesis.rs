//! What Yosys makes of the emitted Verilog on an ECP5: the right blocks, and no larger decoders.
//!
//! `make synth` measures whole accelerators; this keeps what a change could silently lose.

use std::path::Path;

use brownout_hdl::emit::Emitted;
use brownout_hdl::generate::generate;
use brownout_spec::code::CodeName;
use brownout_spec::config::WeightBits;
use brownout_tests::configurations::configuration;
use brownout_tests::synthesis::{Netlist, plain_decoder, synthesize};

fn emitted(code: CodeName, bits: WeightBits) -> Emitted {
    let mut configuration = configuration(4, 8, bits, code);
    configuration.fault_emulation = false;
    configuration.depths.weights = 4096;
    generate(&configuration).expect("the configuration is valid")
}

/// Synthesizes one module of `text`, whose children come with it.
fn cells(text: &str, top: &str) -> Netlist {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("synthesis-{top}"));
    synthesize(text, top, &folder).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_cell_of_the_array_is_one_multiplier_block() {
    let emitted = emitted(CodeName::Inplace64_57, WeightBits::Eight);
    let netlist = cells(&emitted.text(), "brownout_array");
    assert_eq!(netlist.count("MULT18X18D"), 4 * 8);
    assert_eq!(netlist.count("DP16KD"), 0);
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
