//! ONNX's messages as they lie in a file.
//!
//! `messages.rs` is written by `tools/onnx-schema` and committed, so that a build
//! needs neither protoc nor a build script.

#[allow(clippy::all, clippy::pedantic)]
mod messages;

pub use messages::*;
