"""Cases on numbers, computed by onnxruntime."""

import numpy as np

from cases import TensorProto, case, conv, numbers

I = [1, 4, 7, 6]
W = {"w": numbers(6, 4, 3, 3, scale=0.3), "b": numbers(6)}
case("conv", ["N", 4, 7, 6], [conv(pads=[1, 1, 1, 1])], W, 11)
case("conv, opset 7", I, [conv(kernel_shape=[3, 3], strides=[2, 2])], W, 7)
case("conv, opset 22", I, [conv(pads=[1, 0, 2, 1], strides=[2, 1])], W, 22)
case("conv, dilated", I, [conv(dilations=[2, 1], pads=[2, 1, 2, 1])], W)
for auto in ["SAME_UPPER", "SAME_LOWER", "VALID"]:
    case(f"conv, {auto}", I, [conv(auto_pad=auto, strides=[2, 2])], W)
    case(f"conv of 2 x 4, {auto}", I, [conv(auto_pad=auto, strides=[1, 2])], {"w": numbers(3, 4, 2, 4), "b": numbers(3)})
case("conv in groups", I, [conv(group=2, pads=[1, 1, 1, 1])], {"w": numbers(6, 2, 3, 3), "b": numbers(6)})
case("conv, depthwise", I, [("Conv", ["<", "w"], dict(group=4, strides=[2, 2], pads=[1, 1, 0, 0]))], {"w": numbers(8, 1, 3, 2)})
case("conv of a signal", [1, 3, 20], [conv(strides=[2], pads=[3, 1], dilations=[2])], {"w": numbers(5, 3, 4), "b": numbers(5)})
case("conv of a signal, SAME_LOWER", [1, 3, 20], [conv(strides=[3], auto_pad="SAME_LOWER")], {"w": numbers(5, 3, 4), "b": numbers(5)})
case("conv, half-precision weights", I, [("Cast", ["h"], dict(to=1, to_name="w")), ("Conv", ["x", "w", "b"], {})],
     {"h": numbers(6, 4, 3, 3).astype(np.float16), "b": numbers(6)})

V = ["N", 10]
case("gemm", V, [("Gemm", ["<", "w", "b"], dict(transB=1))], {"w": numbers(7, 10), "b": numbers(7)}, 9)
case("gemm, factors", V, [("Gemm", ["<", "w", "b"], dict(alpha=0.5, beta=2.0))], {"w": numbers(10, 7), "b": numbers(1, 7)}, 7)
case("gemm without a bias", V, [("Gemm", ["<", "w"], {})], {"w": numbers(10, 7)}, 11)
case("gemm, one bias for all", V, [("Gemm", ["<", "w", "b"], {})], {"w": numbers(10, 7), "b": numbers(1)})
case("matmul and bias", V, [("MatMul", ["<", "w"], {}), ("Add", ["<", "b"], {})], {"w": numbers(10, 7), "b": numbers(7)})
case("matmul, transposed weights", V, [("Transpose", ["w"], dict(perm=[1, 0], to_name="wt")), ("MatMul", ["x", "wt"], {})], {"w": numbers(7, 10)})
case("matmul of a row", [1, 1, 10], [("MatMul", ["<", "w"], {})], {"w": numbers(10, 7)})

N = {"g": np.abs(numbers(4)) + 0.5, "s": numbers(4), "m": numbers(4), "v": np.abs(numbers(4)) + 0.25}
for opset in [7, 9, 14, 15]:
    case(f"batch norm, opset {opset}", I, [("BatchNormalization", ["<", "g", "s", "m", "v"], dict(epsilon=0.03))], N, opset)
case("batch norm of a vector", [1, 4], [("BatchNormalization", ["<", "g", "s", "m", "v"], {})], N)
case("batch norm of a signal", [1, 4, 5], [("BatchNormalization", ["<", "g", "s", "m", "v"], {})], N)
C = {"c": np.array([2, -3, 0.5, 7], np.float32).reshape(4, 1, 1), "k": np.float32(0.3)}
for operator in ["Add", "Sub", "Mul", "Div"]:
    case(f"{operator} of a channel's constant", I, [(operator, ["<", "c"], {})], C)
    case(f"{operator} of a number", I, [(operator, ["<", "k"], {})], C, 7)
case("constant minus tensor", I, [("Sub", ["c", "<"], {})], C)
case("constant over tensor", I, [("Exp", ["<"], {}), ("Div", ["k", "<"], {})], C)
case("normalised input", ["N", 3, 4, 4], [("Div", ["<", "f"], {}), ("Sub", ["<", "m"], {}), ("Div", ["<", "d"], {})],
     {"f": np.float32(255), "m": numbers(1, 3, 1, 1), "d": np.abs(numbers(1, 3, 1, 1)) + 0.5})

for name, attributes, opset in [
    ("Relu", {}, 7), ("LeakyRelu", dict(alpha=0.1), 7), ("LeakyRelu", {}, 16), ("HardSigmoid", {}, 7),
    ("HardSigmoid", dict(alpha=1 / 6, beta=0.5), 13), ("HardSwish", {}, 14), ("Sigmoid", {}, 7), ("Tanh", {}, 13),
    ("Gelu", {}, 20), ("Gelu", dict(approximate="tanh"), 20), ("Erf", {}, 9), ("Exp", {}, 7), ("Abs", {}, 7), ("Neg", {}, 7),
    ("Elu", dict(alpha=0.7), 7), ("Selu", {}, 7), ("Celu", dict(alpha=0.5), 12), ("Celu", {}, 12), ("Softplus", {}, 7), ("Softsign", {}, 7),
    ("Mish", {}, 18), ("Clip", dict(min=-1.0, max=1.5), 6 + 1), ("Clip", dict(max=6.0), 10), ("Identity", {}, 13), ("Reciprocal", {}, 13),
]:
    second = [("Add", ["<", "o"], {})] if name == "Identity" else []
    case(f"{name} {attributes}, opset {opset}", [1, 2, 5, 5], [(name, ["<"], attributes)] + second, {"o": np.float32(1)}, opset)
case("Swish", [1, 2, 5, 5], [("Sigmoid", ["x"], dict(to_name="s")), ("Mul", ["x", "s"], {})])
case("Clip, inputs", I, [("Clip", ["<", "l", "h"], {})], {"l": np.float32(0), "h": np.float32(6)}, 11)
case("Clip, one input", I, [("Clip", ["<", "", "h"], {})], {"h": np.float32(1)}, 13)
case("Min and Max", I, [("Min", ["<", "h"], {}), ("Max", ["<", "l"], {})], {"l": np.float32(-1), "h": np.float32(1)}, 13)
case("PRelu, one slope", I, [("PRelu", ["<", "a"], {})], {"a": np.array([0.2], np.float32)}, 9)
case("Pow", I, [("Pow", ["<", "e"], {})], {"e": np.float32(2)}, 13)
G = {"r": np.float32(np.sqrt(2)), "1": np.float32(1), "h": np.float32(0.5), "3": np.float32(3), "k": np.float32(0.044715),
     "p": np.float32(np.sqrt(2 / np.pi)), "0": np.float32(0), "6": np.float32(6)}
case("GELU by Erf", I, [("Div", ["x", "r"], {}), ("Erf", ["<"], {}), ("Add", ["<", "1"], {}), ("Mul", ["x", "<"], {}), ("Mul", ["<", "h"], {})], G)
case("GELU by Tanh", I, [("Pow", ["x", "3"], {}), ("Mul", ["<", "k"], {}), ("Add", ["x", "<"], {}), ("Mul", ["<", "p"], {}), ("Tanh", ["<"], {}),
                        ("Add", ["<", "1"], {}), ("Mul", ["x", "<"], {}), ("Mul", ["<", "h"], {})], G)
case("HardSwish by Clip", I, [("Add", ["x", "3"], {}), ("Clip", ["<", "0", "6"], {}), ("Mul", ["x", "<"], {}), ("Div", ["<", "6"], {})], G)
case("x over 1 + e^-x", I, [("Neg", ["x"], {}), ("Exp", ["<"], {}), ("Add", ["<", "1"], {}), ("Div", ["x", "<"], {})], G)

B = {"w": numbers(4, 4, 1, 1), "u": numbers(4, 4, 3, 3, scale=0.3), "b": numbers(4)}
two = [("Conv", ["x", "w"], dict(to_name="p")), ("Conv", ["x", "u", "b"], dict(pads=[1, 1, 1, 1], to_name="q"))]
for operator, inputs in [("Add", ["p", "q"]), ("Sub", ["p", "q"]), ("Sum", ["p", "q", "x"]), ("Add", ["q", "q"])]:
    case(f"{operator} of {inputs}", I, two + [(operator, inputs, {})], B)
case("concat", I, two + [("Concat", ["p", "q", "x"], dict(axis=1))], B)
case("concat, negative axis", I, two + [("Relu", ["p"], dict(to_name="r")), ("Concat", ["q", "r"], dict(axis=-3))], B)

P = [1, 2, 7, 8]
for opset, attributes in [
    (8, dict(kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])), (10, dict(kernel_shape=[3, 2], strides=[2, 3], ceil_mode=1)),
    (12, dict(kernel_shape=[2, 2], auto_pad="SAME_UPPER", strides=[2, 2])), (13, dict(kernel_shape=[3, 3], auto_pad="SAME_LOWER", strides=[2, 2])),
    (13, dict(kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1)), (22, dict(kernel_shape=[2, 2], strides=[3, 3], pads=[1, 0, 0, 1], ceil_mode=1)),
]:
    case(f"max pool {attributes}, opset {opset}", P, [("MaxPool", ["<"], attributes)], opset=opset)
for include in [0, 1]:
    for opset, attributes in [
        (7, dict(kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])), (11, dict(kernel_shape=[3, 2], pads=[1, 0, 2, 1])),
        (19, dict(kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1)), (22, dict(kernel_shape=[2, 3], strides=[2, 2], auto_pad="SAME_UPPER")),
    ]:
        case(f"average pool {attributes}, include {include}, opset {opset}", P, [("AveragePool", ["<"], dict(attributes, count_include_pad=include))], opset=opset)
case("average pool with a corner over the edge", [1, 1, 6, 6], [("AveragePool", ["<"], dict(kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1, count_include_pad=1))], opset=19)
case("global average pool", P, [("GlobalAveragePool", ["<"], {}), ("Flatten", ["<"], {})])
case("global max pool", P, [("GlobalMaxPool", ["<"], {}), ("Flatten", ["<"], {})])
case("average pool of a signal", [1, 3, 9], [("AveragePool", ["<"], dict(kernel_shape=[2], strides=[2]))])
for keep in [0, 1]:
    case(f"reduce mean, keepdims {keep}, opset 11", P, [("ReduceMean", ["<"], dict(axes=[2, 3], keepdims=keep))], opset=11)
    case(f"reduce mean, keepdims {keep}, opset 18", P, [("ReduceMean", ["<", "a"], dict(keepdims=keep))], {"a": np.array([-2, -1])}, 18)
case("reduce max", P, [("ReduceMax", ["<"], dict(axes=[-1, -2], keepdims=0))], opset=13)

S = [1, 2, 3, 4]
F = {"s": np.array([1, 1, 2, 3], np.float32), "r": np.array([], np.float32), "n": np.array([1, 2, 9, 8]), "t": np.array([2, 2], np.float32)}
case("upsample, opset 7", S, [("Upsample", ["<"], dict(mode="nearest", scales=[1.0, 1.0, 2.0, 3.0]))], opset=7)
case("upsample, opset 9", S, [("Upsample", ["<", "s"], dict(mode="nearest"))], F, 9)
case("resize, opset 10", S, [("Resize", ["<", "s"], dict(mode="nearest"))], F, 10)
case("resize, asymmetric", S, [("Resize", ["<", "r", "s"], dict(mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"))], F, 11)
case("resize, half pixel", S, [("Resize", ["<", "", "s"], dict(mode="nearest"))], F, 13)
case("resize, sizes", S, [("Resize", ["<", "", "", "n"], dict(mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"))], F, 13)
case("resize, axes", S, [("Resize", ["<", "", "t"], dict(mode="nearest", axes=[2, 3]))], F, 18)
case("pad, opset 10", S, [("Pad", ["<"], dict(pads=[0, 0, 1, 2, 0, 0, 3, 0]))], opset=10)
case("pad, opset 11", S, [("Pad", ["<", "p"], {})], {"p": np.array([0, 1, 1, 0, 0, 2, 0, 1])}, 11)
case("pad, axes", S, [("Pad", ["<", "p", "", "a"], {})], {"p": np.array([1, 2, 0, 3]), "a": np.array([2, -1])}, 18)
case("zeros around a max pool", S, [("Pad", ["<", "p"], {}), ("MaxPool", ["<"], dict(kernel_shape=[2, 2]))], {"p": np.array([0, 0, 1, 1, 0, 0, 1, 1])}, 17)
case("shortcut, opset 9", [1, 4, 7, 6], [("Slice", ["<"], dict(starts=[0, 1 - 1], ends=[9, 9], axes=[0, 1])), ("Relu", ["<"], {})], opset=9)
case("shortcut", [1, 4, 7, 6], [("Slice", ["<", "z", "e", "ax", "st"], {}), ("Pad", ["<", "p"], {})],
     {"z": np.array([0, 0]), "e": np.array([2**63 - 1, 2**63 - 1]), "ax": np.array([2, 3]), "st": np.array([2, 2]), "p": np.array([0, 2, 0, 0, 0, 1, 0, 0])})
case("shortcut by two slices", [1, 4, 7, 6], [("Slice", ["<", "z", "e", "a2", "st"], {}), ("Slice", ["<", "z", "e", "a3", "st"], {})],
     {"z": np.array([0]), "e": np.array([2**63 - 1]), "a2": np.array([2]), "a3": np.array([-1]), "st": np.array([2])})

case("flatten", ["N", 3, 4, 5], [("Flatten", ["<"], {})] + [("Gemm", ["<", "w"], {})], {"w": numbers(60, 4)})
case("reshape, 0 and -1", ["N", 3, 4, 5], [("Reshape", ["<", "s"], {}), ("MatMul", ["<", "w"], {})], {"s": np.array([0, -1]), "w": numbers(60, 4)})
case("reshape, allowzero", [1, 3, 4, 5], [("Reshape", ["<", "s"], dict(allowzero=1)), ("MatMul", ["<", "w"], {})], {"s": np.array([1, -1]), "w": numbers(60, 4)}, 14)
case("vector to image", ["N", 60], [("Reshape", ["<", "s"], {}), ("Conv", ["<", "w"], {})], {"s": np.array([-1, 3, 4, 5]), "w": numbers(2, 3, 3, 3)})
case("squeeze", [1, 3, 4, 4], [("GlobalAveragePool", ["<"], {}), ("Squeeze", ["<"], dict(axes=[2, 3])), ("Gemm", ["<", "w"], {})], {"w": numbers(3, 4)}, 11)
case("unsqueeze to a signal", ["N", 12], [("Unsqueeze", ["<", "a"], {}), ("Conv", ["<", "w"], {})], {"a": np.array([1]), "w": numbers(2, 1, 3)}, 13)
case("shape chain", ["N", 3, 4, 5], [("Relu", ["x"], dict(to_name="y")), ("Shape", ["y"], {}), ("Gather", ["<", "i"], {}), ("Unsqueeze", ["<"], dict(axes=[0])),
     ("Concat", ["<", "m"], dict(axis=0, to_name="sh")), ("Reshape", ["y", "sh"], {}), ("Gemm", ["<", "w"], {})], {"i": np.array(0), "m": np.array([-1]), "w": numbers(60, 4)}, 11)
case("shape chain with arithmetic", ["N", 3, 4, 5], [("Shape", ["x"], {}), ("Slice", ["<", "1", "4", "0"], dict(to_name="sl")), ("ReduceProd", ["<"], dict(keepdims=1, to_name="pr")),
     ("Cast", ["<"], dict(to=1)), ("Mul", ["<", "h"], {}), ("Div", ["<", "h"], {}), ("Cast", ["<"], dict(to=7)), ("Concat", ["n", "<"], dict(axis=0, to_name="sh")),
     ("Reshape", ["x", "sh"], {}), ("Gemm", ["<", "w"], {})],
     {"1": np.array([1]), "4": np.array([4]), "0": np.array([0]), "h": np.float32(2), "n": np.array([1]), "w": numbers(60, 4)}, 13)

L = [1, 5, 6, 3]
K = {"w": numbers(4, 3, 3, 3, scale=0.5), "b": numbers(4), "d": numbers(5 * 6 * 4, 3), "e": numbers(4, 2)}
keras = [("Transpose", ["x"], dict(perm=[0, 3, 1, 2])), ("Conv", ["<", "w", "b"], dict(pads=[1, 1, 1, 1]))]
back = ("Transpose", ["<"], dict(perm=[0, 2, 3, 1]))
case("channels last, flattened", L, keras + [back, ("Relu", ["<"], {}), ("Reshape", ["<", "s"], {}), ("MatMul", ["<", "d"], {})], dict(K, s=np.array([-1, 120])))
case("channels last, mean", L, keras + [back, ("ReduceMean", ["<"], dict(axes=[1, 2], keepdims=0)), ("MatMul", ["<", "e"], {})], K, 11)
case("channels last, dense on pixels", L, keras + [back, ("MatMul", ["<", "e"], {}), ("Add", ["<", "f"], {}), ("ReduceMean", ["<"], dict(axes=[1, 2], keepdims=0))], dict(K, f=numbers(2)), 11)
case("channels last, normalised", L, [("Sub", ["<", "m"], {})] + [("Transpose", ["<"], dict(perm=[0, 3, 1, 2])), ("Conv", ["<", "w", "b"], {})], dict(K, m=numbers(3)))
case("channels last, concat", L, keras + [back, ("Relu", ["<"], dict(to_name="r")), ("Concat", ["r", "x"], dict(axis=3)), ("ReduceMean", ["<"], dict(axes=[1, 2], keepdims=0))], K, 11)
case("softmax at the end", V, [("MatMul", ["<", "w"], dict(to_name="y")), ("Softmax", ["<"], {})], {"w": numbers(10, 7)}, truth=[("MatMul", ["<", "w"], {})])
case("dropout and identity", V, [("Identity", ["<"], {}), ("Dropout", ["<"], {}), ("Cast", ["<"], dict(to=1)), ("Relu", ["<"], {})])
