#!/usr/bin/env python3
"""Archives of NumPy arrays, written by NumPy itself, and what they hold.

    arrays.py            writes arrays/ beside this file (NumPy needed)
    arrays.py --check    exit status 1 if a file there has other arrays

Every archive has the same eight images of 5 x 4 pixels and three channels and their labels,
in another type, order of axes or bytes, and packed otherwise; `values.tsv` has, of each, the
type, the order and the first values of image 3. Images are formulas, no data of anybody's.
"""

import io
import os
import struct
import sys
import zipfile

import numpy as np

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "arrays")
COUNT, ROWS, COLUMNS, CHANNELS = 8, 5, 4, 3


def pixels():
    """Image n, row y, column x, channel c: a byte that tells all four."""
    n, y, x, c = np.indices((COUNT, ROWS, COLUMNS, CHANNELS))
    return (n * 31 + y * 7 + x * 3 + c * 101) % 256


LABELS = np.arange(COUNT) * 5 % 7


def archives():
    images = pixels()
    real = images / 64.0 - 1.7
    first = images.transpose(0, 3, 1, 2)
    yield "stored", dict(images=images.astype("u1"), labels=LABELS), {}
    yield "packed", dict(images=images.astype("u1"), labels=LABELS.astype("u2")), dict(packed=True)
    yield "zip64", dict(x=images.astype("u1"), y=LABELS.astype(">i4")), dict(zip64=True)
    yield "fortran", dict(x=np.asfortranarray(images.astype("u1")), y=LABELS.reshape(-1, 1)), {}
    yield "big-endian", dict(x=real.astype(">f4"), y=LABELS.astype(">i8")), {}
    yield "half", dict(x=real.astype("<f2"), y=LABELS.astype("i1")), dict(packed=True)
    yield "double", dict(x=np.asfortranarray(real.astype("<f8")), y=LABELS.astype("u8")), {}
    yield "channels-first", dict(images=first.astype("<f4"), labels=LABELS), dict(packed=True)
    yield "activations", dict(vectors=(images - 128).astype("i1"), labels=LABELS), {}
    targets = np.cos(np.arange(COUNT * 4).reshape(COUNT, 4)).astype("<f4")
    yield "targets", dict(inputs=real.astype("<f4"), outputs=targets), {}
    yield (
        "keras",
        dict(
            x_train=images[:6].astype("u1"), y_train=LABELS[:6],
            x_test=images[6:].astype("u1"), y_test=LABELS[6:],
        ),
        dict(packed=True),
    )
    yield (
        "medmnist",
        dict(
            train_images=images[:4, :, :, 0].astype("u1"), train_labels=LABELS[:4, None].astype("u1"),
            val_images=images[4:6, :, :, 0].astype("u1"), val_labels=LABELS[4:6, None].astype("u1"),
            test_images=images[6:, :, :, 0].astype("u1"), test_labels=LABELS[6:, None].astype("u1"),
        ),
        dict(packed=True),
    )
    yield "objects", dict(x=np.array([None, {}], dtype=object), y=LABELS[:2]), {}


def archive(arrays, packed=False, zip64=False):
    """As np.savez and np.savez_compressed write it, but without the date of today."""
    kind = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind, allowZip64=True) as file:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asanyarray(array))
            info = zipfile.ZipInfo(name + ".npy", (1980, 1, 1, 0, 0, 0))
            info.compress_type = kind
            # NumPy asks for it whatever the size is.
            with file.open(info, "w", force_zip64=True) as out:
                out.write(member.getvalue())
    data = buffer.getvalue()
    return in_zip64(data) if zip64 else data


def in_zip64(data):
    """The same archive with the sizes and places of its directory in fields of 64 bits."""
    end = data.rindex(b"PK\x05\x06")
    count, size, start = struct.unpack("<HII", data[end + 10 : end + 20])
    entries, at = b"", start
    for _ in range(count):
        head = bytearray(data[at : at + 46])
        packed, full, name, extra, comment = struct.unpack("<IIHHH", head[20:34])
        (place,) = struct.unpack("<I", head[42:46])
        rest = data[at + 46 : at + 46 + name]
        wide = struct.pack("<HHQQQ", 1, 24, full, packed, place)
        head[6:8] = struct.pack("<H", 45)
        head[20:28] = b"\xff" * 8
        head[30:32] = struct.pack("<H", len(wide))
        head[42:46] = b"\xff" * 4
        entries += bytes(head) + rest + wide
        at += 46 + name + extra + comment
    record = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, count, count, len(entries), start)
    locator = struct.pack("<IIQI", 0x07064B50, 0, start + len(entries), 1)
    last = b"PK\x05\x06" + b"\0" * 4 + b"\xff" * 12 + b"\0\0"
    return data[:start] + entries + record + locator + last


def rows():
    for name, arrays, how in archives():
        yield name, archive(arrays, **how), arrays


def main():
    check = "--check" in sys.argv[1:]
    lines, wrong = ["archive\tarray\ttype\tshape\tfortran\tvalues of image 3"], []
    os.makedirs(FOLDER, exist_ok=True)
    for name, data, arrays in rows():
        path = os.path.join(FOLDER, name + ".npz")
        if check:
            with np.load(path, allow_pickle=True) as found:
                same = sorted(found.files) == sorted(arrays)
                same = same and all(
                    found[n].dtype == np.asanyarray(a).dtype and np.array_equal(found[n], a)
                    for n, a in arrays.items()
                )
                if not same:
                    wrong.append(name)
        else:
            with open(path, "wb") as file:
                file.write(data)
        for key, array in arrays.items():
            array = np.asanyarray(array)
            if array.dtype == object or len(array) < 4:
                continue
            # Float values of 32 bits, each written so that it comes back the same.
            values = [repr(float(np.float32(v))) for v in np.atleast_1d(array[3]).flatten()[:60]]
            fortran = array.flags.f_contiguous and not array.flags.c_contiguous
            shape = "x".join(map(str, array.shape))
            lines.append("\t".join([name, key, array.dtype.str, shape, str(int(fortran)), " ".join(values)]))
    text = "\n".join(lines) + "\n"
    path = os.path.join(FOLDER, "values.tsv")
    if check:
        if open(path).read() != text:
            wrong.append("values.tsv")
        print("\n".join(wrong))
        sys.exit(bool(wrong))
    with open(path, "w") as file:
        file.write(text)


main()
