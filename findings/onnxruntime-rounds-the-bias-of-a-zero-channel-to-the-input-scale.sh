#!/usr/bin/env bash
# onnxruntime 1.32.0 (quantize_static, QDQ, int8, per channel), ONNX 1.23.2, Python 3.11.
#
# A filter of zeros, which pruning leaves, has no scale of its own; it is given 1.0. The scale of
# a bias is the input's times the weight's, so the bias of that channel, which is all it computes,
# is rounded to multiples of the input's scale. Behind a layer with outputs of some ten or a
# hundred it becomes 0. Neither the quantizer nor the model says so.
# Right: the scale of a channel of zeros is free; any living channel's will do.
#
# Seen:
#   scales of the weights: 0.01 1 0.005; of the input: 1
#   channel 0: bias 0.3 is stored as 30, which is 0.3
#   channel 1: bias 0.3 is stored as 0, which is 0
#   channel 2: bias 0.3 is stored as 60, which is 0.3
#   channel 1 for an input of zeros: 0.3 in floating point, 0 quantized
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install --quiet --disable-pip-version-check \
    onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6 sympy==1.14.0
cd "$here"
"$here/venv/bin/python" - <<'END'
import logging
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

logging.disable(logging.WARNING)
weights = np.zeros((3, 1, 1, 1), np.float32)
weights[0], weights[2] = 1.27, 0.635
values = {"weights": weights, "bias": np.full(3, 0.3, np.float32)}
graph = helper.make_graph(
    [helper.make_node("Conv", ["x", "weights", "bias"], ["y"])],
    "one convolution",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 1, 2])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 1, 2])],
    [numpy_helper.from_array(value, name) for name, value in values.items()],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
onnx.save(model, "float.onnx")


class Images(CalibrationDataReader):
    def __init__(self):
        self.rest = iter([{"x": np.array([[[[-128, 127]]]], np.float32)}])

    def get_next(self):
        return next(self.rest, None)


quantize_static(
    "float.onnx", "int8.onnx", Images(), per_channel=True,
    weight_type=QuantType.QInt8, activation_type=QuantType.QInt8,
)
stored = {t.name: numpy_helper.to_array(t) for t in onnx.load("int8.onnx").graph.initializer}
scales, bias = stored["weights_scale"], stored["bias_quantized"]
meant = bias * stored["bias_quantized_scale"]
zeros = {"x": np.zeros((1, 1, 1, 2), np.float32)}
outputs = [onnxruntime.InferenceSession(f).run(None, zeros)[0][0, 1, 0, 0] for f in ("float.onnx", "int8.onnx")]
lines = [
    "scales of the weights: " + " ".join(f"{s:.3g}" for s in scales) + f"; of the input: {stored['x_scale']:.3g}",
    *(f"channel {c}: bias 0.3 is stored as {bias[c]}, which is {meant[c]:.3g}" for c in range(3)),
    f"channel 1 for an input of zeros: {outputs[0]:.3g} in floating point, {outputs[1]:.3g} quantized",
]
print("\n".join(lines))
expected = [
    "scales of the weights: 0.01 1 0.005; of the input: 1",
    "channel 0: bias 0.3 is stored as 30, which is 0.3",
    "channel 1: bias 0.3 is stored as 0, which is 0",
    "channel 2: bias 0.3 is stored as 60, which is 0.3",
    "channel 1 for an input of zeros: 0.3 in floating point, 0 quantized",
]
sys.exit(0 if lines == expected else "the behaviour has changed")
END
