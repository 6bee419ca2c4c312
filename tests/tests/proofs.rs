//! Yosys proves what emitted modules do, for all values of their inputs; and
//! rejects mutants, each for the claim that it breaks.

use brownout_hdl::emit::{Emitted, Origin};
use brownout_hdl::{generate, generate_board};
use brownout_spec::code::{Code, CodeName, Codeword, Storage};
use brownout_spec::config::{Configuration, Depths, WeightBits};
use brownout_spec::serial::Board;
use brownout_tests::configurations::{benches, configuration};
use brownout_tests::formal::netlist::Cut;
use brownout_tests::formal::yosys::Verdict;
use brownout_tests::formal::{
    board_reset, clearing, decoder, delay, fifo, gates, loader, memory, multiplier, pe, plain_path,
    registers, requantizer,
};

use CodeName::{Inplace32_26, Inplace64_57, Secded72_64};
use WeightBits::{Eight, Four};

fn emitted(configuration: &Configuration) -> Emitted {
    generate(configuration).unwrap_or_else(|error| panic!("{error}"))
}

fn cut(configuration: &Configuration, kind: &str) -> Cut {
    Cut::find(&emitted(configuration), kind)
        .unwrap_or_else(|| panic!("there is no {kind} in\n{}", configuration.to_toml()))
}

/// An accelerator with this decoder.
fn with_code(code: CodeName, bits: WeightBits) -> Configuration {
    configuration(4, 16, bits, code)
}

/// All claims about the decoder of one code, and a mutant that breaks each of them.
fn decoder_is_proved(name: CodeName, bits: WeightBits) -> (Cut, Code) {
    let configuration = with_code(name, bits);
    let code = Code::of(&configuration);
    let cut = cut(&configuration, "decoder");
    let time = decoder::time(&cut);
    time.prove(&cut);
    // A register too many, and a stage too few.
    time.reject(&cut.delay_input("word"));
    let early = cut.without_register("received_q");
    time.reject(&early.without_register("syndrome_q"));
    let function = decoder::function(&cut, &code);
    function.prove(&cut);
    // One lane too many or too few in one parity: a word of ones has an odd syndrome then,
    // which all are columns in the in-place codes.
    let all = ["clean", "single", "double", "any", "stuck"];
    let but_stuck = &all[..4];
    let flipped = cut.replace_number(code.n(), code.mask(3), code.mask(3) ^ 1 << 17);
    let broken = if name.is_in_place() { &all } else { but_stuck };
    function.reject(&flipped, broken);
    // No inverter, one too few, and one on the lane of another check bit.
    function.reject(&plain_decoder(&configuration), &all);
    let inverted = u128::from(code.syndrome(Codeword(0)));
    let inverting = |parities: u128| cut.replace_number(8, inverted, parities);
    function.reject(&inverting(0b001), &all);
    function.reject(&inverting(0b101), but_stuck);
    (cut, code)
}

/// The decoder of the same accelerator with plain words.
fn plain_decoder(configuration: &Configuration) -> Cut {
    let plain = Configuration {
        storage: Storage::Plain,
        ..configuration.clone()
    };
    cut(&plain, "decoder")
}

#[test]
fn the_decoders_of_plain_words_are_those_of_the_same_codes_and_miss_a_word_of_zeros() {
    for (name, bits) in [
        (Secded72_64, Eight),
        (Inplace64_57, Eight),
        (Inplace32_26, Four),
    ] {
        let configuration = with_code(name, bits);
        let plain = plain_decoder(&configuration);
        let function = decoder::function(&plain, &Code::new(name, bits, Storage::Plain));
        function.prove(&plain);
        // The decoder of a coset is none of plain words.
        let coset = cut(&configuration, "decoder");
        function.reject(&coset, &["clean", "single", "double", "any"]);
    }
}

#[test]
fn the_decoder_of_secded_72_64_corrects_every_single_and_detects_every_double_error() {
    for bits in [Eight, Four] {
        decoder_is_proved(Secded72_64, bits);
    }
}

#[test]
fn the_decoder_of_inplace_64_57_corrects_every_single_and_detects_every_double_error() {
    for bits in [Eight, Four] {
        decoder_is_proved(Inplace64_57, bits);
    }
}

#[test]
fn the_decoder_of_inplace_32_26_corrects_every_single_and_detects_every_double_error() {
    let (cut, code) = decoder_is_proved(Inplace32_26, Four);
    let function = decoder::function(&cut, &code);

    // A policy is taken for another one.
    let confused = cut.disturb_input("policy", "{policy[0], policy[1] ^ policy[0]}");
    function.reject(&confused, &["double", "any"]);
    // Nothing corrects lane 5: it waits for a syndrome that takes three errors.
    let odd = (1..=u8::MAX).filter(|syndrome| syndrome.count_ones() % 2 == 1);
    let unused = odd
        .into_iter()
        .find(|syndrome| !code.columns().contains(syndrome));
    let unused = u128::from(unused.expect("not every odd number is a column"));
    let dropped = cut.replace_number(8, u128::from(code.columns()[5]), unused);
    function.reject(&dropped, &["single", "any"]);
}

#[test]
fn code_none_has_no_decoder_and_its_words_pass_unchanged() {
    let mut plain = configuration(4, 8, Eight, CodeName::None);
    plain.depths.weights = 32;
    plain.fault_emulation = false;
    let emitted = emitted(&plain);
    assert!(Cut::find(&emitted, "decoder").is_none());
    let cut = Cut::find(&emitted, "weight_path").expect("a weight path");
    let theorem = plain_path::theorem(&cut);
    let depth = plain.depths.weights;
    theorem.prove(&plain_path::with_one_word(&cut, depth, "cell"));
    let flipped = plain_path::with_one_word(&cut, depth, "cell ^ 64'h4000");
    theorem.reject(&flipped, &["unchanged"]);
}

/// Memories of every shape, but small: the effort grows with the number of bits.
fn small_memories() -> Configuration {
    let mut small = configuration(4, 4, Four, CodeName::Inplace32_26);
    small.depths = Depths {
        weights: 24,
        activations: 12,
        accumulators: 8,
        parameters: 5,
        layers: 1,
        results: Depths::RESULTS,
    };
    small.columns = 8;
    small
}

#[test]
fn every_memory_is_its_rust_description() {
    let emitted = emitted(&small_memories());
    let mut sizes = Vec::new();
    for module in emitted
        .modules
        .iter()
        .filter(|m| m.name.contains("_memory_"))
    {
        assert_eq!(module.origin, Origin::Leaf);
        let cut = Cut::of(&emitted, module);
        // The result FIFO's 256 words are no other shape than the accumulators' 8.
        if memory::depth(&cut) < 64 {
            memory::content(&cut).prove(&cut);
            sizes.push(cut.name);
        }
    }
    assert!(sizes.len() >= 4, "{sizes:?}");
}

#[test]
fn a_memory_of_which_only_some_words_are_looked_at_is_its_description_and_a_wrong_word_shows() {
    let cut = cut(&benches()[1].configuration, "memory_1024x1x32");
    let some = memory::with_words(&cut, 16);
    let content = memory::content(&some);
    content.prove(&some);
    let other = some.replace("cells[read_address]", "cells[~read_address]");
    content.reject(&other, &["merged"]);
    let restless = some.replace("if (read_enable) ", "");
    content.reject(&restless, &["still"]);
}

#[test]
fn a_memory_that_writes_unasked_or_reads_what_it_writes_is_rejected() {
    let cut = cut(&small_memories(), "memory_5x2x32");
    let content = memory::content(&cut);
    let unasked = cut.replace("if (write_enable[i]) ", "");
    content.reject(&unasked, &["old", "merged"]);
    // Blocking assignments come before the read of the same clock.
    let through = cut.replace("<= write_data[", "= write_data[");
    content.reject(&through, &["old", "merged"]);
    let restless = cut.replace("if (read_enable) ", "");
    content.reject(&restless, &["still"]);
}

#[test]
fn the_wide_multiplier_is_its_rust_description() {
    let cut = cut(&benches()[1].configuration, "multiplier");
    let time = multiplier::time(&cut);
    time.prove(&cut);
    for factor in ["multiplicand", "factor"] {
        time.reject(&cut.delay_input(factor));
    }
    let function = multiplier::function(&cut);
    function.prove(&cut);
    let signed_low = cut.replace(
        "{16'd0, multiplicand[15:0]}",
        "{{16{multiplicand[15]}}, multiplicand[15:0]}",
    );
    function.reject(&signed_low, &["product"]);
}

#[test]
fn the_reset_of_a_board_follows_power_up_and_every_press_and_nothing_else() {
    let board = generate_board(&small_memories(), Board::Ulx3s);
    let board = board.unwrap_or_else(|error| panic!("{error}"));
    let cut = Cut::find(&board, "board_reset").expect("a board has a reset");
    let power_up = board_reset::power_up(&cut);
    power_up.prove(&cut);
    let (anywhere, function) = board_reset::function(&cut);
    function.prove(&anywhere);

    // A counter that starts anywhere, one that is half as long, one stage of a synchronizer.
    power_up.reject(&anywhere, &["power_up"]);
    for half in anywhere.replace_each("count_q[8]", "count_q[7]") {
        function.reject(&half, &["held"]);
    }
    let hasty = anywhere.replace("if (pressed_q)", "if (pressed_first_q)");
    function.reject(&hasty, &["held"]);
}

#[test]
fn the_requantizer_is_its_formula() {
    // With operands of eight and of nine bits.
    for bench in [0, 1] {
        requantizer_is_its_formula(&cut(&benches()[bench].configuration, "requantizer"));
    }
}

fn requantizer_is_its_formula(cut: &Cut) {
    let free = requantizer::with_free_product(cut);
    let function = requantizer::function(&free);
    function.prove(&free);
    let late = cut.delay_input("value");
    for theorem in requantizer::time(cut) {
        theorem.prove(cut);
        theorem.reject(&late);
    }
    // Both sums; the third one counts the stages of a loop.
    for term in ["bias_last_q", "multiplier_product"] {
        let mutant = free.replace(&format!("{term} + "), &format!("{term} - "));
        function.reject(&mutant, &["shifted", "activation"]);
    }
    let never_pool = free.disturb_input("pool", "1'b0");
    function.reject(&never_pool, &["shifted", "activation"]);
    let low_only = free.disturb_input("high", "low");
    function.reject(&low_only, &["activation"]);
}

#[test]
fn the_processing_element_is_what_a_cell_of_the_array_is() {
    // A word for several rows; several words for a row, with a gate; four bits; activations of nine.
    for (rows, columns, bits, zero_points) in [
        (8, 4, Four, false),
        (4, 16, Eight, false),
        (4, 4, Eight, true),
    ] {
        let configuration = Configuration {
            zero_points,
            ..configuration(rows, columns, bits, CodeName::None)
        };
        let cut = cut(&configuration, "pe");
        let time = pe::time(&cut);
        time.prove(&cut);
        time.reject(&cut.delay_input("activation_in"));
        time.reject(&cut.without_register("product_q"));
        let product = pe::function(&cut);
        product.prove(&cut);
        let [kept, stayed, cleared, loaded, passed] = pe::state(&cut);
        for theorem in [&kept, &stayed, &cleared, &loaded, &passed] {
            theorem.prove(&cut);
        }
        let subtracts = cut.replace("sum_in + ", "sum_in - ");
        product.reject(&subtracts, &["product"]);
        let always = cut.disturb_input("swap_in", "1'b1");
        kept.reject(&always, &["kept"]);
        let never = cut.disturb_input("load_in", "1'b0");
        loaded.reject(&never, &["loaded"]);
        passed.reject(&never, &["passed"]);
        let forced = cut.disturb_input("load_in", "1'b1");
        stayed.reject(&forced, &["stayed"]);
        cleared.reject(&forced, &["cleared"]);
        let zero = format!("shadow_q <= {}'d0", bits.bits());
        let left = cut.replace(&zero, "shadow_q <= shadow_q");
        cleared.reject(&left, &["cleared"]);
    }
}

#[test]
fn registers_behind_an_enable_do_not_move_without_it() {
    let design = emitted(&benches()[1].configuration);
    let mut modules = 0;
    for module in &design.modules {
        let cut = Cut::of(&design, module);
        for theorem in gates::theorems(&cut) {
            theorem.prove(&cut);
            modules += 1;
        }
    }
    assert!(modules >= 5, "{modules} claims");
    for (kind, enable, refuted) in [
        ("cipher_mix", "enable", 0),
        ("skew", "enable", 0),
        ("multiplier", "enable_sum", 0),
        ("multiplier", "enable", 1),
    ] {
        let name = format!("brownout_{kind}");
        let module = design.modules.iter().find(|m| m.name == name);
        let cut = Cut::of(&design, module.expect("a gated module"));
        let always = cut.disturb_input(enable, "1'b1");
        gates::theorems(&cut)[refuted].reject(&always, &["kept"]);
    }
}

#[test]
fn after_a_reset_nothing_of_before_comes_out() {
    let design = emitted(&benches()[1].configuration);
    for (kind, never) in [
        ("strobe_delay", "reset"),
        ("weight_fifo", "clear"),
        ("weight_fifo", "reset"),
        ("fault_pipeline", "clear"),
        ("fault_pipeline", "reset"),
        ("requantizer", "reset"),
        ("column", "reset"),
        ("columns", "reset"),
    ] {
        let cut = Cut::find(&design, kind).expect("a module that forgets");
        let (shown, theorems) = clearing::theorems(&cut).expect("claims");
        let ignored = shown.disturb_input(never, "1'b0");
        let mut refuted = 0;
        for theorem in theorems {
            theorem.prove(&shown);
            refuted += usize::from(theorem.ask(&ignored) != [Verdict::Proved]);
        }
        assert_eq!(refuted, 1, "{kind} without {never}");
    }
}

#[test]
fn after_a_reset_or_a_restart_loading_begins_at_the_first_word() {
    let design = emitted(&benches()[1].configuration);
    let mut modules = design.modules.iter();
    let module = modules.find(|m| m.name == "brownout_loader");
    let cut = Cut::of(&design, module.expect("a loader"));
    let [reset, restart] = loader::beginnings(&cut);
    for theorem in [&reset, &restart] {
        theorem.prove(&cut);
    }
    let kept = cut.replace("if (restart || reset) begin", "if (restart) begin");
    reset.reject(&kept, &["begins"]);
    restart.prove(&kept);
    let kept = cut.replace("if (restart || reset) begin", "if (reset) begin");
    restart.reject(&kept, &["begins"]);
}

#[test]
fn after_a_reset_no_strobe_of_before_reaches_the_array() {
    let design = emitted(&benches()[1].configuration);
    let top = Cut::of(&design, &design.modules[0]);
    assert_eq!(top.name, "brownout");
    let (shown, theorem) = clearing::strobes(&top, &design);
    theorem.prove(&shown);
    let [early, spread, last] = ["early_weight", "spread_weight", "weight"]
        .map(|stage| format!("            {stage}_valid_q <= 1'b0;\n"));
    let swap = "                if (reset) q <= 1'b0;\n";
    for reset in [early.as_str(), &spread, &last, swap] {
        let kept = shown.replace(reset, "");
        theorem.reject(&kept, &["forgotten"]);
    }
}

#[test]
fn a_stage_of_the_fault_emulation_moves_only_for_a_word_that_may_be_disturbed() {
    let design = emitted(&benches()[1].configuration);
    let cut = Cut::find(&design, "fault_pipeline").expect("a fault pipeline");
    let (shown, theorem) = clearing::stages(&cut).expect("claims");
    theorem.prove(&shown);
    let enabled = "= word_valid_q[n - 1] && disturbs";
    let always = shown.replace(enabled, "= disturbs");
    theorem.reject(&always, &["empty"]);
    let without = shown.replace(enabled, "= word_valid_q[n - 1]");
    theorem.reject(&without, &["idle"]);
}

#[test]
fn the_halves_of_a_counter_are_of_one_moment() {
    for bench in [1, 7] {
        let configuration = &benches()[bench].configuration;
        let cut = cut(configuration, "registers");
        let theorem = registers::counters(&cut, configuration.fault_emulation);
        theorem.prove(&cut);
        let always = cut.disturb_input("register_read", "1'b1");
        theorem.reject(&always, &["high", "kept"]);
        let other = cut.disturb_input("counters_2", "{counters_2[62:0], counters_2[63]}");
        theorem.reject(&other, &["low", "high"]);
    }
}

#[test]
fn every_delay_line_gives_all_bits_back_when_its_name_says() {
    let design = emitted(&benches()[1].configuration);
    let mut lines = 0;
    for module in &design.modules {
        let cut = Cut::of(&design, module);
        let Some(clocks) = delay::clocks(&cut) else {
            continue;
        };
        let theorem = delay::late(&cut, clocks);
        theorem.prove(&cut);
        theorem.reject(&cut.delay_input("value"), &["late"]);
        lines += 1;
    }
    // That of the columns' control, and that of their operands.
    assert_eq!(lines, 2);
}

#[test]
fn the_weight_fifo_knows_whether_it_holds_a_word() {
    let cut = cut(&benches()[1].configuration, "weight_fifo");
    let theorem = fifo::account(&cut);
    theorem.prove(&cut);
    let never_less = cut.replace("stored_d = stored_q - ", "stored_d = stored_q + 7'd0 * ");
    theorem.reject(&never_less, &["right", "next"]);
}
