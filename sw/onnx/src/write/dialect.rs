//! How a file says that a number is rounded.

use super::message::{Attribute, Graph};
use brownout_spec::arithmetic::OutputScale;
use brownout_spec::config::WeightBits;
use std::fmt;
use std::str::FromStr;

/// Which quantizers a file has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// ONNX's own: `QuantizeLinear` and `DequantizeLinear`, integers as tensors.
    #[default]
    Qdq,
    /// QONNX's `Quant`, numbers as tensors.
    Qonnx,
}

/// Domain of QONNX's quantizers.
const DOMAIN: &str = "qonnx.custom_op.general";
/// Its version that qonnx 1.0 writes and runs.
const DOMAIN_VERSION: i64 = 2;

/// What the integers of a tensor of activations are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    /// What one unit stands for.
    pub step: f64,
    /// The integer that stands for 0.
    pub zero: i8,
    /// The smallest integer that occurs.
    pub low: i8,
    /// The largest.
    pub high: i8,
}

impl Grid {
    /// That of a layer's output.
    pub fn of(output: OutputScale, zero: i8, step: f64) -> Self {
        Self {
            step,
            zero,
            low: output.low,
            high: output.high,
        }
    }

    /// That of integers of all eight bits.
    pub fn whole(zero: i8, step: f64) -> Self {
        Self {
            step,
            zero,
            low: i8::MIN,
            high: i8::MAX,
        }
    }

    /// What an integer stands for.
    pub fn real(&self, integer: i8) -> f32 {
        ((f64::from(integer) - f64::from(self.zero)) * self.step) as f32
    }

    /// Whether it begins at what stands for 0, as behind a ReLU.
    fn is_positive(&self) -> bool {
        self.low == self.zero && self.high > self.zero
    }
}

/// Bits, sign and narrowness of one of QONNX's quantizers.
struct Width {
    bits: u32,
    signed: bool,
    narrow: bool,
}

impl Width {
    /// Those of exactly the integers from `low` to `high`, if there are any.
    fn of(grid: &Grid) -> Option<Self> {
        let (low, high) = (i32::from(grid.low), i32::from(grid.high));
        (2..=8).find_map(|bits| {
            let half = 1 << (bits - 1);
            let forms = [
                (0, 2 * half - 1, false, false),
                (-half, half - 1, true, false),
                (1 - half, half - 1, true, true),
            ];
            let form = forms
                .into_iter()
                .find(|form| (form.0, form.1) == (low, high));
            form.map(|(.., signed, narrow)| Self {
                bits,
                signed,
                narrow,
            })
        })
    }

    fn whole(bits: u32) -> Self {
        Self {
            bits,
            signed: true,
            narrow: false,
        }
    }
}

/// Names of an activation.
#[derive(Clone, Debug)]
pub(super) struct Rounded {
    /// The real numbers that its integers stand for.
    pub real: String,
    /// The integers with their scale and zero point, where the dialect has them.
    pub integers: Option<[String; 3]>,
}

impl Dialect {
    /// What the graph must know of it.
    pub(super) fn declare(self, graph: &mut Graph) {
        if self == Self::Qonnx {
            graph.domain(DOMAIN, DOMAIN_VERSION);
        }
    }

    /// Brings a value to a grid; the result has the name `name`, which was taken.
    pub(super) fn activation(
        self,
        graph: &mut Graph,
        (name, value): (&str, &str),
        grid: &Grid,
    ) -> Rounded {
        // With a zero point QONNX has no width but the whole one, whose ends are fixed.
        let width = match grid.zero {
            0 => Width::of(grid),
            _ => None,
        };
        let fits = self == Self::Qonnx && width.is_some();
        let value = clipped(graph, (name, value), grid, fits);
        let scale = graph.floats(&format!("{name}.scale"), &[], &[grid.step as f32]);
        match self {
            Self::Qdq => {
                let zero = graph.bytes(&format!("{name}.zero_point"), &[], &[grid.zero]);
                let integers = format!("{name}.quantized");
                let operands = [&value[..], &scale, &zero];
                let integers = graph.node("QuantizeLinear", &integers, &operands, &[]);
                let node = ("DequantizeLinear", &format!("{name}.dequantized")[..]);
                let operands = [&integers[..], &scale, &zero];
                graph.node_of("", node, &operands, name, &[]);
                Rounded {
                    real: name.to_owned(),
                    integers: Some([integers, scale, zero]),
                }
            }
            Self::Qonnx => {
                let width = width.unwrap_or(Width::whole(8));
                quant(graph, name, (&value, &scale, f32::from(grid.zero)), &width);
                Rounded {
                    real: name.to_owned(),
                    integers: None,
                }
            }
        }
    }

    /// A value that was moved and nothing else, on the grid that it has already.
    ///
    /// onnxruntime 1.32 puts quantizers of its own behind what only moves signed integers, with a
    /// type that is none at opset 21, and then refuses the file.
    pub(super) fn moved(graph: &mut Graph, name: &str, from: &Rounded, value: String) -> String {
        let Some([_, scale, zero]) = &from.integers else {
            return value;
        };
        let integers = format!("{name}.quantized");
        let integers = graph.node("QuantizeLinear", &integers, &[&value, scale, zero], &[]);
        let real = format!("{name}.dequantized");
        graph.node("DequantizeLinear", &real, &[&integers, scale, zero], &[])
    }

    /// Weights of integers with these extents, output channels first, and the step of each output
    /// channel: the name of the real numbers, and those of the stored tensor and of the steps.
    pub(super) fn weights(
        self,
        graph: &mut Graph,
        name: &str,
        (dims, integers): (&[usize], &[i8]),
        (steps, bits): (&[f32], WeightBits),
    ) -> [String; 3] {
        match self {
            Self::Qdq => {
                let stored = format!("{name}_quantized");
                let stored = match bits {
                    WeightBits::Four => graph.nibbles(&stored, dims, integers),
                    WeightBits::Eight => graph.bytes(&stored, dims, integers),
                };
                let scale = graph.floats(&format!("{name}_scale"), &[steps.len()], steps);
                let axis = [("axis", Attribute::Int(0))];
                let operands = [&stored[..], &scale];
                let real = graph.node("DequantizeLinear", name, &operands, &axis);
                [real, stored, scale]
            }
            Self::Qonnx => {
                let of_output = integers.len() / steps.len().max(1);
                let values = integers.iter().enumerate();
                let values = values.map(|(at, &w)| f32::from(w) * steps[at / of_output]);
                let values: Vec<f32> = values.collect();
                let stored = graph.floats(&format!("{name}_values"), dims, &values);
                let each: Vec<usize> = std::iter::once(steps.len())
                    .chain(dims.iter().skip(1).map(|_| 1))
                    .collect();
                let scale = graph.floats(&format!("{name}_scale"), &each, steps);
                let real = graph.take_name(name);
                let width = Width::whole(bits.bits() as u32);
                quant(graph, &real, (&stored, &scale, 0.0), &width);
                graph.shape(&real, false, dims);
                [real, stored, scale]
            }
        }
    }
}

/// Cuts a value off where the grid ends, unless its quantizer does.
fn clipped(graph: &mut Graph, (name, value): (&str, &str), grid: &Grid, fits: bool) -> String {
    let clipped = format!("{name}.clipped");
    match grid {
        // A quantizer without a sign says it as well; but a ReLU is what people look for.
        _ if grid.is_positive() && (fits || grid.high == i8::MAX) => {
            graph.node("Relu", &clipped, &[value], &[])
        }
        _ if fits || (grid.low, grid.high) == (i8::MIN, i8::MAX) => value.to_owned(),
        _ => {
            let low = graph.floats(&format!("{name}.low"), &[], &[grid.real(grid.low)]);
            let high = graph.floats(&format!("{name}.high"), &[], &[grid.real(grid.high)]);
            graph.node("Clip", &clipped, &[value, &low, &high], &[])
        }
    }
}

/// QONNX's quantizer of a value with a scale and a zero point; its result has a taken name.
fn quant(graph: &mut Graph, name: &str, (value, scale, zero): (&str, &str, f32), width: &Width) {
    let zero = graph.floats(&format!("{name}.zero_point"), &[], &[zero]);
    let bits = graph.floats(&format!("{name}.bits"), &[], &[width.bits as f32]);
    let attributes = [
        ("signed", Attribute::Int(width.signed.into())),
        ("narrow", Attribute::Int(width.narrow.into())),
        ("rounding_mode", Attribute::Text("ROUND")),
    ];
    let node = ("Quant", &format!("{name}.quantizer")[..]);
    let operands = [value, scale, &zero, &bits];
    graph.node_of(DOMAIN, node, &operands, name, &attributes);
}

impl FromStr for Dialect {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "qdq" => Ok(Self::Qdq),
            "qonnx" => Ok(Self::Qonnx),
            _ => Err(format!(
                "dialect {name:?} is unknown; allowed are qdq and qonnx"
            )),
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Qdq => "qdq",
            Self::Qonnx => "qonnx",
        })
    }
}
