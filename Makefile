# Every target sets up what it needs. `make help` lists them.

SHELL := /bin/sh
export PATH := $(CURDIR)/.tools/bin:$(PATH)
# Compiled Verilator models; one place, wherever CARGO_TARGET_DIR points.
export BROWNOUT_CACHE ?= $(CURDIR)/target/models

CARGO   ?= cargo
# Test images of `make sim`: `glyphs` (built in) or `mnist:DIR` with the four IDX files.
DATA    ?= glyphs
# Where `make sim`, `make verilog` and `make bench` write.
SIM_OUT ?= target/sim
RTL_OUT ?= target/verilog
BENCH_OUT ?= target/bench
# The only topic of `make bench`; empty means all.
TOPIC   ?=
# Configuration of `make verilog`; empty means the default 8 x 8 accelerator.
CONFIG  ?=

.DEFAULT_GOAL := help
.PHONY: help tools simulator synthesizer sim test bench verilog synth mutants clean

help: ## list the targets
	@echo "usage: make TARGET [VARIABLE=value]"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1\t\2/p' Makefile
	@echo "For cargo by hand: make tools, then put .tools/bin first on the PATH."

tools: ## set up Verilator, Yosys, nextpnr, Icarus and ONNX in .tools/ (no root needed)
	@tools/setup.sh

# The part of the tools without which there is no co-simulation.
simulator:
	@tools/setup.sh verilator

# The part without which there is neither synthesis nor a proof.
synthesizer:
	@tools/setup.sh verilator synthesis

sim: simulator ## train, generate and simulate at falling voltage (DATA=glyphs|mnist:DIR)
	@echo "Building the command and the libraries it needs (a minute or two the first time) ..."
	$(CARGO) build --release --package brownout --no-default-features --features simulate
	@echo "Training, generating and simulating; the summary goes to $(SIM_OUT)/summary.json ..."
	$(CARGO) run --release --quiet --package brownout --no-default-features --features simulate -- sweep --data "$(DATA)" --out "$(SIM_OUT)"

verilog: ## write the accelerator's Verilog (CONFIG=FILE, RTL_OUT=DIR)
	@echo "Generating Verilog into $(RTL_OUT)/ ..."
	$(CARGO) run --release --quiet --package brownout --no-default-features -- generate $(if $(CONFIG),--config "$(CONFIG)") --out "$(RTL_OUT)"

test: tools ## format check, lints and all tests (BROWNOUT_SKIP_ICARUS=1, BROWNOUT_SKIP_ONNX=1: those without)
	@$(CARGO) fmt --version >/dev/null && $(CARGO) clippy --version >/dev/null || \
	  { echo "make test needs rustfmt and clippy: rustup component add rustfmt clippy" >&2; exit 2; }
	@echo "Checking the format ..."
	$(CARGO) fmt --all --check
	@echo "Checking that the vectors are what their scripts compute ..."
	python3 tests/vectors/fault_function.py --check
	python3 sw/golden/tests/vectors/wcat_ranges.py --check
	@echo "Linting ..."
	$(CARGO) clippy --workspace --all-targets --release --features brownout/simulate -- -D warnings
	@echo "Checking the fuzz targets, which no test compiles ..."
	$(CARGO) clippy --manifest-path tests/fuzz/Cargo.toml --no-default-features --release --locked \
	  --target-dir "$${CARGO_TARGET_DIR:-target}" -- -D warnings
	@echo "Testing the command as it is without the simulation ..."
	$(CARGO) test --release --package brownout
	@echo "Testing everything ..."
	$(CARGO) test --workspace --release --features brownout/simulate

bench: simulator ## measure simulation, generator, software, training, inference, import and campaigns, beside PyTorch, onnxruntime and another build if there are such (BENCH_OUT=DIR, TOPIC=NAME, BROWNOUT_PYTHON=their python, BROWNOUT_BASELINE=its brownout)
	@echo "Measuring; this takes minutes, and an idle machine ..."
	@$(CARGO) build --release --quiet --package brownout
	BROWNOUT_BENCH_COMMAND='make bench$(if $(filter-out target/bench,$(BENCH_OUT)), BENCH_OUT=$(BENCH_OUT))$(if $(TOPIC), TOPIC=$(TOPIC))' $(CARGO) run --release --quiet --package brownout-tests --bin bench -- --out "$(BENCH_OUT)" $(if $(TOPIC),--topic "$(TOPIC)")

synth: synthesizer ## place and route the datasheet's accelerators on an ECP5 (resumes; SEEDS=0..5 placements each, 1; ACCELERATOR=one of them); with FAMILY=NAME or all: what Yosys makes of it for other families
ifeq ($(FAMILY),)
	@echo "Synthesizing into target/synth/ (Yosys, nextpnr-ecp5; up to an hour) ..."
	@$(CARGO) run --release --quiet --package brownout-tests --bin synth -- target/synth $(or $(SEEDS),1) $(if $(ACCELERATOR),"$(ACCELERATOR)")
else
	@echo "Synthesizing into target/synth/ (Yosys; minutes a family) ..."
	@$(CARGO) run --release --quiet --package brownout-tests --bin families -- target/synth/families "$(FAMILY)"
endif

mutants: synthesizer ## how many of 1200 mistakes in the Verilog the tests find (resumes)
	@echo "Running mutants; results go to target/mutants/ (half an hour on two cores) ..."
	@$(CARGO) run --release --quiet --package brownout-tests --bin mutants

clean: ## remove everything built, the tool chain included
	@echo "Removing target/ and .tools/ ..."
	$(CARGO) clean --quiet
	rm -rf .tools
