//! What becomes of quantizers in an integer model, and what has none.

mod support;

use brownout_onnx::integers::is_quantized;
use brownout_spec::config::WeightBits;
use brownout_spec::program::Operation;
use support::integers::{check, image, made, model, network, run};
use support::model::{Model, float, int, ints, text};
use support::quantized::{I8, U8, residual, some};

/// An image of integers, and its numbers.
fn quantized() -> Model {
    Model::new(&[1, 2, 4, 4])
        .step("x", 0.05, 0, I8)
        .rounded("x", "x")
}

/// Results: the mean of every channel.
fn ended(model: Model, of: &str) -> Model {
    model.node("GlobalAveragePool", &[of], "y", &[])
}

fn refused(model: &Model, parts: &[&str]) {
    let refusal = made(&network(model))
        .map(|made| made.model)
        .expect_err("it has no integers");
    for part in parts {
        assert!(refusal.contains(part), "{refusal}\nlacks {part}");
    }
}

#[test]
fn factors_of_channels_find_them_behind_channels_of_zeros() {
    let padded = quantized()
        .list("pads", &[0, 1, 0, 0, 0, 1, 0, 0])
        .node("Pad", &["x_d", "pads"], "p", &[])
        .floats("f", &[1, 4, 1, 1], &[9.0, 0.5, 2.0, 9.0])
        .node("Mul", &["p", "f"], "m", &[])
        .step("m", 0.031, 0, I8)
        .rounded("m", "m")
        .weights("w", &[2, 4, 1, 1], 0.02, &some(8))
        .node("Conv", &["m_d", "w_d"], "c", &[])
        .step("c", 0.0017, 0, I8)
        .rounded("c", "c");
    check(&ended(padded, "c_d"), 0.0);
}

#[test]
fn a_vector_of_a_map_with_channels_first_is_no_result() {
    let flat = quantized().node("Flatten", &["x_d"], "y", &[]);
    refused(&flat, &["a map of 4x4x2", "channels first", "allowed"]);
}

#[test]
fn unsigned_bytes_are_stored_less_128_and_so_are_their_zero_points() {
    let made = check(&residual(), 0.0);
    let network = &made.model.network;
    assert_eq!(network.input_zero, -11);
    let zeros: Vec<i8> = network.layers.iter().map(|layer| layer.zero).collect();
    // A convolution, a sum, a pool, a table, and results, which have no zero point.
    assert_eq!(zeros, [3, -128, -128, -128, 0]);
    assert_eq!((made.zero_points(), made.tables()), (5, 1));
    let low: Vec<i8> = network.layers[..3].iter().map(|l| l.output.low).collect();
    assert_eq!(low, [-128; 3]);
    // Weights are the file's.
    let weights = made.model.weight_tensors();
    let stored: Vec<i32> = weights[0].iter().map(|&w| i32::from(w)).collect();
    assert_eq!(stored, some(36));
    assert_eq!(made.model.weight_bits, WeightBits::Four);
    assert!(
        made.remarks
            .iter()
            .any(|r| r.contains("its bounds and its zero point"))
    );
}

#[test]
fn weights_at_a_real_zero_do_nothing_whatever_they_are() {
    let mut model = model(&residual());
    // The image is 0 everywhere: the zero point, and around it padding.
    let zeros = vec![model.network.input_zero; 32];
    let before = run(&model, &zeros);
    let weights = model.layers[0].weights.as_mut().expect("a convolution");
    weights.integers.mapv_inplace(|w| w ^ 0x5);
    assert_eq!(run(&model, &zeros).0, before.0);
    // And a pixel that is no zero is multiplied.
    let mut other = zeros;
    other[10] = 90;
    let after = run(&model, &other);
    let weights = model.layers[0].weights.as_mut().expect("a convolution");
    weights.integers.mapv_inplace(|w| w ^ 0x5);
    assert_ne!(run(&model, &other).0, after.0);
}

#[test]
fn a_pool_in_front_of_its_quantizer_is_a_pool_behind_it() {
    let kernel = [ints("kernel_shape", &[2, 2])];
    let of = quantized()
        .weights("w", &[2, 2, 1, 1], 0.1, &[2, -1, 3, 1])
        .node("Conv", &["x_d", "w_d"], "c", &[])
        .node("MaxPool", &["c"], "p", &kernel)
        .step("p", 0.0107, 4, I8)
        .rounded("p", "p");
    let made = check(&ended(of, "p_d"), 0.0);
    let kinds: Vec<&str> = made
        .model
        .network
        .layers
        .iter()
        .map(|l| l.operation.kind())
        .collect();
    assert_eq!(kinds, ["convolution", "max pool", "global average pool"]);
}

#[test]
fn one_quantizer_behind_parts_side_by_side_rounds_each_of_them() {
    let of = quantized()
        .weights("w", &[3, 2, 1, 1], 0.1, &some(6))
        .node("Conv", &["x_d", "w_d"], "c", &[])
        .node("Concat", &["x_d", "c"], "j", &[int("axis", 1)])
        .step("j", 0.07, -9, I8)
        .rounded("j", "j");
    let made = check(&ended(of, "j_d"), 0.0);
    let kinds: Vec<&str> = made
        .model
        .network
        .layers
        .iter()
        .map(|l| l.operation.kind())
        .collect();
    let parts = [
        "average pool",
        "convolution",
        "concat",
        "global average pool",
    ];
    assert_eq!(kinds, parts);
}

#[test]
fn quantizers_of_qonnx_have_their_ranges_and_signs() {
    let narrow = [int("signed", 1), int("narrow", 1)];
    let unsigned = [int("signed", 0), int("narrow", 0)];
    let of = Model::new(&[1, 6])
        .floats("s", &[], &[0.25])
        .floats("z", &[], &[0.0])
        .floats("b3", &[], &[3.0])
        .floats("b8", &[], &[8.0])
        .node("Quant", &["x", "s", "z", "b8"], "q", &narrow)
        .floats("w", &[6, 4], &image(24, 3))
        .floats("half", &[], &[0.5])
        .node("BipolarQuant", &["w", "half"], "wq", &[])
        .node("MatMul", &["q", "wq"], "m", &[])
        .floats("gain", &[4], &[1.0, -2.0, 0.5, 3.0])
        .floats("shift", &[4], &[0.3, -0.2, 0.1, 0.0])
        .floats("mean", &[4], &[0.1, 0.2, -0.3, 0.05])
        .floats("var", &[4], &[1.0, 0.5, 2.0, 1.5])
        .node(
            "BatchNormalization",
            &["m", "gain", "shift", "mean", "var"],
            "n",
            &[],
        )
        .floats("one", &[], &[1.0])
        .node("BipolarQuant", &["n", "one"], "bq", &[])
        .floats("v", &[4, 5], &image(20, 1))
        .node("Quant", &["v", "s", "z", "b3"], "vq", &narrow)
        .node("MatMul", &["bq", "vq"], "k", &[])
        .node("Relu", &["k"], "r", &[])
        .floats("each", &[5], &[1.0, 2.0, 0.5, 1.5, 4.0])
        .node("Mul", &["r", "each"], "e", &[])
        .node("Quant", &["e", "s", "z", "b3"], "rq", &unsigned)
        .floats("u", &[5, 3], &image(15, 2))
        .node("Quant", &["u", "s", "z", "b3"], "uq", &narrow)
        .node("MatMul", &["rq", "uq"], "y", &[]);
    // Ties are frequent between steps of powers of two.
    let made = check(&of, 1.0);
    let layers = &made.model.network.layers;
    let ranges: Vec<(i8, i8)> = layers
        .iter()
        .map(|l| (l.output.low, l.output.high))
        .collect();
    assert_eq!(ranges[..2], [(-1, 1), (0, 7)]);
    // Signs have no ties, and are never 0.
    let (activations, _) = run(&made.model, &[3, -7, 11, 0, 2, -20]);
    assert!(
        activations[0].iter().all(|v| v.abs() == 1),
        "{activations:?}"
    );
    let weights: Vec<i8> = made.model.weight_tensors()[0].to_vec();
    assert!(weights.iter().all(|w| w.abs() == 1));
}

#[test]
fn a_sign_is_that_of_the_sum_to_the_last_unit() {
    // The factor is negative in the second channel, and the border between two integers.
    let of = Model::new(&[1, 1])
        .step("x", 1.0, 0, I8)
        .rounded("x", "x")
        .weights("w", &[2, 1], 1.0, &[1, 1])
        .floats("border", &[2], &[-2.5, 4.0])
        .floats("turn", &[2], &[1.0, -1.0])
        .node("Gemm", &["x_d", "w_d"], "m", &[int("transB", 1)])
        .node("Mul", &["m", "turn"], "t", &[])
        .node("Add", &["t", "border"], "a", &[])
        .floats("one", &[], &[1.0])
        .node("BipolarQuant", &["a", "one"], "b", &[])
        .weights("v", &[2, 2], 1.0, &[1, 0, 0, 1])
        .node("Gemm", &["b", "v_d"], "y", &[int("transB", 1)]);
    let model = model(&of);
    for x in -128..=127i8 {
        let sign = |condition: bool| if condition { 1 } else { -1 };
        let wanted = [sign(x >= 3), sign(x <= 4)];
        assert_eq!(run(&model, &[x]).0[0], wanted, "{x}");
    }
}

#[test]
fn trunc_drops_the_low_bits_of_a_mean() {
    let attributes = [int("signed", 1), text("rounding_mode", "FLOOR")];
    let of = quantized()
        .node(
            "AveragePool",
            &["x_d"],
            "p",
            &[ints("kernel_shape", &[2, 2])],
        )
        .floats("s", &[], &[0.0125])
        .floats("z", &[], &[0.0])
        .floats("in", &[], &[10.0])
        .floats("so", &[], &[0.1])
        .floats("out", &[], &[7.0])
        .node(
            "qonnx.custom_op.general::Trunc",
            &["p", "s", "z", "in", "so", "out"],
            "t",
            &attributes,
        )
        .opset("qonnx.custom_op.general", 2);
    check(&ended(of, "t"), 0.0);
}

#[test]
fn results_keep_the_steps_of_the_last_quantizer_and_lose_its_bounds() {
    let dense = |behind: &str| {
        Model::new(&[1, 2])
            .step("x", 0.5, 0, I8)
            .rounded("x", "x")
            .weights("w", &[2, 2], 0.5, &[100, 0, 0, -50])
            .node("Gemm", &["x_d", "w_d"], "m", &[int("transB", 1)])
            .node(behind, &["m"], "k", &[])
            .step("k", 1.0, 10, U8)
            .rounded("k", "k")
            .node("Identity", &["k_d"], "y", &[])
    };
    // 120 · 0.5 · 100 · 0.5 and 7 · 0.5 · -50 · 0.5, in steps of one.
    let model = |behind| model(&dense(behind));
    assert_eq!(run(&model("Identity"), &[120, 7]).1, [3000, -87]);
    // A clip that the file spells out stays: then the integers are those of 8 bits.
    assert_eq!(run(&model("Relu"), &[120, 7]).1, [245, 0]);
    assert_eq!(model("Relu").network.layers.len(), 2);
}

#[test]
fn images_of_bytes_are_taken_as_they_are() {
    let mut of = Model::new(&[1, 1, 2, 2])
        .step("x", 0.02, 7, U8)
        .node("DequantizeLinear", &["x", "x_s", "x_z"], "x_d", &[])
        .node("GlobalAveragePool", &["x_d"], "y", &[]);
    of.graph().input[0] = support::model::value("x", U8, &[1, 1, 2, 2]);
    let model = model(&of);
    assert_eq!(model.network.input_zero, -121);
    let pixels: [u8; 4] = [0, 7, 128, 255];
    assert_eq!(model.quantize(&pixels), [-128, -121, 0, 127]);
}

#[test]
fn what_is_no_integer_is_refused_with_the_node_and_what_is_allowed() {
    let conv = |of: Model, weights: &str| of.node("Conv", &["x_d", weights], "c", &[]);
    let stored = |of: Model| of.weights("w", &[2, 2, 1, 1], 0.1, &some(4));
    let done = |of: Model| ended(of.step("c", 0.1, 0, I8).rounded("c", "c"), "c_d");
    let floats = quantized().floats("w", &[2, 2, 1, 1], &[0.1; 4]);
    refused(
        &done(conv(floats, "w")),
        &["node of \"c\" (Conv)", "weights are no integers", "allowed"],
    );
    // Two layers without a quantizer between them.
    let twice = conv(stored(quantized()), "w_d").node("Conv", &["c", "w_d"], "e", &[]);
    refused(
        &ended(twice, "e"),
        &[
            "node of \"e\" (Conv)",
            "node of \"c\" (Conv)",
            "8 bits",
            "QuantizeLinear",
        ],
    );
    let function = conv(stored(quantized()), "w_d").node("Tanh", &["c"], "t", &[]);
    refused(&ended(function, "t"), &["\"t\" (Tanh)", "allowed"]);
    // No quantizer of the image.
    let bare = stored(Model::new(&[1, 2, 4, 4])).node("Conv", &["x", "w_d"], "c", &[]);
    refused(&done(bare), &["\"c\" (Conv)", "the image as it is"]);
    // One convolution, two quantizers.
    let both = conv(stored(quantized()), "w_d")
        .step("c", 0.1, 0, I8)
        .rounded("c", "c")
        .step("d", 0.2, 0, I8)
        .rounded("c", "d")
        .node("Add", &["c_d", "d_d"], "a", &[]);
    refused(
        &ended(both, "a"),
        &["(QuantizeLinear)", "in two ways", "one quantizer behind"],
    );
    // Integers of more bits.
    let wide = conv(stored(quantized()), "w_d")
        .opset("", 21)
        .step("c", 0.1, 0, 5)
        .rounded("c", "c");
    refused(&ended(wide, "c_d"), &["-32768 to 32767", "8 bits"]);
    let rounding = conv(stored(quantized()), "w_d")
        .floats("s", &[], &[0.1])
        .floats("z", &[], &[0.0])
        .floats("b", &[], &[6.0])
        .node(
            "Quant",
            &["c", "s", "z", "b"],
            "q",
            &[text("rounding_mode", "CEIL")],
        );
    refused(
        &ended(rounding, "q"),
        &["\"q\" (Quant)", "rounding_mode is CEIL", "FLOOR"],
    );
    let relu = Model::new(&[1, 2])
        .step("x", 0.5, 0, I8)
        .rounded("x", "x")
        .weights("w", &[2, 2], 0.5, &some(4))
        .node("Gemm", &["x_d", "w_d"], "m", &[int("transB", 1)])
        .node("LeakyRelu", &["m"], "y", &[float("alpha", 0.1)]);
    refused(&relu, &["\"m\" (Gemm)", "256", "QuantizeLinear"]);
}

#[test]
fn a_network_is_quantized_where_its_activations_are() {
    assert!(is_quantized(&network(&residual())));
    let weights = Model::new(&[1, 2, 4, 4])
        .weights("w", &[2, 2, 1, 1], 0.1, &some(4))
        .node("Conv", &["x", "w_d"], "c", &[]);
    assert!(!is_quantized(&network(&ended(weights, "c"))));
}

#[test]
fn a_clip_between_equal_quantizers_is_a_bound_unless_somebody_reads_what_is_clipped() {
    let clipped = || {
        quantized()
            .weights("w", &[2, 2, 1, 1], 0.1, &[2, -1, 3, 1])
            .node("Conv", &["x_d", "w_d"], "c", &[])
            .step("c", 0.0107, 4, I8)
            .rounded("c", "c")
            .node("Relu", &["c_d"], "r", &[])
            .rounded_as("r", "r", "c")
    };
    let made = check(&ended(clipped(), "r_d"), 0.0);
    let layers = &made.model.network.layers;
    assert_eq!(
        (layers.len(), layers[0].output.low, layers[0].zero),
        (2, 4, 4)
    );
    // The sum reads numbers below zero too.
    let both = clipped()
        .node("Add", &["c_d", "r_d"], "a", &[])
        .step("a", 0.0213, 0, I8)
        .rounded("a", "a");
    let made = check(&ended(both, "a_d"), 0.0);
    let layers = &made.model.network.layers;
    assert_eq!(
        (layers.len(), layers[0].output.low, layers[1].output.low),
        (4, -128, 4)
    );
}

#[test]
fn groups_and_tables_are_told_of() {
    let network = network(&residual());
    let told = made(&network).expect("integers").explain(Some(&network));
    for part in [
        "weights of 4 bits, 5 tensors with a zero point, 1 tables",
        "steps of 0.05, zero point -11",
        "integer layer 3 \"g\" of 2: pointwise, a table, zero point -128, tensor \"g_q\" less 128",
        "results of 32 bits",
    ] {
        assert!(told.contains(part), "{told}\nlacks {part}");
    }
    let layers = made(&network).expect("integers").model.network.layers;
    assert!(matches!(layers[1].operation, Operation::Add { .. }));
}

#[test]
fn a_clip_of_bytes_behind_a_quantizer_is_a_width_below_eight_bits() {
    // Brevitas writes four unsigned and three signed bits so, and reads the first twice.
    let around = [ints("pads", &[1, 1, 1, 1]), ints("kernel_shape", &[3, 3])];
    let clipped = |model: Model, of: &str, name: &str| {
        let [s, z, q, n, d] = ["s", "z", "q", "n", "d"].map(|end| format!("{name}_{end}"));
        let [low, high] = ["low", "high"].map(|end| format!("{name}_{end}"));
        model
            .node("QuantizeLinear", &[of, &s, &z], &q, &[])
            .node("Clip", &[&q, &low, &high], &n, &[])
            .node("DequantizeLinear", &[&n, &s, &z], &d, &[])
    };
    let narrow = quantized()
        .weights("w", &[2, 2, 3, 3], 0.02, &some(36))
        .node("Conv", &["x_d", "w_d"], "c", &around)
        .node("Relu", &["c"], "r", &[])
        .step("a", 0.011, 0, U8)
        .integers("a_low", &[], U8, &[0])
        .integers("a_high", &[], U8, &[15]);
    let narrow = clipped(narrow, "r", "a")
        .node("Conv", &["a_d", "w_d"], "e", &around)
        .step("b", 0.0017, 0, I8)
        .integers("b_low", &[], I8, &[-4])
        .integers("b_high", &[], I8, &[3]);
    let narrow = clipped(narrow, "e", "b").node("Add", &["a_d", "b_d"], "s", &[]);
    let narrow = narrow.step("s", 0.012, 0, I8).rounded("s", "s");
    let made = check(&ended(narrow, "s_d"), 0.0);
    let layers = made.model.network.layers.iter();
    let bounds: Vec<_> = layers.map(|l| (l.output.low, l.output.high)).collect();
    // No layer stands for a clip.
    assert_eq!(bounds.len(), 4);
    assert_eq!(bounds[..2], [(-128, -113), (-4, 3)]);
}
