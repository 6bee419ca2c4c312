#!/usr/bin/env python3
"""Values and derivatives of pointwise functions, from mpmath and not from Brownout.

Each function is written from the text of the ONNX operator of its name (SiLU, GELU and mish as
their papers have them); derivatives are central differences with 50 digits, so no rule of
differentiation is shared with the code under test. Kinks are not among the points. Where
`onnx` is installed, its reference implementation must agree in single precision.

    python3 functions.py > functions.tsv
"""

import sys

from mpmath import mp, mpf, erf, exp, log, pi, sqrt, tanh

mp.dps = 50


def sigmoid(x):
    return 1 / (1 + exp(-x))


def softplus(x):
    return log(1 + exp(x))


def silu(x):
    return x * sigmoid(x)


def unit(x):
    return max(mpf(0), min(mpf(1), x))


TENTH, FIFTH = mpf(0.1), mpf(0.2)  # as the doubles that the code under test is given

FUNCTIONS = {
    "clip": lambda x: max(mpf("-0.5"), min(mpf("0.5"), x)),
    "relu6": lambda x: max(mpf(0), min(mpf(6), x)),
    "leaky_relu": lambda x: x if x >= 0 else TENTH * x,
    "hard_sigmoid": lambda x: unit(FIFTH * x + mpf("0.5")),
    "hard_swish": lambda x: x * unit(x / 6 + mpf("0.5")),
    "sigmoid": sigmoid,
    "silu": silu,
    "tanh": tanh,
    "gelu": lambda x: x * (1 + erf(x / sqrt(2))) / 2,
    "gelu_tanh": lambda x: x * (1 + tanh(sqrt(2 / pi) * (x + mpf(0.044715) * x**3))) / 2,
    "elu": lambda x: x if x >= 0 else mpf("1.5") * (exp(x) - 1),
    "softplus": softplus,
    "mish": lambda x: x * tanh(softplus(x)),
    "tanh_of_silu": lambda x: tanh(silu(x)),
    "root_of_magnitude_and_one": lambda x: sqrt(abs(x) + 1),
    "softsign": lambda x: x / (1 + abs(x)),
    "logarithm_of_exponential_and_two": lambda x: log(exp(x) + 2),
}

REFERENCES = {
    "clip": ("Clip", None),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.1}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 0.2, "beta": 0.5}),
    "hard_swish": ("HardSwish", {}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "gelu": ("Gelu", {}),
    "gelu_tanh": ("Gelu", {"approximate": "tanh"}),
    "elu": ("Elu", {"alpha": 1.5}),
    "softplus": ("Softplus", {}),
    "mish": ("Mish", {}),
    "softsign": ("Softsign", {}),
}

# Away from every kink: 0, -0.5 and 0.5, 6, -2.5 and 2.5, -3 and 3.
POINTS = [mpf(n) / 16 + mpf(1) / 64 for n in (-150, -81, -57, -47, -41, -33, -19, -9, -7, -3, -1)]
POINTS += [mpf(n) / 16 + mpf(1) / 64 for n in (0, 2, 5, 9, 14, 22, 31, 39, 47, 55, 73, 97, 158)]


def check_against_onnx():
    try:
        import numpy as np
        from onnx import TensorProto, helper
        from onnx.reference import ReferenceEvaluator
    except ImportError:
        print("onnx is not installed: not compared with it", file=sys.stderr)
        return
    x = np.array([float(p) for p in POINTS], dtype=np.float32)
    for name, (operator, attributes) in REFERENCES.items():
        inputs = ["x"] if attributes is not None else ["x", "low", "high"]
        node = helper.make_node(operator, inputs, ["y"], **(attributes or {}))
        info = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [len(x)])]
        feed = {"x": x}
        if attributes is None:
            info += [helper.make_tensor_value_info(n, TensorProto.FLOAT, []) for n in inputs[1:]]
            feed |= {"low": np.float32(-0.5), "high": np.float32(0.5)}
        outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [len(x)])]
        graph = helper.make_graph([node], name, info, outputs)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)])
        (y,) = ReferenceEvaluator(model).run(None, feed)
        expected = np.array([float(FUNCTIONS[name](p)) for p in POINTS])
        assert np.allclose(y, expected, rtol=1e-5, atol=1e-6), (name, y - expected)


def main():
    check_against_onnx()
    print("# function\tx\tvalue\tderivative (functions.py)")
    step = mpf(10) ** -12
    for name, function in FUNCTIONS.items():
        for x in POINTS:
            slope = (function(x + step) - function(x - step)) / (2 * step)
            numbers = [repr(float(number)) for number in (x, function(x), slope)]
            print("\t".join([name, *numbers]))


if __name__ == "__main__":
    main()
