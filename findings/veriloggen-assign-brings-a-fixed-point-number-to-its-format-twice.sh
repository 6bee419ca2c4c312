#!/usr/bin/env bash
# veriloggen 2.3.0 (types.fixed) and Icarus Verilog 11.0-1.1+b1 (Debian 12), Python 3.11.
#
# A fixed-point wire brings what is assigned to it to its own number of fractional bits. assign()
# does so twice: it shifts, the shifted value counts as an integer, and the write beneath shifts it
# again as such. From 4 fractional bits to 2 the Verilog is (x >>> 2) << 2 and the value four times
# too large; from 4 to 8 it is (x << 4) << 8, 256 times. Between equal formats nothing is shifted,
# so a design in one format is right, and so is a register written in an always block: where two
# formats meet, as at a requantization, a wire is wrong and nothing is said.
#
# Seen (x in 4 fractional bits; as assigned to 4, 2 and 8 of them, then a register with 2):
#    1.25:   1.25   5.00 320.00   1.25
#   -0.50:  -0.50  -2.00 -128.00  -0.50
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install --quiet --disable-pip-version-check \
    veriloggen==2.3.0 pyverilog==1.3.0 ply==3.11
cd "$here"
mkdir -p lists/partial archives/partial
apt_here=(-o "Dir::State::lists=$here/lists" -o "Dir::Cache=$here" -o APT::Sandbox::User=)
apt-get -qq "${apt_here[@]}" update
apt-get -qq "${apt_here[@]}" download iverilog=11.0-1.1+b1
dpkg -x iverilog_*.deb icarus
parts=$(echo "$here"/icarus/usr/lib/*/ivl)
cat > design.py <<'END'
from veriloggen import Module, Posedge
from veriloggen.types.fixed import FixedInput, FixedOutput, FixedOutputReg

module = Module("formats")
clock = module.Input("clock")
x = FixedInput(module, "x", width=8, point=4)
for point in (4, 2, 8):
    FixedOutput(module, f"wire{point}", width=24, point=point).assign(x)
register = FixedOutputReg(module, "register2", width=24, point=2)
module.Always(Posedge(clock))(register.write(x))
open("formats.v", "w").write(module.to_verilog())
END
cat > bench.v <<'END'
module bench;
  reg clock = 0;
  reg signed [7:0] x;
  wire signed [23:0] wire4, wire2, wire8, register2;
  formats formats (.clock(clock), .x(x), .wire4(wire4), .wire2(wire2), .wire8(wire8),
                   .register2(register2));
  task show(input signed [7:0] value);
    begin
      x = value;
      #1 clock = 1;
      #1 clock = 0;
      $display("%5.2f: %6.2f %6.2f %6.2f %6.2f",
               value / 16.0, wire4 / 16.0, wire2 / 4.0, wire8 / 256.0, register2 / 4.0);
    end
  endtask
  initial begin
    show(20);
    show(-8);
  end
endmodule
END
"$here/venv/bin/python" design.py
icarus/usr/bin/iverilog -B "$parts" -o bench.vvp bench.v formats.v
icarus/usr/bin/vvp -M "$parts" bench.vvp | tee seen.txt
diff seen.txt - <<'END' || { echo "the behaviour has changed" >&2; exit 1; }
 1.25:   1.25   5.00 320.00   1.25
-0.50:  -0.50  -2.00 -128.00  -0.50
END
