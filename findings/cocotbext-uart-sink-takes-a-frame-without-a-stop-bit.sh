#!/usr/bin/env bash
# cocotbext-uart 0.1.4 with cocotb 2.1.0 and Icarus Verilog 11.0-1.1+b1 (Debian 12), Python 3.11.
#
# A start bit is low in its middle and a stop bit is high: a receiver drops what has not the one
# and reports a framing error without the other. UartSink looks at neither. A frame whose stop bit
# is low is handed over as a good byte, a line held low gives a byte 0x00, and a spike of a tenth
# of a bit gives a byte 0xff. So a test of a transmitter passes whose stop bit is missing or whose
# line comes up low; there is no flag to ask.
#
# Seen (1,000,000 baud, 8 bits, what read_nowait returns afterwards):
#   0x55 with its stop bit: 55
#   0x55 with a low stop bit: 55
#   30 bits of a low line: 00
#   a low spike of 0.1 bit: ff
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install --quiet --disable-pip-version-check \
    cocotb==2.1.0 cocotbext-uart==0.1.4
cd "$here"
mkdir -p lists/partial archives/partial
apt_here=(-o "Dir::State::lists=$here/lists" -o "Dir::Cache=$here" -o APT::Sandbox::User=)
apt-get -qq "${apt_here[@]}" update
apt-get -qq "${apt_here[@]}" download iverilog=11.0-1.1+b1
dpkg -x iverilog_*.deb icarus
parts=$(echo "$here"/icarus/usr/lib/*/ivl)
mkdir bin
for tool in iverilog vvp; do
    flag=$([ "$tool" = vvp ] && echo -M || echo -B)
    printf '#!/bin/sh\nexec "%s" %s "%s" "$@"\n' \
        "$here/icarus/usr/bin/$tool" "$flag" "$parts" > "bin/$tool"
    chmod +x "bin/$tool"
done
cat > line.v <<'END'
`timescale 1ns / 1ns
module line (output reg tx);
endmodule
END
cat > frames.py <<'END'
import cocotb
from cocotb.triggers import Timer
from cocotbext.uart import UartSink

BYTE = [0x55 >> bit & 1 for bit in range(8)]


@cocotb.test()
async def frames(dut):
    dut.tx.value = 1
    await Timer(5, "us")
    sink = UartSink(dut.tx, baud=1_000_000, bits=8)
    with open("seen.txt", "w") as out:
        for name, levels, length in [
            ("0x55 with its stop bit", [0, *BYTE, 1], 1000),
            ("0x55 with a low stop bit", [0, *BYTE, 0], 1000),
            ("30 bits of a low line", [0] * 30, 1000),
            ("a low spike of 0.1 bit", [0], 100),
        ]:
            for level in levels:
                dut.tx.value = level
                await Timer(length, "ns")
            dut.tx.value = 1
            await Timer(20, "us")
            print(f"{name}: {bytes(sink.read_nowait()).hex()}", file=out)
END
cat > play.py <<'END'
from cocotb_tools.runner import get_runner

runner = get_runner("icarus")
runner.build(sources=["line.v"], hdl_toplevel="line", build_dir=".")
runner.test(hdl_toplevel="line", test_module="frames", test_dir=".", build_dir=".")
END
PATH="$here/bin:$PATH" PYTHONPATH="$here" "$here/venv/bin/python" play.py > log.txt 2>&1 ||
    { cat log.txt >&2; exit 1; }
cat seen.txt
diff seen.txt - <<'END' || { echo "the behaviour has changed" >&2; exit 1; }
0x55 with its stop bit: 55
0x55 with a low stop bit: 55
30 bits of a low line: 00
a low spike of 0.1 bit: ff
END
