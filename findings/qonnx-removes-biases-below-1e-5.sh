#!/usr/bin/env bash
# qonnx 1.0.0 (RemoveIdentityOps) with ONNX 1.23.2, onnxruntime 1.32.0, NumPy 2.4.6, Python 3.11.
#
# The pass takes an addition for "nothing" if all that it adds is within 1e-5 of zero, whatever
# the size of what it is added to. Where the data are small, because a sensor's volts are
# microvolts or a scale was moved through the graph, that is the bias of a layer.
# Right: give a tolerance of the data's size, RemoveIdentityOps(atol=0).
#
# Seen:
#   before: Add Mul, 0.2 -> 0.28
#   after RemoveIdentityOps(): Mul, 0.2 -> 0.2
#   after RemoveIdentityOps(atol=0): Add Mul, 0.2 -> 0.28
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install --quiet --disable-pip-version-check \
    qonnx==1.0.0 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$here/venv/bin/python" -W ignore - <<'END'
import sys

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.infer_shapes import InferShapes
from qonnx.transformation.remove import RemoveIdentityOps

bias, gain = np.float32(8e-6), np.float32(1e4)
graph = helper.make_graph(
    [helper.make_node("Add", ["x", "bias"], ["t"]), helper.make_node("Mul", ["t", "gain"], ["y"])],
    "a bias in volts",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    [numpy_helper.from_array(np.array([v]), n) for n, v in (("bias", bias), ("gain", gain))],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
volts = np.array([2e-5], np.float32)


def told(title, changed):
    session = onnxruntime.InferenceSession(changed.model.SerializeToString())
    answer = session.run(None, {"x": volts})[0][0]
    nodes = " ".join(node.op_type for node in changed.graph.node)
    return f"{title}: {nodes}, {volts[0] * gain:.3g} -> {answer:.3g}"


start = ModelWrapper(model).transform(InferShapes())
lines = [
    told("before", start),
    told("after RemoveIdentityOps()", start.transform(RemoveIdentityOps())),
    told("after RemoveIdentityOps(atol=0)", start.transform(RemoveIdentityOps(atol=0))),
]
print("\n".join(lines))
expected = [
    "before: Add Mul, 0.2 -> 0.28",
    "after RemoveIdentityOps(): Mul, 0.2 -> 0.2",
    "after RemoveIdentityOps(atol=0): Add Mul, 0.2 -> 0.28",
]
sys.exit(0 if lines == expected else "the behaviour has changed")
END
