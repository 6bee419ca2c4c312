//! The comparison itself: deliberate mistakes in the RTL are found, and placed.

use brownout_hdl::emit::Emitted;
use brownout_hdl::generate::generate;
use brownout_sim::build::BuildOptions;
use brownout_sim::compare::{CompareError, Difference, Mismatch};
use brownout_sim::driver::DriverError;
use brownout_sim::link::Stalls;
use brownout_sim::simulator::{Simulator, source};
use brownout_spec::code::{Code, CodeName, Policy};
use brownout_spec::config::{Configuration, WeightBits};
use brownout_spec::fault::FaultMode;
use brownout_spec::quantity::{BitErrorRate, ChipSeed, Pass};
use brownout_tests::configurations::configuration;
use brownout_tests::graph::{self, Focus, Graph};
use brownout_tests::mutant::Change;
use brownout_tests::session::{Conditions, compare_images, tools};
use brownout_tests::tensors::draw_image;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Graphs that a mutant may survive before it counts as not found.
const GRAPHS: u64 = 28;

/// Runs random graphs on a mutant; the first mismatch must name a place inside its graph.
fn find(configuration: &Configuration, changes: &[Change]) -> Mismatch {
    find_by(configuration, changes, &Focus::ALL)
}

/// As [`find`], by graphs of some focuses.
fn find_by(configuration: &Configuration, changes: &[Change], focuses: &[Focus]) -> Mismatch {
    let mut emitted = generate(configuration).unwrap_or_else(|error| panic!("{error}"));
    for change in changes {
        change.apply(&mut emitted);
    }
    first_mismatch(configuration, &emitted, focuses).unwrap_or_else(|| {
        panic!("{GRAPHS} graphs show no difference between the mutant and the golden model")
    })
}

/// The first mismatch, if there is one.
fn first_mismatch(
    configuration: &Configuration,
    emitted: &Emitted,
    focuses: &[Focus],
) -> Option<Mismatch> {
    difference(configuration, emitted, focuses).unwrap_or_else(|error| panic!("{error}"))
}

/// The first mismatch, or why there is no answer.
fn difference(
    configuration: &Configuration,
    emitted: &Emitted,
    focuses: &[Focus],
) -> Result<Option<Mismatch>, CompareError> {
    let (toolchain, cache) = tools();
    let simulator = Simulator::from_verilog(
        &toolchain,
        &cache,
        configuration,
        &source(emitted),
        BuildOptions::default(),
    )
    .unwrap_or_else(|error| panic!("{error}"));
    let conditions = Conditions {
        seed: ChipSeed(7),
        mode: FaultMode::Persistent,
        threshold: BitErrorRate::new(0.05).expect("a probability").threshold(),
        supply: None,
        map: Default::default(),
        policy: Policy::Zero,
        first_pass: Pass(0),
    };
    let mut driver = simulator
        .driver(Stalls::default())
        .unwrap_or_else(|error| panic!("{error}"));
    for seed in 0..GRAPHS {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let focus = focuses[seed as usize % focuses.len()];
        let graph = graph::draw(configuration, focus, &mut random);
        let volume = graph.program.input.volume();
        let images: Vec<_> = (0..2).map(|_| draw_image(volume, &mut random)).collect();
        let found = compare_images(&mut driver, &graph, &conditions, &images, &[0, 1])?;
        if let Some(mismatch) = found {
            check_place(&mismatch, &graph);
            return Ok(Some(mismatch));
        }
    }
    Ok(None)
}

fn check_place(mismatch: &Mismatch, graph: &Graph) {
    let text = mismatch.to_string();
    let place = mismatch
        .place
        .as_ref()
        .unwrap_or_else(|| panic!("no place in {text:?}"));
    let output = graph.model.network.shapes().expect("drawn")[place.layer].output;
    assert!(place.y < output.height && place.x < output.width, "{text}");
    assert_ne!(place.golden, place.rtl, "{text}");
    for word in ["layer", "pixel", "channel", "golden", "RTL"] {
        assert!(text.contains(word), "{text:?} lacks {word}");
    }
}

fn in_place() -> Configuration {
    configuration(4, 8, WeightBits::Eight, CodeName::Inplace64_57)
}

#[test]
fn rounding_by_truncation_is_found() {
    let towards_zero = "total[47] ? total + ((48'd1 << shift) - 48'd1) : total";
    let mismatch = find(
        &in_place(),
        &[Change::register("requantizer", "sum_q", towards_zero)],
    );
    let place = mismatch.place.expect("checked");
    // Truncation instead of rounding moves a value by one, and only upwards.
    assert_eq!(place.rtl, place.golden + 1);
}

#[test]
fn one_bit_of_one_syndrome_mask_is_found() {
    let mask = Code::of(&in_place()).mask(3);
    let change = Change {
        module: "decoder",
        before: "PARITY_MASK_3 = ".into(),
        after: ";",
        instead: format!("64'h{:x}", mask ^ 1 << 17),
    };
    find(&in_place(), &[change]);
}

#[test]
fn a_swap_one_cycle_early_is_found() {
    // What the register would take is what it gives one clock later.
    let change = Change::wire("sequencer", "swap", "loads_q || begins_q");
    find(&in_place(), &[change]);
}

#[test]
fn a_padding_lane_that_is_written_without_being_zeroed_is_found() {
    let change = Change::lane("writer", ("unplaced", 8), " =", 5, "activation[8 * # +: 8]");
    let mismatch = find(&in_place(), &[change]);
    // The row mask hides it from everything but the padding lane itself.
    assert_eq!(mismatch.difference, Difference::Activation);
    let place = mismatch.place.expect("checked");
    assert_eq!((place.channel % 8, place.golden), (5, 0));
}

#[test]
fn a_padding_lane_that_is_read_without_being_zeroed_is_found() {
    // With more rows than columns, lanes of an activation word that a narrow
    // layer does not write still hold what an earlier one wrote.
    let wide_words = configuration(8, 4, WeightBits::Four, CodeName::None);
    let changes: Vec<_> = (4..8)
        .map(|row| {
            let instead = "inside_late ? source_lane[8 * # +: 8] : 8'd0";
            Change::lane("activation_buffers", ("row_q", 8), " <=", row, instead)
        })
        .collect();
    find(&wide_words, &changes);
}

#[test]
fn the_parameters_of_rows_in_between_are_not_those_of_the_last_one() {
    let change = Change {
        module: "parameter_address",
        before: "if (last_row) row_sets_q <= ".into(),
        after: ";",
        instead: "three".into(),
    };
    find(&in_place(), &[change]);
}

#[test]
fn rows_of_a_dilated_window_that_are_not_apart_are_found() {
    let change = Change {
        module: "window_address",
        before: "target_y_q <= tap_y_q + ".into(),
        after: ";",
        instead: "14'd1".into(),
    };
    // Only what lies in the padding, or does not, tells.
    find_by(&in_place(), &[change], &[Focus::Rectangle]);
}

#[test]
fn a_map_that_is_written_from_the_beginning_of_its_buffer_is_found() {
    let change = Change {
        module: "writer",
        before: "base_q <= destination".into(),
        after: ";",
        instead: "_base ^ destination_base".into(),
    };
    find(&in_place(), &[change]);
}

/// Parts of concats that begin in any lane.
const PARTS: [Focus; 1] = [Focus::Concatenation];

#[test]
fn a_part_of_a_concat_that_is_not_moved_to_its_lane_is_found() {
    for stage in 0..3 {
        let change = Change {
            module: "writer",
            before: format!(".moves(destination_lane[{stage}]"),
            after: ")",
            instead: " && 1'b0".into(),
        };
        find_by(&in_place(), &[change], &PARTS);
    }
}

#[test]
fn lanes_of_another_part_that_are_written_as_zero_are_found() {
    let change = Change::wire("descriptor", "keep", "1'b0");
    find_by(&in_place(), &[change], &PARTS);
}

#[test]
fn what_reaches_beyond_a_tile_of_columns_and_is_not_written_is_found() {
    let change = Change::register("writer", "second_q", "1'b0");
    find_by(&in_place(), &[change], &PARTS);
    // With two tiles of columns in a word, it may lie in the same one.
    let wide_words = configuration(8, 4, WeightBits::Four, CodeName::None);
    let change = Change {
        module: "writer",
        before: "second_base_q <= base_after".into(),
        after: ";",
        instead: " & base_q".into(),
    };
    find_by(&wide_words, &[change], &PARTS);
}

#[test]
fn a_result_that_is_left_out_or_in_another_order_is_found() {
    let one_less = Change {
        module: "result_fifo",
        before: "last_used_q <= last_columns - ".into(),
        after: ";",
        instead: "7'd2".into(),
    };
    let mut emitted = generate(&in_place()).unwrap_or_else(|error| panic!("{error}"));
    one_less.apply(&mut emitted);
    let error = difference(&in_place(), &emitted, &[Focus::Map]).unwrap_err();
    let missing = matches!(
        error,
        CompareError::Driver(DriverError::Unfinished { found, expected, .. }) if found < expected
    );
    assert!(missing, "{error}");
    let by_tiles = Change {
        module: "result_fifo",
        before: "pixel_begin_q <= pixel_begin_q + ".into(),
        after: ";",
        instead: "COLUMNS".into(),
    };
    // Then the last result is not where the others end, either.
    let mut emitted = generate(&in_place()).unwrap_or_else(|error| panic!("{error}"));
    by_tiles.apply(&mut emitted);
    let found = difference(&in_place(), &emitted, &[Focus::Map]);
    assert!(!matches!(found, Ok(None)), "results in another order");
}

#[test]
fn a_weight_that_stays_in_the_shadow_of_a_swap_is_found() {
    let change = Change {
        module: "pe",
        before: "shadow_q <= 8'd".into(),
        after: ";",
        instead: "0 | shadow_q".into(),
    };
    // Where a word is as long as a row, every place of a tile is loaded.
    let long_rows = configuration(8, 16, WeightBits::Eight, CodeName::Inplace64_57);
    find_by(&long_rows, &[change], &[Focus::Depthwise]);
}

#[test]
fn lanes_of_a_word_behind_its_group_that_are_multiplied_are_found() {
    find(
        &in_place(),
        &[Change::wire("weight_spread", "behind", "7'd8")],
    );
}

/// The accelerator of the other mutants with zero points and two tables.
fn with_zero_points() -> Configuration {
    Configuration {
        zero_points: true,
        tables: 2,
        ..in_place()
    }
}

/// A lane, sign-extended to nine bits.
fn stored(lane: &str) -> String {
    format!("{{{{1{{{lane}[8 * # + 7]}}}}, {lane}[8 * # +: 8]}}")
}

#[test]
fn a_zero_point_that_is_not_taken_off_is_found() {
    let array = ("source_value", 9);
    let change = Change::lane("activation_buffers", array, " =", 2, &stored("source_lane"));
    find(&with_zero_points(), &[change]);
    let array = ("operand_value", 9);
    let change = Change::lane(
        "activation_buffers",
        array,
        " =",
        3,
        &stored("operand_lane"),
    );
    find(&with_zero_points(), &[change]);
}

#[test]
fn a_zero_point_that_is_taken_off_padding_or_lanes_beyond_the_channels_is_found() {
    let padding =
        "row_used_q[#] ? (inside_late ? source_value[9 * # +: 9] : -source_zero_wide) : 9'd0";
    let beyond = "inside_late ? source_value[9 * # +: 9] : 9'd0";
    let pooled = Change {
        module: "activation_buffers",
        before: "if (column_used_q[i]) operand_q[9 * i +: 9] <= ".into(),
        after: ";",
        instead: "operand_value[9 * i +: 9]; else if (i == 2) operand_q[9 * i +: 9] <= -operand_zero_wide".into(),
    };
    for change in [
        Change::lane("activation_buffers", ("row_q", 9), " <=", 1, padding),
        Change::lane("activation_buffers", ("row_q", 9), " <=", 3, beyond),
    ] {
        find(&with_zero_points(), &[change]);
    }
    // A residual operand with fewer channels than the output.
    find_by(&with_zero_points(), &[pooled], &[Focus::WideningResidual]);
}

#[test]
fn padding_that_wins_a_maximum_of_differences_is_found() {
    // Zero is greater than a difference that is negative.
    let change = Change {
        module: "activation_buffers",
        before: "operand_q[9 * i +: 9] <= 9'd2".into(),
        after: ";",
        instead: "56 & 9'd0".into(),
    };
    find_by(&with_zero_points(), &[change], &[Focus::MaxPool]);
}

#[test]
fn the_zero_point_of_the_other_tensor_is_found() {
    for other in ["source_zero", "operand_zero"] {
        let change = Change::wire("activation_buffers", "taken_off", other);
        find(&with_zero_points(), &[change]);
    }
}

#[test]
fn a_table_that_is_read_by_an_index_of_the_wrong_sign_is_found() {
    let change = Change::wire("column", "entry", "requantizer_activation");
    find_by(&with_zero_points(), &[change], &[Focus::Pointwise]);
}

#[test]
fn a_wrong_table_or_one_without_a_pointwise_layer_is_found() {
    let first = Change::wire("column", "first_entry", "9'd0");
    find_by(&with_zero_points(), &[first], &[Focus::Pointwise]);
    let always = Change::register("column", "looked_up_q", "tables_read_data");
    find(&with_zero_points(), &[always]);
}

#[test]
fn a_detected_word_that_is_kept_instead_of_zeroed_is_found() {
    let changes =
        ["clear_others", "clear_constrained"].map(|name| Change::wire("decoder", name, "1'b0"));
    find(&in_place(), &changes);
}

/// Lanes of a memory that are written `since` clocks before they are read come out inverted.
fn spoil_collisions(emitted: &mut Emitted, since: usize) {
    const READ: &str = "    if (read_enable) read_word <= cells[read_address];\n";
    let mut spoiled = 0;
    for module in &mut emitted.modules {
        if !module.name.contains("_memory_") {
            continue;
        }
        assert!(module.text.contains(READ), "{}", module.text);
        let lanes = module.ports.iter().find(|p| p.name == "write_enable");
        let lanes = lanes.expect("a memory is written").width;
        let write_enable = |lane: usize| match lanes {
            1 => "write_enable".to_owned(),
            _ => format!("write_enable[{lane}]"),
        };
        let word: usize = module
            .text
            .split_once("reg [")
            .and_then(|(_, rest)| rest.split_once(':'))
            .and_then(|(top, _)| top.parse().ok())
            .expect("the word's width stands in its declaration");
        let bits = (word + 1) / lanes;
        let address = match since {
            0 => "write_address",
            _ => "late_address",
        };
        let mut spoil = String::from(READ);
        for lane in 0..lanes {
            let slice = format!("[{}:{}]", bits * lane + bits - 1, bits * lane);
            let enable = match since {
                0 => write_enable(lane),
                _ => format!("late_enable_{lane}"),
            };
            spoil += &format!(
                "    if (read_enable && {enable} && read_address == {address})\n        \
                 read_word{slice} <= ~cells[read_address]{slice};\n"
            );
            if since > 0 {
                spoil += &format!("    late_enable_{lane} <= {};\n", write_enable(lane));
            }
        }
        if since > 0 {
            spoil += "    late_address <= write_address;\n";
            let depth = module.text.split_once("cells [0:").expect("cells").1;
            let last: usize = depth
                .split_once(']')
                .expect("cells")
                .0
                .parse()
                .expect("depth");
            let top = last.ilog2();
            let mut registers = format!("reg [{top}:0] late_address;\n");
            for lane in 0..lanes {
                registers += &format!("reg late_enable_{lane};\n");
            }
            module.text = module
                .text
                .replace("always @(posedge", &(registers + "always @(posedge"));
        }
        module.text = module.text.replace(READ, &spoil);
        spoiled += 1;
    }
    assert!(spoiled > 3, "only {spoiled} memories");
}

#[test]
fn no_user_of_a_memory_relies_on_a_word_that_is_read_while_it_is_written() {
    let configuration = in_place();
    let emitted = generate(&configuration).unwrap_or_else(|error| panic!("{error}"));
    // `no_rw_check` leaves this word undefined on hardware; simulators give the old one.
    let mut together = emitted.clone();
    spoil_collisions(&mut together, 0);
    if let Some(mismatch) = first_mismatch(&configuration, &together, &Focus::ALL) {
        panic!("a word read while it was written was used: {mismatch}");
    }
    // One clock after the write the word must be right, and the comparison sees that.
    let mut after = emitted;
    spoil_collisions(&mut after, 1);
    assert!(first_mismatch(&configuration, &after, &Focus::ALL).is_some());
}
