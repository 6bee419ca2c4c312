#!/usr/bin/env bash
# onnxoptimizer 0.4.2 with onnx 1.23.2, onnxruntime 1.32.0, Python 3.11.
#
# The pass `fuse_pad_into_pool`, one of the default ones, merges a Pad of zeros into the MaxPool behind
# it. The padding of a MaxPool never wins, a padded zero does, so wherever values at the border are
# negative the network computes something else, without a word; behind a ReLU nobody notices.
# Right: only a Pad of the smallest value, or one behind values that are not negative, is a MaxPool's own.
#
# Seen (a 2 x 2 map -1 -2 / -3 -4 with one pixel of zeros around, a window of 2 x 2):
#   before: 0 0 0 / 0 -1 0 / 0 0 0
#   after:  -1 -1 -2 / -1 -1 -2 / -3 -3 -4
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
TMPDIR="$here" "$here/venv/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir \
    onnx==1.23.2 onnxoptimizer==0.4.2 onnxruntime==1.32.0 numpy==2.4.6
"$here/venv/bin/python" -W ignore - <<'END'
import sys

import numpy as np
import onnxoptimizer
import onnxruntime
from onnx import TensorProto, checker, helper, numpy_helper

nodes = [
    helper.make_node("Pad", ["x", "pads"], ["padded"]),
    helper.make_node("MaxPool", ["padded"], ["y"], kernel_shape=[2, 2]),
]
graph = helper.make_graph(
    nodes,
    "pool",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 2, 2])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 3, 3])],
    [numpy_helper.from_array(np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64), "pads")],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
model.ir_version = 9
checker.check_model(model, full_check=True)
x = np.array([[[[-1, -2], [-3, -4]]]], np.float32)


def run(model):
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    rows = session.run(None, {"x": x})[0][0, 0]
    return " / ".join(" ".join(str(int(value)) for value in row) for row in rows)


lines = [f"before: {run(model)}", f"after:  {run(onnxoptimizer.optimize(model))}"]
print("\n".join(lines))
expected = [
    "before: 0 0 0 / 0 -1 0 / 0 0 0",
    "after:  -1 -1 -2 / -1 -1 -2 / -3 -3 -4",
]
sys.exit(0 if lines == expected else "the behaviour has changed")
END
