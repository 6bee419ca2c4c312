#!/usr/bin/env python3
"""Writes networks.txt: what other programs compute of the networks in shared/data/networks.

    pip install onnx==1.23.2 onnxruntime==1.32.0 qonnx==1.0.0 numpy
    python3 networks.py SHARED_DATA

A line is a network, the number of an image, and its outputs. Images are the first of
CIFAR-10's and MNIST's tests, and for SqueezeNet a pattern (`networks.rs` has it too). A
network's last lines give how many of the first images have each class.
"""

import gzip
import lzma
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime

data = pathlib.Path(sys.argv[1])
lines = []


def runtime(name, images, optimize=False):
    options = onnxruntime.SessionOptions()
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(data / "networks" / name), options)
    feed = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {feed: image[None]})[0] for image in images])


def qonnx(name, images):
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.util.cleanup import cleanup_model
    stored = onnx.load(data / "networks" / name)
    for node in stored.graph.node:
        if node.op_type == "Quant":
            node.domain = "qonnx.custom_op.general"  # one file leaves it out
    model = cleanup_model(ModelWrapper(stored))
    given = {i.name for i in model.graph.initializer}
    feed = next(i.name for i in model.graph.input if i.name not in given)
    result = model.graph.output[0].name
    return np.concatenate([execute_onnx(model, {feed: image[None]})[result] for image in images])


def add(name, outputs, shown):
    for at, row in enumerate(outputs[:shown]):
        lines.append(f"{name} {at} " + " ".join(repr(float(v)) for v in row.ravel()))
    classes = outputs.reshape(len(outputs), -1).argmax(axis=1)
    lines.append(f"{name} classes " + " ".join(str(c) for c in classes))


with lzma.open(data / "cifar-10-batches-bin" / "test_batch.bin.xz") as file:
    records = np.frombuffer(file.read(3073 * 100), np.uint8).reshape(-1, 3073)
mean = np.array([0.485, 0.456, 0.406], np.float32).reshape(3, 1, 1)
deviation = np.array([0.229, 0.224, 0.225], np.float32).reshape(3, 1, 1)
pixels = records[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32)
cifar = (pixels / np.float32(255) - mean) / deviation
for name in ["resnet20.onnx", "resnet20-qdq-u8s8.onnx", "resnet20-qdq-s8s8.onnx"]:
    add(name, runtime(name, cifar), 8)

with gzip.open(data / "mnist" / "t10k-images-idx3-ubyte.gz") as file:
    digits = np.frombuffer(file.read(16 + 784 * 100)[16:], np.uint8).reshape(-1, 1, 28, 28)
add("tfc-2w2a.onnx", qonnx("tfc-2w2a.onnx", digits.astype(np.float32) / np.float32(255)), 8)

vectors = np.load(data / "networks" / "kws-w3a3-vectors.npz")
scale = next(onnx.numpy_helper.to_array(i) for i in onnx.load(data / "networks" / "kws-w3a3.onnx").graph.initializer if i.name == "24")
steps = vectors["vectors"][:100].astype(np.float32).reshape(-1, 1, 10, 49) * scale
add("kws-w3a3.onnx", qonnx("kws-w3a3.onnx", steps), 8)

i = np.arange(3 * 224 * 224, dtype=np.int64)
pattern = ((i * 7919 + i // 224 * 31) % 257 - 128).astype(np.float32) / np.float32(64)
add("squeezenet1_1.onnx", runtime("squeezenet1_1.onnx", pattern.reshape(1, 3, 224, 224)), 1)

target = pathlib.Path(__file__).parent / "networks.txt"
target.write_text("\n".join(lines) + "\n")
print(f"{len(lines)} lines, {target.stat().st_size} bytes")
