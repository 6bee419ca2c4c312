#!/usr/bin/env bash
# PyMTL3 3.1.17 (VerilogTranslationPass) and Icarus Verilog 11.0-1.1+b1 (Debian 12), Python 3.11.
#
# reduce_xor(a ^ b) is the parity of the difference in PyMTL3's simulation. In its Verilog the
# operand loses its parentheses: ^ a ^ b is (^a) ^ b, and of that the lowest bit is taken, so only
# one bit of b counts. A parity or syndrome bit over an expression is wrong for half of all words
# in hardware and right in every simulation.
# Right: put the expression into a wire and reduce that.
#
# Seen (a, b, reduce_xor(a ^ b); first PyMTL3, then its own Verilog):
#   00 02: 1 0
#   00 03: 0 1
#   01 01: 0 0
#   ff 80: 1 0
#   of all 65536 pairs 32768 differ; with the difference in a wire first 0
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
from pymtl3 import Component, DefaultPassGroup, InPort, OutPort, Wire, reduce_xor, update
from pymtl3.passes.backends.verilog import VerilogTranslationPass


class Parity(Component):
    def construct(s):
        s.a, s.b = InPort(8), InPort(8)
        s.difference = Wire(8)
        s.nested, s.stepped = OutPort(1), OutPort(1)

        @update
        def subtract():
            s.difference @= s.a ^ s.b

        @update
        def reduce():
            s.nested @= reduce_xor(s.a ^ s.b)
            s.stepped @= reduce_xor(s.difference)


emitted = Parity()
emitted.elaborate()
emitted.set_metadata(VerilogTranslationPass.enable, True)
emitted.set_metadata(VerilogTranslationPass.explicit_module_name, "parity")
emitted.set_metadata(VerilogTranslationPass.explicit_file_name, "parity.v")
emitted.apply(VerilogTranslationPass())
simulated = Parity()
simulated.elaborate()
simulated.apply(DefaultPassGroup())
with open("pymtl.txt", "w") as out:
    for a in range(256):
        for b in range(256):
            simulated.a @= a
            simulated.b @= b
            simulated.sim_eval_combinational()
            print(f"{a:02x} {b:02x} {int(simulated.nested)} {int(simulated.stepped)}", file=out)
END
cat > bench.v <<'END'
module bench;
  reg [7:0] a, b;
  wire nested, stepped;
  integer word;
  parity parity (.clk(1'b0), .reset(1'b0), .a(a), .b(b), .nested(nested), .stepped(stepped));
  initial
    for (word = 0; word < 65536; word = word + 1) begin
      {a, b} = word;
      #1 $display("%0d %0d", nested, stepped);
    end
endmodule
END
"$here/venv/bin/python" design.py
icarus/usr/bin/iverilog -g2012 -B "$parts" -o bench.vvp bench.v parity.v
icarus/usr/bin/vvp -M "$parts" bench.vvp > verilog.txt
paste -d ' ' pymtl.txt verilog.txt | awk '
    ($1 $2) ~ /^(0002|0003|ff80|0101)$/ { print $1, $2 ": " $3, $5 }
    { nested += $3 != $5; stepped += $4 != $6 }
    END { printf "of all %d pairs %d differ; with the difference in a wire first %d\n",
          NR, nested, stepped }' | sort | tee seen.txt
diff seen.txt - <<'END' || { echo "the behaviour has changed" >&2; exit 1; }
00 02: 1 0
00 03: 0 1
01 01: 0 0
ff 80: 1 0
of all 65536 pairs 32768 differ; with the difference in a wire first 0
END
