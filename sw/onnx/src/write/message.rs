//! The messages of a model, put together.

use crate::schema::attribute_proto::AttributeType;
use crate::schema::tensor_proto::DataType;
use crate::schema::tensor_shape_proto::{Dimension, dimension};
use crate::schema::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};
use prost::Message;

/// The IR that goes with [`OPSET`].
const IR_VERSION: i64 = 10;
/// The oldest opset whose quantizers have tensors of four bits.
const OPSET: i64 = 21;

/// A value of an attribute.
pub(super) enum Attribute<'a> {
    Int(i64),
    Ints(&'a [usize]),
    Text(&'a str),
}

/// A graph under construction; values are known by their names.
#[derive(Default)]
pub(super) struct Graph {
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
    domains: Vec<(String, i64)>,
}

impl Graph {
    /// Makes a domain known, beside ONNX's own.
    pub fn domain(&mut self, name: &str, version: i64) {
        self.domains.push((name.to_owned(), version));
    }

    /// A constant of single-precision numbers.
    pub fn floats(&mut self, name: &str, dims: &[usize], values: &[f32]) -> String {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(name, DataType::Float, dims, bytes)
    }

    /// A constant of 64-bit integers.
    pub fn longs(&mut self, name: &str, values: &[i64]) -> String {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(name, DataType::Int64, &[values.len()], bytes)
    }

    /// A constant of signed bytes.
    pub fn bytes(&mut self, name: &str, dims: &[usize], values: &[i8]) -> String {
        let bytes = values.iter().map(|&v| v as u8).collect();
        self.constant(name, DataType::Int8, dims, bytes)
    }

    /// A constant of signed half bytes, the first of two in the low bits.
    pub fn nibbles(&mut self, name: &str, dims: &[usize], values: &[i8]) -> String {
        let pairs = values.chunks(2);
        let pack = |pair: &[i8]| {
            let high = pair.get(1).copied().unwrap_or(0);
            (pair[0] & 0xf) as u8 | (high as u8) << 4
        };
        self.constant(name, DataType::Int4, dims, pairs.map(pack).collect())
    }

    fn constant(&mut self, name: &str, kind: DataType, dims: &[usize], bytes: Vec<u8>) -> String {
        self.constants.push(TensorProto {
            name: name.to_owned(),
            dims: dims.iter().map(|&d| d as i64).collect(),
            data_type: kind.into(),
            raw_data: bytes.into(),
            ..TensorProto::default()
        });
        name.to_owned()
    }

    /// A node with one result, which has its name.
    pub fn node(
        &mut self,
        operator: &str,
        name: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute<'_>)],
    ) -> String {
        self.node_of("", operator, name, inputs, attributes)
    }

    /// A node of another domain than ONNX's.
    pub fn node_of(
        &mut self,
        domain: &str,
        operator: &str,
        name: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute<'_>)],
    ) -> String {
        self.nodes.push(NodeProto {
            name: name.to_owned(),
            op_type: operator.to_owned(),
            domain: domain.to_owned(),
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: vec![name.to_owned()],
            attribute: attributes.iter().map(attribute).collect(),
            ..NodeProto::default()
        });
        name.to_owned()
    }

    /// The bytes of a model with one image and one result of these extents.
    pub fn model(
        self,
        name: &str,
        (image, result): ((&str, &[usize]), (&str, &[usize])),
        metadata: &[(&str, String)],
    ) -> Vec<u8> {
        let own = [(String::new(), OPSET)];
        let opsets = own.into_iter().chain(self.domains);
        let model = ModelProto {
            ir_version: IR_VERSION,
            opset_import: opsets
                .map(|(domain, version)| OperatorSetIdProto { domain, version })
                .collect(),
            producer_name: "brownout".to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            graph: Some(GraphProto {
                name: name.to_owned(),
                node: self.nodes,
                initializer: self.constants,
                input: vec![value(image)],
                output: vec![value(result)],
                ..GraphProto::default()
            }),
            metadata_props: metadata
                .iter()
                .map(|(key, value)| StringStringEntryProto {
                    key: (*key).to_owned(),
                    value: value.clone(),
                })
                .collect(),
            ..ModelProto::default()
        };
        model.encode_to_vec()
    }
}

fn attribute((name, value): &(&str, Attribute<'_>)) -> AttributeProto {
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

/// Single-precision numbers of any batch, and these extents behind it.
fn value((name, dims): (&str, &[usize])) -> ValueInfoProto {
    let extent = |value| Dimension {
        value: Some(value),
        ..Dimension::default()
    };
    let batch = extent(dimension::Value::DimParam("N".to_owned()));
    let rest = dims
        .iter()
        .map(|&d| extent(dimension::Value::DimValue(d as i64)));
    let tensor = type_proto::Tensor {
        elem_type: DataType::Float.into(),
        shape: Some(TensorShapeProto {
            dim: std::iter::once(batch).chain(rest).collect(),
        }),
    };
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(tensor)),
            ..TypeProto::default()
        }),
        ..ValueInfoProto::default()
    }
}
