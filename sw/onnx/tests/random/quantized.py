#!/usr/bin/env python3
"""Random quantized networks as ONNX files, with every integer that they give, by ONNX's own packages.

    onnx-python quantized.py FOLDER COUNT SEED

writes for each number k `k.onnx`, `k.input` (one image, NCHW, little-endian float32), `k.integers`
(what each quantizer gives, one after the other, a byte each), `k.output` (float32) and `k.txt`: a
line of what is in the graph, then a line for each quantizer with the name of its tensor and the
number of its elements. Tensors are uint8 or int8 with zero points, between pairs of QuantizeLinear
and DequantizeLinear or in operators on integers. The judge is onnxruntime without optimizations.
Nothing here knows Brownout.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

TYPES = {"u8": (np.uint8, 0, 255), "s8": (np.int8, -128, 127)}


class Value:
    """Integers of a type with scale and zero point: the tensor's name, its extents (channels, rows, columns)."""

    def __init__(self, name, shape, kind, scale, zero):
        self.name, self.shape, self.kind, self.scale, self.zero = name, tuple(shape), kind, np.float32(scale), zero


class Graph:
    def __init__(self, random):
        self.random = random
        self.nodes, self.constants, self.features, self.quantized = [], [], [], []
        self.count = 0
        shape = [int(random.integers(1, 7)), int(random.integers(5, 11)), int(random.integers(5, 11))]
        self.image = shape
        self.kind = str(random.choice(["u8", "s8", "mixed"]))
        self.value = self.quantize("image", shape, 1.0)
        self.earlier = []

    def chance(self, probability):
        return self.random.random() < probability

    def name(self, kind):
        self.count += 1
        return f"{kind.lower()}_{self.count}"

    def constant(self, array):
        name = self.name("constant")
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, kind, inputs, domain="", **attributes):
        output = self.name(kind)
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output + "_node", domain=domain, **attributes))
        self.features.append(kind)
        return output

    # Between numbers and integers

    def parameters(self, rms, positive=False, kind=None):
        """Type, scale and zero point for numbers of about that size."""
        if kind is None:
            kind = self.kind if self.kind != "mixed" else str(self.random.choice(["u8", "s8"]))
        element, low, high = TYPES[kind]
        scale = np.float32(rms * self.random.uniform(2.0, 4.0) / 127)
        form = self.random.random()
        if positive and form < 0.7:
            scale, zero = np.float32(scale / 2), low
        elif form < 0.25:
            zero = 0 if kind == "s8" else 128
            self.features.append("symmetric")
        else:
            zero = int(self.random.integers(low + 64, high - 63))
            self.features.append("zero_point")
        if self.chance(0.1):
            # Ties are frequent between powers of two.
            scale = np.float32(2.0 ** np.round(np.log2(scale)))
            self.features.append("power_of_two")
        return kind, scale, zero

    def pair(self, kind, scale, zero):
        return [self.constant(np.float32(scale)), self.constant(TYPES[kind][0](zero))]

    def quantize(self, numbers, shape, rms, positive=False, like=None):
        kind, scale, zero = (like.kind, like.scale, like.zero) if like else self.parameters(rms, positive)
        name = self.node("QuantizeLinear", [numbers, *self.pair(kind, scale, zero)])
        self.quantized.append((name, int(np.prod(shape))))
        self.features.append(kind)
        return Value(name, shape, kind, scale, zero)

    def numbers(self, value):
        return self.node("DequantizeLinear", [value.name, *self.pair(value.kind, value.scale, value.zero)])

    def rms(self, value):
        return float(value.scale) * 45

    # Layers

    def weights(self, *shape):
        """Integers with scales of outputs, and what they come to for inputs of size one."""
        bound = int(self.random.choice([127, 127, 7, 1]))
        integers = self.random.integers(-bound, bound + 1, shape).astype(np.int8)
        fan = int(np.prod(shape[1:]))
        size = max(bound * 0.58, 0.8)
        scale = np.float32(1.0 / (size * fan**0.5))
        scales = scale * self.random.uniform(0.5, 1.5, shape[0]).astype(np.float32) if self.chance(0.6) else np.float32(scale)
        self.features.append("per_channel" if np.ndim(scales) else "per_tensor")
        if bound < 8:
            self.features.append("narrow_weights")
        return integers, scales

    def bias(self, value, scales, outputs):
        """Integers of 32 bits with the products' scale."""
        scales = np.asarray(value.scale * scales, dtype=np.float32)
        real = self.random.standard_normal(outputs) * self.rms(value) * 0.5
        return np.round(real / scales).astype(np.int32), scales

    def windows(self, sides, most, keep=False, dilated=0.2, padded=9):
        if keep:
            kernel = [int(k) for k in self.random.choice([1, 3], 2)]
            return kernel, [1, 1], [1, 1], [kernel[0] // 2, kernel[1] // 2] * 2, list(sides)
        while True:
            kernel = [int(k) for k in self.random.integers(1, most + 1, 2)]
            strides = [int(s) for s in self.random.integers(1, 3, 2)]
            dilations = [int(d) for d in self.random.integers(1, 3, 2)] if self.chance(dilated) else [1, 1]
            reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations)]
            pads = [min(padded, int(self.random.integers(0, r))) for r in reach + reach]
            out = [(n + pads[i] + pads[i + 2] - reach[i]) // strides[i] + 1 for i, n in enumerate(sides)]
            if min(out) >= 2 and all(n >= r for n, r in zip(sides, reach)):
                return kernel, strides, dilations, pads, out

    def convolution(self, channels=None, keep=False):
        value = self.value
        inputs = value.shape[0]
        groups = 1
        if channels is None and self.chance(0.35):
            groups = int(self.random.choice([g for g in range(1, inputs + 1) if inputs % g == 0]))
        if groups == inputs > 1:
            outputs = inputs
            self.features.append("depthwise")
        else:
            outputs = channels or groups * int(self.random.integers(1, max(2, 9 // groups)))
            if groups > 1:
                self.features.append("groups")
        kernel, strides, dilations, pads, out = self.windows(value.shape[1:], 4, keep)
        if dilations != [1, 1]:
            self.features.append("dilation")
        integers, scales = self.weights(outputs, inputs // groups, *kernel)
        attributes = dict(kernel_shape=kernel, strides=strides, dilations=dilations, pads=pads, group=groups)
        bias, bias_scales = self.bias(value, scales, outputs)
        shape = (outputs, *out)
        zeros = np.zeros(np.shape(scales), dtype=np.int8)
        if self.chance(0.25):
            # onnxruntime has one type for both ends.
            kind, scale, zero = self.parameters(self.rms(value), kind=value.kind)
            inputs = [value.name, *self.pair(value.kind, value.scale, value.zero)]
            inputs += [self.constant(integers), self.constant(scales), self.constant(zeros)]
            inputs += [*self.pair(kind, scale, zero), self.constant(bias)]
            name = self.node("QLinearConv", inputs, **attributes)
            self.quantized.append((name, int(np.prod(shape))))
            self.value = Value(name, shape, kind, scale, zero)
            return
        axis = {"axis": 0} if np.ndim(scales) else {}
        weights = self.node("DequantizeLinear", [self.constant(integers), self.constant(scales), self.constant(zeros)], **axis)
        if self.chance(0.5):
            added = self.node("DequantizeLinear", [self.constant(bias), self.constant(bias_scales)], **({"axis": 0} if np.ndim(bias_scales) else {}))
        else:
            added = self.constant((bias * bias_scales).astype(np.float32))
        made = self.node("Conv", [self.numbers(value), weights, added], **attributes)
        made, positive = self.behind(made, outputs)
        self.value = self.quantize(made, shape, self.rms(value), positive)

    def behind(self, made, channels):
        """What may stand between a layer and its quantizer."""
        if self.chance(0.2):
            factor = self.random.uniform(-1.5, 1.5, (channels, 1, 1)).astype(np.float32)
            made = self.node("Mul", [made, self.constant(factor)])
            made = self.node("Add", [made, self.constant(self.random.standard_normal((channels, 1, 1)).astype(np.float32) * 0.1)])
            self.features.append("affine")
        if self.chance(0.3):
            return self.node("Relu", [made]), True
        if self.chance(0.2):
            ends = [np.float32(self.random.uniform(-1, 0)), np.float32(self.random.uniform(0.2, 1.5))]
            return self.node("Clip", [made, *(self.constant(end) for end in ends)]), False
        return made, False

    def add(self):
        alike = [v for v in self.earlier if v.shape == self.value.shape]
        if not alike:
            # A branch that comes back.
            start = self.value
            self.convolution(start.shape[0], True)
            alike = [start]
        other = alike[int(self.random.integers(len(alike)))]
        pair = [self.numbers(self.value), self.numbers(other)]
        if self.chance(0.5):
            pair.reverse()
        made = self.node("Add", pair)
        positive = self.chance(0.4)
        if positive:
            made = self.node("Relu", [made])
        self.value = self.quantize(made, self.value.shape, (self.rms(self.value) + self.rms(other)) * 0.7, positive)

    def shortcut(self):
        """Every second pixel with channels of zeros around, added to a convolution that halves the map."""
        start = self.value
        channels, height, width = start.shape
        if min(height, width) < 4 or channels > 4:
            return self.add()
        outputs = 2 * channels
        integers, scales = self.weights(outputs, channels, 3, 3)
        axis = {"axis": 0} if np.ndim(scales) else {}
        zeros = np.zeros(np.shape(scales), dtype=np.int8)
        weights = self.node("DequantizeLinear", [self.constant(integers), self.constant(scales), self.constant(zeros)], **axis)
        made = self.node("Conv", [self.numbers(start), weights], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
        half = (outputs, -(-height // 2), -(-width // 2))
        branch = self.quantize(made, half, self.rms(start))
        front = int(self.random.integers(0, channels + 1))
        ends = [np.array(v, dtype=np.int64) for v in ([0, 0], [2**31, 2**31], [2, 3], [2, 2])]
        sliced = self.node("Slice", [self.numbers(start), *(self.constant(end) for end in ends)])
        pads = np.array([0, front, 0, 0, 0, channels - front, 0, 0], dtype=np.int64)
        padded = self.node("Pad", [sliced, self.constant(pads)])
        if self.chance(0.5):
            padded = self.numbers(self.quantize(padded, half, 1.0, like=start))
        made = self.node("Add", [self.numbers(branch), padded])
        self.features.append("zero_channels")
        self.value = self.quantize(made, half, (self.rms(branch) + self.rms(start)) * 0.7)

    def concat(self):
        sides = self.value.shape[1:]
        parts = [v for v in self.earlier if v.shape[1:] == sides][-2:] + [self.value]
        if len(parts) < 2:
            start = self.value
            self.convolution(None, True)
            parts = [start, self.value]
        channels = sum(v.shape[0] for v in parts)
        if channels > 24:
            return
        self.random.shuffle(parts)
        made = self.node("Concat", [self.numbers(v) for v in parts], axis=1)
        rms = max(self.rms(v) for v in parts)
        self.value = self.quantize(made, (channels, *sides), rms)

    def pool(self):
        value = self.value
        kind = str(self.random.choice(["MaxPool", "AveragePool"]))
        # Means of windows that lie further outside have more than nine divisors.
        padded = 1 if kind == "AveragePool" else 9
        kernel, strides, _, pads, out = self.windows(value.shape[1:], 3, dilated=0, padded=padded)
        attributes = dict(kernel_shape=kernel, strides=strides, pads=pads)
        shape = (value.shape[0], *out)
        if kind == "AveragePool":
            attributes["count_include_pad"] = int(self.chance(0.5))
            made = self.node(kind, [self.numbers(value)], **attributes)
            self.value = self.quantize(made, shape, self.rms(value) * 0.6)
        elif self.chance(0.4):
            name = self.node(kind, [value.name], **attributes)
            self.value = Value(name, shape, value.kind, value.scale, value.zero)
            self.features.append("pool_of_integers")
        else:
            made = self.node(kind, [self.numbers(value)], **attributes)
            self.value = self.quantize(made, shape, self.rms(value), like=value if self.chance(0.6) else None)

    def function(self):
        """A function of each number, between two quantizers: a table."""
        value = self.value
        numbers = self.numbers(value)
        kind = str(self.random.choice(["Sigmoid", "Tanh", "LeakyRelu", "HardSwish", "Elu", "product"]))
        rms, positive = self.rms(value) * 0.7, False
        if kind == "product":
            made = self.node("Mul", [numbers, self.node("Sigmoid", [numbers])])
        else:
            made = self.node(kind, [numbers])
        if kind in ["Sigmoid", "Tanh"]:
            rms = 0.6
        self.features.append("table")
        self.value = self.quantize(made, value.shape, max(rms, 0.05), positive)

    def pointwise(self):
        """A clip or nothing, between two quantizers."""
        value = self.value
        made = self.numbers(value)
        form = self.random.random()
        if form < 0.4:
            made = self.node("Relu", [made])
            self.features.append("lone_relu")
        elif form < 0.7:
            ends = [np.float32(-0.5 * self.rms(value)), np.float32(self.rms(value))]
            made = self.node("Clip", [made, *(self.constant(end) for end in ends)])
            self.features.append("lone_clip")
        else:
            self.features.append("requantized")
        self.value = self.quantize(made, value.shape, self.rms(value))

    def moved(self):
        """Zeros around, or pixels repeated."""
        value = self.value
        channels, height, width = value.shape
        if self.chance(0.5) or max(height, width) > 8:
            pads = [int(p) for p in self.random.integers(0, 3, 4)]
            all_pads = np.array([0, 0, pads[0], pads[1], 0, 0, pads[2], pads[3]], dtype=np.int64)
            made = self.node("Pad", [self.numbers(value), self.constant(all_pads)])
            shape = (channels, height + pads[0] + pads[2], width + pads[1] + pads[3])
        else:
            scales = np.array([1, 1, 2, 2], dtype=np.float32)
            made = self.node("Resize", [self.numbers(value), "", self.constant(scales)], mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
            shape = (channels, 2 * height, 2 * width)
        self.value = self.quantize(made, shape, 1.0, like=value)

    def finish(self):
        value = self.value
        channels, height, width = value.shape
        made = self.numbers(value)
        if self.chance(0.5) or max(height, width) > 15:
            made = self.node("GlobalAveragePool", [made])
            value = self.quantize(made, (channels, 1, 1), self.rms(value) * 0.5)
            made, height, width = self.numbers(value), 1, 1
        made = self.node("Flatten", [made])
        inputs, outputs = channels * height * width, int(self.random.integers(2, 12))
        integers, scales = self.weights(outputs, inputs)
        axis = {"axis": 0} if np.ndim(scales) else {}
        zeros = np.zeros(np.shape(scales), dtype=np.int8)
        weights = self.node("DequantizeLinear", [self.constant(integers), self.constant(scales), self.constant(zeros)], **axis)
        bias, bias_scales = self.bias(value, scales, outputs)
        made = self.node("Gemm", [made, weights, self.constant((bias * bias_scales).astype(np.float32))], transB=1)
        if self.chance(0.7):
            self.value = self.quantize(made, (outputs,), self.rms(value))
            made = self.numbers(self.value)
        else:
            self.features.append("results_in_numbers")
        return made

    def build(self):
        steps = {
            self.convolution: 4, self.add: 2, self.shortcut: 2, self.concat: 2, self.pool: 2,
            self.function: 2, self.pointwise: 2, self.moved: 2.5,
        }
        kinds = list(steps)
        chances = np.array(list(steps.values())) / sum(steps.values())
        self.convolution()
        for _ in range(int(self.random.integers(2, 7))):
            kept = self.value
            kinds[int(self.random.choice(len(kinds), p=chances))]()
            self.earlier.append(kept)
        return self.finish()


def write(folder, number, seed):
    graph = Graph(np.random.default_rng([seed, number]))
    result = graph.build()
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, *graph.image])
    outputs = [helper.make_tensor_value_info(result, TensorProto.FLOAT, None)]
    made = helper.make_graph(graph.nodes, "random", [image], outputs, graph.constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / f"{number}.onnx")
    # The judge gives every quantizer's integers too.
    for name, _ in graph.quantized:
        model.graph.output.append(onnx.ValueInfoProto(name=name))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    values = graph.random.standard_normal([1, *graph.image]).astype(np.float32)
    names = [result] + [name for name, _ in graph.quantized]
    found = session.run(names, {"image": values})
    (folder / f"{number}.input").write_bytes(values.astype("<f4").tobytes())
    (folder / f"{number}.output").write_bytes(found[0].astype("<f4").tobytes())
    (folder / f"{number}.integers").write_bytes(b"".join(integers.tobytes() for integers in found[1:]))
    lines = [" ".join(graph.features)]
    for (name, count), integers in zip(graph.quantized, found[1:]):
        assert integers.size == count and integers.dtype.itemsize == 1, name
        lines.append(f"{name} {count}")
    (folder / f"{number}.txt").write_text("\n".join(lines) + "\n")


def main():
    folder, count, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    for number in range(count):
        write(folder, number, seed)


if __name__ == "__main__":
    main()
