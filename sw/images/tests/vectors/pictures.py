#!/usr/bin/env python3
"""Generated pictures of every kind that is read, and what Pillow makes of them.

    pictures.py            writes pictures/ and pictures.tsv beside this file (Pillow, NumPy)
    pictures.py --check    exit status 1 if Pillow makes something else of the files there

A row of pictures.tsv: the file, the shorter side (0: as it is), rows and columns that are cut
out, channels, and the bytes of the result in hexadecimal. Sizes are torchvision's: `Resize`
brings the shorter side to a length and the longer one to int(size * long / short), `CenterCrop`
begins at int(round((image - crop) / 2)); a row with `exact` is Resize((rows, columns)). All
pictures are formulas.
"""

import os
import sys

import numpy as np
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join(HERE, "pictures")
TABLE = os.path.join(HERE, "pictures.tsv")


def waves(rows, columns, channels, seed):
    """Waves and edges: what filters are wrong on."""
    y, x, c = np.indices((rows, columns, channels))
    smooth = np.sin(x * 0.7 + seed) + np.cos(y * 0.4 + c) + np.sin((x + y) * 0.2 * (c + 1))
    edges = ((x // 3 + y // 2 + c) % 2) * 1.5
    values = (smooth + edges + 3.2) / 7.7
    return np.clip(values * 255, 0, 255).astype("u1")


def pictures():
    yield "rgb.png", Image.fromarray(waves(23, 17, 3, 1))
    yield "grey.png", Image.fromarray(waves(16, 30, 1, 2)[:, :, 0])
    yield "alpha.png", Image.fromarray(waves(12, 12, 4, 3))
    yield "grey-alpha.png", Image.fromarray(waves(9, 14, 2, 4))
    palette = Image.fromarray(waves(20, 20, 3, 5)).quantize(16)
    yield "palette.png", palette
    yield "one-bit.png", Image.fromarray(waves(11, 19, 1, 6)[:, :, 0]).convert("1")
    yield "wide.png", Image.fromarray(waves(3, 61, 3, 7))
    yield "tiny.png", Image.fromarray(waves(1, 2, 3, 8))
    yield "baseline.jpg", Image.fromarray(waves(24, 40, 3, 9))
    yield "progressive.jpg", Image.fromarray(waves(33, 21, 3, 10))
    yield "grey.jpg", Image.fromarray(waves(17, 17, 1, 11)[:, :, 0])
    yield "full-colour.jpg", Image.fromarray(waves(25, 18, 3, 12))


OPTIONS = {
    "baseline.jpg": dict(quality=92),
    "progressive.jpg": dict(quality=85, progressive=True),
    "grey.jpg": dict(quality=90),
    "full-colour.jpg": dict(quality=95, subsampling=0),
}
# Shorter side, rows, columns; 0 is the picture's own size, a negative side is exact.
WAYS = {3: [(0, 0, 0), (8, 8, 8), (19, 10, 12), (-1, 7, 9)], 1: [(0, 0, 0), (9, 8, 9)]}


def resize(image, side):
    width, height = image.size
    short, long = min(width, height), max(width, height)
    if short == side:
        return image
    longer = int(side * long / short)
    size = (side, longer) if width <= height else (longer, side)
    return image.resize(size, Image.Resampling.BILINEAR)


def crop(image, rows, columns):
    width, height = image.size
    top, left = int(round((height - rows) / 2.0)), int(round((width - columns) / 2.0))
    return image.crop((left, top, left + columns, top + rows))


def lines():
    for name, _ in pictures():
        with Image.open(os.path.join(FOLDER, name)) as file:
            image = file.convert("RGB")
        for channels in (3, 1):
            form = image if channels == 3 else image.convert("L")
            for side, rows, columns in WAYS[channels]:
                if side == 0:
                    result = form
                elif side < 0:
                    result = form.resize((columns, rows), Image.Resampling.BILINEAR)
                else:
                    result = crop(resize(form, side), rows, columns)
                values = np.asarray(result).tobytes().hex()
                rows_, columns_ = result.size[1], result.size[0]
                yield f"{name}\t{side}\t{rows_}\t{columns_}\t{channels}\t{values}"


def main():
    check = "--check" in sys.argv[1:]
    if not check:
        os.makedirs(FOLDER, exist_ok=True)
        for name, image in pictures():
            image.save(os.path.join(FOLDER, name), **OPTIONS.get(name, {}))
        wide = (np.arange(15 * 11).reshape(11, 15) * 397 % 65536).astype("<u2")
        Image.fromarray(wide).save(os.path.join(FOLDER, "grey-16.png"))
    text = "\n".join(lines()) + "\n"
    if check:
        sys.exit(open(TABLE).read() != text)
    with open(TABLE, "w") as file:
        file.write(text)


main()
