#!/usr/bin/env bash
# ml_dtypes 0.6.0 with NumPy 2.4.6 (and ONNX 1.23.2, whose arrays it provides), Python 3.11.
#
# NumPy sums an int8 array in 64 bits. An int4 array, which is what onnx.numpy_helper.to_array
# makes of an INT4 tensor, is summed in 4 bits and wraps without a word; its mean is the wrapped
# sum divided and cut to 4 bits; its dot product is an int8 and wraps as well. A column sum
# of weights, which every zero point needs, is wrong as soon as it leaves -8..7.
# Sums of float8 and bfloat16 stop growing in the same silent way.
# Right: widen first (.astype(np.int32)).
#
# Seen:
#   [7 7 7] from an INT4 tensor: dtype int4, sum 5 (21 is right), mean 1 (7), dot -109 int8 (147)
#   [15 15] as uint4: sum 14 (30)
#   widened: sum 21, dot 147
#   a thousand ones: sum 256 as bfloat16, 16 as float8_e4m3fn
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install --quiet --disable-pip-version-check \
    ml_dtypes==0.6.0 numpy==2.4.6 onnx==1.23.2
"$here/venv/bin/python" - <<'END'
import sys

import ml_dtypes
import numpy as np
from onnx import TensorProto, helper, numpy_helper

tensor = helper.make_tensor("weights", TensorProto.INT4, [3], [7, 7, 7])
weights = numpy_helper.to_array(tensor)
unsigned = np.array([15, 15], dtype=ml_dtypes.uint4)
wide = weights.astype(np.int32)
dot = weights @ weights
ones = {name: np.ones(1000, dtype=getattr(ml_dtypes, name)) for name in ("bfloat16", "float8_e4m3fn")}
lines = [
    f"{weights} from an INT4 tensor: dtype {weights.dtype}, sum {weights.sum()} (21 is right), "
    f"mean {weights.mean()} (7), dot {dot} {dot.dtype} (147)",
    f"{unsigned} as uint4: sum {unsigned.sum()} (30)",
    f"widened: sum {wide.sum()}, dot {wide @ wide}",
    "a thousand ones: sum "
    + ", ".join(f"{float(values.sum()):g} as {name}" for name, values in ones.items()),
]
print("\n".join(lines))
expected = [
    "[7 7 7] from an INT4 tensor: dtype int4, sum 5 (21 is right), mean 1 (7), dot -109 int8 (147)",
    "[15 15] as uint4: sum 14 (30)",
    "widened: sum 21, dot 147",
    "a thousand ones: sum 256 as bfloat16, 16 as float8_e4m3fn",
]
sys.exit(0 if lines == expected else "the behaviour has changed")
END
