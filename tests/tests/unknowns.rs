//! From unknown registers and memories, every kind of layer comes to the right results, and nothing
//! unknown counts on the way.

use brownout_hdl::emit::Emitted;
use brownout_hdl::generate;
use brownout_sim::driver::Driver;
use brownout_spec::arithmetic::ResidualScale;
use brownout_spec::code::CodeName;
use brownout_spec::config::{Configuration, WeightBits};
use brownout_spec::program::{Operation, Program, Residual, Shape, Window};
use brownout_tests::conditions::draw_conditions;
use brownout_tests::configurations::{benches, configuration};
use brownout_tests::cover::covering;
use brownout_tests::graph::{Graph, Node, chain, with_nodes};
use brownout_tests::icarus::Icarus;
use brownout_tests::icarus::live::Compiled;
use brownout_tests::icarus::watched::watched;
use brownout_tests::mutant::Change;
use brownout_tests::session::{Conditions, compare_images};
use brownout_tests::tensors::draw_image;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::io::Write;

/// Icarus, unless these tests are to be left out.
fn icarus() -> Option<Icarus> {
    let icarus = Icarus::find();
    if icarus.is_none() {
        let _ = writeln!(std::io::stderr(), "skipped: BROWNOUT_SKIP_ICARUS is set");
    }
    icarus
}

/// An accelerator that can do everything.
fn whole(side: usize) -> Configuration {
    let mut whole = configuration(side, side, WeightBits::Eight, CodeName::Inplace64_57);
    whole.zero_points = true;
    whole.tables = 4;
    whole.depths.results = 1000;
    whole
}

fn emit(configuration: &Configuration) -> Emitted {
    generate(configuration).unwrap_or_else(|error| panic!("{error}"))
}

/// Compiled as the simulator reads it, or as a pessimist does.
fn compile<'a>(icarus: &'a Icarus, emitted: &Emitted, pessimist: bool) -> Compiled<'a> {
    let verilog = match pessimist {
        true => watched(emitted),
        false => emitted.text(),
    };
    Compiled::new(icarus, &emitted.top().name, &verilog)
}

/// What differs from the golden model or is unknown, if anything, in the first pass after power-up;
/// with `layers` then also in the activations of every layer, read through the debug window.
fn problem(
    compiled: &Compiled,
    configuration: &Configuration,
    (graph, conditions): &(Graph, Conditions),
    layers: bool,
) -> Option<String> {
    let mut driver = match Driver::new(compiled.power_up(), configuration) {
        Ok(driver) => driver,
        Err(error) => return Some(error.to_string()),
    };
    let inspect: &[usize] = if layers { &[0] } else { &[] };
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let image = draw_image(graph.program.input.volume(), &mut random);
    match compare_images(&mut driver, graph, conditions, &[image], inspect) {
        Ok(Some(mismatch)) => Some(mismatch.to_string()),
        Ok(None) => match driver.link_mut().finish() {
            Ok(left) => (!left.is_empty()).then_some(left),
            Err(error) => Some(error.to_string()),
        },
        Err(error) => Some(error.to_string()),
    }
}

/// A graph of given nodes, and conditions.
fn given(configuration: &Configuration, input: Shape, nodes: &[Node]) -> (Graph, Conditions) {
    let mut random = ChaCha8Rng::seed_from_u64(8);
    let graph = with_nodes(configuration, input, nodes, &mut random).expect("it fits");
    let conditions = draw_conditions(configuration, &graph, &mut random);
    (graph, conditions)
}

fn map(side: usize, channels: usize) -> Shape {
    Shape {
        height: side,
        width: side,
        channels,
    }
}

/// Convolution, pool, convolution, dense: nothing is added, and the array follows a pool.
fn plain(configuration: &Configuration) -> (Graph, Conditions) {
    let input = map(6, 1);
    let flat = map(3, 8);
    let operations = [
        Operation::convolution(Window::square(3, 1, 1), 8),
        Operation::MaxPool {
            window: Window::square(2, 2, 0),
        },
        Operation::convolution(Window::square(3, 1, 1), 8),
        Operation::dense(flat, 10),
    ];
    given(configuration, input, &chain(&operations))
}

/// A residual operand whose factor is 0: it is read all the same.
fn silent(configuration: &Configuration) -> (Graph, Conditions) {
    let input = map(3, 3);
    let scale = ResidualScale::default();
    let residual = Residual { stride: 1, scale };
    let convolution = Operation::convolution(Window::square(1, 1, 0), 3);
    let mut nodes = chain(&[convolution, convolution, Operation::dense(input, 10)]);
    nodes[1].operation = convolution.with_residual(residual);
    nodes[1].reads.push(0);
    let (mut graph, conditions) = given(configuration, input, &nodes);
    let network = &mut graph.model.network;
    let Operation::Convolution {
        residual: Some(residual),
        ..
    } = &mut network.layers[1].operation
    else {
        panic!("it has a residual operand");
    };
    residual.scale.multiplier = 0;
    graph.program = Program::new(configuration, network).expect("it fits as before");
    (graph, conditions)
}

/// Every feature of the census, on an accelerator that can do everything.
fn check(side: usize) {
    let Some(icarus) = icarus() else { return };
    let configuration = whole(side);
    let compiled = compile(&icarus, &emit(&configuration), true);
    let mut cases = covering(&configuration, 1);
    assert!(cases.len() > 5, "{} graphs have every feature", cases.len());
    cases.extend([plain(&configuration), silent(&configuration)]);
    for case in &cases {
        let found = problem(&compiled, &configuration, case, false);
        assert_eq!(found, None, "{:#?}", case.0.model.network);
    }
}

#[test]
fn every_kind_of_layer_on_8x8_gives_the_right_results_from_unknown_registers_and_memories() {
    check(8);
}

#[test]
fn every_kind_of_layer_on_16x16_gives_the_right_results_from_unknown_registers_and_memories() {
    check(16);
}

#[test]
fn every_code_weight_width_and_shape_of_array_begins_with_unknown_registers_and_memories() {
    let Some(icarus) = icarus() else { return };
    for bench in benches() {
        let configuration = bench.configuration;
        let compiled = compile(&icarus, &emit(&configuration), true);
        // Lanes beyond the columns stay as they were, and the driver reads whole words; on the
        // largest array it takes long.
        let layers =
            configuration.activation_lanes() == configuration.columns && configuration.columns <= 8;
        for case in [plain(&configuration), silent(&configuration)] {
            let found = problem(&compiled, &configuration, &case, layers);
            assert_eq!(found, None, "{configuration:?}");
        }
    }
}

/// What is found on 8 × 8 hardware with a mistake.
fn found(icarus: &Icarus, mistake: Change, pessimist: bool) -> Option<String> {
    let configuration = whole(8);
    let mut emitted = emit(&configuration);
    mistake.apply(&mut emitted);
    let compiled = compile(icarus, &emitted, pessimist);
    let cases = [plain(&configuration), silent(&configuration)];
    let find = |case| problem(&compiled, &configuration, case, false);
    cases.iter().find_map(find)
}

/// That a mistake is found, as something unknown in `place`.
fn expect_unknown(mistake: Change, place: &str) {
    let Some(icarus) = icarus() else { return };
    let found = found(&icarus, mistake, true).expect("the mistake is found");
    assert!(found.contains("unknown at"), "{found}");
    assert!(found.contains(place), "{found}");
}

#[test]
fn a_residual_that_is_not_masked_where_none_is_added_is_found() {
    expect_unknown(
        Change::register("column", "residual_q", "operand"),
        "requantizer operand",
    );
}

#[test]
fn a_sum_that_begins_with_a_word_that_nobody_wrote_is_found() {
    expect_unknown(
        Change::wire("accumulator", "base", "stored_q"),
        "accumulator base",
    );
}

#[test]
fn a_word_that_is_read_without_a_pixel_and_that_nobody_wrote_is_found() {
    let there = "residual_slot || (tap_slot && window_walk_in_map)";
    expect_unknown(
        Change::register("sequencer", "operand_enable_q", there),
        "sequencer operand_enable",
    );
    let inside = "window_walk_in_map && position_issue";
    expect_unknown(
        Change::register("sequencer", "source_inside_q", inside),
        "array activation",
    );
}

#[test]
fn a_word_behind_the_last_weights_is_found() {
    let late = Change {
        module: "weight_address",
        before: "if (address_q == ".into(),
        after: ")",
        instead: "last_address + 23'd1".into(),
    };
    expect_unknown(late, "weight_path");
}

#[test]
fn control_that_no_reset_clears_is_found_although_an_if_makes_it_known() {
    let never = || Change {
        module: "sequencer",
        before: "if (reset) begin\n            state_q <= ".into(),
        after: ";",
        instead: "state_q".into(),
    };
    expect_unknown(never(), "sequencer");
    // An unknown state is none of those in its `case`, so that it becomes the first one.
    let Some(icarus) = icarus() else { return };
    assert_eq!(found(&icarus, never(), false), None);
}
