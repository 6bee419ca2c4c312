//! The emitted Verilog of whole accelerators passes `verilator --lint-only -Wall`
//! without a warning and without a waiver.

use brownout_hdl::emit::Module;
use brownout_hdl::generate;
use brownout_sim::build::{ModelSource, lint};
use brownout_sim::simulator::source;
use brownout_spec::code::CodeName;
use brownout_spec::config::{Configuration, Depths, WeightBits};
use brownout_tests::configurations::{benches, configuration};
use brownout_tests::session::tools;

fn is_clean(configuration: &Configuration) {
    let (toolchain, _) = tools();
    let emitted = generate(configuration).unwrap_or_else(|e| panic!("{e}"));
    // One file per module, as `brownout generate` writes them.
    let file = |m: &Module| (format!("{}.v", m.name), emitted.module_file(m));
    let files = emitted.modules.iter().map(file).collect();
    let product = ModelSource {
        files,
        ..source(&emitted)
    };
    lint(&toolchain, &product).unwrap_or_else(|e| panic!("{}\n{e}", configuration.to_toml()));
}

#[test]
fn every_configuration_of_the_tests_is_free_of_warnings() {
    for bench in benches() {
        is_clean(&bench.configuration);
    }
}

#[test]
fn extreme_shapes_and_full_depths_are_free_of_warnings() {
    for (rows, columns) in [(4, 4), (4, 64), (64, 4), (16, 16)] {
        for fault_emulation in [false, true] {
            let mut large = configuration(rows, columns, WeightBits::Eight, CodeName::Secded72_64);
            large.fault_emulation = fault_emulation;
            large.depths.weights = Depths::DEEPEST.weights;
            large.depths.activations = 1 << 16;
            large.depths.accumulators = Depths::DEEPEST.accumulators;
            large.depths.parameters = 1 << 12;
            large.depths.layers = 255;
            large.depths.results = Depths::DEEPEST.results;
            is_clean(&large);
        }
    }
}
