#!/usr/bin/env bash
# PyRTL 1.0.3 (rtllib.multipliers.signed_tree_multiplier), Python 3.11.
#
# The signed tree multiplier takes magnitudes, multiplies them and puts the sign back, but it drops
# the top bit of each magnitude: that of the most negative number, 100...0, becomes 0. Every
# product of -8 in 4 bits (-128 in 8) is 0, in simulation and in hardware; nothing is said, and
# random tests of wide operands hardly ever meet it. Weights of full range, -128 to 127, do.
# Right: pyrtl.signed_mult on the same wires, which has no wrong product.
#
# Seen (4-bit operands, all 256 pairs):
#   signed_tree_multiplier: 29 wrong, all with an operand of -8
#   signed_mult: 0 wrong
#   -8 * 3 = 0, -8 * -8 = 0
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install --quiet --disable-pip-version-check pyrtl==1.0.3
"$here/venv/bin/python" - <<'END'
import sys

import pyrtl
from pyrtl.rtllib.multipliers import signed_tree_multiplier

a, b = pyrtl.Input(4, "a"), pyrtl.Input(4, "b")
tree, plain = pyrtl.Output(8, "tree"), pyrtl.Output(8, "plain")
tree <<= signed_tree_multiplier(a, b)
plain <<= pyrtl.signed_mult(a, b)
simulation = pyrtl.Simulation()
wrong = {"tree": set(), "plain": set()}
products = {}
for x in range(-8, 8):
    for y in range(-8, 8):
        simulation.step({"a": x, "b": y})
        for name in wrong:
            value = pyrtl.val_to_signed_integer(simulation.inspect(name), bitwidth=8)
            products[name, x, y] = value
            if value != x * y:
                wrong[name].add((x, y))
lines = [
    f"signed_tree_multiplier: {len(wrong['tree'])} wrong, "
    + ("all" if all(-8 in pair for pair in wrong["tree"]) else "not all")
    + " with an operand of -8",
    f"signed_mult: {len(wrong['plain'])} wrong",
    f"-8 * 3 = {products['tree', -8, 3]}, -8 * -8 = {products['tree', -8, -8]}",
]
print("\n".join(lines))
expected = [
    "signed_tree_multiplier: 29 wrong, all with an operand of -8",
    "signed_mult: 0 wrong",
    "-8 * 3 = 0, -8 * -8 = 0",
]
sys.exit(0 if lines == expected else "the behaviour has changed")
END
