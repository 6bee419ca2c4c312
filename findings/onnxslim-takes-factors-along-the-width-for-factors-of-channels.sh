#!/usr/bin/env bash
# onnxslim 0.1.98 with onnx 1.23.2, onnxruntime 1.32.0, Python 3.11.
#
# A Mul of a feature map by a vector of N values runs along the last axis, the width: that is how
# ONNX broadcasts. onnxslim folds it into the weights of the convolution in front as if its values
# belonged to the output channels, whenever there are N of these. A map as wide as it has
# channels (here 2 x 2 in 2 channels) comes out with other numbers, without a word.
# Right: only a factor of shape [1, N, 1, 1] or [N, 1, 1], or a single one, is one of channels.
#
# Seen (ones through a 1 x 1 convolution that keeps its channels, times the vector 1, 10):
#   before: channel 0 is 1 10 / 1 10, channel 1 is 1 10 / 1 10
#   after:  channel 0 is 1 1 / 1 1, channel 1 is 10 10 / 10 10
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
TMPDIR="$here" "$here/venv/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir \
    onnx==1.23.2 onnxslim==0.1.98 onnxruntime==1.32.0 numpy==2.4.6
"$here/venv/bin/python" -W ignore - <<'END'
import sys

import numpy as np
import onnxruntime
import onnxslim
from onnx import TensorProto, checker, helper, numpy_helper

nodes = [
    helper.make_node("Conv", ["x", "w"], ["map"]),
    helper.make_node("Mul", ["map", "factors"], ["y"]),
]
graph = helper.make_graph(
    nodes,
    "scaled",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 2, 2])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2, 2, 2])],
    [
        numpy_helper.from_array(np.eye(2, dtype=np.float32).reshape(2, 2, 1, 1), "w"),
        numpy_helper.from_array(np.array([1, 10], np.float32), "factors"),
    ],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
model.ir_version = 9
checker.check_model(model, full_check=True)
x = np.ones((1, 2, 2, 2), np.float32)


def run(model):
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    maps = session.run(None, {"x": x})[0][0]
    text = [
        " / ".join(" ".join(str(int(value)) for value in row) for row in each) for each in maps
    ]
    return f"channel 0 is {text[0]}, channel 1 is {text[1]}"


lines = [f"before: {run(model)}", f"after:  {run(onnxslim.slim(model))}"]
print("\n".join(lines))
expected = [
    "before: channel 0 is 1 10 / 1 10, channel 1 is 1 10 / 1 10",
    "after:  channel 0 is 1 1 / 1 1, channel 1 is 10 10 / 10 10",
]
sys.exit(0 if lines == expected else "the behaviour has changed")
END
