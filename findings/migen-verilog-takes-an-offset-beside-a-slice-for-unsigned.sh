#!/usr/bin/env bash
# Migen 0.10.0 and Icarus Verilog 11.0-1.1+b1 (Debian 12), Python 3.11.
#
# Low bits of a signed signal, word[0:4], are unsigned in Migen's simulation and in Verilog. But
# Migen counts the slice as signed when it prints a sum, and so does not write $signed({1'd0, ..})
# around it as it does for an unsigned signal. The bare slice makes the whole sum unsigned: the
# signed neighbour is extended by zeros, and -8 comes in as +8. A correction added to the low bits
# of an accumulator is off by 16 whenever it is negative, in hardware only.
#
# Seen (low bits, offset, sum; first Migen's simulation, then its own Verilog):
#    0 -8:  -8   8
#   15 -1:  14  30
#    3 -5:  -2  14
#    7  3:  10  10
#   3 of 4 differ; with the low bits in a signal of their own 0 of 4
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install --quiet --disable-pip-version-check migen==0.10.0
cd "$here"
mkdir -p lists/partial archives/partial
apt_here=(-o "Dir::State::lists=$here/lists" -o "Dir::Cache=$here" -o APT::Sandbox::User=)
apt-get -qq "${apt_here[@]}" update
apt-get -qq "${apt_here[@]}" download iverilog=11.0-1.1+b1
dpkg -x iverilog_*.deb icarus
parts=$(echo "$here"/icarus/usr/lib/*/ivl)
cat > design.py <<'END'
from migen import Module, Signal, run_simulation
from migen.fhdl import verilog

PAIRS = [(0, -8), (15, -1), (3, -5), (7, 3)]


class Adder(Module):
    def __init__(self):
        self.word, self.low = Signal((8, True), name="word"), Signal(4, name="low")
        self.offset = Signal((4, True), name="offset")
        self.sliced = Signal((8, True), name="sliced")
        self.whole = Signal((8, True), name="whole")
        self.comb += self.sliced.eq(self.word[0:4] + self.offset)
        self.comb += self.whole.eq(self.low + self.offset)


def play(adder, out):
    for low, offset in PAIRS:
        yield adder.word.eq(low)
        yield adder.low.eq(low)
        yield adder.offset.eq(offset)
        yield
        yield
        print(low, offset, (yield adder.sliced), (yield adder.whole), file=out)


adder = Adder()
with open("migen.txt", "w") as out:
    run_simulation(adder, play(adder, out))
adder = Adder()
ports = {adder.word, adder.low, adder.offset, adder.sliced, adder.whole}
with open("adder.v", "w") as out:
    out.write(str(verilog.convert(adder, ports, name="adder")))
with open("bench.v", "w") as out:
    out.write("module bench; reg signed [7:0] p; reg signed [3:0] o; wire signed [7:0] s, w;\n")
    out.write("adder adder (.word(p), .low(p[3:0]), .offset(o), .sliced(s), .whole(w));\n")
    out.write("initial begin\n")
    for pair in PAIRS:
        out.write('p = %d; o = %d; #1 $display("%%0d %%0d", s, w);\n' % pair)
    out.write("end\nendmodule\n")
END
"$here/venv/bin/python" design.py
icarus/usr/bin/iverilog -B "$parts" -o bench.vvp bench.v adder.v
icarus/usr/bin/vvp -M "$parts" bench.vvp > verilog.txt
paste -d ' ' migen.txt verilog.txt | awk '
    { printf "%2d %2d: %3d %3d\n", $1, $2, $3, $5; sliced += $3 != $5; whole += $4 != $6 }
    END { printf "%d of %d differ; with the low bits in a signal of their own %d of %d\n",
          sliced, NR, whole, NR }' | tee seen.txt
diff seen.txt - <<'END' || { echo "the behaviour has changed" >&2; exit 1; }
 0 -8:  -8   8
15 -1:  14  30
 3 -5:  -2  14
 7  3:  10  10
3 of 4 differ; with the low bits in a signal of their own 0 of 4
END
