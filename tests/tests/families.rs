//! What families other than the datasheet's make of the array's cells and of memories, through Yosys.
//!
//! `make synth FAMILY=all` measures whole accelerators; here are single modules, for the families
//! that take seconds.

use std::path::{Path, PathBuf};
use std::process::Command;

use brownout_hdl::generate::generate;
use brownout_spec::code::CodeName;
use brownout_spec::config::WeightBits;
use brownout_tests::configurations::configuration;
use brownout_tests::synthesis::{Family, Kind, Module, measure_module};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("families-{name}"))
}

/// What a family makes of a module of `text`, whose children come with it.
fn made(family: &str, name: &str, text: &str) -> Module {
    let known = Family::named(family).unwrap_or_else(|error| panic!("{error}"));
    let folder = folder(&format!("{family}-{name}"));
    measure_module(&folder, known, name, text).unwrap_or_else(|error| panic!("{error}"))
}

/// The text of a small accelerator whose weights are 4096 words of 64 bits.
fn small() -> String {
    let mut configuration = configuration(4, 8, WeightBits::Eight, CodeName::Inplace64_57);
    configuration.fault_emulation = false;
    configuration.depths.weights = 4096;
    let emitted = generate(&configuration).expect("the configuration is valid");
    emitted.text()
}

#[test]
fn cells_are_one_multiplier_and_weights_lie_in_blocks_of_gowin_cyclone_v_and_gatemate() {
    let text = small();
    // A DPB holds 4096 x 4 bits, an M10K 8192 x 1 or 512 x 20 in Yosys' use, a CC_BRAM_40K 8192 x 5.
    for family in ["gowin", "cyclonev", "gatemate"] {
        let cell = made(family, "brownout_pe", &text);
        assert_eq!(cell.count(Kind::Multiplier), 1, "{family}");
        assert_eq!(cell.warning(), None, "{family}");
        let weights = made(family, "brownout_memory_4096x1x64", &text);
        println!("{family}: {} blocks", weights.count(Kind::Block));
        assert!(weights.count(Kind::Block) > 0, "{family}");
        assert_eq!(weights.count(Kind::LutRam), 0, "{family}");
        assert_eq!(weights.warning(), None, "{family}");
    }
}

#[test]
fn efinix_has_blocks_and_its_products_of_look_up_tables_are_named() {
    let text = small();
    let cell = made("efinix", "brownout_pe", &text);
    assert_eq!(cell.count(Kind::Multiplier), 0);
    let sentence = cell.warning().expect("a product of look-up tables");
    assert!(
        sentence.starts_with("brownout_pe has no multiplier: its product is made of "),
        "{sentence}"
    );
    let weights = made("efinix", "brownout_memory_4096x1x64", &text);
    assert!(weights.count(Kind::Block) > 0);
    assert_eq!(weights.warning(), None);
}

/// A memory whose word comes in the clock in which it is asked for, as no block's does.
const AT_ONCE: &str = "
module plain_memory_32x1x16(input clock, input write_enable, input [4:0] write_address,
    input [15:0] write_word, input [4:0] read_address, output [15:0] read_word);
  reg [15:0] cells[0:31];
  assign read_word = cells[read_address];
  always @(posedge clock) if (write_enable) cells[write_address] <= write_word;
endmodule
";

#[test]
fn a_memory_that_no_block_can_be_is_named_with_what_it_became() {
    let name = "plain_memory_32x1x16";
    let registers = made("gatemate", name, AT_ONCE);
    assert_eq!(
        registers.warning().expect("no block"),
        "plain_memory_32x1x16 (32 words of 16 bits) has no block of RAM: it is made of 512 flip-flops"
    );
    let sentence = made("ecp5", name, AT_ONCE).warning().expect("no block");
    assert!(sentence.ends_with("RAMs of look-up tables"), "{sentence}");
}

#[test]
fn the_command_answers_an_unknown_family_with_a_sentence_and_status_2_and_writes_nothing() {
    let out = folder("unknown");
    let output = Command::new(env!("CARGO_BIN_EXE_families"))
        .arg(&out)
        .arg("nonsense")
        .output()
        .expect("the command starts");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "synth: FAMILY is \"nonsense\"; allowed are all, ecp5, xilinx7, gowin, cyclonev, polarfire, \
         nexus, gatemate, efinix\n"
    );
    assert!(output.stdout.is_empty() && !out.exists());
}
