//! Quantizers of tensors, kept with all that their nodes say.

use super::value::Activation;
use super::walk::{Read, Walk};
use crate::fold;
use crate::graph::{Domain, Node};
use crate::network::{Operator, QuantizedForm};
use crate::quantization::Bipolar;
use crate::tensor::Element;

impl Walk<'_> {
    pub(super) fn quantizer(&mut self, node: &Node, read: &Read) -> Result<Activation, String> {
        let of = read.tensor(node, 0)?.clone();
        for at in 1..node.inputs.len() {
            if node.input(at).is_some() {
                read.known(node, at, "a parameter")?;
            }
        }
        let inputs = read.inputs();
        let linear = matches!(
            node.operator.as_str(),
            "QuantizeLinear" | "DequantizeLinear"
        );
        if node.domain == Domain::Microsoft && !linear {
            return Err(Walk::unknown(node));
        }
        let mut element = Element::F32;
        let (form, axis) = match node.operator.as_str() {
            "QuantizeLinear" | "DequantizeLinear" => {
                let scale = read.known(node, 1, "the scale")?;
                let quantize = node.operator == "QuantizeLinear";
                let otherwise = if quantize { Element::U8 } else { of.element };
                if !quantize && of.element.is_float() {
                    return Err(format!(
                        "{} reads a tensor of {}; allowed are integers",
                        node.label(),
                        of.element
                    ));
                }
                let pair = (scale, read.constant(2));
                let axis = node.int("axis", 1)?;
                let (linear, axis) = fold::linear_of(node, pair, &of.dims, axis, otherwise)?;
                if quantize {
                    element = linear.element;
                    (QuantizedForm::Quantize(linear), axis)
                } else {
                    (QuantizedForm::Dequantize(linear), axis)
                }
            }
            "BipolarQuant" => {
                let scale = read.known(node, 1, "the scale")?;
                let (scale, axis) = fold::along(node, "the scale", scale, &of.dims)?;
                fold::check_scale(node, &scale)?;
                (QuantizedForm::Bipolar(Bipolar { scale }), axis)
            }
            "Trunc" => {
                let (trunc, axis) = fold::trunc_of(node, &inputs, &of.dims)?;
                (QuantizedForm::Trunc(trunc), axis)
            }
            _ => {
                let (quant, axis) = fold::int_quant_of(node, &inputs, &of.dims)?;
                (QuantizedForm::IntQuant(quant), axis)
            }
        };
        self.check_channel(node, "the scale", &of, axis)?;
        let made = self.emit_same(node, Operator::Quantizer(form), &of)?;
        Ok(Activation { element, ..made })
    }

    /// The numbers behind integers whose scale and zero point are inputs of the node.
    ///
    /// # Errors
    /// Inputs that are missing or do not fit.
    pub(super) fn dequantized(
        &mut self,
        node: &Node,
        read: &Read,
        at: usize,
    ) -> Result<Activation, String> {
        let of = read.tensor(node, at)?.clone();
        let scale = read.known(node, at + 1, "the scale of the input")?;
        let pair = (scale, read.constant(at + 2));
        let (linear, axis) = fold::linear_of(node, pair, &of.dims, 1, of.element)?;
        self.check_channel(node, "the scale", &of, axis)?;
        let operator = Operator::Quantizer(QuantizedForm::Dequantize(linear));
        let made = self.emit_same(node, operator, &of)?;
        Ok(Activation {
            element: Element::F32,
            ..made
        })
    }

    /// The integers of numbers, with a scale and zero point that are inputs of the node.
    ///
    /// # Errors
    /// Inputs that are missing or do not fit.
    pub(super) fn requantized(
        &mut self,
        node: &Node,
        read: &Read,
        of: &Activation,
        at: usize,
    ) -> Result<Activation, String> {
        let scale = read.known(node, at, "the scale of the output")?;
        let pair = (scale, read.constant(at + 1));
        let (linear, axis) = fold::linear_of(node, pair, &of.dims, 1, Element::U8)?;
        self.check_channel(node, "the scale", of, axis)?;
        let element = linear.element;
        let operator = Operator::Quantizer(QuantizedForm::Quantize(linear));
        let made = self.emit_same(node, operator, of)?;
        Ok(Activation { element, ..made })
    }
}
