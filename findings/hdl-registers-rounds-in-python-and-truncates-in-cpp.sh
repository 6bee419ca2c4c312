#!/usr/bin/env bash
# hdl-registers 8.2.0, Python 3.11, and the C++ compiler at hand.
#
# One description of a register gives a Python and a C++ interface. A fixed-point field takes the
# nearest step when Python's set_value writes it, and the next one towards zero in the generated
# C++, where the product with 2^4 is cast to an integer. The same factor so goes to the same
# hardware as another number, up to one step off, and -0.06 is no longer below zero. A calibration
# made with the Python interface does not hold for the firmware.
#
# Seen (8 bits with 4 fractional ones; written, then what is in the register by Python and by C++):
#    1.06:  1.0625  1.0000
#    3.97:  4.0000  3.9375
#   -0.06: -0.0625  0.0000
#   -2.50: -2.5000 -2.5000
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install --quiet --disable-pip-version-check hdl-registers==8.2.0
cd "$here"
cat > registers.py <<'END'
import pathlib

from hdl_registers.field.numerical_interpretation import SignedFixedPoint
from hdl_registers.generator.cpp.header import CppHeaderGenerator
from hdl_registers.generator.cpp.implementation import CppImplementationGenerator
from hdl_registers.generator.cpp.interface import CppInterfaceGenerator
from hdl_registers.register_list import RegisterList
from hdl_registers.register_modes import REGISTER_MODES

registers = RegisterList("scaler")
register = registers.append_register("factor", REGISTER_MODES["r_w"], "")
register.append_bit_vector(
    name="value",
    description="",
    width=8,
    default_value="00000000",
    numerical_interpretation=SignedFixedPoint(max_bit_index=3, min_bit_index=-4),
)
for generator in (CppInterfaceGenerator, CppHeaderGenerator):
    generator(registers, pathlib.Path("include")).create()
CppImplementationGenerator(registers, pathlib.Path(".")).create()
field = register.fields[0]
with open("python.txt", "w") as out:
    for number in (1.06, 3.97, -0.06, -2.5):
        print(f"{number:5.2f}: {field.get_value(field.set_value(number)):7.4f}", file=out)
END
"$here/venv/bin/python" registers.py > /dev/null
cat > write.cpp <<'END'
#include <cstdint>
#include <cstdio>

#include "include/scaler.h"

int main() {
  std::uint32_t memory[1] = {0};
  fpga_regs::Scaler scaler(reinterpret_cast<std::uintptr_t>(memory), nullptr);
  for (float number : {1.06f, 3.97f, -0.06f, -2.5f}) {
    scaler.set_factor_value(number);
    std::printf("%7.4f\n", static_cast<std::int8_t>(memory[0]) / 16.0);
  }
}
END
c++ -std=c++17 -I . -o write write.cpp scaler.cpp
./write > cpp.txt
paste -d ' ' python.txt cpp.txt | tee seen.txt
diff seen.txt - <<'END' || { echo "the behaviour has changed" >&2; exit 1; }
 1.06:  1.0625  1.0000
 3.97:  4.0000  3.9375
-0.06: -0.0625  0.0000
-2.50: -2.5000 -2.5000
END
