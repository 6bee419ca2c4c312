#!/usr/bin/env bash
# python-mnist 0.7, idx2numpy 1.2.3 and mlxtend 0.23.4 with NumPy 2.4.6, Python 3.11.
#
# EMNIST's files hold every character mirrored at its diagonal (columns first). python-mnist turns
# it upright once select_emnist was called, and only then: its own load(), idx2numpy and mlxtend
# give the file's bytes. All answers have the same shape and nothing tells which one it is, so a
# network that was trained with one reader and is tested with another is near guessing.
#
# Seen (a character that is one bright top row, as an EMNIST file stores it: one bright column):
#   idx2numpy: bright column
#   mlxtend: bright column
#   python-mnist, load: bright column
#   python-mnist, select_emnist and load_training: bright row
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install --quiet --disable-pip-version-check \
    python-mnist==0.7 idx2numpy==1.2.3 mlxtend==0.23.4 numpy==2.4.6
cd "$here"
"$here/venv/bin/python" - <<'END'
import gzip
import struct
import sys

import idx2numpy
import numpy as np
from mlxtend.data import loadlocal_mnist
from mnist import MNIST

image = np.zeros((1, 28, 28), np.uint8)
image[0, :, 0] = 255
files = {
    "emnist-letters-train-images-idx3-ubyte": struct.pack(">4I", 0x803, *image.shape) + image.tobytes(),
    "emnist-letters-train-labels-idx1-ubyte": struct.pack(">2I", 0x801, 1) + bytes([20]),
}
for name, content in files.items():
    with open(name, "wb") as plain, gzip.open(name + ".gz", "wb") as compressed:
        plain.write(content)
        compressed.write(content)
images, labels = files


def turned():
    reader = MNIST(".", return_type="numpy")
    reader.select_emnist("letters")
    return reader.load_training()[0]


readers = {
    "idx2numpy": lambda: idx2numpy.convert_from_file(images),
    "mlxtend": lambda: loadlocal_mnist(images, labels)[0],
    "python-mnist, load": lambda: MNIST(".").load(images, labels)[0],
    "python-mnist, select_emnist and load_training": turned,
}


def seen(read):
    pixels = np.array(read()).reshape(28, 28)
    ways = {"bright row": pixels[0], "bright column": pixels[:, 0]}
    return [way for way, line in ways.items() if (line == 255).all()]


lines = [f"{name}: {', '.join(seen(read))}" for name, read in readers.items()]
print("\n".join(lines))
expected = [
    "idx2numpy: bright column",
    "mlxtend: bright column",
    "python-mnist, load: bright column",
    "python-mnist, select_emnist and load_training: bright row",
]
sys.exit(0 if lines == expected else "the behaviour has changed")
END
