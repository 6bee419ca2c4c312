#!/usr/bin/env bash
# MyHDL 0.11.52 and Icarus Verilog 11.0-1.1+b1 (Debian 12), Python 3.11.
#
# MyHDL simulates // and % of signed signals as Python does: to minus infinity, remainder with the
# divisor's sign. Its Verilog prints / and %, which truncate to zero and take the dividend's sign,
# without a remark. Every average of signed values that divides is one too large in the hardware
# whenever the sum is negative and odd. (A shift, >> 1, is emitted as >>> and means the same.)
#
# Seen (a, b, a // b, a % b; first MyHDL, then its own Verilog):
#   -7  2: -4  1   -3 -1
#    7 -2: -4 -1   -3  1
#   -1  4: -1  3    0 -1
#    6  2:  3  0    3  0
#   3 of 4 differ
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install --quiet --disable-pip-version-check myhdl==0.11.52
cd "$here"
mkdir -p lists/partial archives/partial
apt_here=(-o "Dir::State::lists=$here/lists" -o "Dir::Cache=$here" -o APT::Sandbox::User=)
apt-get -qq "${apt_here[@]}" update
apt-get -qq "${apt_here[@]}" download iverilog=11.0-1.1+b1
dpkg -x iverilog_*.deb icarus
parts=$(echo "$here"/icarus/usr/lib/*/ivl)
cat > design.py <<'END'
import sys
import warnings

from myhdl import Signal, StopSimulation, always_comb, block, delay, instance, intbv

warnings.simplefilter("ignore")
PAIRS = [(-7, 2), (7, -2), (-1, 4), (6, 2)]


@block
def divider(a, b, quotient, remainder):
    @always_comb
    def divide():
        quotient.next = a // b
        remainder.next = a % b

    return divide


def signals():
    return [Signal(intbv(start, -128, 128)) for start in (0, 1)] + [
        Signal(intbv(0, -128, 129)),
        Signal(intbv(0, -128, 128)),
    ]


@block
def bench(a, b, quotient, remainder):
    inner = divider(a, b, quotient, remainder)

    @instance
    def play():
        for a.next, b.next in PAIRS:
            yield delay(1)
            print(int(a), int(b), int(quotient), int(remainder))
        raise StopSimulation

    return inner, play


if sys.argv[1] == "simulate":
    bench(*signals()).run_sim(quiet=1)
else:
    divider(*signals()).convert(hdl="Verilog", name="divider", path=".")
    with open("bench.v", "w") as out:
        out.write("module bench; reg signed [7:0] a, b; wire signed [8:0] q; wire signed [7:0] r;\n")
        out.write("divider divider (a, b, q, r);\ninitial begin\n")
        for pair in PAIRS:
            out.write('a = %d; b = %d; #1 $display("%%0d %%0d %%0d %%0d", a, b, q, r);\n' % pair)
        out.write("end\nendmodule\n")
END
"$here/venv/bin/python" design.py simulate > myhdl.txt
"$here/venv/bin/python" design.py emit
icarus/usr/bin/iverilog -B "$parts" -o bench.vvp bench.v divider.v
icarus/usr/bin/vvp -M "$parts" bench.vvp > verilog.txt
paste -d ' ' myhdl.txt verilog.txt | awk '
    { printf "%2d %2d: %2d %2d   %2d %2d\n", $1, $2, $3, $4, $7, $8; differ += $3 != $7 || $4 != $8 }
    END { printf "%d of %d differ\n", differ, NR }' | tee seen.txt
diff seen.txt - <<'END' || { echo "the behaviour has changed" >&2; exit 1; }
-7  2: -4  1   -3 -1
 7 -2: -4 -1   -3  1
-1  4: -1  3    0 -1
 6  2:  3  0    3  0
3 of 4 differ
END
