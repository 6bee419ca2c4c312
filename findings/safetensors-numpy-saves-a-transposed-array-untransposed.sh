#!/usr/bin/env bash
# safetensors 0.8.0 (safetensors.numpy) with NumPy 2.4.6, Python 3.11.
#
# A transposed array is a view: NumPy changes strides, not bytes. save_file writes the new shape
# and the old bytes, without a word (its documentation asks for contiguous arrays; the same call
# for torch raises ValueError). Turning a Keras kernel (inputs x outputs) into a PyTorch one, or
# a convolution's rows x columns x inputs x outputs into PyTorch's order, is just such
# a transpose: every shape fits, every weight is in the file, and the network guesses.
# Right: np.ascontiguousarray(array.T).
#
# Seen:
#   asked for: [[0, 3], [1, 4], [2, 5]]
#   read back: [[0, 1], [2, 3], [4, 5]]
#   contiguous: [[0, 3], [1, 4], [2, 5]]
#   a 3 x 3 kernel of 2 inputs and 4 outputs: shape (4, 2, 3, 3), 2 of 72 weights in their place
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install --quiet --disable-pip-version-check \
    safetensors==0.8.0 numpy==2.4.6
cd "$here"
"$here/venv/bin/python" - <<'END'
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

dense = np.arange(6, dtype=np.float32).reshape(2, 3).T
convolution = np.arange(72, dtype=np.float32).reshape(3, 3, 2, 4).transpose(3, 2, 0, 1)
save_file(
    {"dense": dense, "contiguous": np.ascontiguousarray(dense), "convolution": convolution},
    "weights.safetensors",
)
read = load_file("weights.safetensors")


def text(array):
    return str(array.astype(int).tolist())


same = int((read["convolution"] == convolution).sum())
lines = [
    f"asked for: {text(dense)}",
    f"read back: {text(read['dense'])}",
    f"contiguous: {text(read['contiguous'])}",
    "a 3 x 3 kernel of 2 inputs and 4 outputs: "
    f"shape {read['convolution'].shape}, {same} of 72 weights in their place",
]
print("\n".join(lines))
expected = [
    "asked for: [[0, 3], [1, 4], [2, 5]]",
    "read back: [[0, 1], [2, 3], [4, 5]]",
    "contiguous: [[0, 3], [1, 4], [2, 5]]",
    "a 3 x 3 kernel of 2 inputs and 4 outputs: shape (4, 2, 3, 3), 2 of 72 weights in their place",
]
sys.exit(0 if lines == expected else "the behaviour has changed")
END
