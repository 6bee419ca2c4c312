"""Makes small ONNX models and asks other programs what they compute.

Each line is a name, the model and the outputs (float32, little-endian), both in base64.
Element i of the input is ((37 i + 11) mod 101 - 50) / 16, or that numerator for integers
(without the -50 for unsigned ones). onnxruntime computes, qonnx where its operators occur.
"""

import base64
import pathlib

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

CASES = []
SEED = [0]


def numbers(*shape, scale=1.0):
    """Weights: multiples of 1/64."""
    SEED[0] += 1
    generator = np.random.default_rng(SEED[0])
    return (np.round(generator.normal(size=shape) * 64 * scale) / 64).astype(np.float32)


def image(shape, dtype):
    i = np.arange(int(np.prod(shape)), dtype=np.int64)
    raw = (37 * i + 11) % 101
    if dtype == np.uint8:
        return raw.astype(dtype).reshape(shape)
    if dtype == np.int8:
        return (raw - 50).astype(dtype).reshape(shape)
    return ((raw - 50) / 16).astype(np.float32).reshape(shape)


def model(shape, nodes, constants, opset, dtype=TensorProto.FLOAT, out=TensorProto.FLOAT, domains=()):
    """Nodes are (operator, inputs, attributes[, domain]); each reads the one before as "<"."""
    built, last = [], "x"
    names = {"x"}
    for at, node in enumerate(nodes):
        operator, inputs, attributes = node[:3]
        domain = node[3] if len(node) > 3 else ""
        result = attributes.pop("to_name", None) or f"t{at}"
        inputs = [last if name == "<" else name for name in inputs]
        built.append(helper.make_node(operator, inputs, [result], domain=domain, **attributes))
        last = result
        names.add(result)
    tensors = []
    for name, value in constants.items():
        if isinstance(value, onnx.TensorProto):
            value.name = name
            tensors.append(value)
        else:
            tensors.append(numpy_helper.from_array(np.asarray(value), name))
    graph = helper.make_graph(
        built, "g",
        [helper.make_tensor_value_info("x", dtype, shape)],
        [helper.make_tensor_value_info(last, out, None)], tensors)
    sets = [helper.make_opsetid("", opset)] + [helper.make_opsetid(d, v) for d, v in domains]
    made = helper.make_model(graph, opset_imports=sets, producer_name="")
    made.ir_version = 4 if opset < 11 else 8 if opset < 20 else 10
    return made


def runtime(made, x):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def qonnx(made, x):
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes
    wrapper = ModelWrapper(made).transform(InferShapes())
    name = made.graph.output[0].name
    return execute_onnx(wrapper, {"x": x})[name]


def case(name, shape, nodes, constants=None, opset=13, dtype=TensorProto.FLOAT, out=TensorProto.FLOAT,
         domains=(), oracle=runtime, truth=None):
    made = model(shape, [tuple(list(n[:2]) + [dict(n[2])] + list(n[3:])) for n in nodes],
                 constants or {}, opset, dtype, out, domains)
    kind = {TensorProto.FLOAT: np.float32, TensorProto.UINT8: np.uint8, TensorProto.INT8: np.int8}[dtype]
    fixed = [d if isinstance(d, int) else 1 for d in shape]
    judged = made
    if truth is not None:
        judged = model(shape, [tuple(list(n[:2]) + [dict(n[2])] + list(n[3:])) for n in truth],
                       constants or {}, opset, dtype, out, domains)
    result = np.asarray(oracle(judged, image(fixed, kind))).astype("<f4")
    encode = lambda b: base64.b64encode(b).decode()
    CASES.append(f"{name}\t{encode(made.SerializeToString())}\t{encode(result.tobytes())}")


def conv(**attributes):
    return ("Conv", ["<", "w", "b"], attributes)


def write():
    target = pathlib.Path(__file__).parent / "operators.txt"
    target.write_text("\n".join(CASES) + "\n")
    print(f"{len(CASES)} cases, {target.stat().st_size} bytes")
