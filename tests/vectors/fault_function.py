#!/usr/bin/env python3
"""Vectors of the fault function, computed from its description alone.

    fault_function.py            writes fault_function.tsv beside this file
    fault_function.py --check    exit status 1 if that file differs

Neither the software nor the hardware has a part in this: the state is kept
here as 32 columns of four bits, substituted by table, every cell's number is
assembled bit by bit and compared with the threshold as an integer, and the
round constants are computed as digits of pi.
"""

import hashlib
import os
import sys
import tempfile

ROWS_IN_FILE = 1000
PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fault_function.tsv")
HEADER = "seed address pass mode threshold share word_bits stored flips".split()

# RECTANGLE's S-box; bit r of a column belongs to row r.
SUBSTITUTE = (0x6, 0x5, 0xC, 0xA, 0x1, 0xE, 0x7, 0x9, 0xB, 0x0, 0x3, 0xD, 0x8, 0xF, 0x4, 0x2)
LEFT_ROTATION = (0, 1, 12, 29)
WARM_UP, NUMBER_BITS, POLARITY_BITS = 8, 32, 8
ROUNDS = WARM_UP + NUMBER_BITS + POLARITY_BITS
TRANSIENT_TAG = 1 << 24


def digits_of_pi(words):
    """The first 32-bit words of the fraction of pi (Machin's formula)."""
    guard = 64
    one = 1 << (32 * words + guard)

    def arctan_of_inverse(x):
        total, power, k = 0, one // x, 1
        while power:
            total += power // k if k % 4 == 1 else -(power // k)
            power //= x * x
            k += 2
        return total

    fraction = (16 * arctan_of_inverse(5) - 4 * arctan_of_inverse(239) - 3 * one) >> guard
    return [fraction >> (32 * (words - 1 - i)) & 0xFFFFFFFF for i in range(words)]


CONSTANTS = digits_of_pi(ROUNDS)


def tap_positions(lane):
    """((row, column), (row, column)) whose XOR is the lane."""
    column = lane % 32
    (row_a, row_b, offset) = ((0, 1, 7), (2, 3, 13), (1, 2, 3))[lane // 32]
    return (row_a, column), (row_b, (column + offset) % 32)


def columns_after_each_round(rows):
    """The state's columns after round 1, 2, .., ROUNDS."""
    columns = [sum((rows[r] >> c & 1) << r for r in range(4)) for c in range(32)]
    history = []
    for constant in CONSTANTS:
        substituted = [SUBSTITUTE[column] for column in columns]
        columns = [0] * 32
        for c in range(32):
            for r in range(4):
                # A left rotation takes the bit of column c to column c + amount.
                columns[(c + LEFT_ROTATION[r]) % 32] |= (substituted[c] >> r & 1) << r
        columns = [column ^ (constant >> c & 1) for c, column in enumerate(columns)]
        history.append(columns)
    return history


def draws(seed, address, number_of_pass, mode, lanes):
    """(u, v) of each lane: the cell's number and its polarity draw."""
    transient = mode == "transient"
    rows = (
        address ^ TRANSIENT_TAG if transient else address,
        number_of_pass if transient else 0,
        seed & 0xFFFFFFFF,
        seed >> 32,
    )
    history = columns_after_each_round(rows)
    result = []
    for lane in range(lanes):
        (row_a, column_a), (row_b, column_b) = tap_positions(lane)
        seen = [(s[column_a] >> row_a ^ s[column_b] >> row_b) & 1 for s in history[WARM_UP:]]
        u = sum(bit << i for i, bit in enumerate(seen[:NUMBER_BITS]))
        v = sum(bit << i for i, bit in enumerate(seen[NUMBER_BITS:]))
        result.append((u, v))
    return result


def flips(mode, threshold, share, stored, cells):
    if mode in ("none", "map"):
        return 0
    word = 0
    for lane, (u, v) in enumerate(cells):
        if u < threshold:
            polarity = 1 if v < share else 0
            inverted = polarity != (stored >> lane & 1) if mode == "stuck-at" else True
            word |= int(inverted) << lane
    return word


class Source:
    """Random numbers that no version of Python changes: SHA-256 of a counter."""

    def __init__(self, name):
        self.name, self.counter = name, 0

    def bits(self, count):
        self.counter += 1
        digest = hashlib.sha256(f"{self.name} {self.counter}".encode()).digest()
        return int.from_bytes(digest, "big") & ((1 << count) - 1)

    def below(self, limit):
        return self.bits(64) % limit

    def choice(self, options):
        return options[self.below(len(options))]


def pick_threshold(source, index, cells):
    kind = index % 5
    if kind == 0:
        return source.choice((0, 1, 1 << 31, (1 << 32) - 1))
    if kind == 1:
        # At a cell's own number it is not faulty, one above it is.
        return min(source.choice(cells)[0] + source.below(2), (1 << 32) - 1)
    if kind == 2:
        return source.bits(32)
    if kind == 3:
        return 1 << source.below(32)
    return source.bits(32) >> source.below(12)


def vector(source, index):
    # Half of the rows stuck at, a quarter each of the flips; a few of the rest.
    modes = ("stuck-at", "persistent", "stuck-at", "transient")
    mode = ("none", "map")[index // 50 % 2] if index % 50 == 49 else modes[index % 4]
    seed = source.choice((0, 1, (1 << 64) - 1, source.bits(32) << 32, source.bits(64), source.bits(64)))
    address = source.choice((0, (1 << 20) - 1, source.bits(8), source.bits(20), source.bits(20)))
    number_of_pass = source.choice((0, 1, (1 << 32) - 1, source.bits(10), source.bits(32)))
    word_bits = (32, 64, 72)[index // 4 % 3]
    share = source.choice((0, 1, 128, 256, source.below(257))) if mode == "stuck-at" else 0
    stored = source.choice((0, (1 << word_bits) - 1, source.bits(word_bits), source.bits(word_bits)))
    cells = draws(seed, address, number_of_pass, mode, word_bits)
    threshold = pick_threshold(source, index, cells)
    digits = word_bits // 4
    return (
        f"{seed:016x}", str(address), str(number_of_pass), mode, str(threshold), str(share),
        str(word_bits), f"{stored:0{digits}x}",
        f"{flips(mode, threshold, share, stored, cells):0{digits}x}",
    )


def text():
    source = Source("brownout fault function")
    lines = [HEADER] + [vector(source, index) for index in range(ROWS_IN_FILE)]
    return "".join("\t".join(line) + "\n" for line in lines)


def main():
    expected = text()
    if sys.argv[1:] == ["--check"]:
        with open(PATH, encoding="ascii") as file:
            same = file.read() == expected
        print(f"{PATH}: {'up to date' if same else 'differs from its description'}")
        return 0 if same else 1
    if sys.argv[1:]:
        print(__doc__, file=sys.stderr)
        return 2
    with tempfile.NamedTemporaryFile("w", encoding="ascii", dir=os.path.dirname(PATH), delete=False) as file:
        file.write(expected)
    os.chmod(file.name, 0o644)
    os.replace(file.name, PATH)
    print(f"wrote {ROWS_IN_FILE} rows to {PATH}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
