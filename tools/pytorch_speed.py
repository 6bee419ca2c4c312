#!/usr/bin/env python3
"""Times PyTorch on the networks that Brownout trains, turn by turn.

    pytorch_speed.py THREADS

Answers each line of standard input with one line: the seconds that were asked for, or
`error` and a reason. A line is

    train|eval NETWORK fp32|bf16 BATCH STEPS

A training step is forward, cross entropy, backward and SGD with momentum, on images that
are in memory already. Tensors are channels-last, the layout in which PyTorch is fastest
here; bf16 is autocast. The first line of the output says the version, when the program is
ready. `make bench` is what talks to it.
"""

import sys
import time

import torch
from torch import nn
from torch.nn import functional

RESNET_BLOCKS = {"20": 3, "32": 5, "44": 7, "56": 9}
# Channels of SimpleNet's convolutions in multiples of the width, 0 for a pool.
SIMPLENET = (1, 2, 2, 2, 0, 2, 2, 4, 0, 4, 4, 0, 8, 0, 32, 4, 0, 4)
WIDEST = 32
# Stride of each depthwise convolution and channels of the pointwise one behind it.
MOBILENET_BLOCKS = [(1, 16), (2, 32), (1, 32), (2, 64), (1, 64), (2, 128)]
MOBILENET_BLOCKS += [(1, 128)] * 5 + [(2, 256), (1, 256)]


def convolution(inputs, outputs, kernel=3, stride=1):
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)


class Block(nn.Module):
    """Two 3 x 3 convolutions and a shortcut, without parameters or with a projection."""

    def __init__(self, inputs, outputs, stride, projection):
        super().__init__()
        self.first = convolution(inputs, outputs, stride=stride)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = convolution(outputs, outputs)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.stride, self.missing, self.projection = stride, outputs - inputs, None
        if projection and stride != 1:
            self.projection = nn.Sequential(
                convolution(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)
            )

    def forward(self, x):
        y = functional.relu(self.first_norm(self.first(x)))
        y = self.second_norm(self.second(y))
        if self.projection is not None:
            x = self.projection(x)
        elif self.stride != 1 or self.missing:
            x = x[:, :, :: self.stride, :: self.stride]
            x = functional.pad(x, (0, 0, 0, 0, 0, self.missing))
        return functional.relu(y + x)


def resnet(depth, projection):
    layers = [convolution(3, 16), nn.BatchNorm2d(16), nn.ReLU()]
    inputs = 16
    for outputs in (16, 32, 64):
        for block in range(RESNET_BLOCKS[depth]):
            stride = 2 if block == 0 and outputs > 16 else 1
            layers.append(Block(inputs, outputs, stride, projection))
            inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def simplenet(width, batch_norm):
    layers, inputs, before = [], 3, 0
    for multiple in SIMPLENET:
        if multiple == 0:
            layers.append(nn.MaxPool2d(2))
            continue
        outputs = multiple * width
        kernel = 1 if WIDEST in (multiple, before) else 3
        groups = next((g for g in (32, 24, 16, 8) if outputs % min(g, outputs // 2) == 0), 1)
        groups = min(groups, outputs // 2)
        norm = nn.BatchNorm2d(outputs) if batch_norm else nn.GroupNorm(groups, outputs)
        layers += [nn.Conv2d(inputs, outputs, kernel, 1, kernel // 2), norm, nn.ReLU()]
        inputs, before = outputs, multiple
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 10))


def cnn():
    layers = [convolution(1, 8, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [convolution(8, 16), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(144, 64), nn.ReLU(), nn.Linear(64, 10))


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 10))


def mobilenet():
    """MobileNetV1 of width 0.25 for two classes."""
    layers, inputs = [convolution(3, 8, stride=2), nn.BatchNorm2d(8), nn.ReLU()], 8
    for stride, outputs in MOBILENET_BLOCKS:
        depthwise = nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False)
        layers += [depthwise, nn.BatchNorm2d(inputs), nn.ReLU()]
        layers += [convolution(inputs, outputs, 1), nn.BatchNorm2d(outputs), nn.ReLU()]
        inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 2))


def build(name):
    """The network of that name and the shape of its images."""
    if name == "mobilenet":
        return mobilenet(), (3, 96, 96)
    if name.startswith("resnet"):
        depth = name.removeprefix("resnet")
        return resnet(depth.removesuffix("-b"), depth.endswith("-b")), (3, 32, 32)
    if name.startswith("simplenet"):
        kind, _, width = name.partition(":")
        return simplenet(int(width or 64), kind == "simplenet-bn"), (3, 32, 32)
    return {"cnn": cnn, "mlp": mlp}[name](), (1, 28, 28)


class Subject:
    """A network, images and an optimizer."""

    def __init__(self, name, batch):
        torch.manual_seed(1)
        network, shape = build(name)
        self.network = network.to(memory_format=torch.channels_last)
        images = torch.randn(batch, *shape)
        self.images = images.contiguous(memory_format=torch.channels_last)
        self.labels = torch.randint(0, 2, (batch,))
        self.optimizer = torch.optim.SGD(self.network.parameters(), 0.01, momentum=0.9)

    def train(self):
        self.network.train()
        self.optimizer.zero_grad(set_to_none=True)
        functional.cross_entropy(self.network(self.images), self.labels).backward()
        self.optimizer.step()

    def eval(self):
        self.network.eval()
        with torch.inference_mode():
            self.network(self.images)


def measure(subjects, line):
    kind, name, precision, batch, steps = line.split()
    key = (name, batch)
    if key not in subjects:
        subjects[key] = Subject(name, int(batch))
    run = {"train": subjects[key].train, "eval": subjects[key].eval}[kind]
    narrow = {"fp32": False, "bf16": True}[precision]
    with torch.autocast("cpu", torch.bfloat16, enabled=narrow):
        start = time.perf_counter()
        for _ in range(int(steps)):
            run()
        return time.perf_counter() - start


def main():
    torch.set_num_threads(int(sys.argv[1]))
    print(f"PyTorch {torch.__version__}", flush=True)
    subjects = {}
    for line in sys.stdin:
        try:
            print(measure(subjects, line), flush=True)
        except (ValueError, KeyError, RuntimeError) as error:
            print("error", repr(error), flush=True)


if __name__ == "__main__":
    main()
