//! Models put together message by message.

use brownout_onnx::schema::tensor_shape_proto::{Dimension, dimension};
use brownout_onnx::schema::type_proto::{Tensor, Value};
use brownout_onnx::schema::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto,
};
use prost::Message;

/// A model whose input is `x` and whose output is `y`, at opset 13.
#[derive(Clone)]
pub struct Model(pub ModelProto);

/// A value's name, type (1 is FLOAT) and extents.
pub fn value(name: &str, element: i32, extents: &[i64]) -> ValueInfoProto {
    let dimension = |&d: &i64| Dimension {
        value: Some(dimension::Value::DimValue(d)),
        ..Dimension::default()
    };
    let dim = extents.iter().map(dimension).collect();
    let tensor = Tensor {
        elem_type: element,
        shape: Some(TensorShapeProto { dim }),
    };
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            value: Some(Value::TensorType(tensor)),
            ..TypeProto::default()
        }),
        ..ValueInfoProto::default()
    }
}

impl Model {
    pub fn new(extents: &[i64]) -> Self {
        let graph = GraphProto {
            name: "g".to_owned(),
            input: vec![value("x", 1, extents)],
            output: vec![value("y", 1, &[])],
            ..GraphProto::default()
        };
        let model = ModelProto {
            ir_version: 8,
            graph: Some(graph),
            ..ModelProto::default()
        };
        Self(model).opset("", 13)
    }

    pub fn graph(&mut self) -> &mut GraphProto {
        self.0.graph.get_or_insert_default()
    }

    pub fn opset(mut self, domain: &str, version: i64) -> Self {
        self.0.opset_import.retain(|set| set.domain != domain);
        let domain = domain.to_owned();
        self.0
            .opset_import
            .push(OperatorSetIdProto { domain, version });
        self
    }

    /// `operator` may have its domain in front: `domain::operator`.
    pub fn node(
        mut self,
        operator: &str,
        inputs: &[&str],
        output: &str,
        attributes: &[AttributeProto],
    ) -> Self {
        let (domain, operator) = operator.rsplit_once("::").unwrap_or(("", operator));
        let node = NodeProto {
            op_type: operator.to_owned(),
            domain: domain.to_owned(),
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output: vec![output.to_owned()],
            attribute: attributes.to_vec(),
            ..NodeProto::default()
        };
        self.graph().node.push(node);
        self
    }

    pub fn tensor(mut self, tensor: TensorProto) -> Self {
        self.graph().initializer.push(tensor);
        self
    }

    pub fn floats(self, name: &str, dims: &[i64], values: &[f32]) -> Self {
        self.tensor(TensorProto {
            name: name.to_owned(),
            dims: dims.to_vec(),
            data_type: 1,
            float_data: values.to_vec(),
            ..TensorProto::default()
        })
    }

    /// Integers of 8 bits or less and of 32 bits, in `int32_data`.
    pub fn integers(self, name: &str, dims: &[i64], element: i32, values: &[i32]) -> Self {
        self.tensor(TensorProto {
            name: name.to_owned(),
            dims: dims.to_vec(),
            data_type: element,
            int32_data: values.to_vec(),
            ..TensorProto::default()
        })
    }

    pub fn list(self, name: &str, values: &[i64]) -> Self {
        self.tensor(TensorProto {
            name: name.to_owned(),
            dims: vec![values.len() as i64],
            data_type: 7,
            int64_data: values.to_vec(),
            ..TensorProto::default()
        })
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.0.encode_to_vec()
    }
}

pub fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        r#type: 1,
        f,
        ..AttributeProto::default()
    }
}

pub fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        r#type: 2,
        i,
        ..AttributeProto::default()
    }
}

pub fn text(name: &str, s: &str) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        r#type: 3,
        s: s.as_bytes().to_vec(),
        ..AttributeProto::default()
    }
}

pub fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        r#type: 7,
        ints: ints.to_vec(),
        ..AttributeProto::default()
    }
}
