#!/usr/bin/env bash
# Brevitas 0.13.4 (Int8WeightPerChannelFloat, Int32Bias, Int16Bias) with torch 2.15.0, Python 3.11.
# It takes minutes and 6 GB in a temporary folder: torch brings its GPU libraries along.
#
# A filter of zeros is given the smallest scale there is, 1e-10 / 127. The scale of a bias is the
# input's times the weight's, so 31 bits of it reach no further than a thousandth, and 15 bits
# nowhere: the bias, which is all that such a channel computes, is clamped to next to nothing.
# Nothing is said; with one scale for the tensor, or a bias in floating point, the channel is right.
# Right: the scale of a channel of zeros is free; any living channel's will do.
#
# Seen (a channel of zeros with bias 0.3, an input of scale 1):
#   scales of the weights: 0.01 7.9e-13 0.005
#   per channel, bias in float: 0.3
#   per channel, Int32Bias: 0.0017
#   per channel, Int16Bias: 2.6e-08
#   per tensor, Int32Bias: 0.3
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
TMPDIR="$here" "$here/venv/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir \
    brevitas==0.13.4 torch==2.15.0 numpy==2.4.6
"$here/venv/bin/python" -W ignore - <<'END'
import sys

import torch
from brevitas import nn
from brevitas.quant import (
    Int8ActPerTensorFloat,
    Int8WeightPerChannelFloat,
    Int8WeightPerTensorFloat,
    Int16Bias,
    Int32Bias,
)


def convolution(weight_quant, bias_quant):
    layer = nn.QuantConv2d(
        1, 3, 1, bias=True, weight_quant=weight_quant, bias_quant=bias_quant,
        input_quant=Int8ActPerTensorFloat,
    )
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([1.27, 0.0, 0.635]).reshape(3, 1, 1, 1))
        layer.bias.fill_(0.3)
    images = torch.linspace(-127, 127, 255).reshape(1, 1, 15, 17)
    layer.train()
    for _ in range(400):  # the input's range is a mean over the first steps
        layer(images)
    return layer.eval(), images


def dead(weight_quant, bias_quant):
    layer, images = convolution(weight_quant, bias_quant)
    with torch.no_grad():
        return layer(images)[0, 1, 0, 0].item()


layer, _ = convolution(Int8WeightPerChannelFloat, None)
scales = layer.quant_weight().scale.flatten().tolist()
lines = [
    "scales of the weights: " + " ".join(f"{scale:.2g}" for scale in scales),
    f"per channel, bias in float: {dead(Int8WeightPerChannelFloat, None):.2g}",
    f"per channel, Int32Bias: {dead(Int8WeightPerChannelFloat, Int32Bias):.2g}",
    f"per channel, Int16Bias: {dead(Int8WeightPerChannelFloat, Int16Bias):.2g}",
    f"per tensor, Int32Bias: {dead(Int8WeightPerTensorFloat, Int32Bias):.2g}",
]
print("\n".join(lines))
expected = [
    "scales of the weights: 0.01 7.9e-13 0.005",
    "per channel, bias in float: 0.3",
    "per channel, Int32Bias: 0.0017",
    "per channel, Int16Bias: 2.6e-08",
    "per tensor, Int32Bias: 0.3",
]
sys.exit(0 if lines == expected else "the behaviour has changed")
END
