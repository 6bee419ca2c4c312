"""Cases of quantizers, computed by onnxruntime, and by qonnx where its operators occur."""

import numpy as np
from onnx import TensorProto, helper

from cases import case, numbers, qonnx

I = [1, 4, 6, 5]
U8, I8 = TensorProto.UINT8, TensorProto.INT8
Q = {"s": np.float32(0.0627), "z": np.uint8(117), "s8": np.float32(0.03), "z8": np.int8(-21), "one": np.float32(1), "zo": np.uint8(1)}
quantize = [("QuantizeLinear", ["<", "s", "z"], {}), ("DequantizeLinear", ["<", "s", "z"], {})]
for opset in [10, 13, 19, 21]:
    case(f"quantize, opset {opset}", I, quantize, Q, opset)
case("quantize to int8", I, [("QuantizeLinear", ["<", "s8", "z8"], {}), ("DequantizeLinear", ["<", "s8", "z8"], {})], Q)
case("quantize with an odd zero point", I, [("Mul", ["<", "e"], {}), ("QuantizeLinear", ["<", "one", "zo"], {}), ("DequantizeLinear", ["<", "one", "zo"], {})], dict(Q, e=np.float32(8)))
case("quantize without a zero point", I, [("QuantizeLinear", ["<", "s"], {}), ("DequantizeLinear", ["<", "s"], {})], Q)
case("quantize to output_dtype", I, [("QuantizeLinear", ["<", "s"], dict(output_dtype=I8)), ("DequantizeLinear", ["<", "s"], {})], Q, 21)
channel = {"s": np.array([0.1, 0.05, 0.2, 0.03], np.float32), "z": np.array([3, 0, 9, 128], np.uint8)}
case("quantize channels", I, [("QuantizeLinear", ["<", "s", "z"], dict(axis=-3)), ("DequantizeLinear", ["<", "s", "z"], dict(axis=1))], channel)
case("quantize in another domain", I, [("QuantizeLinear", ["<", "s", "z"], {}, "com.microsoft"), ("DequantizeLinear", ["<", "s", "z"], {}, "com.microsoft")], Q, 17,
     domains=[("com.microsoft", 1)])
case("relu by saturation", I, [("QuantizeLinear", ["<", "s8", "low"], {}), ("DequantizeLinear", ["<", "s8", "low"], {})], dict(Q, low=np.int8(-128)))

generator = np.random.default_rng(7)
weights = generator.integers(-127, 128, size=(6, 4, 3, 3)).astype(np.int8)
scales = generator.uniform(0.002, 0.02, size=6).astype(np.float32)
bias = generator.integers(-9000, 9000, size=6).astype(np.int32)
W = dict(Q, w=weights, ws=scales, wz=np.zeros(6, np.int8), b=bias, bs=(np.float32(0.0627) * scales).astype(np.float32), bz=np.int32(0))
dq = [("DequantizeLinear", ["w", "ws", "wz"], dict(axis=0, to_name="wf")), ("DequantizeLinear", ["b", "bs", "bzs"], dict(axis=0, to_name="bf"))]
W["bzs"] = np.zeros(6, np.int32)
front = [("QuantizeLinear", ["x", "s", "z"], {}), ("DequantizeLinear", ["<", "s", "z"], dict(to_name="xf"))]
case("qdq conv, per channel", I, dq + front + [("Conv", ["xf", "wf", "bf"], dict(pads=[1, 1, 1, 1]))], W)
dense = {"w": generator.integers(-7, 8, size=(10, 5)).astype(np.int8), "ws": generator.uniform(0.01, 0.1, size=5).astype(np.float32), "wz": np.zeros(5, np.int8)}
case("qdq matmul, axis 1", [1, 10], [("DequantizeLinear", ["w", "ws", "wz"], dict(axis=1, to_name="wf")), ("MatMul", ["x", "wf"], {})], dense)
four = helper.make_tensor("w", TensorProto.INT4, [5, 10], generator.integers(-8, 8, size=50).tolist())
case("qdq gemm, int4", [1, 10], [("DequantizeLinear", ["w", "ws"], dict(axis=0, to_name="wf")), ("Gemm", ["x", "wf"], dict(transB=1))],
     {"w": four, "ws": dense["ws"]}, 21)
packed = helper.make_tensor("w", TensorProto.INT4, [5, 10], bytes(generator.integers(0, 256, size=25).tolist()), raw=True)
case("qdq gemm, int4 in raw data", [1, 10], [("DequantizeLinear", ["w", "ws"], dict(axis=0, to_name="wf")), ("Gemm", ["x", "wf"], dict(transB=1))],
     {"w": packed, "ws": dense["ws"]}, 21)
case("qcdq weights", [1, 10], [("Clip", ["w", "lo", "hi"], dict(to_name="wc")), ("DequantizeLinear", ["wc", "ws", "wz"], dict(axis=1, to_name="wf")), ("MatMul", ["x", "wf"], {})],
     dict(dense, lo=np.int8(-3), hi=np.int8(3)))
case("qcdq weights from numbers", [1, 10], [("QuantizeLinear", ["f", "fs", "fz"], dict(to_name="wq")), ("Clip", ["wq", "lo", "hi"], dict(to_name="wc")),
     ("DequantizeLinear", ["wc", "fs", "fz"], dict(to_name="wf")), ("Gemm", ["x", "wf"], dict(transB=1))],
     {"f": numbers(5, 10), "fs": np.float32(0.07), "fz": np.int8(0), "lo": np.int8(-7), "hi": np.int8(7)})
case("qcdq activations", I, [("QuantizeLinear", ["<", "s", "z0"], {}), ("Clip", ["<", "lo", "hi"], {}), ("DequantizeLinear", ["<", "s", "z0"], {})],
     {"s": np.float32(0.1), "z0": np.uint8(0), "lo": np.uint8(0), "hi": np.uint8(15)})
case("qdq max pool on integers", I, [("QuantizeLinear", ["<", "s", "z"], {}), ("MaxPool", ["<"], dict(kernel_shape=[2, 2], strides=[2, 2])), ("DequantizeLinear", ["<", "s", "z"], {})], Q)
case("qdq silu", I, front + [("Sigmoid", ["xf"], {}), ("QuantizeLinear", ["<", "ss", "zz"], {}), ("DequantizeLinear", ["<", "ss", "zz"], dict(to_name="sf")), ("Mul", ["xf", "sf"], {})],
     dict(Q, ss=np.float32(1 / 255), zz=np.uint8(0)))

O = dict(W, ys=np.float32(0.09), yz=np.uint8(121), bs2=np.float32(0.004), bz2=np.int8(0))
case("QLinearConv", I, [("QLinearConv", ["x", "s", "z", "w", "ws", "wz", "ys", "yz", "b"], dict(pads=[1, 1, 1, 1], strides=[2, 1]))], O, 13, U8, U8)
case("QLinearConv, int8", I, [("QLinearConv", ["x", "s8", "z8", "w", "bs2", "bz2", "ys", "yz8"], {})], dict(O, yz8=np.int8(5)), 10, I8, I8)
case("QLinearMatMul", [1, 10], [("QLinearMatMul", ["x", "s", "z", "w", "ws", "wz", "ys", "yz"], {})], dict(Q, **dense, ys=np.float32(0.5), yz=np.uint8(100)), 13, U8, U8)
MS = dict(domains=[("com.microsoft", 1)], dtype=U8, out=U8)
ms = "com.microsoft"
E = dict(Q, ys=np.float32(0.11), yz=np.uint8(90), gb=generator.integers(-900, 900, size=5).astype(np.int32), gw=dense["w"], gs=dense["ws"], gz=dense["wz"])
case("QGemm", [1, 10], [("QGemm", ["x", "s", "z", "gw", "gs", "gz", "gb", "ys", "yz"], {}, ms)], E, 13, **MS)
case("QGemm to numbers", [1, 10], [("QGemm", ["x", "s", "z", "gw", "gs", "gz", "gb"], {}, ms)], E, 13, domains=MS["domains"], dtype=U8)
case("QLinearAdd", I, [("MaxPool", ["x"], dict(kernel_shape=[3, 3], pads=[1, 1, 1, 1])), ("QLinearAdd", ["<", "s", "z", "x", "s8", "zo", "ys", "yz"], {}, ms)], E, 13, **MS)
case("QLinearConcat", I, [("MaxPool", ["x"], dict(kernel_shape=[3, 3], pads=[1, 1, 1, 1])), ("QLinearConcat", ["ys", "yz", "<", "s", "z", "x", "s8", "zo"], dict(axis=1), ms)], E, 13, **MS)
case("QLinearAveragePool", I, [("QLinearAveragePool", ["x", "s", "z", "ys", "yz"], dict(kernel_shape=[2, 2], strides=[2, 2]), ms)], E, 13, **MS)
case("QLinearGlobalAveragePool", I, [("QLinearGlobalAveragePool", ["x", "s", "z", "ys", "yz"], {}, ms)], E, 13, **MS)
case("QLinearSigmoid", I, [("QLinearSigmoid", ["x", "s", "z", "ss", "zz"], {}, ms)], dict(E, ss=np.float32(1 / 256), zz=np.uint8(0)), 13, **MS)
case("QLinearLeakyRelu", I, [("QLinearLeakyRelu", ["x", "s", "z", "ys", "yz"], dict(alpha=0.1), ms)], E, 13, **MS)

general = "qonnx.custom_op.general"
for bits, signed, narrow, rounding, zero in [
    (8, 1, 0, "ROUND", 0), (8, 1, 1, "ROUND", 0), (3, 0, 0, "ROUND", 0), (3, 0, 1, "ROUND", 0), (2, 1, 1, "HALF_EVEN", 0), (4, 1, 0, "FLOOR", 0),
    (4, 1, 0, "CEIL", 0), (4, 1, 0, "UP", 0), (4, 1, 0, "DOWN", 0), (4, 1, 0, "HALF_UP", 0), (4, 1, 0, "half_down", 0), (8, 0, 0, "ROUND", 1),
    (3.5, 1, 0, "ROUND", 0), (1, 1, 0, "ROUND", 0), (8, 0, 0, "ROUND", 117),
]:
    case(f"Quant {bits} bits, signed {signed}, narrow {narrow}, {rounding}, zero {zero}", [1, 2, 7, 9],
         [("Quant", ["<", "s", "z", "b"], dict(signed=signed, narrow=narrow, rounding_mode=rounding), general)],
         {"s": np.float32(0.125), "z": np.float32(zero), "b": np.float32(bits)}, oracle=qonnx, domains=[(general, 1)])
case("Quant of channels", I, [("Quant", ["<", "s", "z", "b"], dict(signed=1, narrow=0, rounding_mode="ROUND"), general)],
     {"s": np.array([0.1, 0.2, 0.05, 0.03], np.float32).reshape(1, 4, 1, 1), "z": np.float32(0), "b": np.float32(5)}, oracle=qonnx, domains=[(general, 1)])
case("BipolarQuant", I, [("BipolarQuant", ["<", "s"], {}, general)], {"s": np.float32(0.3)}, oracle=qonnx, domains=[(general, 1)])
case("Quant weights of a conv", I, [("Quant", ["w", "s", "z", "b"], dict(signed=1, narrow=1, rounding_mode="ROUND", to_name="wq"), general), ("Conv", ["x", "wq"], {})],
     {"w": numbers(5, 4, 3, 3), "s": np.abs(numbers(5, 1, 1, 1)) + 0.1, "z": np.float32(0), "b": np.float32(4)}, oracle=qonnx, domains=[(general, 1)])
# Brevitas writes biases so.
case("Quant bias of 32 bits", I, [("Quant", ["b", "bs", "z", "b32"], dict(signed=1, narrow=0, rounding_mode="ROUND", to_name="bq"), general), ("Conv", ["x", "w", "bq"], {})],
     {"w": numbers(6, 4, 3, 3), "b": numbers(6), "bs": np.abs(numbers(6)) * 1e-9 + 1e-9, "z": np.float32(0), "b32": np.float32(32)}, oracle=qonnx, domains=[(general, 1)])
case("BipolarQuant weights of a matrix", [1, 10], [("BipolarQuant", ["w", "s"], dict(to_name="wq"), general), ("Transpose", ["wq"], dict(perm=[1, 0], to_name="wt")), ("MatMul", ["x", "wt"], {})],
     {"w": numbers(4, 10), "s": np.float32(0.4)}, oracle=qonnx, domains=[(general, 1)])
case("Trunc, version 1", I, [("Mul", ["<", "k"], {}), ("Trunc", ["<", "s", "z", "bi", "bo"], dict(rounding_mode="FLOOR"), general)],
     {"k": np.float32(16), "s": np.float32(1), "z": np.float32(0), "bi": np.float32(10), "bo": np.float32(8)}, oracle=qonnx, domains=[(general, 1)])
case("Trunc, version 2", I, [("Mul", ["<", "k"], {}), ("Trunc", ["<", "s", "z", "bi", "so", "bo"], dict(rounding_mode="floor", signed=1, narrow=0), general)],
     {"k": np.float32(16), "s": np.float32(1), "z": np.float32(0), "bi": np.float32(10), "so": np.float32(4), "bo": np.float32(5)}, oracle=qonnx, domains=[(general, 2)])
