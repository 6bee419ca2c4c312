//! The graph of a file: nodes in an order in which each finds its inputs computed.

mod build;
mod order;

pub use build::GraphBuilder;

use crate::error::quoted;
use crate::tensor::{Element, Tensor};
use std::borrow::Cow;

/// The place of a value in [`Graph::values`].
pub type ValueId = usize;

/// Nodes, values, and what goes in and out.
#[derive(Clone, Debug)]
pub struct Graph {
    /// Everything that has a name: inputs, constants and results.
    pub values: Vec<Value>,
    /// Each after those whose results it reads; only those that the output needs.
    pub nodes: Vec<Node>,
    /// The input that is no constant.
    pub input: Input,
    /// The result.
    pub output: ValueId,
    /// Nodes that the output does not need: their labels.
    pub unused: Vec<String>,
}

/// A value that a name stands for.
#[derive(Clone, Debug)]
pub struct Value {
    /// Its name in the file.
    pub name: String,
    /// What it is, where the file says so.
    pub constant: Option<Tensor>,
}

/// What the network is applied to.
#[derive(Clone, Debug)]
pub struct Input {
    /// The value.
    pub value: ValueId,
    /// Extents, the batch (1) first.
    pub shape: Vec<usize>,
    /// Type of its elements.
    pub element: Element,
}

/// An operator applied to values.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name, often empty.
    pub name: String,
    /// Whose operator it is.
    pub domain: Domain,
    /// Version of the operators of that domain that the file declares; 0 for none.
    pub version: i64,
    /// The operator's name.
    pub operator: String,
    /// What it reads; `None` for an optional input that is left out.
    pub inputs: Vec<Option<ValueId>>,
    /// What it computes; `None` for an output that nobody asked for.
    pub outputs: Vec<Option<ValueId>>,
    /// Name of the first output, by which people find a node without a name.
    pub result: String,
    /// Attributes by name.
    pub attributes: Vec<(String, Attribute)>,
}

/// Whose operators are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Domain {
    /// ONNX's own.
    Standard,
    /// One of the names under which the operators of QONNX occur.
    Qonnx,
    /// onnxruntime's.
    Microsoft,
    /// Any other.
    Other(String),
}

/// The domains of QONNX's operators; in many files none of them is declared.
const QONNX: [&str; 6] = [
    "qonnx.custom_op.general",
    "onnx.brevitas",
    "finn.custom_op.general",
    "finn",
    "qonnx",
    "brevitas",
];

impl Domain {
    /// The domain of that name.
    pub fn named(name: &str) -> Self {
        match name {
            "" | "ai.onnx" => Self::Standard,
            "com.microsoft" => Self::Microsoft,
            name if QONNX.contains(&name) => Self::Qonnx,
            name => Self::Other(name.to_owned()),
        }
    }
}

/// The value of an attribute.
#[derive(Clone, Debug)]
pub enum Attribute {
    /// A number.
    Float(f32),
    /// A whole number.
    Int(i64),
    /// A text.
    Text(String),
    /// A tensor.
    Tensor(Tensor),
    /// Numbers.
    Floats(Vec<f32>),
    /// Whole numbers.
    Ints(Vec<i64>),
    /// What no operator that is read has; its kind.
    Other(&'static str),
}

impl Attribute {
    fn kind(&self) -> &'static str {
        match self {
            Self::Float(_) => "a number",
            Self::Int(_) => "a whole number",
            Self::Text(_) => "a text",
            Self::Tensor(_) => "a tensor",
            Self::Floats(_) => "a list of numbers",
            Self::Ints(_) => "a list of whole numbers",
            Self::Other(kind) => kind,
        }
    }
}

impl Node {
    /// The node as a sentence names it: operator, and name or result.
    pub fn label(&self) -> String {
        let operator = quoted(&self.operator);
        let operator = operator.trim_matches('"');
        match self.name.is_empty() {
            true => format!("node of {} ({operator})", quoted(&self.result)),
            false => format!("node {} ({operator})", quoted(&self.name)),
        }
    }

    /// The value that it reads at that place.
    pub fn input(&self, at: usize) -> Option<ValueId> {
        self.inputs.get(at).copied().flatten()
    }

    /// The attribute of that name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        let found = self.attributes.iter().find(|(known, _)| known == name);
        found.map(|(_, attribute)| attribute)
    }

    fn wrong(&self, name: &str, expected: &str) -> String {
        let found = self.attribute(name).map_or("nothing", Attribute::kind);
        format!(
            "attribute {name} of {} is {found}; allowed is {expected}",
            self.label()
        )
    }

    /// A whole number, or what it is where the file does not say it.
    ///
    /// # Errors
    /// An attribute of another kind.
    pub fn int(&self, name: &str, otherwise: i64) -> Result<i64, String> {
        match self.attribute(name) {
            None => Ok(otherwise),
            Some(Attribute::Int(value)) => Ok(*value),
            Some(_) => Err(self.wrong(name, "a whole number")),
        }
    }

    /// A whole number that says yes or no.
    ///
    /// # Errors
    /// Another number.
    pub fn flag(&self, name: &str, otherwise: bool) -> Result<bool, String> {
        match self.int(name, i64::from(otherwise))? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(format!(
                "attribute {name} of {} is {other}; allowed are 0 and 1",
                self.label()
            )),
        }
    }

    /// A finite number.
    ///
    /// # Errors
    /// An attribute of another kind, or a number that is not finite.
    pub fn float(&self, name: &str, otherwise: f32) -> Result<f32, String> {
        match self.attribute(name) {
            None => Ok(otherwise),
            Some(Attribute::Float(value)) if value.is_finite() => Ok(*value),
            Some(Attribute::Float(value)) => Err(format!(
                "attribute {name} of {} is {value}; allowed are finite numbers",
                self.label()
            )),
            Some(_) => Err(self.wrong(name, "a number")),
        }
    }

    /// A text.
    ///
    /// # Errors
    /// An attribute of another kind.
    pub fn text(&self, name: &str, otherwise: &'static str) -> Result<Cow<'_, str>, String> {
        match self.attribute(name) {
            None => Ok(Cow::Borrowed(otherwise)),
            Some(Attribute::Text(value)) => Ok(Cow::Borrowed(value)),
            Some(_) => Err(self.wrong(name, "a text")),
        }
    }

    /// A list of whole numbers, where the file says it.
    ///
    /// # Errors
    /// An attribute of another kind.
    pub fn ints(&self, name: &str) -> Result<Option<&[i64]>, String> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Ints(values)) => Ok(Some(values)),
            Some(_) => Err(self.wrong(name, "a list of whole numbers")),
        }
    }
}
