#!/usr/bin/env bash
# onnxruntime 1.32.0 (default optimizations), ONNX 1.23.2, Python 3.11.
#
# A convolution between quantizers whose bias is in floating point keeps that bias only where
# optimizations are off. By default it is replaced by an integer times the product of both scales,
# without a word, and with 4-bit weights that product is coarse: here it moves a third of all
# outputs by a step. The same bias in an Add behind the convolution is left as it is.
# Right: what a file has in floating point stays so, or the step is one that cannot be seen.
#
# Seen:
#   bias in the Conv: 179 of 512 outputs differ from those without optimizations
#   bias in an Add: 0 of 512 outputs differ from those without optimizations
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
TMPDIR="$here" "$here/venv/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir \
    onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$here/venv/bin/python" -W ignore - <<'END'
import sys

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

onnxruntime.set_default_logger_severity(4)

CHANNELS = 8
# Every number is a small multiple of a power of two: no sum is rounded anywhere.
weights = ((np.arange(CHANNELS * 4) * 5 + 3) % 15 - 7).astype(np.int8).reshape(CHANNELS, 4, 1, 1)
bias = (np.arange(CHANNELS) * 13 % 32 - 16).astype(np.float32) / 64
image = (((np.arange(4 * 64) * 37) % 31) - 15).astype(np.float32).reshape(1, 4, 8, 8)


def model(in_an_add):
    constants = {
        "one": np.float32(1), "zero": np.int8(0), "weights": weights,
        "scales": np.full(CHANNELS, 0.5, np.float32),
        "bias": bias.reshape(1, -1, 1, 1) if in_an_add else bias,
    }
    node = helper.make_node
    last = [node("Conv", ["d", "w"], ["s"], kernel_shape=[1, 1]), node("Add", ["s", "bias"], ["t"])]
    if not in_an_add:
        last = [node("Conv", ["d", "w", "bias"], ["t"], kernel_shape=[1, 1])]
    nodes = [
        node("QuantizeLinear", ["x", "one", "zero"], ["q"]),
        node("DequantizeLinear", ["q", "one", "zero"], ["d"]),
        node("DequantizeLinear", ["weights", "scales"], ["w"], axis=0),
        *last,
        node("QuantizeLinear", ["t", "one", "zero"], ["u"]),
        node("DequantizeLinear", ["u", "one", "zero"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes, "one convolution",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, CHANNELS, 8, 8])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opset = [helper.make_opsetid("", 21)]
    return helper.make_model(graph, opset_imports=opset, ir_version=10).SerializeToString()


def outputs(bytes, level):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    return onnxruntime.InferenceSession(bytes, options).run(None, {"x": image})[0]


level = onnxruntime.GraphOptimizationLevel
lines = []
for name, in_an_add in (("the Conv", False), ("an Add", True)):
    bytes = model(in_an_add)
    off, usual = outputs(bytes, level.ORT_DISABLE_ALL), outputs(bytes, level.ORT_ENABLE_ALL)
    lines.append(
        f"bias in {name}: {(off != usual).sum()} of {off.size} outputs differ "
        "from those without optimizations"
    )
print("\n".join(lines))
expected = [
    "bias in the Conv: 179 of 512 outputs differ from those without optimizations",
    "bias in an Add: 0 of 512 outputs differ from those without optimizations",
]
sys.exit(0 if lines == expected else "the behaviour has changed")
END
