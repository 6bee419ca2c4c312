#!/usr/bin/env bash
# fxpmath 0.4.10 with NumPy 2.4.6, Python 3.11.
#
# A product of two fixed-point numbers grows, so that nothing is lost. A plain number beside one is
# first rounded to the other's format: a requantization factor below the weight's step is 0, and
# so is every product; a factor beyond its range saturates. Neither raises nor warns.
# Right: make the factor a number of a format of its own, Fxp(0.01, True, 16, 15).
#
# Seen (2.5 with 8 bits, 4 of them behind the point: step 0.0625, range -8 to 7.9375):
#   times 0.01: 0.0 (0.025 is right)
#   times 0.1: 0.125 (0.25)
#   times 100: 7.9375 (250)
#   times Fxp(0.01, True, 16, 15): 0.0249481
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install --quiet --disable-pip-version-check \
    fxpmath==0.4.10 numpy==2.4.6
"$here/venv/bin/python" - <<'END'
import sys

from fxpmath import Fxp

weight = Fxp(2.5, True, 8, 4)
own = (weight * Fxp(0.01, True, 16, 15))()
lines = [f"times {factor:g}: {(weight * factor)()} ({2.5 * factor:g})" for factor in (0.01, 0.1, 100)]
lines[0] = lines[0].replace(")", " is right)")
lines.append(f"times Fxp(0.01, True, 16, 15): {own:.7f}")
print("\n".join(lines))
expected = [
    "times 0.01: 0.0 (0.025 is right)",
    "times 0.1: 0.125 (0.25)",
    "times 100: 7.9375 (250)",
    "times Fxp(0.01, True, 16, 15): 0.0249481",
]
sys.exit(0 if lines == expected else "the behaviour has changed")
END
