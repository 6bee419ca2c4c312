#!/usr/bin/env bash
# Pyverilog 1.3.0 (parser and code generator) and Icarus Verilog 11.0-1.1+b1 (Debian 12),
# Python 3.11.
#
# In "input signed [7:0] a, b" both ports are signed: a port without a declaration of its own takes
# that of the port before it (IEEE 1364). Pyverilog's code generator writes the range
# for each port of the list and "signed" for the first alone. The copied module compiles cleanly
# and compares and multiplies signed numbers as unsigned ones.
#
# Seen (a, b, then a < b and a * b in 16 bits; first as written, then through Pyverilog):
#   -1  1: 1 -1   0 255
#    1 -1: 0 -1   1 255
#    2  3: 1  6   1   6
#   the copy declares: input signed [7:0] a, input [7:0] b
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
cat > pair.v <<'END'
module pair (input signed [7:0] a, b, output less, output signed [15:0] product);
  assign less = a < b;
  assign product = a * b;
endmodule
END
cat > bench.v <<'END'
module bench;
  reg signed [7:0] a, b;
  wire less;
  wire signed [15:0] product;
  pair pair (.a(a), .b(b), .less(less), .product(product));
  task show(input signed [7:0] x, input signed [7:0] y);
    begin
      a = x;
      b = y;
      #1 $display("%0d %0d %0d %0d", a, b, less, product);
    end
  endtask
  initial begin
    show(-1, 1);
    show(1, -1);
    show(2, 3);
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
PYVERILOG_IVERILOG=./iverilog "$here/venv/bin/python" through.py pair.v copied.v
for source in pair.v copied.v; do
    ./iverilog -o "$source.vvp" bench.v "$source"
    icarus/usr/bin/vvp -M "$parts" "$source.vvp" > "$source.txt"
done
{
    paste -d ' ' pair.v.txt copied.v.txt | awk '
        { printf "%2d %2d: %d %2d   %d %3d\n", $1, $2, $3, $4, $7, $8 }'
    inputs=$(grep input copied.v | tr -d ',' | xargs | sed 's/ input/, input/')
    echo "the copy declares: $inputs"
} | tee seen.txt
diff seen.txt - <<'END' || { echo "the behaviour has changed" >&2; exit 1; }
-1  1: 1 -1   0 255
 1 -1: 0 -1   1 255
 2  3: 1  6   1   6
the copy declares: input signed [7:0] a, input [7:0] b
END
