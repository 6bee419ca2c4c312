#!/usr/bin/env bash
# onnx 1.23.2 (version_converter) with onnxruntime 1.32.0, Python 3.11.
#
# Upsample of opset 9 maps output pixel i to input position i / factor. The version converter
# makes a Resize of it and leaves the mapping to Resize's default, which is half_pixel:
# (i + 0.5) / factor - 0.5. With mode linear the whole map moves by a part of a pixel, without a word.
# Right: a Resize with coordinate_transformation_mode = asymmetric.
#
# Seen (the row 0 8, twice as wide):
#   opset 9:  0 4 8 8
#   opset 13: 0 2 6 8
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
from onnx import TensorProto, checker, helper, numpy_helper, version_converter

graph = helper.make_graph(
    [helper.make_node("Upsample", ["x", "scales"], ["y"], mode="linear")],
    "wider",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 1, 2])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 1, 4])],
    [numpy_helper.from_array(np.array([1, 1, 1, 2], np.float32), "scales")],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)])
model.ir_version = 4
checker.check_model(model, full_check=True)
x = np.array([[[[0, 8]]]], np.float32)


def run(model):
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    row = session.run(None, {"x": x})[0].ravel()
    return " ".join(str(int(value)) for value in row)


converted = version_converter.convert_version(model, 13)
lines = [f"opset 9:  {run(model)}", f"opset 13: {run(converted)}"]
print("\n".join(lines))
expected = ["opset 9:  0 4 8 8", "opset 13: 0 2 6 8"]
sys.exit(0 if lines == expected else "the behaviour has changed")
END
