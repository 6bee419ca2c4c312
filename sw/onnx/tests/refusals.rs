//! What is refused, and that the sentence says where, what was found and what is allowed.

mod support;

use brownout_onnx::network_of;
use brownout_onnx::schema::{AttributeProto, FunctionProto, GraphProto, TensorProto};
use std::path::Path;
use support::model::{Model, float, int, ints, text, value};

/// The sentence must have every part, and the file's name in front.
fn refused(model: &Model, parts: &[&str]) {
    let refusal = match network_of(model.bytes(), Path::new("net.onnx")) {
        Ok(network) => panic!("{network:?} instead of {parts:?}"),
        Err(refusal) => refusal.to_string(),
    };
    assert!(refusal.starts_with("net.onnx: "), "{refusal}");
    assert!(
        refusal.chars().count() < 2000 && !refusal.contains('\n'),
        "{refusal}"
    );
    for part in parts {
        assert!(refusal.contains(part), "{refusal}\nlacks {part}");
    }
}

fn conv(attributes: &[AttributeProto]) -> Model {
    Model::new(&[1, 2, 5, 5])
        .floats("w", &[3, 2, 3, 3], &[0.5; 54])
        .node("Conv", &["x", "w"], "y", attributes)
}

fn quantized(scale: &[f32], attributes: &[AttributeProto]) -> Model {
    Model::new(&[1, 2, 5, 5])
        .floats("s", &[scale.len() as i64], scale)
        .node("QuantizeLinear", &["x", "s"], "q", attributes)
        .node("DequantizeLinear", &["q", "s"], "y", attributes)
}

#[test]
fn an_operator_that_is_not_read_is_named_with_those_that_are() {
    let model = Model::new(&[1, 4]).node("Foo", &["x"], "y", &[]);
    refused(
        &model,
        &["node of \"y\" (Foo)", "allowed are", "Conv", "QLinearConv"],
    );
    let model = Model::new(&[1, 4]).node("my.domain::Relu", &["x"], "y", &[]);
    refused(&model, &["(Relu)", "my.domain", "allowed are"]);
    let mut model = Model::new(&[1, 2, 4, 4]).node("LRN", &["x"], "y", &[int("size", 3)]);
    model.graph().node[0].name = "norm1".to_owned();
    refused(&model, &["node \"norm1\" (LRN)"]);
}

#[test]
fn a_dynamic_shape_is_refused_but_not_a_dynamic_batch() {
    let relu = |extents: &[i64]| Model::new(extents).node("Relu", &["x"], "y", &[]);
    assert!(network_of(relu(&[0, 3, 4, 4]).bytes(), Path::new("net.onnx")).is_ok());
    refused(
        &relu(&[1, 3, 0, 4]),
        &["dimension 2 of input \"x\" is 0", "dimension 0"],
    );
    refused(
        &relu(&[8, 3, 4, 4]),
        &["input \"x\"", "batch of 8", "allowed are 1"],
    );
    let mut model = relu(&[1, 3, 4, 4]);
    model.graph().input[0].r#type = None;
    refused(&model, &["input \"x\" is no tensor"]);
}

#[test]
fn blocked_quantization_is_refused() {
    refused(
        &quantized(&[0.5], &[int("block_size", 16)]).opset("", 21),
        &[
            "attribute block_size",
            "\"q\" (QuantizeLinear)",
            "16",
            "allowed is",
        ],
    );
}

#[test]
fn a_scale_of_zero_nan_infinity_or_below_zero_is_refused() {
    for (scale, shown) in [
        (0.0, "0"),
        (f32::NAN, "NaN"),
        (f32::INFINITY, "inf"),
        (-1.0, "-1"),
    ] {
        let found = format!("is {shown};");
        refused(
            &quantized(&[scale], &[]),
            &["the scale of", "\"q\"", &found, "above zero"],
        );
    }
    let quant = |scale: f32, mode: &str| {
        Model::new(&[1, 4])
            .floats("s", &[], &[scale])
            .floats("z", &[], &[0.0])
            .floats("b", &[], &[4.0])
            .node(
                "qonnx.custom_op.general::Quant",
                &["x", "s", "z", "b"],
                "y",
                &[text("rounding_mode", mode)],
            )
    };
    refused(
        &quant(0.0, "ROUND"),
        &["the scale of node of \"y\" (Quant) is 0", "allowed are"],
    );
    refused(
        &quant(1.0, "NEAREST"),
        &["(Quant)", "rounding_mode \"NEAREST\"", "HALF_EVEN"],
    );
}

#[test]
fn asymmetric_weights_are_refused() {
    let model = Model::new(&[1, 2])
        .integers("w", &[2, 2], 3, &[1, 2, 3, 4])
        .floats("s", &[], &[0.1])
        .integers("z", &[], 3, &[5])
        .node("DequantizeLinear", &["w", "s", "z"], "f", &[])
        .node("MatMul", &["x", "f"], "y", &[]);
    refused(
        &model,
        &[
            "weights of node of \"y\" (MatMul)",
            "zero point 5",
            "asymmetric",
            "is 0",
        ],
    );
}

#[test]
fn dims_that_do_not_match_the_data_are_refused_before_anything_is_made() {
    let with = |dims: &[i64]| {
        Model::new(&[1, 4])
            .floats("w", dims, &[0.0; 6])
            .node("MatMul", &["x", "w"], "y", &[])
    };
    refused(
        &with(&[4, 2]),
        &["[4, 2]", "initializer \"w\"", "ask for 8", "has 6"],
    );
    refused(
        &with(&[4, -2]),
        &["initializer \"w\"", "dim of -2", "from 0 on"],
    );
    let huge = with(&[1 << 62, 1 << 62]);
    refused(&huge, &["initializer \"w\"", "multiply to more than fits"]);
    let raw = Model::new(&[1, 4]).tensor(TensorProto {
        name: "w".to_owned(),
        dims: vec![1 << 40],
        data_type: 1,
        raw_data: vec![0; 12].into(),
        ..TensorProto::default()
    });
    refused(
        &raw,
        &["initializer \"w\"", "4398046511104 bytes", "has 12"],
    );
}

#[test]
fn functions_graphs_in_nodes_and_recursion_are_refused_by_name() {
    let mut model = Model::new(&[1, 4])
        .node("my::Block", &["x"], "y", &[])
        .opset("my", 1);
    let body = model.graph().node[0].clone();
    model.0.functions.push(FunctionProto {
        name: "Block".to_owned(),
        domain: "my".to_owned(),
        // It calls itself.
        node: vec![body],
        ..FunctionProto::default()
    });
    refused(&model, &["node of \"y\" (Block)", "function", "inline"]);
    let branch = AttributeProto {
        name: "then_branch".to_owned(),
        r#type: 5,
        g: Some(GraphProto::default()),
        ..AttributeProto::default()
    };
    let model = Model::new(&[1, 4]).node("If", &["x"], "y", &[branch]);
    refused(
        &model,
        &["node of \"y\" (If)", "\"then_branch\"", "allowed are"],
    );
}

#[test]
fn circles_undefined_values_and_double_names_are_refused() {
    let model = Model::new(&[1, 4])
        .node("Add", &["x", "b"], "a", &[])
        .node("Relu", &["a"], "b", &[])
        .node("Relu", &["b"], "y", &[]);
    refused(&model, &["circle", "node of \"a\" (Add)"]);
    let model = Model::new(&[1, 4]).node("Add", &["x", "nowhere"], "y", &[]);
    refused(
        &model,
        &["node of \"y\" (Add)", "\"nowhere\"", "allowed are"],
    );
    let relu = Model::new(&[1, 4]).node("Relu", &["x"], "y", &[]);
    refused(
        &relu.clone().node("Abs", &["x"], "y", &[]),
        &["(Relu)", "(Abs)", "both compute \"y\""],
    );
    refused(
        &relu.clone().node("Abs", &["y"], "x", &[]),
        &["(Abs)", "\"x\"", "defined once"],
    );
    let twice = relu.floats("w", &[1], &[0.0]).floats("w", &[1], &[0.0]);
    refused(&twice, &["two initializers", "\"w\""]);
}

#[test]
fn several_inputs_or_outputs_are_refused_with_their_names() {
    let mut model = Model::new(&[1, 4]).node("Relu", &["x"], "y", &[]);
    model.graph().input.push(value("mask", 1, &[1, 4]));
    refused(&model, &["2 inputs", "\"x\"", "\"mask\"", "allowed is one"]);
    let mut model = Model::new(&[1, 4]).node("Relu", &["x"], "y", &[]);
    model.graph().output.push(value("x", 1, &[1, 4]));
    refused(&model, &["2 outputs", "\"y\", \"x\"", "allowed is one"]);
}

#[test]
fn versions_of_operators_outside_of_7_to_28_are_refused() {
    let relu = Model::new(&[1, 4]).node("Relu", &["x"], "y", &[]);
    refused(&relu.clone().opset("", 6), &["version 6", "7 to 28"]);
    refused(&relu.clone().opset("", 99), &["version 99", "7 to 28"]);
    let mut none = relu;
    none.0.opset_import.clear();
    refused(&none, &["opset_import", "7 to 28"]);
}

#[test]
fn attributes_that_do_not_fit_are_named_with_what_was_found() {
    refused(
        &conv(&[ints("strides", &[0, 1])]),
        &["strides", "\"y\" (Conv)", "[0, 1]", "from 1"],
    );
    refused(
        &conv(&[ints("pads", &[1, 1])]),
        &["pads", "[1, 1]", "4 numbers"],
    );
    refused(
        &conv(&[ints("kernel_shape", &[5, 5])]),
        &["kernel_shape", "[5, 5]", "3 x 3"],
    );
    refused(
        &conv(&[text("auto_pad", "SAME")]),
        &["auto_pad", "\"SAME\"", "SAME_UPPER"],
    );
    refused(
        &conv(&[int("group", 2)]),
        &["[3, 2, 3, 3] in 2 groups on 2 channels"],
    );
    refused(
        &conv(&[ints("dilations", &[4, 4])]),
        &["does not fit into an image of 5 x 5"],
    );
    refused(
        &conv(&[float("strides", 1.0)]),
        &["strides", "a number", "a list of whole numbers"],
    );
    refused(
        &conv(&[int("group", 1), int("group", 1)]),
        &["two attributes \"group\""],
    );
    let pool = Model::new(&[1, 2, 5, 5]).node(
        "MaxPool",
        &["x"],
        "y",
        &[ints("kernel_shape", &[2, 2]), ints("dilations", &[2, 2])],
    );
    refused(&pool, &["dilations", "(MaxPool)", "[2, 2]", "allowed is 1"]);
}

#[test]
fn products_of_two_tensors_are_refused_by_name() {
    // Squeeze and excitation: a global mean, a matrix, a sigmoid, a product.
    let model = Model::new(&[1, 2, 4, 4])
        .floats("w", &[2, 2, 1, 1], &[0.5; 4])
        .node("GlobalAveragePool", &["x"], "m", &[])
        .node("Conv", &["m", "w"], "c", &[])
        .node("Sigmoid", &["c"], "s", &[])
        .node("Mul", &["x", "s"], "y", &[]);
    refused(
        &model,
        &[
            "node of \"y\" (Mul)",
            "[1, 2, 4, 4]",
            "[1, 2, 1, 1]",
            "squeeze",
        ],
    );
    let weights = Model::new(&[1, 2]).node("MatMul", &["x", "x"], "y", &[]);
    refused(
        &weights,
        &["(MatMul)", "two tensors", "allowed are known weights"],
    );
}

#[test]
fn a_network_that_trains_is_refused_or_warned_about() {
    let norm = |attribute: AttributeProto| {
        let part = |model: Model, name: &str| model.floats(name, &[2], &[1.0, 1.0]);
        let model = Model::new(&[1, 2, 3, 3]).opset("", 15);
        ["g", "b", "m", "v"].into_iter().fold(model, part).node(
            "BatchNormalization",
            &["x", "g", "b", "m", "v"],
            "y",
            &[attribute],
        )
    };
    refused(
        &norm(int("training_mode", 1)),
        &["training_mode", "(BatchNormalization)", "is 0"],
    );
    refused(
        &norm(float("epsilon", -2.0)),
        &["variance", "epsilon -2", "above zero"],
    );
    let dropout = Model::new(&[1, 2])
        .floats("r", &[], &[0.5])
        .integers("t", &[], 9, &[1])
        .node("Relu", &["x"], "h", &[])
        .node("Dropout", &["h", "r", "t"], "y", &[]);
    let network = network_of(dropout.bytes(), Path::new("net.onnx")).unwrap();
    let [warning] = network.warnings.as_slice() else {
        panic!("{:?}", network.warnings);
    };
    assert!(
        warning.contains("training_mode true") && warning.contains("(Dropout)"),
        "{warning}"
    );
}

#[test]
fn a_constant_must_not_grow_beyond_what_the_file_has() {
    let model = Model::new(&[1, 4])
        .list("n", &[1 << 20, 1 << 20])
        .node("ConstantOfShape", &["n"], "c", &[])
        .node("Add", &["x", "c"], "y", &[]);
    refused(
        &model,
        &[
            "node of \"c\" (ConstantOfShape)",
            "[1048576, 1048576]",
            "allowed are",
        ],
    );
}

#[test]
fn other_files_are_no_models() {
    for (bytes, part) in [
        (&b""[..], "is empty"),
        (&b"PK\x03\x04 no model"[..], "no model of ONNX"),
        (&b"{\"a\": 1}"[..], "no model of ONNX"),
        (&[0x08, 0x08][..], "opset_import"),
    ] {
        let refusal = network_of(bytes.to_vec(), Path::new("a.onnx"))
            .unwrap_err()
            .to_string();
        assert!(
            refusal.starts_with("a.onnx: ") && refusal.contains(part),
            "{refusal}"
        );
    }
}

#[test]
fn lists_without_end_are_refused_before_anything_goes_over_them_twice() {
    let many: Vec<_> = (0..100_000).map(|n| int(&format!("a{n}"), 1)).collect();
    let model = Model::new(&[1, 4]).node("Relu", &["x"], "y", &many);
    refused(&model, &["(Relu)", "100000 attributes", "at most 64"]);
    let reshaped =
        Model::new(&[1, 4])
            .list("s", &[1; 100_000])
            .node("Reshape", &["x", "s"], "y", &[]);
    refused(&reshaped, &["(Reshape)", "100000 axes", "at most 8"]);
}
