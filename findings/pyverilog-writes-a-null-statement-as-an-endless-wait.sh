#!/usr/bin/env bash
# Pyverilog 1.3.0 (parser and code generator) and Icarus Verilog 11.0-1.1+b1 (Debian 12),
# Python 3.11.
#
# A null statement, the lone semicolon of "default: ;" or "if (a) ;", comes back from Pyverilog's code
# generator as "@(*);", which is no null statement but a wait for a change of nothing: the process
# that meets it never goes on. A register that shall hold its value in the cases not named stops
# for good instead, once the first such case has come. The text is valid; Icarus warns that the
# wait never ends, Pyverilog says nothing. A tool that puts faults into a design by reading and
# writing it through Pyverilog so changes every module that has a null statement.
#
# Seen (a counter with "default: ;", eight clock edges, the third one in the default case):
#   as written: 1 2 2 3 4 5 6 7
#   through Pyverilog: 1 2 2 2 2 2 2 2
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install --quiet --disable-pip-version-check pyverilog==1.3.0 ply==3.11
cd "$here"
mkdir -p lists/partial archives/partial
apt_here=(-o "Dir::State::lists=$here/lists" -o "Dir::Cache=$here" -o APT::Sandbox::User=)
apt-get -qq "${apt_here[@]}" update
apt-get -qq "${apt_here[@]}" download iverilog=11.0-1.1+b1
dpkg -x iverilog_*.deb icarus
parts=$(echo "$here"/icarus/usr/lib/*/ivl)
cat > counter.v <<'END'
module counter (input clk, input [1:0] mode, output reg [7:0] count);
  initial count = 0;
  always @(posedge clk)
    case (mode)
      2'd1: count <= count + 8'd1;
      2'd2: count <= 8'd0;
      default: ;
    endcase
endmodule
END
cat > bench.v <<'END'
module bench;
  reg clk = 0;
  reg [1:0] mode = 1;
  wire [7:0] count;
  integer edge_number;
  counter counter (.clk(clk), .mode(mode), .count(count));
  initial begin
    for (edge_number = 1; edge_number <= 8; edge_number = edge_number + 1) begin
      mode = edge_number == 3 ? 0 : 1;
      #1 clk = 1;
      #1 clk = 0;
      $write(" %0d", count);
    end
    $display("");
    $finish;
  end
endmodule
END
cat > iverilog <<END
#!/bin/sh
exec "$here/icarus/usr/bin/iverilog" -B "$parts" "\$@"
END
chmod +x iverilog
cat > through.py <<'END'
import sys

from pyverilog.ast_code_generator.codegen import ASTCodeGenerator
from pyverilog.vparser.parser import parse

tree, _ = parse([sys.argv[1]], debug=False)
open(sys.argv[2], "w").write(ASTCodeGenerator().visit(tree))
END
PYVERILOG_IVERILOG=./iverilog "$here/venv/bin/python" through.py counter.v copied.v
run() {
    ./iverilog -o "$1.vvp" bench.v "$1" 2> /dev/null
    icarus/usr/bin/vvp -M "$parts" "$1.vvp"
}
{ echo "as written:$(run counter.v)"; echo "through Pyverilog:$(run copied.v)"; } | tee seen.txt
diff seen.txt - <<'END' || { echo "the behaviour has changed" >&2; exit 1; }
as written: 1 2 2 3 4 5 6 7
through Pyverilog: 1 2 2 2 2 2 2 2
END
