#!/usr/bin/env bash
# onnxruntime 1.32.0 (quantize_static) with onnx 1.23.2, Python 3.11.
#
# Gemm computes alpha * A * B + beta * C. The static quantizer loses beta in every form, and of
# the operator form alpha reaches the bias too, so that the bias of the quantized network is a half
# or a quarter of the right one: far beyond any rounding, and without a word.
# Right: the same sums within the steps of the quantizers (here less than 0.2).
#
# Seen (A = 4 4, B the identity, C = 8 16; results of the quantized files, rounded):
#   alpha 1,   beta 1: right 12 20, QDQ 12 20, QOperator 12 20
#   alpha 1,   beta 2: right 20 36, QDQ 12 20, QOperator 8 12
#   alpha 0.5, beta 1: right 10 18, QDQ 10 18, QOperator 6 10
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
TMPDIR="$here" "$here/venv/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir \
    onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
cd "$here"
"$here/venv/bin/python" -W ignore - <<'END'
import logging
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, checker, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

logging.disable(logging.CRITICAL)


class Images(CalibrationDataReader):
    def __init__(self):
        self.images = iter([{"a": np.full((1, 2), v, np.float32)} for v in (-32, 32)])

    def get_next(self):
        return next(self.images, None)


def results(file):
    # As the file says, before any of the runtime's own fusions.
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    found = session.run(None, {"a": np.array([[4, 4]], np.float32)})[0][0]
    return " ".join(str(int(round(float(value)))) for value in found)


def row(alpha, beta):
    node = helper.make_node("Gemm", ["a", "b", "c"], ["y"], alpha=alpha, beta=beta)
    graph = helper.make_graph(
        [node],
        "dense",
        [helper.make_tensor_value_info("a", TensorProto.FLOAT, [1, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])],
        [
            numpy_helper.from_array(np.eye(2, dtype=np.float32), "b"),
            numpy_helper.from_array(np.array([8, 16], np.float32), "c"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    checker.check_model(model, full_check=True)
    onnx.save(model, "float.onnx")
    text = [f"right {results('float.onnx')}"]
    for form in (QuantFormat.QDQ, QuantFormat.QOperator):
        quantize_static("float.onnx", "quantized.onnx", Images(), quant_format=form)
        text.append(f"{form.name} {results('quantized.onnx')}")
    factor = f"alpha {alpha:g},".ljust(10)
    return f"{factor} beta {beta:g}: " + ", ".join(text)


lines = [row(1.0, 1.0), row(1.0, 2.0), row(0.5, 1.0)]
print("\n".join(lines))
expected = [
    "alpha 1,   beta 1: right 12 20, QDQ 12 20, QOperator 12 20",
    "alpha 1,   beta 2: right 20 36, QDQ 12 20, QOperator 8 12",
    "alpha 0.5, beta 1: right 10 18, QDQ 10 18, QOperator 6 10",
]
sys.exit(0 if lines == expected else "the behaviour has changed")
END
