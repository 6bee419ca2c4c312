//! From unknown registers and memories, every kind of layer comes to the right results.

use brownout_hdl::generate;
use brownout_sim::driver::Driver;
use brownout_spec::code::CodeName;
use brownout_spec::config::{Configuration, WeightBits};
use brownout_tests::configurations::configuration;
use brownout_tests::cover::{Case, covering};
use brownout_tests::icarus::Icarus;
use brownout_tests::icarus::live::Compiled;
use brownout_tests::icarus::watched::watched;
use brownout_tests::session::compare_images;
use brownout_tests::tensors::draw_image;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::time::Instant;

/// An accelerator that can do everything.
fn whole(side: usize) -> Configuration {
    let mut whole = configuration(side, side, WeightBits::Eight, CodeName::Inplace64_57);
    whole.zero_points = true;
    whole.tables = 4;
    whole.depths.results = 1000;
    whole
}

/// What differs or is unknown, if anything.
fn problem(compiled: &Compiled, configuration: &Configuration, case: &Case) -> Option<String> {
    let mut driver = match Driver::new(compiled.power_up(), configuration) {
        Ok(driver) => driver,
        Err(error) => return Some(error.to_string()),
    };
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let image = draw_image(case.graph.program.input.volume(), &mut random);
    match compare_images(&mut driver, &case.graph, &case.conditions, &[image], &[]) {
        Ok(mismatch) => mismatch.map(|mismatch| mismatch.to_string()),
        Err(error) => Some(error.to_string()),
    }
}

#[test]
fn every_kind_of_layer_gives_the_right_results_from_unknown_registers_and_memories() {
    let Some(icarus) = Icarus::find() else { return };
    for side in [8, 16] {
        let begin = Instant::now();
        let configuration = whole(side);
        let cases = covering(&configuration, 1);
        let clocks: u64 = cases.iter().map(|case| case.cycles).sum();
        println!("{side}: {} graphs, {clocks} clocks, {:?}", cases.len(), begin.elapsed());
        let emitted = generate(&configuration).unwrap_or_else(|error| panic!("{error}"));
        let compiled = Compiled::new(&icarus, &emitted.top().name, &watched(&emitted));
        println!("compiled {:?}", begin.elapsed());
        for case in &cases {
            let wrong = problem(&compiled, &configuration, case);
            println!("{} clocks: {:?} {:?}", case.cycles, begin.elapsed(), wrong);
        }
    }
}
