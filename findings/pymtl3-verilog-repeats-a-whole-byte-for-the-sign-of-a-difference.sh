#!/usr/bin/env bash
# PyMTL3 3.1.17 (VerilogTranslationPass) and Icarus Verilog 11.0-1.1+b1 (Debian 12), Python 3.11.
#
# sext(a - b, 16) is right in PyMTL3's simulation. In its Verilog the sign bit is written by putting
# [7] behind the text of the operand, without parentheses: the repeated "bit" of a - b is a - b[7],
# a whole byte. The upper half of every widened difference is then that byte, not copies of the
# sign; no step of the translation speaks. sext of a name alone, and zext of anything, are right.
#
# Seen (a, b, sext(a - b) of 8-bit numbers; first PyMTL3, then its own Verilog):
#     5   3:      2   1282
#     3   5:     -2   1022
#   200 100:    100 -14236
#     0   0:      0      0
#   3 of 4 differ; with the difference in a wire first 0 of 4
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install --quiet --disable-pip-version-check pymtl3==3.1.17
cd "$here"
mkdir -p lists/partial archives/partial
apt_here=(-o "Dir::State::lists=$here/lists" -o "Dir::Cache=$here" -o APT::Sandbox::User=)
apt-get -qq "${apt_here[@]}" update
apt-get -qq "${apt_here[@]}" download iverilog=11.0-1.1+b1
dpkg -x iverilog_*.deb icarus
parts=$(echo "$here"/icarus/usr/lib/*/ivl)
cat > design.py <<'END'
from pymtl3 import Component, DefaultPassGroup, InPort, OutPort, Wire, sext, update
from pymtl3.passes.backends.verilog import VerilogTranslationPass

PAIRS = [(5, 3), (3, 5), (200, 100), (0, 0)]


class Widen(Component):
    def construct(s):
        s.a, s.b = InPort(8), InPort(8)
        s.difference = Wire(8)
        s.nested, s.stepped = OutPort(16), OutPort(16)

        @update
        def subtract():
            s.difference @= s.a - s.b

        @update
        def widen():
            s.nested @= sext(s.a - s.b, 16)
            s.stepped @= sext(s.difference, 16)


emitted = Widen()
emitted.elaborate()
emitted.set_metadata(VerilogTranslationPass.enable, True)
emitted.set_metadata(VerilogTranslationPass.explicit_module_name, "widen")
emitted.set_metadata(VerilogTranslationPass.explicit_file_name, "widen.v")
emitted.apply(VerilogTranslationPass())
simulated = Widen()
simulated.elaborate()
simulated.apply(DefaultPassGroup())
with open("pymtl.txt", "w") as out:
    for a, b in PAIRS:
        simulated.a @= a
        simulated.b @= b
        simulated.sim_eval_combinational()
        print(a, b, simulated.nested.int(), simulated.stepped.int(), file=out)
with open("bench.v", "w") as out:
    out.write("module bench; reg [7:0] a, b; wire signed [15:0] n, s;\n")
    out.write("widen widen (.clk(1'b0), .reset(1'b0), .a(a), .b(b), .nested(n), .stepped(s));\n")
    out.write("initial begin\n")
    for pair in PAIRS:
        out.write('a = %d; b = %d; #1 $display("%%0d %%0d", n, s);\n' % pair)
    out.write("end\nendmodule\n")
END
"$here/venv/bin/python" design.py
icarus/usr/bin/iverilog -g2012 -B "$parts" -o bench.vvp bench.v widen.v 2> /dev/null
icarus/usr/bin/vvp -M "$parts" bench.vvp > verilog.txt
paste -d ' ' pymtl.txt verilog.txt | awk '
    { printf "%3d %3d: %6d %6d\n", $1, $2, $3, $5; nested += $3 != $5; stepped += $4 != $6 }
    END { printf "%d of %d differ; with the difference in a wire first %d of %d\n",
          nested, NR, stepped, NR }' | tee seen.txt
diff seen.txt - <<'END' || { echo "the behaviour has changed" >&2; exit 1; }
  5   3:      2   1282
  3   5:     -2   1022
200 100:    100 -14236
  0   0:      0      0
3 of 4 differ; with the difference in a wire first 0 of 4
END
