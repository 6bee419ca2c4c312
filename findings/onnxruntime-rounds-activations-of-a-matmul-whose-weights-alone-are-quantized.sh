#!/usr/bin/env bash
# onnxruntime 1.32.0 with onnx 1.23.2, Python 3.11.
#
# A MatMul of float activations by weights behind a DequantizeLinear, as Brevitas exports dense layers
# and as every scheme that quantizes weights alone writes them, has no quantizer of its activations.
# With its default options onnxruntime runs it as MatMulNBits with 8-bit activations, which it
# rounds to 255 steps of the largest value of each block: small values beside a large one vanish.
# Without optimizations, or with the session option `session.qdq_matmulnbits_accuracy_level` = 1, it
# computes what the file says. Who compares a model with onnxruntime's results compares with these.
# Right: float activations stay as they are where no node rounds them.
#
# Seen (activations 100 0.3 0 0 ..., weights the identity; the first two results):
#   no optimizations: 100 0.3
#   default:          100 0
#   accuracy level 1: 100 0.3
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
from onnx import TensorProto, checker, helper, numpy_helper

WIDTH = 16
graph = helper.make_graph(
    [
        helper.make_node("DequantizeLinear", ["q", "step", "zero"], ["w"]),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ],
    "dense",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, WIDTH])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, WIDTH])],
    [
        numpy_helper.from_array(np.eye(WIDTH, dtype=np.int8), "q"),
        numpy_helper.from_array(np.array(1, np.float32), "step"),
        numpy_helper.from_array(np.array(0, np.int8), "zero"),
    ],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
model.ir_version = 8
checker.check_model(model, full_check=True)
x = np.zeros((1, WIDTH), np.float32)
x[0, :2] = 100, 0.3


def run(optimized=True, level=None):
    options = onnxruntime.SessionOptions()
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if level is not None:
        options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", level)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    first = session.run(None, {"x": x})[0][0, :2]
    return " ".join(f"{value:.3g}" for value in first)


lines = [
    f"no optimizations: {run(optimized=False)}",
    f"default:          {run()}",
    f"accuracy level 1: {run(level='1')}",
]
print("\n".join(lines))
expected = [
    "no optimizations: 100 0.3",
    "default:          100 0",
    "accuracy level 1: 100 0.3",
]
sys.exit(0 if lines == expected else "the behaviour has changed")
END
