//! The text of `explain`, and the attributes of quantizers that are kept exactly.

mod support;

use brownout_onnx::explain::explain;
use brownout_onnx::network::{Operator, QuantizedForm};
use brownout_onnx::network_of;
use brownout_onnx::quantization::{IntQuant, Rounding};
use std::path::Path;
use support::model::{Model, int, ints, text};

#[test]
fn the_account_names_what_is_folded_dropped_merged_and_computed() {
    let model = Model::new(&[0, 1, 4, 4])
        .floats("w", &[2, 1, 3, 3], &[0.5; 18])
        .list("i", &[0])
        .list("m", &[-1])
        .floats("v", &[8, 3], &[0.25; 24])
        .node("Conv", &["x", "w"], "c", &[ints("pads", &[1, 1, 0, 0])])
        .node("Sigmoid", &["c"], "s", &[])
        .node("Mul", &["s", "c"], "a", &[])
        .node("MaxPool", &["a"], "p", &[ints("kernel_shape", &[2, 2])])
        .node("Identity", &["p"], "q", &[])
        .node("Shape", &["q"], "h", &[])
        .node("Gather", &["h", "i"], "g", &[])
        .node("Concat", &["g", "m"], "r", &[int("axis", 0)])
        .node("Reshape", &["q", "r"], "f", &[])
        .node("MatMul", &["f", "v"], "l", &[])
        .node("Softmax", &["l"], "y", &[])
        .node("Relu", &["c"], "unused", &[]);
    let network = network_of(model.bytes(), Path::new("net.onnx")).unwrap();
    let wanted = "\
input \"x\": 1 x 4 x 4
node of \"c\" (Conv): layer 0 of the input, convolution 3 x 3, zeros 1 above, 1 left, 0 below, 0 right -> 2 x 3 x 3
node of \"s\" (Sigmoid): merged, a later node does its part
node of \"a\" (Mul): layer 1 of 0, SiLU -> 2 x 3 x 3
node of \"p\" (MaxPool): layer 2 of 1, max pool 2 x 2 -> 2 x 2 x 2
node of \"q\" (Identity): dropped, its values stay the same
node of \"h\" (Shape): computed, the shape is known
node of \"g\" (Gather): computed, a constant of shape [1]
node of \"r\" (Concat): computed, a constant of shape [2]
node of \"f\" (Reshape): layer 3 of 2, another shape, from channels first to channels first -> 8
node of \"l\" (MatMul): layer 4 of 3, dense -> 3
node of \"y\" (Softmax): dropped, the Softmax at the end does not change which class is the largest, so the network ends in front of it
node of \"unused\" (Relu): dropped, the output does not need it
output \"l\": 3
";
    assert_eq!(explain(&network), wanted);
}

#[test]
fn a_quantizer_keeps_every_attribute_of_its_node() {
    let model = Model::new(&[1, 4])
        .floats("s", &[], &[0.1])
        .floats("z", &[], &[1.0])
        .floats("b", &[], &[3.5])
        .node(
            "onnx.brevitas::Quant",
            &["x", "s", "z", "b"],
            "y",
            &[
                int("signed", 0),
                int("narrow", 1),
                text("rounding_mode", "floor"),
            ],
        );
    let network = network_of(model.bytes(), Path::new("net.onnx")).unwrap();
    let Operator::Quantizer(QuantizedForm::IntQuant(quant)) = &network.layers[0].operator else {
        panic!("{network:?}");
    };
    let wanted = IntQuant {
        scale: vec![0.1],
        zero_point: vec![1.0],
        bits: 3.5,
        signed: false,
        narrow: true,
        rounding: Rounding::Floor,
    };
    assert_eq!(quant, &wanted);
}
