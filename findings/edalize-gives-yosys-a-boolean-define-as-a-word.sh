#!/usr/bin/env bash
# edalize 0.6.8 (flow API: sim with Icarus and with Verilator, generic with Yosys), Python 3.11.
#
# A Verilog define whose data type is bool is passed as 0 or 1 to the simulators and as the Python
# words False and True to Yosys. There `FAST is the identifier True: a continuous assignment of it
# makes a wire of that name which nothing drives. Parameters of type bool are 0 and 1 in all three.
# So the simulated design and the one on the board, made from one core file, differ; and a define
# that is false is passed all the same, so `ifdef takes it for true everywhere.
#
# Seen (FAST true, SAFE false, both vlogdefine; PIPE true, vlogparam):
#   icarus: +define+FAST=1 +define+SAFE=0 +parameter+top.PIPE=1
#   verilator: -GPIPE=1 -DFAST=1 -DSAFE=0
#   yosys: {{FAST True} {SAFE False}} chparam -set PIPE 1
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install --quiet --disable-pip-version-check edalize==0.6.8
cd "$here"
cat > flows.py <<'END'
import pathlib
import re
import sys

from edalize.flows.generic import Generic
from edalize.flows.sim import Sim

PARAMETERS = {
    "FAST": {"datatype": "bool", "default": True, "paramtype": "vlogdefine"},
    "SAFE": {"datatype": "bool", "default": False, "paramtype": "vlogdefine"},
    "PIPE": {"datatype": "bool", "default": True, "paramtype": "vlogparam"},
}
FLAGS = {
    "icarus": r"\+define\+\w+=\w+|\+parameter\+top\.\w+=\w+",
    "verilator": r"-D\w+=\w+|-G\w+=\w+",
    "yosys": r"\{\{FAST \w+\} \{SAFE \w+\}\}|chparam -set \w+ \w+",
}
pathlib.Path("top.v").write_text("module top #(parameter PIPE = 0) (); endmodule\n")
lines = []
for tool, flow, options in [
    ("icarus", Sim, {"tool": "icarus"}),
    ("verilator", Sim, {"tool": "verilator"}),
    ("yosys", Generic, {"tool": "yosys", "arch": "ice40"}),
]:
    folder = pathlib.Path(tool)
    folder.mkdir()
    flow(
        edam={
            "name": "top",
            "toplevel": "top",
            "files": [{"name": str(pathlib.Path("top.v").resolve()), "file_type": "verilogSource"}],
            "parameters": PARAMETERS,
            "flow_options": options,
        },
        work_root=tool,
    ).configure()
    text = "\n".join(file.read_text() for file in sorted(folder.iterdir()) if file.is_file())
    flags = list(dict.fromkeys(re.findall(FLAGS[tool], text)))
    lines.append(f"{tool}: " + " ".join(flags))
print("\n".join(lines))
expected = [
    "icarus: +define+FAST=1 +define+SAFE=0 +parameter+top.PIPE=1",
    "verilator: -GPIPE=1 -DFAST=1 -DSAFE=0",
    "yosys: {{FAST True} {SAFE False}} chparam -set PIPE 1",
]
sys.exit(0 if lines == expected else "the behaviour has changed")
END
"$here/venv/bin/python" flows.py
