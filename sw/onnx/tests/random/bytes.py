#!/usr/bin/env python3
"""Networks whose input is uint8 and cast to numbers, with random weights, and what they give.

    onnx-python bytes.py FOLDER COUNT

writes for each of `first` (channels first), `last` (channels last, transposed behind the cast) and
`quantized` (QDQ behind the cast) `NAME.onnx`, `NAME.images` (COUNT images of 6 x 6 pixels in five
channels, bytes, channels last) and `NAME.output`, little-endian float32. The judge is onnxruntime
without its optimizations. Nothing here knows Brownout.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

SIDE, CHANNELS, CLASSES = 6, 5, 7


class Builder:
    def __init__(self, random):
        self.random = random
        self.nodes, self.constants = [], []

    def constant(self, values):
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, kind, *reads, **attributes):
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(reads), [name], name=name, **attributes))
        return name

    def rounded(self, value, step, zero, kind):
        step, zero = self.constant(np.float32(step)), self.constant(kind(zero))
        integers = self.node("QuantizeLinear", value, step, zero)
        return self.node("DequantizeLinear", integers, step, zero)

    def weights(self, shape, quantized):
        if not quantized:
            inputs = int(np.prod(shape[1:]))
            return self.constant((self.random.standard_normal(shape) / inputs**0.5).astype(np.float32))
        integers = self.constant(self.random.integers(-100, 101, shape).astype(np.int8))
        return self.node("DequantizeLinear", integers, self.constant(np.float32(0.002)))


def network(name, random):
    build, quantized = Builder(random), name == "quantized"
    value = build.node("Cast", "pixels", to=TensorProto.FLOAT)
    if name == "last":
        value = build.node("Transpose", value, perm=[0, 3, 1, 2])
    if quantized:
        value = build.rounded(value, 1.0, 0, np.uint8)
    bias = build.constant((random.standard_normal(8) * 20).astype(np.float32))
    value = build.node("Conv", value, build.weights((8, CHANNELS, 3, 3), quantized), bias, pads=[1, 1, 1, 1])
    value = build.node("Relu", value)
    if quantized:
        value = build.rounded(value, 0.9, 0, np.uint8)
    value = build.node("Flatten", value)
    value = build.node("Gemm", value, build.weights((CLASSES, 8 * SIDE * SIDE), quantized), transB=1)
    shape = [1, SIDE, SIDE, CHANNELS] if name == "last" else [1, CHANNELS, SIDE, SIDE]
    graph = helper.make_graph(
        build.nodes,
        name,
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info(value, TensorProto.FLOAT, [1, CLASSES])],
        build.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def main():
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    for seed, name in enumerate(["first", "last", "quantized"]):
        random = np.random.default_rng(seed)
        model = network(name, random)
        onnx.save(model, folder / f"{name}.onnx")
        images = random.integers(0, 256, (count, SIDE, SIDE, CHANNELS), np.uint8)
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        outputs = []
        for image in images:
            image = image if name == "last" else image.transpose(2, 0, 1)
            outputs.append(session.run(None, {"pixels": np.ascontiguousarray(image[None])})[0][0])
        images.tofile(folder / f"{name}.images")
        np.asarray(outputs, "<f4").tofile(folder / f"{name}.output")


main()
