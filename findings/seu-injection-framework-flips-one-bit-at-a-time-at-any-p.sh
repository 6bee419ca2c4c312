#!/usr/bin/env bash
# seu-injection-framework 1.3.0 (StochasticSEUInjector) with torch 2.15.0, NumPy 1.26.4, Python 3.11.
# It takes minutes and 6 GB in a temporary folder: torch brings its GPU libraries along.
#
# p looks like a bit error rate and is a share of samples: each chosen bit is flipped alone, the
# network is scored, the bit is put back. So scores do not fall with p (at p = 1, all weights hit,
# no score is of more than one flip). And every tensor gets at least one flip: at p = 0 there
# are as many scores as tensors and none is of the whole network; at small p a bias of 4 numbers
# counts as much as a kernel of thousands. The switch is run_at_least_one_injection=False.
# Right: for accuracy at a bit error rate, flip all bits of one chip at once, and score that.
#
# Seen (two dense layers, 192 weights and 20 biases, bit 1, which is the exponent's highest):
#   p = 0: 4 scores, weights changed at once 1 to 1
#   p = 0.01: scores of 0.weight 2 of 128, 0.bias 1 of 16, 2.weight 1 of 64, 2.bias 1 of 4
#   p = 1: 212 scores, weights changed at once 1 to 1
#   p = 0 without the least one: 0 scores
#   mean accuracy (100 % without faults): 69 % at p = 0, 68 % at p = 1
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
TMPDIR="$here" "$here/venv/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir \
    seu-injection-framework==1.3.0 torch==2.15.0 numpy==1.26.4
"$here/venv/bin/python" -W ignore - <<'END'
import contextlib
import io
import sys

import torch

with contextlib.redirect_stdout(io.StringIO()):
    from seu_injection import StochasticSEUInjector

torch.manual_seed(0)
network = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4))
before = {name: value.detach().clone() for name, value in network.state_dict().items()}
images = torch.randn(64, 8)
classes = network(images).argmax(1)
changed = []
accuracies = {}


def accuracy(model, *_, **__):
    now = model.state_dict()
    changed.append(sum(int((now[name] != value).sum()) for name, value in before.items()))
    return float((model(images).argmax(1) == classes).float().mean())


with contextlib.redirect_stdout(io.StringIO()):
    injector = StochasticSEUInjector(network, accuracy, x=images, y=classes, seed=1)


def run(p, **options):
    changed.clear()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return injector.run_injector(bit_i=1, p=p, **options)


def told(p):
    scores = run(p)["criterion_score"]
    accuracies[p] = sum(scores) / len(scores)
    return f"p = {p}: {len(scores)} scores, weights changed at once {min(changed)} to {max(changed)}"


layers = run(0.01)["layer_name"]
shares = ", ".join(f"{name} {layers.count(name)} of {value.numel()}" for name, value in before.items())
lines = [
    told(0),
    f"p = 0.01: scores of {shares}",
    told(1),
    f"p = 0 without the least one: {len(run(0, run_at_least_one_injection=False)['criterion_score'])} scores",
]
print("\n".join(lines))
# The last digits are those of the processor, so they are shown and not compared.
means = ", ".join(f"{mean:.0%} at p = {p}".replace("%", " %") for p, mean in accuracies.items())
print(f"mean accuracy (100 % without faults): {means}")
expected = [
    "p = 0: 4 scores, weights changed at once 1 to 1",
    "p = 0.01: scores of 0.weight 2 of 128, 0.bias 1 of 16, 2.weight 1 of 64, 2.bias 1 of 4",
    "p = 1: 212 scores, weights changed at once 1 to 1",
    "p = 0 without the least one: 0 scores",
]
sys.exit(0 if lines == expected else "the behaviour has changed")
END
