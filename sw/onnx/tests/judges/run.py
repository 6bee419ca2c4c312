#!/usr/bin/env python3
"""Runs quantized files with the packages that define and execute them.

    onnx-python run.py FOLDER COUNT

For each K below COUNT there are `K.txt` (the names of the layers but the last, one a line),
`K.input` (float32, whole images), and files K.qdq.onnx and K.qonnx.onnx. Each file must pass
onnx.checker, with strict shape inference where all nodes are ONNX's. Then, for each judge,
`K.JUDGE` gets the integers of all those layers (int8, in the order of the names) and
`K.JUDGE.output` the results (float32). Judges are `runtime` (onnxruntime as written),
`reference` (onnx.reference, for every tenth file), `optimized` (onnxruntime as it likes, results
only) and `qonnx`. Nothing here knows Brownout.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.change_batchsize import ChangeBatchSize
from qonnx.transformation.infer_shapes import InferShapes

level = onnxruntime.GraphOptimizationLevel


def session(model, optimize):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = optimize
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def input_of(model):
    shape = model.graph.input[0].type.tensor_type.shape.dim
    assert shape[0].dim_param == "N", shape
    return [d.dim_value for d in shape[1:]]


def integers(model, names):
    """The names of each tensor's integers, or of the numbers that they stand for."""
    made = {n.output[0]: n for n in model.graph.node}
    return [made[name].input[0] for name in names]


def with_outputs(model, names):
    seen = onnx.ModelProto()
    seen.CopyFrom(model)
    for name in names:
        seen.graph.output.append(helper.make_tensor_value_info(name, TensorProto.INT8, None))
    return seen


def write(base, tensors, output):
    base.write_bytes(b"".join(np.ascontiguousarray(t).astype(np.int8).tobytes() for t in tensors))
    base.with_name(base.name + ".output").write_bytes(output.astype("<f4").tobytes())


def qdq(folder, k, names, image):
    model = onnx.load(folder / f"{k}.qdq.onnx")
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    image = image.reshape(-1, *input_of(model))
    seen = with_outputs(model, integers(model, names))
    found = session(seen, level.ORT_DISABLE_ALL).run(None, {"input": image})
    write(folder / f"{k}.runtime", found[1:], found[0])
    found = session(model, level.ORT_ENABLE_ALL).run(None, {"input": image})
    write(folder / f"{k}.optimized", [], found[0])
    if k % 10 == 0:
        found = ReferenceEvaluator(seen).run(None, {"input": image})
        write(folder / f"{k}.reference", found[1:], found[0])


def qonnx(folder, k, names, image):
    model = onnx.load(folder / f"{k}.qonnx.onnx")
    onnx.checker.check_model(model, full_check=True)
    image = image.reshape(-1, *input_of(model))
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    grids = {n.output[0]: [constants[name] for name in n.input[1:3]]
             for n in model.graph.node if n.op_type == "Quant" and n.input[0] not in constants}
    wrapped = ModelWrapper(model).transform(ChangeBatchSize(len(image))).transform(InferShapes())
    found = execute_onnx(wrapped, {"input": image}, return_full_exec_context=True)
    write(folder / f"{k}.qonnx",
          [np.rint(found[name] / grids[name][0]) + grids[name][1] for name in names],
          found["output"])


def main():
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    for k in range(count):
        names = (folder / f"{k}.txt").read_text().split()
        image = np.fromfile(folder / f"{k}.input", "<f4")
        qdq(folder, k, names, image)
        qonnx(folder, k, names, image)


if __name__ == "__main__":
    main()
