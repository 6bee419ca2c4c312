//! The Pythons with what Brownout is compared with.

use super::rival::Rival;
use std::env;
use std::path::{Path, PathBuf};

/// Environment variable that names a Python with PyTorch, or with onnxruntime.
const PYTHON: &str = "BROWNOUT_PYTHON";
/// Environment variable that leaves out what needs onnxruntime, as of the tests.
const SKIP_ONNX: &str = "BROWNOUT_SKIP_ONNX";
const PYTORCH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tools/pytorch_speed.py");
const ONNXRUNTIME: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tools/onnxruntime_speed.py");
/// What `make tools` sets up.
const ONNX_PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../.tools/bin/onnx-python");

/// PyTorch with that many threads; `None` where it is not installed.
pub fn pytorch(threads: usize) -> Option<Rival> {
    Rival::start(&named(), PYTORCH, threads)
}

/// onnxruntime with that many threads; `None` where it is not installed.
pub fn onnxruntime(threads: usize) -> Option<Rival> {
    if env::var_os(SKIP_ONNX).is_some() {
        return None;
    }
    let tools = Rival::start(Path::new(ONNX_PYTHON), ONNXRUNTIME, threads);
    tools.or_else(|| Rival::start(&named(), ONNXRUNTIME, threads))
}

fn named() -> PathBuf {
    env::var_os(PYTHON).map_or_else(|| "python3".into(), PathBuf::from)
}
