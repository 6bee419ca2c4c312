//! A model's message made into a graph.

use super::Reading;
use super::attribute::attribute;
use super::tensor::initializer;
use crate::error::quoted;
use crate::graph::{Domain, Graph, GraphBuilder, Input, Node};
use crate::schema::tensor_shape_proto::dimension::Value as Extent;
use crate::schema::type_proto::Value as Type;
use crate::schema::{FunctionProto, GraphProto, ModelProto, NodeProto, ValueInfoProto};
use crate::tensor::{Element, count};
use std::collections::HashMap;

/// The oldest version of ONNX's operators that is read; before it, broadcasting had
/// rules of its own.
const OLDEST: i64 = 7;
/// The newest version that is known (onnx 1.23.2).
const NEWEST: i64 = 28;
/// Most attributes of a node; no operator has half as many.
const MOST_ATTRIBUTES: usize = 64;
/// Most elements of an input.
const MOST_INPUT: usize = 1 << 24;

/// The graph of the model.
///
/// # Errors
/// A sentence without the file's name.
pub(super) fn graph(reading: &mut Reading<'_>, model: ModelProto) -> Result<Graph, String> {
    let mut versions = HashMap::new();
    for set in &model.opset_import {
        let known = versions.insert(set.domain.clone(), set.version);
        if known.is_some_and(|known| known != set.version) {
            return Err(format!(
                "opset_import names the domain {} twice; allowed is one version of each",
                quoted(&set.domain)
            ));
        }
    }
    let standard = versions.get("").or_else(|| versions.get("ai.onnx"));
    let standard = standard.copied().unwrap_or(0);
    if !(OLDEST..=NEWEST).contains(&standard) {
        return Err(match standard {
            0 => format!(
                "opset_import does not say which version of ONNX's operators is meant; allowed \
                 are {OLDEST} to {NEWEST}"
            ),
            found => format!(
                "opset_import asks for version {found} of ONNX's operators; allowed are {OLDEST} \
                 to {NEWEST}"
            ),
        });
    }
    let version_of = |domain: &str| match Domain::named(domain) {
        Domain::Standard => standard,
        _ => versions.get(domain).copied().unwrap_or(0),
    };
    let graph = model
        .graph
        .ok_or("has no graph; expected a model of ONNX")?;
    let mut builder = GraphBuilder::default();
    let GraphProto {
        node: nodes,
        initializer: initializers,
        sparse_initializer,
        input: inputs,
        output: outputs,
        ..
    } = graph;
    if let Some(sparse) = sparse_initializer.first() {
        let name = sparse.values.as_ref().map_or("", |v| v.name.as_str());
        return Err(format!(
            "{} is sparse; allowed are initializers with all of their elements",
            initializer(name)
        ));
    }
    for message in initializers {
        let name = message.name.clone();
        let tensor = reading.tensor(message, &initializer(&name))?;
        builder.constant(&name, tensor)?;
    }
    let input = input(&mut builder, &inputs)?;
    let output = match outputs.as_slice() {
        [output] => builder.value(&output.name),
        [] => return Err("the graph has no output; allowed is one".to_owned()),
        more => {
            let names: Vec<_> = more.iter().take(4).map(|o| quoted(&o.name)).collect();
            return Err(format!(
                "the graph has {} outputs ({}); allowed is one",
                more.len(),
                names.join(", ")
            ));
        }
    };
    for message in nodes {
        let version = version_of(&message.domain);
        let node = node(reading, &mut builder, message, version, &model.functions)?;
        builder.node(node);
    }
    builder.finish(input, output)
}

fn node(
    reading: &mut Reading<'_>,
    builder: &mut GraphBuilder,
    message: NodeProto,
    version: i64,
    functions: &[FunctionProto],
) -> Result<Node, String> {
    let mut values = |names: &[String]| -> Vec<Option<usize>> {
        let value = |name: &String| (!name.is_empty()).then(|| builder.value(name));
        names.iter().map(value).collect()
    };
    let result = message.output.iter().find(|name| !name.is_empty());
    let mut node = Node {
        domain: Domain::named(&message.domain),
        version,
        inputs: values(&message.input),
        outputs: values(&message.output),
        result: result.cloned().unwrap_or_default(),
        name: message.name,
        operator: message.op_type,
        attributes: Vec::new(),
    };
    let label = node.label();
    let called = (functions.iter())
        .any(|f| f.name == node.operator && Domain::named(&f.domain) == node.domain);
    if called {
        return Err(format!(
            "{label} calls a function of the model; functions are not read, \
             onnx.inliner.inline_local_functions writes a model without them"
        ));
    }
    if message.attribute.len() > MOST_ATTRIBUTES {
        return Err(format!(
            "{label} has {} attributes; allowed are at most {MOST_ATTRIBUTES}",
            message.attribute.len()
        ));
    }
    for message in message.attribute {
        let (name, value) = attribute(reading, message, &label)?;
        if node.attribute(&name).is_some() {
            return Err(format!(
                "{label} has two attributes {}; allowed is one",
                quoted(&name)
            ));
        }
        node.attributes.push((name, value));
    }
    Ok(node)
}

/// The input that is no initializer: old files list the weights among the inputs.
fn input(builder: &mut GraphBuilder, inputs: &[ValueInfoProto]) -> Result<Input, String> {
    let real: Vec<_> = (inputs.iter())
        .filter(|input| !builder.is_constant(&input.name))
        .collect();
    let message = match real.as_slice() {
        [one] => *one,
        [] => return Err("the graph has no input; allowed is one".to_owned()),
        more => {
            let names: Vec<_> = more.iter().take(4).map(|i| quoted(&i.name)).collect();
            return Err(format!(
                "the graph has {} inputs that are no initializers ({}); allowed is one",
                more.len(),
                names.join(", ")
            ));
        }
    };
    let whose = format!("input {}", quoted(&message.name));
    let declared = message.r#type.as_ref().and_then(|t| t.value.as_ref());
    let Some(Type::TensorType(tensor)) = declared else {
        return Err(format!("{whose} is no tensor; allowed are tensors"));
    };
    let code = i64::from(tensor.elem_type);
    let element = Element::from_code(code)
        .map_err(|found| format!("the elements of {whose} are {found}; allowed are numbers"))?;
    let Some(dims) = &tensor.shape else {
        return Err(format!(
            "{whose} has no shape; allowed are fixed extents behind the batch"
        ));
    };
    let mut shape = Vec::with_capacity(dims.dim.len());
    for (at, dim) in dims.dim.iter().enumerate() {
        shape.push(match (&dim.value, at) {
            (Some(Extent::DimValue(1)), _) => 1,
            (Some(Extent::DimValue(0 | -1)) | None | Some(Extent::DimParam(_)), 0) => 1,
            (Some(Extent::DimValue(d)), 0) => {
                return Err(format!(
                    "{whose} has a batch of {d}; allowed are 1 and a symbol"
                ));
            }
            (Some(Extent::DimValue(d)), _) if *d > 0 => usize::try_from(*d).unwrap_or(usize::MAX),
            (found, _) => {
                let found = match found {
                    Some(Extent::DimParam(name)) => quoted(name),
                    Some(Extent::DimValue(d)) => d.to_string(),
                    None => "unknown".to_owned(),
                };
                return Err(format!(
                    "dimension {at} of {whose} is {found}; only the batch (dimension 0) may be \
                     dynamic, onnxruntime.tools.make_dynamic_shape_fixed fixes others"
                ));
            }
        });
    }
    if count(&shape).is_none_or(|n| n > MOST_INPUT) {
        return Err(format!(
            "{whose} has the shape {shape:?}; allowed are at most {MOST_INPUT} elements"
        ));
    }
    Ok(Input {
        value: builder.value(&message.name),
        shape,
        element,
    })
}
