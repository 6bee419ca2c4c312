#!/usr/bin/env bash
# onnx 1.23.2 (shape_inference, reference) with onnxruntime 1.32.0, Python 3.11.
#
# With ceil_mode a last window of a pool may begin behind the map, in the padding alone. onnxruntime
# and onnx's own reference leave it out at every opset; onnx's shape inference leaves it out from
# opset 22 on and counts it below, so that one file has two shapes: 2 x 2 by inference, 1 x 1 when
# it runs. Whoever takes extents from shape inference (for the weights of a dense layer behind the
# pool, or for buffers) is wrong below opset 22.
# Right: a window that begins behind map and front padding is none, at every opset.
#
# Seen (a map of 3 x 3, a window of 2 x 2, steps of 3, one pixel of padding below and behind):
#   MaxPool 19: inferred 2 x 2, onnxruntime 1 x 1, reference 1 x 1
#   MaxPool 22: inferred 1 x 1, onnxruntime 1 x 1, reference 1 x 1
#   AveragePool 19: inferred 2 x 2, onnxruntime 1 x 1, reference 1 x 1
#   AveragePool 22: inferred 1 x 1, onnxruntime 1 x 1, reference 1 x 1
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
from onnx import TensorProto, helper, shape_inference
from onnx.reference import ReferenceEvaluator

onnxruntime.set_default_logger_severity(4)


def extents(kind, opset):
    pool = helper.make_node(
        kind, ["x"], ["y"],
        kernel_shape=[2, 2], strides=[3, 3], pads=[0, 0, 1, 1], ceil_mode=1,
    )
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 3, 3])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([pool], "pool", [image], [result])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 9
    x = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3)
    shape = shape_inference.infer_shapes(model).graph.output[0].type.tensor_type.shape
    inferred = [d.dim_value for d in shape.dim][2:]
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    ran = session.run(None, {"x": x})[0].shape[2:]
    reference = ReferenceEvaluator(model).run(None, {"x": x})[0].shape[2:]
    text = [" x ".join(map(str, each)) for each in (inferred, ran, reference)]
    return f"{kind} {opset}: inferred {text[0]}, onnxruntime {text[1]}, reference {text[2]}"


lines = [extents(kind, opset) for kind in ("MaxPool", "AveragePool") for opset in (19, 22)]
print("\n".join(lines))
expected = [
    "MaxPool 19: inferred 2 x 2, onnxruntime 1 x 1, reference 1 x 1",
    "MaxPool 22: inferred 1 x 1, onnxruntime 1 x 1, reference 1 x 1",
    "AveragePool 19: inferred 2 x 2, onnxruntime 1 x 1, reference 1 x 1",
    "AveragePool 22: inferred 1 x 1, onnxruntime 1 x 1, reference 1 x 1",
]
sys.exit(0 if lines == expected else "the behaviour has changed")
END
