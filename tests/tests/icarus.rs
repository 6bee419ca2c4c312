//! Icarus Verilog, which knows x and is no relative of Verilator, gives every
//! value that Verilator's model gave.

use brownout_hdl::generate;
use brownout_sim::build::BuildOptions;
use brownout_sim::driver::Driver;
use brownout_sim::link::{ModelLink, Stalls};
use brownout_sim::model::{Model, ModelLibrary};
use brownout_spec::code::Policy;
use brownout_spec::config::Configuration;
use brownout_spec::fault::FaultMode;
use brownout_spec::quantity::{BitErrorRate, ChipSeed, Pass};
use brownout_tests::configurations::benches;
use brownout_tests::graph::{self, Focus};
use brownout_tests::icarus::{Icarus, Recorder, Recording};
use brownout_tests::macros::{list, simulated, wrapped};
use brownout_tests::mutant::Change;
use brownout_tests::session::{Conditions, compare_images, simulator};
use brownout_tests::tensors::draw_image;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::io::Write;

/// Runs a small network on Verilator's model, where it equals the golden model.
fn record(configuration: &Configuration) -> Recording {
    let simulator = simulator(configuration, BuildOptions::default());
    let library = ModelLibrary::open(simulator.compiled()).expect("it was just built");
    let link = ModelLink::new(Model::new(&library), Stalls::default()).expect("an accelerator");
    let mut driver = Driver::new(Recorder::new(link), configuration).expect("this accelerator");
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let conditions = Conditions {
        seed: ChipSeed(11),
        mode: FaultMode::Persistent,
        threshold: BitErrorRate::new(0.02).expect("a probability").threshold(),
        supply: None,
        map: Default::default(),
        policy: Policy::Zero,
        first_pass: Pass(0),
    };
    for focus in [Focus::Residual, Focus::Pointwise] {
        let graph = graph::draw(configuration, focus, &mut random);
        let volume = graph.program.input.volume();
        let images: Vec<_> = (0..2).map(|_| draw_image(volume, &mut random)).collect();
        let found = compare_images(&mut driver, &graph, &conditions, &images, &[1])
            .unwrap_or_else(|error| panic!("{error}"));
        assert!(found.is_none(), "{}", found.expect("checked"));
    }
    driver.link_mut().recording()
}

#[test]
fn icarus_gives_every_register_and_result_that_verilator_gives() {
    let Some(icarus) = Icarus::find() else {
        let _ = writeln!(std::io::stderr(), "skipped: BROWNOUT_SKIP_ICARUS is set");
        return;
    };
    println!("Icarus Verilog {}", icarus.version());
    let configuration = &benches()[1].configuration;
    let recording = record(configuration);
    assert!(recording.answers() > 100, "{} values", recording.answers());
    let mut emitted = generate(configuration).unwrap_or_else(|error| panic!("{error}"));
    let top = emitted.top().name.clone();
    let played = recording.play(&icarus, &top, &emitted.text());
    assert_eq!(played, format!("{:08x}", recording.checksum()));

    // The same session on hardware that never zeroes a detected word.
    for name in ["clear_others", "clear_constrained"] {
        Change::wire("decoder", name, "1'b0").apply(&mut emitted);
    }
    let played = recording.play(&icarus, &top, &emitted.text());
    assert_ne!(played, format!("{:08x}", recording.checksum()));
}

/// Every memory of a tile's width is made of them, several in depth and side by side.
const MACROS: &str = "
    [[macro]]
    name = \"sram_64x32\"
    words = 64
    width = 32
    mask = 8
    ports = \"1r1w\"";

#[test]
fn icarus_gives_the_same_where_memories_are_made_of_macros() {
    let Some(icarus) = Icarus::find() else {
        let _ = writeln!(std::io::stderr(), "skipped: BROWNOUT_SKIP_ICARUS is set");
        return;
    };
    let configuration = &benches()[1].configuration;
    let recording = record(configuration);
    let emitted = generate(configuration).unwrap_or_else(|error| panic!("{error}"));
    let with = wrapped(&emitted, &list(MACROS));
    let mut hardware = simulated(&with);
    let top = hardware.top().name.clone();
    let played = recording.play(&icarus, &top, &hardware.text());
    assert_eq!(played, format!("{:08x}", recording.checksum()));

    // The same session on a macro that is written a word too high.
    let model = hardware.modules.iter_mut().find(|m| m.name == "sram_64x32");
    let model = model.expect("the list's macro is used");
    let written = "[write_address]";
    assert!(model.text.contains(written), "{}", model.text);
    model.text = model.text.replace(written, "[write_address ^ 6'd1]");
    let played = recording.play(&icarus, &top, &hardware.text());
    assert_ne!(played, format!("{:08x}", recording.checksum()));
}
