//! Memories made of macros: the same results as with memories that are left to synthesis, although
//! the macros' models spoil every word that no user may rely on.

use brownout_hdl::emit::Emitted;
use brownout_hdl::generate::generate;
use brownout_hdl::macros::WithMacros;
use brownout_sim::build::{BuildOptions, ModelSource, lint};
use brownout_sim::compare::Mismatch;
use brownout_sim::link::Stalls;
use brownout_sim::simulator::{Simulator, source};
use brownout_spec::code::{CodeName, Policy};
use brownout_spec::config::{Configuration, WeightBits};
use brownout_spec::fault::FaultMode;
use brownout_spec::quantity::{BitErrorRate, ChipSeed, Pass};
use brownout_tests::configurations::configuration;
use brownout_tests::formal::yosys;
use brownout_tests::graph::{self, Focus};
use brownout_tests::macros::{list, simulated, wrapped};
use brownout_tests::session::{Conditions, compare_images, tools};
use brownout_tests::tensors::draw_image;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Lanes of a byte lie in masks of a byte; several macros in depth and side by side.
const PLAIN: &str = "
    [[macro]]
    name = \"two_ports_64x32\"
    words = 64
    width = 32
    mask = 8
    ports = \"1r1w\"
    [[macro]]
    name = \"one_port_128x64\"
    words = 128
    width = 64
    mask = 8
    ports = \"1rw\"";
/// As OpenRAM makes them, and one whose masks of 5 bits do not divide a lane; small ones stay.
const OPENRAM: &str = "
    registers_up_to = 2048
    [[macro]]
    name = \"sky130_sram_1kbyte_1rw1r_32x256_8\"
    words = 256
    width = 32
    mask = 8
    ports = \"1rw1r\"
    pins = \"openram\"
    column_mux = 4
    [[macro]]
    name = \"sram_512x20_5\"
    words = 512
    width = 20
    mask = 5
    ports = \"1rw\"
    pins = \"openram\"";
/// A mask for each bit, and none at all.
const EXTREMES: &str = "
    [[macro]]
    name = \"fakeram_256x16\"
    words = 256
    width = 16
    mask = 1
    ports = \"1rw\"
    pins = \"fakeram\"
    [[macro]]
    name = \"sram_1r1w_32x8\"
    words = 32
    width = 8
    ports = \"1r1w\"
    pins = \"openram\"";

/// 4 x 8 with words of 64 bits, and 8 x 4 with all that can be built in and words of 72.
fn configurations() -> [Configuration; 2] {
    let mut all = configuration(8, 4, WeightBits::Eight, CodeName::Secded72_64);
    all.zero_points = true;
    all.tables = 2;
    let in_place = configuration(4, 8, WeightBits::Eight, CodeName::Inplace64_57);
    [in_place, all]
}

fn emitted(configuration: &Configuration) -> Emitted {
    generate(configuration).unwrap_or_else(|error| panic!("{error}"))
}

/// The first difference that random graphs show between the golden model and hardware.
fn difference(configuration: &Configuration, hardware: &Emitted, graphs: u64) -> Option<Mismatch> {
    let (toolchain, cache) = tools();
    let built = Simulator::from_verilog(
        &toolchain,
        &cache,
        configuration,
        &source(hardware),
        BuildOptions::default(),
    );
    let simulator = built.unwrap_or_else(|error| panic!("{error}"));
    let conditions = Conditions {
        seed: ChipSeed(7),
        mode: FaultMode::Persistent,
        threshold: BitErrorRate::new(0.05).expect("a probability").threshold(),
        supply: None,
        map: Default::default(),
        policy: Policy::Zero,
        first_pass: Pass(0),
    };
    let driver = simulator.driver(Stalls::default());
    let mut driver = driver.unwrap_or_else(|error| panic!("{error}"));
    (0..graphs).find_map(|seed| {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let focus = Focus::ALL[seed as usize % Focus::ALL.len()];
        let graph = graph::draw(configuration, focus, &mut random);
        let volume = graph.program.input.volume();
        let images: Vec<_> = (0..2).map(|_| draw_image(volume, &mut random)).collect();
        compare_images(&mut driver, &graph, &conditions, &images, &[0, 1])
            .unwrap_or_else(|error| panic!("{error}"))
    })
}

/// Graphs that an accelerator of macros is compared on.
const GRAPHS: u64 = 20;

fn is_equal(configuration: &Configuration, macros: &str, graphs: u64) {
    let with = wrapped(&emitted(configuration), &list(macros));
    if let Some(mismatch) = difference(configuration, &simulated(&with), graphs) {
        panic!("with macros {macros}: {mismatch}");
    }
}

#[test]
fn macros_with_masks_of_a_lane_give_what_memories_give() {
    is_equal(&configurations()[1], PLAIN, GRAPHS);
}

#[test]
fn macros_whose_output_lasts_one_clock_give_what_memories_give() {
    is_equal(&configurations()[0], OPENRAM, GRAPHS);
}

#[test]
fn macros_with_a_mask_for_each_bit_and_with_none_give_what_memories_give() {
    is_equal(&configurations()[1], EXTREMES, GRAPHS);
}

#[test]
fn sixteen_rows_and_columns_of_macros_give_what_memories_give() {
    let sixteen = configuration(16, 16, WeightBits::Eight, CodeName::Inplace64_57);
    is_equal(&sixteen, PLAIN, GRAPHS / 2);
}

/// The accelerator with the text of one memory changed.
fn changed(with: &WithMacros, memory: &str, from: &str, to: &str) -> Emitted {
    let mut hardware = simulated(with);
    let module = hardware
        .modules
        .iter_mut()
        .find(|m| m.name.ends_with(memory));
    let module = module.unwrap_or_else(|| panic!("no {memory}"));
    assert_eq!(module.text.matches(from).count(), 1, "{}", module.text);
    module.text = module.text.replace(from, to);
    hardware
}

#[test]
fn an_accumulator_with_one_port_and_an_output_chosen_too_early_are_found() {
    let [configuration, _] = configurations();
    let with = wrapped(&emitted(&configuration), &list(PLAIN));
    let two = "wire read = read_enable;";
    let one = "wire read = read_enable && !write;";
    let accumulator = changed(&with, "_memory_200x1x32", two, one);
    assert!(difference(&configuration, &accumulator, GRAPHS).is_some());
    let early = changed(&with, "_memory_3000x1x64", "{row[i]}", "{read_row[i]}");
    assert!(difference(&configuration, &early, GRAPHS).is_some());
}

#[test]
fn memories_of_macros_and_their_models_are_free_of_warnings() {
    let (toolchain, _) = tools();
    for configuration in configurations() {
        for macros in [PLAIN, OPENRAM, EXTREMES] {
            let with = wrapped(&emitted(&configuration), &list(macros));
            let hardware = simulated(&with);
            let file = |module| {
                (
                    format!("{}.v", (module as &brownout_hdl::emit::Module).name),
                    hardware.module_file(module),
                )
            };
            let product = ModelSource {
                files: hardware.modules.iter().map(file).collect(),
                ..source(&hardware)
            };
            lint(&toolchain, &product).unwrap_or_else(|error| panic!("{macros}\n{error}"));
        }
    }
}

#[test]
fn synthesis_finds_every_macro_by_its_declaration_and_no_other_cell_in_its_place() {
    let [configuration, _] = configurations();
    let with = wrapped(&emitted(&configuration), &list(PLAIN));
    let declarations: String = with
        .macros
        .iter()
        .map(|one| one.declaration.as_str())
        .collect();
    let design = with.emitted.text();
    let top = &with.emitted.top().name;
    let script = format!(
        "read_verilog macros.v design.v\nhierarchy -check -top {top}\nproc\nflatten\nlog COUNTED\n\
         tee -o macros.txt select -count t:two_ports_64x32 t:one_port_128x64\n\
         select -assert-none t:$mem_v2 t:$mem\nlog WITHOUT OTHERS\n"
    );
    let files = [("macros.v", declarations.as_str()), ("design.v", &design)];
    let (log, said) = yosys::run(&files, &script);
    assert!(log.contains("WITHOUT OTHERS"), "{said}\n{log}");
    let expected: usize = with.table.macros.iter().map(|one| one.instances).sum();
    assert!(
        log.contains(&format!("{expected} objects.")),
        "{expected}: {log}"
    );
    // Without its declaration a macro is an unknown module.
    let none = [("macros.v", ""), ("design.v", design.as_str())];
    let (log, said) = yosys::run(&none, &script);
    assert!(
        !log.contains("COUNTED") && said.contains("is not part of the design"),
        "{said}"
    );
}
