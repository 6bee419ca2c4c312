#!/usr/bin/env python3
"""Optimal ranges of WCAT's figure 10b, computed from the figure's description alone.

    wcat_ranges.py            writes wcat_ranges.tsv beside this file
    wcat_ranges.py --check    exit status 1 if that file differs

For 4-bit weights of four distributions, N(0, 1), U(-1, 1), Laplace(0, 1) and
von Mises(0, 4), the range with the least expected squared error of equation 10,
by quadrature over the density and by enumeration of all 16 flip patterns. No
closed form, no sample of weights, and no line of the software takes part. The
figure itself has no numbers in its source.
"""

import math
import os
import sys
import tempfile

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "wcat_ranges.tsv")
HEADER = "distribution step rate range".split()
BITS = 4
RATES = (0.0, 1e-4, 1e-3, 5e-3, 1e-2, 5e-2)
LOW, HIGH = -(1 << (BITS - 1)), (1 << (BITS - 1)) - 1
# Steps from 0 to the range, and the smallest integer used: code and paper of WCAT disagree.
STEPS = {"published": (1 << (BITS - 1), LOW), "paper": (HIGH, -HIGH)}
BESSEL = sum((4.0 / 2.0) ** (2 * k) / math.factorial(k) ** 2 for k in range(40))  # I0(4)

# Density, and how far it reaches.
DISTRIBUTIONS = {
    "normal": (lambda x: math.exp(-x * x / 2) / math.sqrt(2 * math.pi), 10.0),
    "uniform": (lambda x: 0.5, 1.0),
    "laplace": (lambda x: math.exp(-abs(x)) / 2, 45.0),
    "von-mises": (lambda x: math.exp(4 * math.cos(x)) / (2 * math.pi * BESSEL), math.pi),
}


def moments(density, a, b, reach):
    """The integrals of x^k f(x), k = 0, 1, 2, from a to b, by Simpson's rule."""
    a, b = max(a, -reach), min(b, reach)
    if a >= b:
        return 0.0, 0.0, 0.0
    if a < 0.0 < b:  # Laplace's kink
        return tuple(map(sum, zip(moments(density, a, 0.0, reach), moments(density, 0.0, b, reach))))
    pieces = 2 * max(12, math.ceil((b - a) / 0.2))
    h = (b - a) / pieces
    total = [0.0, 0.0, 0.0]
    for i in range(pieces + 1):
        x = a + i * h
        weight = density(x) * (1 if i in (0, pieces) else 4 if i % 2 else 2)
        for k in range(3):
            total[k] += weight * x**k
    return tuple(t * h / 3 for t in total)


def reading(rate):
    """For each integer, the mean and the mean square of what is read, over all flips."""
    table = {}
    for integer in range(LOW, HIGH + 1):
        mean = square = 0.0
        for flips in range(1 << BITS):
            probability = math.prod(rate if flips >> j & 1 else 1 - rate for j in range(BITS))
            bits = (integer & (1 << BITS) - 1) ^ flips
            value = bits - (1 << BITS) if bits >> (BITS - 1) else bits
            mean += probability * value
            square += probability * value * value
        table[integer] = mean, square
    return table


def cells(density, reach, alpha, rule):
    """Step, and for each integer the moments of the weights that are rounded to it."""
    steps, least = STEPS[rule]
    step = alpha / steps
    result = {}
    for integer in range(least, HIGH + 1):
        a = -math.inf if integer == least else (integer - 0.5) * step
        b = math.inf if integer == HIGH else (integer + 0.5) * step
        result[integer] = moments(density, a, b, reach)
    return step, result


def error(step, cells_of, table):
    total = 0.0
    for integer, (m0, m1, m2) in cells_of.items():
        mean, square = table[integer]
        total += m2 - 2 * step * mean * m1 + step * step * square * m0
    return total


def rows():
    yield HEADER
    tables = {rate: reading(rate) for rate in RATES}
    for name, (density, reach) in DISTRIBUTIONS.items():
        for rule in STEPS:
            grid = [0.1 * 1.08**i for i in range(58)]  # 0.1 to 8
            prepared = [cells(density, reach, alpha, rule) for alpha in grid]
            for rate in RATES:
                errors = [error(*p, tables[rate]) for p in prepared]
                best = min(range(len(grid)), key=errors.__getitem__)
                low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
                for _ in range(24):  # ternary search, to 1e-4 of the range
                    a, b = low + (high - low) / 3, high - (high - low) / 3
                    at = [error(*cells(density, reach, x, rule), tables[rate]) for x in (a, b)]
                    low, high = (low, b) if at[0] < at[1] else (a, high)
                yield [name, rule, f"{rate:g}", f"{(low + high) / 2:.4f}"]


def main():
    text = "".join("\t".join(row) + "\n" for row in rows())
    if sys.argv[1:] == ["--check"]:
        with open(PATH, encoding="ascii") as file:
            if file.read() != text:
                sys.exit(f"{PATH} is not what this script computes")
    elif sys.argv[1:]:
        sys.exit(__doc__)
    else:
        with tempfile.NamedTemporaryFile("w", dir=os.path.dirname(PATH), delete=False) as file:
            file.write(text)
        os.chmod(file.name, 0o644)
        os.replace(file.name, PATH)


if __name__ == "__main__":
    main()
