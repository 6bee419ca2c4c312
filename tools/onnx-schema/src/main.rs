//! Writes the Rust types of ONNX's messages; run by hand, never by a build:
//!
//! ```text
//! pip download --no-deps onnx==1.23.2 && unzip onnx-*.whl onnx/onnx.proto
//! cargo run --manifest-path tools/onnx-schema/Cargo.toml -- \
//!   onnx/onnx.proto sw/onnx/src/schema/messages.rs
//! ```
//!
//! The package brings the description in the language's version 2. On the wire
//! version 3 is the same, and its types are plain numbers instead of options:
//! ONNX itself publishes both.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

/// Messages of training and of distribution over devices, which decoding skips.
const UNREAD: [&str; 9] = [
    "IntIntListEntryProto",
    "NodeDeviceConfigurationProto",
    "ShardingSpecProto",
    "ShardedDimProto",
    "SimpleShardedDimProto",
    "TrainingInfoProto",
    "DeviceConfigurationProto",
    "TensorAnnotation",
    "OperatorStatus",
];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [source, target] = arguments.as_slice() else {
        return Err("expected two paths: onnx.proto and the Rust file to write".into());
    };
    let text = fs::read_to_string(source)?
        .replace("syntax = \"proto2\";", "syntax = \"proto3\";")
        .replace("  optional ", "  ")
        .replace(" [packed = true]", "");
    let folder = env::temp_dir().join(format!("onnx-schema-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let description = folder.join("onnx.proto");
    fs::write(&description, text)?;
    let mut set = protox::compile([&description], [&folder])?;
    for file in &mut set.file {
        file.enum_type.clear();
        file.message_type.retain(|message| !UNREAD.contains(&message.name()));
        for message in &mut file.message_type {
            let unread = |name: &str| UNREAD.iter().any(|unread| name.ends_with(unread));
            message.field.retain(|field| !unread(field.type_name()));
        }
    }
    prost_build::Config::new()
        // Weights stay where they were read: a slice of the file instead of a copy.
        .bytes(["TensorProto.raw_data"])
        // The words are ONNX's; here only its names and numbers are needed.
        .disable_comments(["."])
        .out_dir(&folder)
        .compile_fds(set)?;
    let generated = fs::read_to_string(folder.join("onnx.rs"))?;
    let header = "//! Written by tools/onnx-schema, which says how, from onnx 1.23.2 (Apache-2.0).\n\n";
    fs::write(Path::new(target), format!("{header}{generated}"))?;
    fs::remove_dir_all(&folder)?;
    println!("now run cargo fmt --package brownout-onnx");
    Ok(())
}
