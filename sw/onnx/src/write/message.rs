//! The messages of a model, put together.

use crate::schema::attribute_proto::AttributeType;
use crate::schema::tensor_proto::DataType;
use crate::schema::tensor_shape_proto::{Dimension, dimension};
use crate::schema::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};
use std::collections::HashSet;

/// The version of the messages that goes with [`OPSET`].
const IR_VERSION: i64 = 10;
/// The oldest opset whose quantizers have tensors of four bits.
const OPSET: i64 = 21;
/// The name of the first extent of image and results.
const BATCH: &str = "N";

/// A value of an attribute.
pub(super) enum Attribute {
    Int(i64),
    Ints(Vec<usize>),
    Text(&'static str),
}

/// What a file says beside its graph.
pub(super) struct About {
    /// Name of the network.
    pub name: String,
    /// What the image's numbers are.
    pub image: String,
    /// What the results are.
    pub results: String,
    /// Keys and texts.
    pub metadata: Vec<(&'static str, String)>,
}

/// A graph under construction. Names are those that are asked for, with a number behind them
/// where another value has them already.
#[derive(Default)]
pub(super) struct Graph {
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
    shapes: Vec<ValueInfoProto>,
    domains: Vec<(&'static str, i64)>,
    names: HashSet<String>,
}

impl Graph {
    /// Makes a domain known, beside ONNX's own.
    pub fn domain(&mut self, name: &'static str, version: i64) {
        self.domains.push((name, version));
    }

    /// A name that no value has, and that none gets from now on.
    pub fn take_name(&mut self, wanted: &str) -> String {
        let numbered = (2..).map(|number| format!("{wanted}_{number}"));
        let mut names = std::iter::once(wanted.to_owned()).chain(numbered);
        let free = names.find(|name| !self.names.contains(name));
        let free = free.unwrap_or_default();
        self.names.insert(free.clone());
        free
    }

    /// A constant of single-precision numbers; its name.
    pub fn floats(&mut self, name: &str, dims: &[usize], values: &[f32]) -> String {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(name, DataType::Float, dims, bytes)
    }

    /// A constant of 64-bit integers; its name.
    pub fn longs(&mut self, name: &str, values: &[i64]) -> String {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(name, DataType::Int64, &[values.len()], bytes)
    }

    /// A constant of a 32-bit integer; its name.
    pub fn integer(&mut self, name: &str, value: i32) -> String {
        self.constant(name, DataType::Int32, &[], value.to_le_bytes().to_vec())
    }

    /// A constant of signed bytes; its name.
    pub fn bytes(&mut self, name: &str, dims: &[usize], values: &[i8]) -> String {
        let bytes = values.iter().map(|&v| v as u8).collect();
        self.constant(name, DataType::Int8, dims, bytes)
    }

    /// A constant of signed half bytes, the first of two in the low bits; its name.
    pub fn nibbles(&mut self, name: &str, dims: &[usize], values: &[i8]) -> String {
        let pack = |pair: &[i8]| {
            let high = pair.get(1).copied().unwrap_or(0);
            (pair[0] & 0xf) as u8 | (high as u8) << 4
        };
        let bytes = values.chunks(2).map(pack).collect();
        self.constant(name, DataType::Int4, dims, bytes)
    }

    fn constant(&mut self, name: &str, kind: DataType, dims: &[usize], bytes: Vec<u8>) -> String {
        let name = self.take_name(name);
        self.constants.push(TensorProto {
            name: name.clone(),
            dims: dims.iter().map(|&d| d as i64).collect(),
            data_type: kind.into(),
            raw_data: bytes.into(),
            ..TensorProto::default()
        });
        name
    }

    /// A node of ONNX with one result, both of that name; the result's name.
    pub fn node(
        &mut self,
        operator: &str,
        name: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) -> String {
        let result = self.take_name(name);
        self.node_of("", (operator, &result), inputs, &result, attributes);
        result
    }

    /// A node of a domain, by operator and name, whose result has a name that was taken.
    pub fn node_of(
        &mut self,
        domain: &str,
        (operator, name): (&str, &str),
        inputs: &[&str],
        result: &str,
        attributes: &[(&str, Attribute)],
    ) {
        self.nodes.push(NodeProto {
            name: name.to_owned(),
            op_type: operator.to_owned(),
            domain: domain.to_owned(),
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: vec![result.to_owned()],
            attribute: attributes.iter().map(attribute).collect(),
            ..NodeProto::default()
        });
    }

    /// Gives the result of the last node another name, which was taken.
    pub fn rename_last(&mut self, name: &str) {
        if let Some(node) = self.nodes.last_mut() {
            node.output = vec![name.to_owned()];
        }
    }

    /// Says the extents of a value of single-precision numbers: of each image, or of a constant.
    pub fn shape(&mut self, name: &str, batched: bool, dims: &[usize]) {
        self.shapes.push(value(name, batched, dims, ""));
    }

    /// The model with one image and one result of these names and extents.
    pub fn model(self, [image, result]: [(&str, &[usize]); 2], about: About) -> ModelProto {
        let own = ("", OPSET);
        let opsets = std::iter::once(own).chain(self.domains);
        let entry = |(key, value): (&str, String)| StringStringEntryProto {
            key: key.to_owned(),
            value,
        };
        ModelProto {
            ir_version: IR_VERSION,
            opset_import: opsets
                .map(|(domain, version)| OperatorSetIdProto {
                    domain: domain.to_owned(),
                    version,
                })
                .collect(),
            producer_name: "brownout".to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            graph: Some(GraphProto {
                name: about.name,
                node: self.nodes,
                initializer: self.constants,
                input: vec![value(image.0, true, image.1, &about.image)],
                output: vec![value(result.0, true, result.1, &about.results)],
                value_info: self.shapes,
                ..GraphProto::default()
            }),
            metadata_props: about.metadata.into_iter().map(entry).collect(),
            ..ModelProto::default()
        }
    }
}

fn attribute((name, value): &(&str, Attribute)) -> AttributeProto {
    let mut made = AttributeProto {
        name: (*name).to_owned(),
        ..AttributeProto::default()
    };
    match value {
        Attribute::Int(int) => {
            made.set_type(AttributeType::Int);
            made.i = *int;
        }
        Attribute::Ints(ints) => {
            made.set_type(AttributeType::Ints);
            made.ints = ints.iter().map(|&int| int as i64).collect();
        }
        Attribute::Text(text) => {
            made.set_type(AttributeType::String);
            made.s = text.as_bytes().to_vec();
        }
    }
    made
}

/// Single-precision numbers of these extents, of any number of images if `batched`.
fn value(name: &str, batched: bool, dims: &[usize], about: &str) -> ValueInfoProto {
    let extent = |value| Dimension {
        value: Some(value),
        ..Dimension::default()
    };
    let batch = batched.then(|| extent(dimension::Value::DimParam(BATCH.to_owned())));
    let rest = dims
        .iter()
        .map(|&d| extent(dimension::Value::DimValue(d as i64)));
    let tensor = type_proto::Tensor {
        elem_type: DataType::Float.into(),
        shape: Some(TensorShapeProto {
            dim: batch.into_iter().chain(rest).collect(),
        }),
    };
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(tensor)),
            ..TypeProto::default()
        }),
        doc_string: about.to_owned(),
        ..ValueInfoProto::default()
    }
}
