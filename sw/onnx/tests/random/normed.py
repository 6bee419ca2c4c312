#!/usr/bin/env python3
"""A pre-activation ResNet and a densely connected network with random weights, with what they give.

    onnx-python normed.py FOLDER COUNT

writes for each name `NAME.onnx`, `NAME.images` (COUNT images of 12 x 12 pixels in three colours,
bytes, channels last) and `NAME.output`, little-endian float32. A pixel p is (p - 128) / 64. The
judge is onnxruntime. Norms are set to the moments of what they read, as training leaves them.
Nothing here knows Brownout.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

SIDE = 12
CLASSES = 10


class Builder:
    def __init__(self, random):
        self.random = random
        self.nodes, self.constants, self.norms = [], [], []

    def constant(self, values):
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name

    def node(self, kind, *reads, **attributes):
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(reads), [name], name=name, **attributes))
        return name

    def convolution(self, value, inputs, outputs, size, stride=1):
        weights = self.random.standard_normal((outputs, inputs, size, size)) * (2 / (inputs * size * size)) ** 0.5
        pads = [size // 2] * 4
        return self.node("Conv", value, self.constant(weights), kernel_shape=[size, size], strides=[stride] * 2, pads=pads)

    def norm(self, value, channels):
        gain, shift = self.random.uniform(0.5, 1.5, channels), self.random.standard_normal(channels) * 0.3
        names = [self.constant(v) for v in (gain, shift, np.zeros(channels), np.ones(channels))]
        self.norms.append((value, names[2], names[3]))
        return self.node("BatchNormalization", value, *names)

    def active(self, value, channels):
        return self.node("Relu", self.norm(value, channels))

    def model(self, value):
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, SIDE, SIDE])
        result = helper.make_tensor_value_info(value, TensorProto.FLOAT, ["N", CLASSES])
        graph = helper.make_graph(self.nodes, "normed", [image], [result], initializer=self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="normed.py")
        model.ir_version = 8
        return model

    def head(self, value, channels):
        value = self.node("Flatten", self.node("GlobalAveragePool", self.active(value, channels)))
        weights = self.constant(self.random.standard_normal((CLASSES, channels)))
        return self.node("Gemm", value, weights, self.constant(np.zeros(CLASSES)), transB=1)


def preactivation(build):
    """He et al., 2016: BN, ReLU, convolution, twice, and a sum that nothing follows."""
    value, channels = build.convolution(build.norm("image", 3), 3, 16, 3), 16
    for width, stride in ((16, 1), (24, 2), (24, 1)):
        before = build.active(value, channels)
        shortcut = value
        if (width, stride) != (channels, 1):
            shortcut = build.convolution(before, channels, width, 1, stride)
        inner = build.convolution(before, channels, width, 3, stride)
        outer = build.convolution(build.active(inner, width), width, width, 3)
        value, channels = build.node("Add", outer, shortcut), width
    return build.head(value, channels)


def densely(build):
    """Huang et al., 2017: each layer reads all before it in its block; a transition halves the map."""
    value, channels = build.convolution("image", 3, 16, 3), 16
    for block in range(2):
        for _ in range(3):
            bottleneck = build.convolution(build.active(value, channels), channels, 16, 1)
            new = build.convolution(build.active(bottleneck, 16), 16, 8, 3)
            value, channels = build.node("Concat", value, new, axis=1), channels + 8
        if block == 0:
            half = build.convolution(build.active(value, channels), channels, channels // 2, 1)
            value = build.node("AveragePool", half, kernel_shape=[2, 2], strides=[2, 2])
            channels //= 2
    return build.head(value, channels)


def run(model, values, outputs=None):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(outputs, {"image": values})


def measured(build, result, values):
    """The model with the moments of these images in its norms, first to last."""
    for read, mean, variance in build.norms:
        found = values
        if read != "image":
            model = build.model(result)
            model.graph.output.append(helper.make_tensor_value_info(read, TensorProto.FLOAT, None))
            found = run(model, values, [read])[0]
        for name, moments in ((mean, found.mean(axis=(0, 2, 3))), (variance, found.var(axis=(0, 2, 3)))):
            place = next(i for i, c in enumerate(build.constants) if c.name == name)
            build.constants[place] = numpy_helper.from_array(moments.astype(np.float32), name)
    return build.model(result)


def main():
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (name, body) in enumerate({"preactivation": preactivation, "densely": densely}.items()):
        random = np.random.default_rng([18, seed])
        # A colour each, and noise on it.
        colours = random.integers(0, 180, (count, 1, 1, 3))
        images = (colours + random.integers(0, 76, (count, SIDE, SIDE, 3))).astype(np.uint8)
        values = ((images.astype(np.float32) - 128) / 64).transpose(0, 3, 1, 2)
        build = Builder(random)
        model = measured(build, body(build), values)
        onnx.save(model, folder / f"{name}.onnx")
        images.tofile(folder / f"{name}.images")
        run(model, values)[0].astype("<f4").tofile(folder / f"{name}.output")


if __name__ == "__main__":
    main()
