#!/usr/bin/env python3
"""Writes operators.txt: one small ONNX model a line, and what other programs compute of it.

    pip install onnx==1.23.2 onnxruntime==1.32.0 qonnx==1.0.0 numpy
    python3 operators.py
"""

import cases
import operators_float  # noqa: F401 (makes its cases)
import operators_quantized  # noqa: F401
import operators_fold  # noqa: F401

cases.write()
