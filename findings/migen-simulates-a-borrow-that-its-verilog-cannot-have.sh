#!/usr/bin/env bash
# Migen 0.10.0 and Icarus Verilog 11.0-1.1+b1 (Debian 12), Python 3.11.
#
# Migen's simulation computes with whole numbers: level - 10 of an unsigned level below 10 is
# negative there, and (level - 10) < 0 is true. The Verilog that it prints compares unsigned
# numbers, and less than zero is never true. A guard against running below an empty buffer works
# in every test of the simulation and is the constant 0 in hardware, without a remark.
# Right: level < 10, which is alike in both.
#
# Seen (level, then (level - 10) < 0 in Migen's simulation and in its own Verilog):
#     0: 1 0
#     9: 1 0
#    10: 0 0
#   255: 0 0
#   2 of 4 differ; of level < 10 0 of 4
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

LEVELS = [0, 9, 10, 255]


class Guard(Module):
    def __init__(self):
        self.level = Signal(8, name="level")
        self.borrow, self.less = Signal(name="borrow"), Signal(name="less")
        self.comb += self.borrow.eq((self.level - 10) < 0)
        self.comb += self.less.eq(self.level < 10)


def play(guard, out):
    for level in LEVELS:
        yield guard.level.eq(level)
        yield
        yield
        print(level, (yield guard.borrow), (yield guard.less), file=out)


guard = Guard()
with open("migen.txt", "w") as out:
    run_simulation(guard, play(guard, out))
guard = Guard()
with open("guard.v", "w") as out:
    out.write(str(verilog.convert(guard, {guard.level, guard.borrow, guard.less}, name="guard")))
with open("bench.v", "w") as out:
    out.write("module bench; reg [7:0] level; wire borrow, less;\n")
    out.write("guard guard (.level(level), .borrow(borrow), .less(less));\ninitial begin\n")
    for level in LEVELS:
        out.write('level = %d; #1 $display("%%0d %%0d", borrow, less);\n' % level)
    out.write("end\nendmodule\n")
END
"$here/venv/bin/python" design.py
icarus/usr/bin/iverilog -B "$parts" -o bench.vvp bench.v guard.v
icarus/usr/bin/vvp -M "$parts" bench.vvp > verilog.txt
paste -d ' ' migen.txt verilog.txt | awk '
    { printf "%3d: %d %d\n", $1, $2, $4; borrow += $2 != $4; less += $3 != $5 }
    END { printf "%d of %d differ; of level < 10 %d of %d\n", borrow, NR, less, NR }' | tee seen.txt
diff seen.txt - <<'END' || { echo "the behaviour has changed" >&2; exit 1; }
  0: 1 0
  9: 1 0
 10: 0 0
255: 0 0
2 of 4 differ; of level < 10 0 of 4
END
