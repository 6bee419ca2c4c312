#!/usr/bin/env bash
# onnx 1.23.2 (reference) with onnxruntime 1.32.0, Python 3.11.
#
# pads of a pool are (above, in front, below, behind). The reference's MaxPool takes them as
# (above, below, in front, behind) where the stride is 1: a row of padding below becomes a column in
# front, and the result has another shape. With stride 2, and in AveragePool, it takes them right.
# Who tests a reader or a runtime against the reference blames the wrong one.
# Right: 5 x 4 with pads 0 0 1 0, as the operator's definition and onnxruntime have it.
#
# Seen (a map of 5 x 5 with the numbers 0 to 24, a window of 2 x 2):
#   MaxPool, stride 1, pads 0 0 1 0: onnxruntime 5 x 4, reference 4 x 5
#   MaxPool, stride 1, pads 1 1 0 0: onnxruntime 5 x 5, reference 6 x 4
#   MaxPool, stride 2, pads 0 0 1 0: onnxruntime 3 x 2, reference 3 x 2
#   AveragePool, stride 1, pads 0 0 1 0: onnxruntime 5 x 4, reference 5 x 4
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
from onnx import TensorProto, checker, helper
from onnx.reference import ReferenceEvaluator

onnxruntime.set_default_logger_severity(4)


def line(kind, stride, pads):
    pool = helper.make_node(
        kind, ["x"], ["y"], kernel_shape=[2, 2], strides=[stride, stride], pads=pads
    )
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 5, 5])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, "height", "width"])
    graph = helper.make_graph([pool], "pool", [image], [result])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)])
    model.ir_version = 9
    checker.check_model(model, full_check=True)
    x = np.arange(25, dtype=np.float32).reshape(1, 1, 5, 5)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    shapes = [
        session.run(None, {"x": x})[0].shape[2:],
        ReferenceEvaluator(model).run(None, {"x": x})[0].shape[2:],
    ]
    text = [" x ".join(map(str, shape)) for shape in shapes]
    padding = " ".join(map(str, pads))
    return f"{kind}, stride {stride}, pads {padding}: onnxruntime {text[0]}, reference {text[1]}"


lines = [
    line("MaxPool", 1, [0, 0, 1, 0]),
    line("MaxPool", 1, [1, 1, 0, 0]),
    line("MaxPool", 2, [0, 0, 1, 0]),
    line("AveragePool", 1, [0, 0, 1, 0]),
]
print("\n".join(lines))
expected = [
    "MaxPool, stride 1, pads 0 0 1 0: onnxruntime 5 x 4, reference 4 x 5",
    "MaxPool, stride 1, pads 1 1 0 0: onnxruntime 5 x 5, reference 6 x 4",
    "MaxPool, stride 2, pads 0 0 1 0: onnxruntime 3 x 2, reference 3 x 2",
    "AveragePool, stride 1, pads 0 0 1 0: onnxruntime 5 x 4, reference 5 x 4",
]
sys.exit(0 if lines == expected else "the behaviour has changed")
END
