#!/usr/bin/env bash
# veriloggen 2.3.0 (types.fixed) and Icarus Verilog 11.0-1.1+b1 (Debian 12), Python 3.11.
#
# The result of comparing two fixed-point numbers is one bit, but veriloggen keeps the operands'
# number of fractional bits on it. Given to an ordinary wire it is brought to an integer like a
# fixed-point number, (x < y) >>> 4, and one bit shifted by four is 0. So every comparison that
# leaves by a port or a wire is the constant 0 in the Verilog, equality too, without a remark.
# Right inside of an expression: Mux(x < y, 1, 0) is printed without the shift.
#
# Seen (x, y in 8 bits with 4 fractional ones; x < y, x == y, x >= y, then Mux(x < y, 1, 0)):
#   -1.0  0.5: 0 0 0  1
#    2.0  0.5: 0 0 0  0
#    0.5  0.5: 0 0 0  0
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
from veriloggen import Module, Mux
from veriloggen.types.fixed import FixedInput

module = Module("compare")
x = FixedInput(module, "x", width=8, point=4)
y = FixedInput(module, "y", width=8, point=4)
for name, value in [
    ("less", x < y),
    ("equal", x == y),
    ("not_less", x >= y),
    ("chosen", Mux(x < y, 1, 0)),
]:
    module.Output(name).assign(value)
open("compare.v", "w").write(module.to_verilog())
END
cat > bench.v <<'END'
module bench;
  reg signed [7:0] x, y;
  wire less, equal, not_less, chosen;
  compare compare (.x(x), .y(y), .less(less), .equal(equal), .not_less(not_less), .chosen(chosen));
  task show(input signed [7:0] a, input signed [7:0] b);
    begin
      x = a;
      y = b;
      #1 $display("%4.1f %4.1f: %0d %0d %0d  %0d",
                  a / 16.0, b / 16.0, less, equal, not_less, chosen);
    end
  endtask
  initial begin
    show(-16, 8);
    show(32, 8);
    show(8, 8);
  end
endmodule
END
"$here/venv/bin/python" design.py
icarus/usr/bin/iverilog -B "$parts" -o bench.vvp bench.v compare.v
icarus/usr/bin/vvp -M "$parts" bench.vvp | tee seen.txt
diff seen.txt - <<'END' || { echo "the behaviour has changed" >&2; exit 1; }
-1.0  0.5: 0 0 0  1
 2.0  0.5: 0 0 0  0
 0.5  0.5: 0 0 0  0
END
