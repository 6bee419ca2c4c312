#!/usr/bin/env python3
"""Times onnxruntime on networks in 8 bits, turn by turn, and writes large files.

    onnxruntime_speed.py THREADS

Answers each line of standard input with one line: a number, or `error` and a reason. A line is

    infer NETWORK BATCH RUNS    the seconds that so many runs take
    write FILE MEGABYTES        writes a network in floating point; the bytes of its file

NETWORK is `mobilenet`, which is made and quantized here, or a file. What is made has random
weights, which cost what trained ones do. The first line of the output says the version, when
the program is ready. `make bench` is what talks to it.
"""

import logging
import os
import sys
import tempfile
import time

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import quantization

# The threads of a run go on waiting for work for some time, which others would have to pay for.
REST = 0.1
SIDE = 96
# Stride of each depthwise convolution and channels of the pointwise one behind it: MobileNetV1
# of width 0.25.
BLOCKS = ((1, 16), (2, 32), (1, 32), (2, 64), (1, 64), (2, 128), *[(1, 128)] * 5, (2, 256), (1, 256))


class Graph:
    """Nodes one after the other, with random weights."""

    def __init__(self):
        self.random = numpy.random.default_rng(1)
        self.nodes, self.weights, self.last = [], [], "image"

    def node(self, kind, constants=(), **attributes):
        """Adds a node on the last output."""
        output = f"{kind}{len(self.nodes)}"
        names = []
        for value in constants:
            names.append(f"{output}.{len(names)}")
            self.weights.append(numpy_helper.from_array(value, names[-1]))
        self.nodes.append(
            helper.make_node(kind, [self.last, *names], [output], output, **attributes)
        )
        self.last = output

    def draw(self, *shape):
        scale = numpy.sqrt(2 / numpy.prod(shape[1:]))
        return self.random.standard_normal(shape, numpy.float32) * numpy.float32(scale)

    def convolution(self, inputs, outputs, kernel, stride=1, groups=1):
        """A convolution with bias and ReLU."""
        weights = self.draw(outputs, inputs // groups, kernel, kernel)
        around = {"pads": [kernel // 2] * 4, "strides": [stride] * 2, "group": groups}
        self.node("Conv", (weights, numpy.zeros(outputs, numpy.float32)), **around)
        self.node("Relu")

    def ending(self, inputs, outputs):
        """The mean over the map and a dense layer."""
        self.node("GlobalAveragePool")
        self.node("Flatten")
        self.node("Gemm", (self.draw(outputs, inputs), self.draw(outputs)), transB=1)

    def save(self, path, side, classes):
        value = helper.make_tensor_value_info
        image = value("image", TensorProto.FLOAT, ["n", 3, side, side])
        result = value(self.last, TensorProto.FLOAT, ["n", classes])
        graph = helper.make_graph(self.nodes, "network", [image], [result], self.weights)
        opset = helper.make_opsetid("", 17)
        onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)


def mobilenet(path):
    """MobileNetV1 of width 0.25 for two classes, as for visual wake words."""
    graph, channels = Graph(), 8
    graph.convolution(3, channels, 3, 2)
    for stride, outputs in BLOCKS:
        graph.convolution(channels, channels, 3, stride, channels)
        graph.convolution(channels, outputs, 1)
        channels = outputs
    graph.ending(channels, 2)
    graph.save(path, SIDE, 2)


def large(path, megabytes):
    """Convolutions of 512 channels, 9.4 MB each, until the file is that long."""
    graph, channels = Graph(), 512
    graph.convolution(3, channels, 3, 2)
    for _ in range(round(megabytes * 1e6 / (4 * 9 * channels * channels))):
        graph.convolution(channels, channels, 3)
    graph.ending(channels, 10)
    graph.save(path, 32, 10)


class Images(quantization.CalibrationDataReader):
    """A few images that ranges are observed on."""

    def __init__(self):
        self.left = [numpy.random.default_rng(2).random((16, 3, SIDE, SIDE), numpy.float32)]

    def get_next(self):
        return {"image": self.left.pop()} if self.left else None


def quantized_mobilenet(folder):
    """With onnxruntime's static quantizer: uint8 activations, int8 weights channel by channel."""
    whole, narrow = (os.path.join(folder, name) for name in ("float.onnx", "int8.onnx"))
    mobilenet(whole)
    kinds = quantization.QuantType
    quantization.quantize_static(
        whole,
        narrow,
        Images(),
        quant_format=quantization.QuantFormat.QDQ,
        per_channel=True,
        activation_type=kinds.QUInt8,
        weight_type=kinds.QInt8,
    )
    return narrow


class Subjects:
    """Networks that are ready to run."""

    def __init__(self, threads):
        self.options = onnxruntime.SessionOptions()
        self.options.intra_op_num_threads = threads
        self.options.log_severity_level = 3
        self.ready = {}

    def session(self, name):
        if name not in self.ready:
            with tempfile.TemporaryDirectory() as folder:
                path = quantized_mobilenet(folder) if name == "mobilenet" else name
                self.ready[name] = onnxruntime.InferenceSession(
                    path, self.options, providers=["CPUExecutionProvider"]
                )
        return self.ready[name]

    def infer(self, name, batch, runs):
        session = self.session(name)
        image = session.get_inputs()[0]
        shape = (batch, *image.shape[1:])
        images = numpy.random.default_rng(3).random(shape, numpy.float32)
        start = time.perf_counter()
        for _ in range(runs):
            session.run(None, {image.name: images})
        seconds = time.perf_counter() - start
        time.sleep(REST)
        return seconds


def answer(subjects, line):
    kind, name, *numbers = line.rstrip("\n").split("\t")
    if kind == "infer":
        batch, runs = map(int, numbers)
        return subjects.infer(name, batch, runs)
    if kind == "write":
        large(name, *map(float, numbers))
        return os.path.getsize(name)
    raise ValueError(line)


def main():
    logging.disable(logging.WARNING)
    subjects = Subjects(int(sys.argv[1]))
    print(f"onnxruntime {onnxruntime.__version__}", flush=True)
    for line in sys.stdin:
        try:
            print(answer(subjects, line), flush=True)
        # Whatever a library raises is said, and the other side ends with it.
        except Exception as error:
            print("error", repr(error).replace("\n", " "), flush=True)


if __name__ == "__main__":
    main()
