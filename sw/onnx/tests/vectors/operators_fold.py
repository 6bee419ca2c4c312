"""Cases of constants: what a chain computes is added to the input, by onnxruntime."""

import numpy as np
from onnx import helper

from cases import case, numbers

A = np.arange(24, dtype=np.int64).reshape(2, 3, 4)
F = numbers(2, 3, 4)


def chain(name, nodes, constants, count, opset=13):
    """The nodes make `count` numbers out of constants."""
    last = f"t{len(nodes) - 1}"
    constants = dict(constants, flat=np.array([1, -1], np.int64))
    case(name, [1, count], nodes + [("Cast", [last], dict(to=1)), ("Reshape", ["<", "flat"], {}), ("Add", ["x", "<"], {})], constants, opset)


def i64(*values):
    return np.array(values, np.int64)


def slice_of(name, count, starts, ends, axes=None, steps=None):
    constants = {"a": A, "s": i64(*starts), "e": i64(*ends)}
    inputs = ["a", "s", "e"]
    if axes is not None:
        constants["ax"] = i64(*axes)
        inputs.append("ax")
    if steps is not None:
        constants["st"] = i64(*steps)
        inputs.append("st")
    chain(f"slice, {name}", [("Slice", inputs, {})], constants, count)


BIG = 2**63 - 1
slice_of("whole", 24, [0], [BIG])
slice_of("middle", 16, [1], [3], [1])
slice_of("negative ends", 12, [0, -3], [2, -1], [0, 2])
slice_of("backwards", 24, [-1], [-BIG], [2], [-1])
slice_of("backwards in twos", 12, [3], [-BIG], [-1], [-2])
slice_of("backwards from behind the end", 24, [99], [-99], [1], [-1])
slice_of("steps of three", 8, [0], [99], [1], [3])
slice_of("several axes", 4, [1, 1, 0], [2, 3, 4], [0, 1, 2], [1, 1, 3])
chain("gather, matrix of indices", [("Gather", ["a", "i"], dict(axis=1))], {"a": A, "i": i64(2, 0, -1, 1).reshape(2, 2)}, 32)
chain("gather, one index", [("Gather", ["a", "i"], dict(axis=-1))], {"a": A, "i": np.array(-2)}, 6)
chain("concat", [("Concat", ["a", "b"], dict(axis=1))], {"a": A, "b": A + 100}, 48)
chain("concat of numbers", [("Concat", ["a", "b"], dict(axis=-1))], {"a": F, "b": F[:, :, :1]}, 30)
chain("transpose", [("Transpose", ["a"], dict(perm=[2, 0, 1]))], {"a": A}, 24)
chain("transpose, reversed", [("Transpose", ["a"], {})], {"a": F}, 24)
chain("expand", [("Expand", ["a", "s"], {})], {"a": i64(1, 2, 3).reshape(3, 1), "s": i64(2, 1, 4)}, 24)
chain("expand to fewer", [("Expand", ["a", "s"], {})], {"a": i64(1, 2, 3).reshape(3, 1), "s": i64(4)}, 12)
chain("constant of shape", [("ConstantOfShape", ["s"], dict(value=helper.make_tensor("v", 7, [1], [7])))], {"s": i64(2, 3)}, 6)
chain("constant of shape, zeros", [("ConstantOfShape", ["s"], {}), ("Add", ["<", "k"], {})], {"s": i64(5), "k": np.float32(0.5)}, 5)
chain("range", [("Range", ["b", "e", "d"], {})], {"b": np.array(10), "e": np.array(-3), "d": np.array(-4)}, 4)
chain("range of numbers", [("Range", ["b", "e", "d"], {})], {"b": np.float32(0.5), "e": np.float32(2), "d": np.float32(0.25)}, 6)
chain("squeeze all", [("Squeeze", ["a"], {}), ("Unsqueeze", ["<", "u"], {})], {"a": A[:1, :, :1], "u": i64(0, -1)}, 3)
chain("unsqueeze, opset 11", [("Unsqueeze", ["a"], dict(axes=[1, -1]))], {"a": A}, 24, 11)
chain("flatten", [("Flatten", ["a"], dict(axis=-1))], {"a": F}, 24)
chain("reshape, 0 and -1", [("Reshape", ["a", "s"], {}), ("Transpose", ["<"], {})], {"a": A, "s": i64(0, -1)}, 24)
for operator in ["Add", "Sub", "Mul", "Div", "Min", "Max", "Mod"]:
    chain(f"{operator} of integers", [(operator, ["a", "b"], {})], {"a": A - 12, "b": i64(3, -2, 5, 7)}, 24)
for operator in ["Add", "Sub", "Mul", "Div", "Min", "Max", "Pow"]:
    chain(f"{operator} of numbers", [(operator, ["a", "b"], {})], {"a": np.abs(F) + 0.5, "b": np.float32([[1.5], [-2], [0.25]])}, 24)
for operator in ["Sqrt", "Exp", "Log", "Abs", "Floor", "Ceil", "Round", "Reciprocal", "Tanh", "Sigmoid"]:
    chain(f"{operator} of a constant", [(operator, ["a"], {})], {"a": np.abs(F) + 0.25}, 24)
chain("Neg of integers", [("Neg", ["a"], {})], {"a": A}, 24)
chain("where", [("Less", ["a", "l"], {}), ("Where", ["<", "a", "b"], {})], {"a": A, "l": np.array(9), "b": i64(100)}, 24)
chain("equal and cast", [("Equal", ["a", "b"], {}), ("Cast", ["<"], dict(to=7))], {"a": A, "b": i64(1, 5, 6, 9)}, 24)
chain("cast towards zero", [("Cast", ["a"], dict(to=7))], {"a": np.float32([1.9, -1.9, 0.5, -0.5, 100])}, 5)
chain("cast to a truth", [("Cast", ["a"], dict(to=9))], {"a": np.float32([0, 0.2, -3, 1])}, 4)
chain("size", [("Size", ["a"], {}), ("Mul", ["<", "k"], {})], {"a": A, "k": np.array(2)}, 1)
chain("shape, a part of it", [("Shape", ["a"], dict(start=1, end=-1))], {"a": A}, 1, 15)
chain("product of a shape", [("Shape", ["a"], {}), ("ReduceProd", ["<"], dict(keepdims=0))], {"a": A}, 1)
chain("expand as dynamo writes it", [("Shape", ["a"], {}), ("ConstantOfShape", ["r"], dict(value=helper.make_tensor("v", 7, [1], [1]))), ("Mul", ["<", "m"], {}),
       ("Equal", ["s", "t2"], {}), ("Where", ["<", "t1", "s"], {}), ("Expand", ["a", "<"], {})], {"a": A, "r": i64(3), "m": i64(-1), "s": i64(-1, 3, 4)}, 24)
