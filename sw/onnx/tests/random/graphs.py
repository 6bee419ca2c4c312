#!/usr/bin/env python3
"""Random networks as ONNX files, with what they give, by ONNX's own packages.

    onnx-python graphs.py FOLDER COUNT SEED

writes for each number k `k.onnx`, `k.input` (one image, NCHW) and `k.output`, both little-endian
float32, and `k.txt`, a line that says what is in the graph. The judge is onnx.reference from opset
19 on; below, where it lacks operators, of pools with ceil_mode, some of which it cannot run, and of
max pools padded otherwise below than above, of which it mixes up rows and columns, onnxruntime. Nothing here knows Brownout.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

OPSETS = [7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23]
# The oldest IR version that goes with an opset, as ONNX's versioning page lists them.
IR = {7: 3, 8: 3, 9: 4, 10: 5, 11: 6, 12: 7, 13: 7, 14: 7, 15: 8, 16: 8, 17: 8, 18: 8, 19: 9, 20: 9, 21: 10, 22: 10, 23: 11}


class Graph:
    """A graph under construction: one current value, and earlier ones that wait."""

    def __init__(self, random):
        self.random = random
        self.opset = int(random.choice(OPSETS))
        self.nodes, self.constants, self.features = [], [], []
        self.count = 0
        self.shape = (int(random.integers(1, 9)), int(random.integers(5, 13)), int(random.integers(5, 13)))
        self.input_shape = self.shape
        self.value = "image"

    # Building blocks

    def chance(self, probability):
        return self.random.random() < probability

    def name(self, kind):
        self.count += 1
        return f"{kind.lower()}_{self.count}"

    def constant(self, array, kind="constant"):
        """An initializer, or now and then a Constant node."""
        array = np.asarray(array)
        name = self.name(kind)
        if self.chance(0.2):
            value = numpy_helper.from_array(array, name + "_value")
            self.nodes.append(helper.make_node("Constant", [], [name], name=name + "_node", value=value))
        else:
            self.constants.append(numpy_helper.from_array(array, name))
        return name

    def floats(self, *shape, scale=1.0):
        return (self.random.standard_normal(shape) * scale).astype(np.float32)

    def node(self, kind, inputs, **attributes):
        output = self.name(kind)
        domain = attributes.pop("domain", "")
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output + "_node", domain=domain, **attributes))
        self.features.append(kind)
        return output

    def apply(self, kind, *others, shape=None, **attributes):
        self.value = self.node(kind, [self.value, *others], **attributes)
        self.shape = shape or self.shape

    # Layers

    def convolution(self, channels=None, keep=False, groups=None):
        inputs, height, width = self.shape
        if groups is None:
            divisors = [g for g in range(1, inputs + 1) if inputs % g == 0]
            groups = int(self.random.choice(divisors)) if self.chance(0.35) else 1
        outputs = channels or groups * int(self.random.integers(1, max(2, 12 // groups)))
        if keep:
            kernel = [int(k) for k in self.random.choice([1, 3], 2)]
            strides, dilations = [1, 1], [1, 1]
            pads = [kernel[0] // 2, kernel[1] // 2] * 2
        else:
            kernel = [int(k) for k in self.random.integers(1, 5, 2)]
            strides = [int(s) for s in self.random.integers(1, 4, 2)]
            dilations = [int(d) for d in self.random.integers(1, 4, 2)] if self.chance(0.3) else [1, 1]
            reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations)]
            pads = [int(self.random.integers(0, r)) for r in reach + reach]
        attributes = {"kernel_shape": kernel, "strides": strides, "group": groups}
        if dilations != [1, 1]:
            attributes["dilations"] = dilations
            self.features.append("dilation")
        sides = [height, width]
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations)]
        form = self.random.random()
        if not keep and form < 0.15 and dilations == [1, 1]:
            attributes["auto_pad"] = str(self.random.choice(["SAME_UPPER", "SAME_LOWER"]))
            out = [-(-n // s) for n, s in zip(sides, strides)]
        elif not keep and form < 0.25:
            attributes["auto_pad"] = "VALID"
            out = [(n - r) // s + 1 for n, r, s in zip(sides, reach, strides)]
        else:
            attributes["pads"] = pads
            out = [(n + pads[i] + pads[i + 2] - reach[i]) // strides[i] + 1 for i, n in enumerate(sides)]
        if min(out) < 1 or any(n < r for n, r in zip(sides, reach)):
            return self.convolution(channels, True, groups)
        scale = (inputs // groups * kernel[0] * kernel[1]) ** -0.5
        operands = [self.constant(self.floats(outputs, inputs // groups, *kernel, scale=scale), "weight")]
        if self.chance(0.6):
            operands.append(self.constant(self.floats(outputs, scale=0.3), "bias"))
        self.features.append("depthwise" if groups == inputs > 1 else "groups" if groups > 1 else "plain")
        self.apply("Conv", *operands, shape=(outputs, *out), **attributes)

    def norm(self):
        channels = self.shape[0]
        form = self.random.random()
        if form < 0.6:
            values = [self.floats(channels) * 0.3 + 1, self.floats(channels, scale=0.2), self.floats(channels, scale=0.2)]
            variance = self.random.uniform(0.2, 2, channels).astype(np.float32)
            names = [self.constant(v, "norm") for v in [*values, variance]]
            epsilon = float(self.random.choice([1e-5, 1e-3, 2e-2]))
            self.apply("BatchNormalization", *names, epsilon=epsilon)
            return
        # The same in pieces, as exporters of quantized networks write it.
        scale = self.constant(self.floats(channels, 1, 1) * 0.3 + 1, "scale")
        shift = self.constant(self.floats(1, channels, 1, 1, scale=0.3), "shift")
        if self.chance(0.5):
            self.apply("Mul", scale)
            self.apply("Add", shift)
        else:
            self.apply("Sub", shift)
            self.apply("Div", scale)

    def activation(self):
        kinds = ["Relu"] * 4 + ["Clip", "Clip", "LeakyRelu", "HardSigmoid", "Sigmoid", "Tanh", "silu", "Elu"]
        if self.opset >= 14:
            kinds.append("HardSwish")
        kind = str(self.random.choice(kinds))
        if kind == "Clip":
            low, high = sorted(self.random.uniform(-2, 6, 2))
            if self.opset < 11:
                self.apply("Clip", min=float(low), max=float(high))
            else:
                bounds = [self.constant(np.float32(v), "bound") for v in (low, high)]
                self.apply("Clip", *bounds)
        elif kind == "silu":
            gate = self.node("Sigmoid", [self.value])
            self.value = self.node("Mul", [self.value, gate] if self.chance(0.5) else [gate, self.value])
            self.features.append("silu")
        elif kind == "LeakyRelu":
            self.apply("LeakyRelu", alpha=float(self.random.uniform(0.01, 0.3)))
        elif kind == "HardSigmoid":
            self.apply("HardSigmoid", alpha=float(self.random.uniform(0.1, 0.4)), beta=0.5)
        else:
            self.apply(kind)

    def pool(self):
        channels, height, width = self.shape
        kernel = [int(k) for k in self.random.integers(1, 4, 2)]
        strides = [int(s) for s in self.random.integers(1, 4, 2)]
        pads = [int(self.random.integers(0, k)) for k in kernel + kernel]
        average = self.chance(0.5)
        attributes = {"kernel_shape": kernel, "strides": strides, "pads": pads}
        ceil = self.opset >= (19 if average else 10) and self.chance(0.4)
        if average:
            attributes["count_include_pad"] = int(self.random.integers(0, 2))
        out = []
        for i, n in enumerate([height, width]):
            room = n + pads[i] + pads[i + 2] - kernel[i]
            if room < 0:
                return
            windows = (-(-room // strides[i]) if ceil else room // strides[i]) + 1
            # A window that sees padding alone has no mean, and no maximum; and whether there is one
            # behind the map, ONNX's packages do not agree.
            last = (windows - 1) * strides[i] - pads[i]
            if last >= n or kernel[i] <= pads[i]:
                return
            out.append(windows)
        if ceil:
            attributes["ceil_mode"] = 1
            self.features.append("ceil_mode")
        if not average and pads[:2] != pads[2:]:
            self.features.append("uneven_maximum")
        self.apply("AveragePool" if average else "MaxPool", shape=(channels, *out), **attributes)

    def block(self):
        """Two branches that meet again, in a sum or side by side."""
        start, shape = self.value, self.shape
        self.convolution(channels=shape[0] if self.chance(0.5) else None, keep=True, groups=1)
        if self.chance(0.5):
            self.norm()
        branch, branch_shape = self.value, self.shape
        if self.chance(0.3):
            self.activation()
            branch, branch_shape = self.value, self.shape
        self.value, self.shape = start, shape
        if branch_shape == shape and self.chance(0.7):
            pair = [branch, start] if self.chance(0.5) else [start, branch]
            self.value = self.node("Add", pair)
        elif self.chance(0.5):
            self.convolution(channels=branch_shape[0], keep=True, groups=1)
            self.value = self.node("Add", [branch, self.value])
        else:
            if self.chance(0.5):
                self.convolution(keep=True, groups=1)
            self.shape = (self.shape[0] + branch_shape[0], *branch_shape[1:])
            self.value = self.node("Concat", [self.value, branch], axis=int(self.random.choice([1, -3])) if self.opset >= 11 else 1)
        if self.chance(0.5):
            self.activation()

    def normed(self):
        """A norm and a ReLU, in front of what they are for."""
        self.norm()
        if self.chance(0.9):
            self.apply("Relu")

    def preactivation(self):
        """Blocks whose norms stand in front of their convolutions, and sums that are read as they are."""
        for _ in range(int(self.random.integers(1, 3))):
            start, channels = self.value, self.shape[0]
            self.normed()
            self.convolution(channels=int(self.random.integers(2, 9)), keep=True, groups=1)
            self.normed()
            self.convolution(channels=channels, keep=True, groups=1)
            self.value = self.node("Add", [self.value, start] if self.chance(0.5) else [start, self.value])
        if self.chance(0.7):
            self.normed()
        self.features.append("preactivation")

    def densely(self):
        """Layers that read all before them in their block, and a transition."""
        for _ in range(int(self.random.integers(1, 4))):
            start, shape = self.value, self.shape
            self.normed()
            self.convolution(channels=int(self.random.integers(1, 5)), keep=True, groups=1)
            self.value = self.node("Concat", [start, self.value], axis=1)
            self.shape = (shape[0] + self.shape[0], *shape[1:])
        self.normed()
        if self.chance(0.5):
            self.convolution(channels=int(self.random.integers(2, 9)), keep=True, groups=1)
        if min(self.shape[1:]) >= 2:
            shape = (self.shape[0], self.shape[1] // 2, self.shape[2] // 2)
            self.apply("AveragePool", shape=shape, kernel_shape=[2, 2], strides=[2, 2])
            if self.chance(0.4):
                self.norm()
        self.features.append("dense_block")

    def resize(self):
        channels, height, width = self.shape
        if height * width > 60:
            return
        factors = [int(f) for f in self.random.integers(1, 3, 2)]
        shape = (channels, height * factors[0], width * factors[1])
        scales = np.array([1, 1, *factors], np.float32)
        if self.opset < 9:
            self.apply("Upsample", shape=shape, mode="nearest", scales=[float(s) for s in scales])
        elif self.opset == 9:
            self.apply("Upsample", self.constant(scales, "scales"), shape=shape, mode="nearest")
        elif self.opset == 10:
            self.apply("Resize", self.constant(scales, "scales"), shape=shape, mode="nearest")
        else:
            roi = self.constant(np.zeros(0, np.float32), "roi")
            self.apply("Resize", roi, self.constant(scales, "scales"), shape=shape, mode="nearest",
                       coordinate_transformation_mode="asymmetric", nearest_mode="floor")

    def pad(self):
        channels, height, width = self.shape
        pads = [int(p) for p in self.random.integers(0, 3, 4)]
        shape = (channels, height + pads[0] + pads[2], width + pads[1] + pads[3])
        pads = [0, 0, pads[0], pads[1], 0, 0, pads[2], pads[3]]
        if self.opset < 11:
            self.apply("Pad", shape=shape, mode="constant", pads=pads)
        else:
            self.apply("Pad", self.constant(np.array(pads, np.int64), "pads"), shape=shape, mode="constant")

    def flatten(self):
        length = int(np.prod(self.shape))
        form = self.random.random()
        if form < 0.4:
            self.apply("Flatten", shape=(length,), axis=1)
        elif form < 0.7:
            self.apply("Reshape", self.constant(np.array([1 if self.chance(0.5) else 0, -1], np.int64), "shape"), shape=(length,))
        else:
            # As PyTorch's older exporter writes view(x.size(0), -1).
            size = self.node("Shape", [self.value])
            batch = self.node("Gather", [size, self.constant(np.int64(0), "index")], axis=0)
            axes = {"axes": [0]} if self.opset < 13 else {}
            more = [] if self.opset < 13 else [self.constant(np.array([0], np.int64), "axes")]
            batch = self.node("Unsqueeze", [batch, *more], **axes)
            target = self.node("Concat", [batch, self.constant(np.array([-1], np.int64), "rest")], axis=0)
            self.apply("Reshape", target, shape=(length,))

    def head(self):
        form = self.random.random()
        if form < 0.3:
            self.apply("GlobalAveragePool", shape=(self.shape[0], 1, 1))
        elif form < 0.5:
            if self.opset < 18:
                self.apply("ReduceMean", shape=(self.shape[0], 1, 1), axes=[2, 3], keepdims=1)
            else:
                axes = self.constant(np.array([-1, -2], np.int64), "axes")
                self.apply("ReduceMean", axes, shape=(self.shape[0], 1, 1), keepdims=1)
        elif max(self.shape[1:]) > 12:
            self.apply("GlobalMaxPool", shape=(self.shape[0], 1, 1))
        self.flatten()
        if self.chance(0.2):
            length = self.shape[0]
            values = [self.floats(length) * 0.3 + 1, self.floats(length, scale=0.2), self.floats(length, scale=0.2)]
            variance = self.random.uniform(0.2, 2, length).astype(np.float32)
            self.apply("BatchNormalization", *[self.constant(v, "norm") for v in [*values, variance]])
            self.features.append("norm_of_values")
        for layer in range(int(self.random.integers(1, 3))):
            (length,) = self.shape
            outputs = int(self.random.integers(2, 12))
            scale = length ** -0.5
            if self.chance(0.6):
                transposed = int(self.random.integers(0, 2))
                shape = (outputs, length) if transposed else (length, outputs)
                operands = [self.constant(self.floats(*shape, scale=scale), "weight")]
                operands.append(self.constant(self.floats(outputs, scale=0.3), "bias"))
                extra = {"alpha": 0.5, "beta": 2.0} if self.chance(0.2) else {}
                self.apply("Gemm", *operands, shape=(outputs,), transB=transposed, **extra)
            else:
                weight = self.constant(self.floats(outputs, length, scale=scale), "weight")
                turned = self.node("Transpose", [weight], perm=[1, 0])
                self.apply("MatMul", turned, shape=(outputs,))
                if self.chance(0.7):
                    self.apply("Add", self.constant(self.floats(outputs, scale=0.3), "bias"))
            if self.chance(0.4):
                self.apply("Relu")
                (length,) = self.shape
                weight = self.constant(self.floats(length, length, scale=length ** -0.5), "weight")
                self.apply("MatMul", weight)

    def body(self):
        for _ in range(int(self.random.integers(2, 6))):
            step = self.random.random()
            if step < 0.36:
                self.convolution()
                if self.chance(0.5):
                    self.norm()
                if self.chance(0.7):
                    self.activation()
            elif step < 0.54:
                self.block()
            elif step < 0.62:
                self.preactivation()
            elif step < 0.70:
                self.densely()
            elif step < 0.85:
                self.pool()
                if self.chance(0.2):
                    self.norm()
                    self.features.append("norm_of_a_pool")
            elif step < 0.935:
                self.resize()
            elif step < 0.97:
                self.pad()
            else:
                self.apply("Dropout" if self.opset >= 12 else "Identity")

    def model(self):
        if self.chance(0.15):
            self.norm()
            self.features.append("norm_of_the_image")
        self.convolution()
        self.body()
        self.head()
        batch = "N" if self.chance(0.5) else 1
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, *self.input_shape])
        result = helper.make_tensor_value_info(self.value, TensorProto.FLOAT, [batch, *self.shape])
        inputs = [image]
        if IR[self.opset] < 4:
            # Before IR version 4 every initializer is an input as well.
            inputs += [helper.make_tensor_value_info(c.name, c.data_type, list(c.dims)) for c in self.constants]
        graph = helper.make_graph(self.nodes, "random", inputs, [result], initializer=self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], producer_name="graphs.py")
        model.ir_version = IR[self.opset]
        onnx.checker.check_model(model)
        return model


def judge(model, graph, image):
    """What ONNX's own packages say."""
    if graph.opset >= 19 and not {"ceil_mode", "uneven_maximum"} & set(graph.features):
        return ReferenceEvaluator(model).run(None, {"image": image})[0]
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"image": image})[0]


def main():
    folder, count, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        random = np.random.default_rng([seed, number])
        graph = Graph(random)
        model = graph.model()
        image = random.standard_normal((1, *graph.input_shape)).astype("<f4")
        output = np.asarray(judge(model, graph, image), "<f4")
        assert output.shape == (1, *graph.shape) and np.isfinite(output).all(), (number, output.shape)
        onnx.save(model, folder / f"{number}.onnx")
        image.tofile(folder / f"{number}.input")
        output.tofile(folder / f"{number}.output")
        line = f"opset {graph.opset}: {' '.join(sorted(set(graph.features)))}\n"
        (folder / f"{number}.txt").write_text(line)


if __name__ == "__main__":
    main()
