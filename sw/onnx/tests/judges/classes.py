#!/usr/bin/env python3
"""The results of one network for many images, by the packages that execute its two files.

    onnx-python classes.py FOLDER NAME IMAGES

reads `NAME.qdq.onnx`, `NAME.qonnx.onnx` and `NAME.images` (float32, whole images) and writes the
results as float32: `NAME.runtime.results` (onnxruntime as the file has it),
`NAME.optimized.results` (onnxruntime as it likes) and, of the first IMAGES,
`NAME.qonnx.results`. Nothing here knows Brownout.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.change_batchsize import ChangeBatchSize
from qonnx.transformation.infer_shapes import InferShapes

from run import input_of, level, session

BATCH = 50


def main():
    folder, name, images = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    qdq, qonnx = (onnx.load(folder / f"{name}.{d}.onnx") for d in ("qdq", "qonnx"))
    image = np.fromfile(folder / f"{name}.images", "<f4").reshape(-1, *input_of(qdq))

    def save(judge, run, images):
        batches = [run(images[k:k + BATCH]) for k in range(0, len(images), BATCH)]
        found = np.concatenate(batches).astype("<f4")
        (folder / f"{name}.{judge}.results").write_bytes(found.tobytes())

    for judge, optimize in (("runtime", level.ORT_DISABLE_ALL), ("optimized", level.ORT_ENABLE_ALL)):
        runtime = session(qdq, optimize)
        save(judge, lambda batch: runtime.run(None, {"input": batch})[0], image)
    wrapped = ModelWrapper(qonnx).transform(ChangeBatchSize(BATCH)).transform(InferShapes())
    save("qonnx", lambda batch: execute_onnx(wrapped, {"input": batch})["output"], image[:images])


if __name__ == "__main__":
    main()
