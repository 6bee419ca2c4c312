#!/usr/bin/env python3
"""Networks in which one value has several readers or several shapes, with what they give.

    onnx-python readers.py FOLDER

writes for each name `NAME.onnx`, `NAME.input` (one image, NCHW) and `NAME.output`, both
little-endian float32. The judge is onnxruntime. Nothing here knows Brownout.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

IMAGE = (3, 4, 4)
RANDOM = np.random.default_rng(18)
NETWORKS = {}


def network(name):
    return lambda build: NETWORKS.setdefault(name, build)


def floats(*shape):
    return (RANDOM.standard_normal(shape) * np.prod(shape[1:]) ** -0.5).astype(np.float32)


def node(operator, reads, writes, **attributes):
    return helper.make_node(operator, reads.split(), [writes], **attributes)


def square(reads, writes, size):
    return node("Conv", reads, writes, kernel_shape=[size, size])


def gemm(reads, writes):
    return node("Gemm", reads, writes, transB=1)


STEP = {"step": np.float32(0.04), "zero": np.int8(0)}
SMALL = {"w1": floats(4, 3, 1, 1), "w2": floats(4, 4, 1, 1), "w3": floats(2, 64)}


@network("two_dequantizers")
def two_dequantizers():
    nodes = [
        square("image w1", "c", 1),
        node("QuantizeLinear", "c step zero", "q"),
        node("DequantizeLinear", "q step zero", "d1"),
        node("DequantizeLinear", "q step zero", "d2"),
        node("Relu", "d1", "r"),
        square("d2 w2", "e", 1),
        square("r w2", "k", 1),
        node("Add", "k e", "a"),
        node("Flatten", "a", "f"),
        gemm("f w3", "result"),
    ]
    return nodes, SMALL | STEP


@network("flattened_and_convolved")
def flattened_and_convolved():
    nodes = [
        square("image w1", "c", 1),
        node("Flatten", "c", "f"),
        node("Relu", "f", "r"),
        gemm("r w3", "y1"),
        square("c w4", "e", 4),
        node("Flatten", "e", "y2"),
        node("Add", "y1 y2", "s"),
        node("Relu", "s", "t"),
        gemm("t w5", "result"),
    ]
    return nodes, SMALL | {"w3": floats(8, 64), "w4": floats(8, 4, 4, 4), "w5": floats(4, 8)}


@network("added_after_it_was_read")
def added_after_it_was_read():
    nodes = [
        square("image w1", "a", 1),
        square("image w5", "b", 1),
        node("Identity", "b", "view"),
        node("Add", "a b", "sum"),
        node("Relu", "sum", "r"),
        square("view w2", "e", 1),
        node("Add", "r e", "s"),
        node("Flatten", "s", "f"),
        gemm("f w3", "result"),
    ]
    return nodes, SMALL | {"w5": floats(4, 3, 1, 1)}


@network("integer_convolution_read_twice")
def integer_convolution_read_twice():
    def integers(*shape):
        return RANDOM.integers(-60, 60, size=shape).astype(np.int8)

    nodes = [
        node("QuantizeLinear", "image step zero", "x"),
        node("QLinearConv", "x step zero wa sw zero sa zero", "a", kernel_shape=[4, 4]),
        node("QLinearConv", "x step zero wb sw zero sa zero", "b", kernel_shape=[4, 4]),
        helper.make_node("QLinearAdd", "a sa zero b sa zero sc zero".split(), ["c"], domain="com.microsoft"),
        node("QLinearConv", "b sa zero wd sw zero sa zero", "d", kernel_shape=[1, 1]),
        node("QLinearConv", "c sc zero wd sw zero sa zero", "e", kernel_shape=[1, 1]),
        node("DequantizeLinear", "d sa zero", "fd"),
        node("DequantizeLinear", "e sa zero", "fe"),
        node("Concat", "fd fe", "cc", axis=1),
        node("Flatten", "cc", "f"),
        gemm("f w6", "result"),
    ]
    steps = {"sw": np.float32(0.002), "sa": np.float32(0.04), "sc": np.float32(0.05)}
    weights = {"wa": integers(8, 3, 4, 4), "wb": integers(8, 3, 4, 4), "wd": integers(8, 8, 1, 1)}
    return nodes, STEP | steps | weights | {"w6": floats(4, 16)}


@network("two_dense_layers_of_the_image")
def two_dense_layers_of_the_image():
    nodes = [
        node("Flatten", "image", "f"),
        gemm("f w7", "a"),
        gemm("f w8", "b"),
        node("Add", "a b", "s"),
        node("Relu", "s", "r"),
        gemm("r w9", "result"),
    ]
    return nodes, {"w7": floats(8, 48), "w8": floats(8, 48), "w9": floats(4, 8)}


@network("factor_of_each_flattened_value")
def factor_of_each_flattened_value():
    nodes = [
        square("image w1", "c", 1),
        node("Flatten", "c", "f"),
        node("Mul", "f factor", "m"),
        gemm("m w3", "result"),
    ]
    return nodes, SMALL | {"factor": floats(1, 64) * 8}


@network("norm_of_each_flattened_value")
def norm_of_each_flattened_value():
    nodes = [
        square("image w1", "c", 1),
        node("Flatten", "c", "f"),
        node("BatchNormalization", "f gain shift mean variance", "n"),
        gemm("n w3", "result"),
    ]
    names = ["gain", "shift", "mean"]
    norm = {name: RANDOM.standard_normal(64).astype(np.float32) for name in names}
    return nodes, SMALL | norm | {"variance": RANDOM.uniform(0.5, 2, 64).astype(np.float32)}


@network("flattened_maps_side_by_side")
def flattened_maps_side_by_side():
    nodes = [
        square("image w1", "c", 1),
        square("c w2", "d", 1),
        node("Flatten", "c", "f1"),
        node("Flatten", "d", "f2"),
        node("Concat", "f1 f2", "cc", axis=1),
        gemm("cc w10", "result"),
    ]
    return nodes, SMALL | {"w10": floats(2, 128)}


@network("norm_of_each_flattened_value_behind_a_clip")
def norm_of_each_flattened_value_behind_a_clip():
    nodes = [
        square("image w1", "c", 1),
        node("Flatten", "c", "f"),
        node("BatchNormalization", "f gain shift mean variance", "n"),
        node("Relu", "n", "r"),
        gemm("r w3", "result"),
    ]
    norm = {name: floats(64, 1)[:, 0] for name in ["gain", "shift", "mean"]}
    return nodes, SMALL | norm | {"variance": RANDOM.uniform(0.5, 2, 64).astype(np.float32)}


@network("norms_of_the_image_and_of_what_is_read_twice")
def norms_of_the_image_and_of_what_is_read_twice():
    def norm(reads, writes, name):
        return node("BatchNormalization", f"{reads} gain{name} shift{name} mean{name} variance{name}", writes)

    nodes = [
        norm("image", "i", 3),
        node("Conv", "i wp", "c", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        norm("c", "n", 4),
        node("Relu", "n", "r"),
        square("r w2", "d", 1),
        node("Add", "d c", "s"),
        norm("s", "m", 4),
        node("MaxPool", "c", "p", kernel_shape=[1, 1]),
        node("Mul", "p factor", "q"),
        node("Add", "q summand", "t"),
        node("Relu", "t", "u"),
        node("Concat", "m u", "cc", axis=1),
        node("Flatten", "cc", "f"),
        gemm("f w10", "result"),
    ]
    stored = {"factor": floats(4, 1, 1), "summand": floats(1, 4, 1, 1), "wp": floats(4, 3, 3, 3), "w10": floats(2, 128)}
    for channels in (3, 4):
        stored |= {f"{name}{channels}": floats(channels, 1)[:, 0] + 1 for name in ["gain", "shift", "mean"]}
        stored[f"variance{channels}"] = RANDOM.uniform(0.5, 2, channels).astype(np.float32)
    return nodes, SMALL | stored


@network("factors_in_front_of_weights_of_groups")
def factors_in_front_of_weights_of_groups():
    nodes = [
        node("MaxPool", "image", "p", kernel_shape=[1, 1]),
        node("Mul", "p factor", "m"),
        node("Add", "m summand", "a"),
        node("Conv", "a wg", "c", kernel_shape=[2, 2], group=3),
        node("MaxPool", "c", "q", kernel_shape=[1, 1]),
        node("Mul", "q more", "b"),
        node("Conv", "b wh", "d", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("MaxPool", "d", "e", kernel_shape=[1, 1]),
        node("Mul", "e factor", "h"),
        node("Flatten", "h", "f"),
        gemm("f w11", "result"),
    ]
    stored = {"factor": floats(3, 1, 1), "summand": floats(3, 1, 1), "more": floats(6, 1, 1)}
    return nodes, stored | {"wg": floats(6, 1, 2, 2), "wh": floats(3, 6, 3, 3), "w11": floats(2, 27)}


@network("a_residual_sum_gives_the_results")
def a_residual_sum_gives_the_results():
    nodes = [
        square("image w1", "c", 1),
        node("GlobalAveragePool", "c", "g"),
        square("g w12", "a", 1),
        node("Flatten", "a", "y"),
        node("Flatten", "c", "f"),
        node("Gemm", "f w13", "z", transB=1),
        node("Add", "z y", "s"),
        node("Relu", "s", "result"),
    ]
    return nodes, SMALL | {"w12": floats(4, 4, 1, 1), "w13": floats(4, 64)}


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, build in NETWORKS.items():
        nodes, constants = build()
        read = {name for node in nodes for name in node.input}
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, *IMAGE])
        result = helper.make_tensor_value_info("result", TensorProto.FLOAT, None)
        stored = [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items() if k in read]
        graph = helper.make_graph(nodes, name, [image], [result], initializer=stored)
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, producer_name="readers.py")
        model.ir_version = 8
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        pixels = RANDOM.standard_normal((1, *IMAGE)).astype("<f4")
        output = np.asarray(session.run(None, {"image": pixels})[0], "<f4")
        onnx.save(model, folder / f"{name}.onnx")
        pixels.tofile(folder / f"{name}.input")
        output.tofile(folder / f"{name}.output")


if __name__ == "__main__":
    main()
