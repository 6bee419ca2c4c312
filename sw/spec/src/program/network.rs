//! A graph of layers and its shapes, independent of any hardware.

use super::layer::is_zero;
use super::{Layer, LayerShapes, Operation, Padding, ProgramError, Shape, Window};
use crate::config::MAX_LAYERS;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Largest side of a convolution's kernel.
pub const MAX_CONVOLUTION_KERNEL: usize = 15;
/// Largest side of a pooling window (6-bit field).
pub const MAX_POOL_KERNEL: usize = 63;
/// Largest stride (3-bit field).
pub const MAX_STRIDE: usize = 7;
/// Most pixels that a dilated window reaches over in a direction (6-bit field of padding).
pub const MAX_REACH: usize = 63;
/// Largest side of a feature map (12-bit field).
pub const MAX_SIDE: usize = 4095;
/// Most channels of a feature map, so that tile counters keep 12 bits at 4 rows.
pub const MAX_CHANNELS: usize = 16_384;
/// Most zeros that a layer of padding adds on a side.
pub const MAX_PAD: usize = 63;

/// A graph of layers, each after those that it reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Shape of an input image.
    pub input: Shape,
    /// The integer in the input that stands for 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub input_zero: i8,
    /// Layers in order; the last one is wide.
    pub layers: Vec<Layer>,
}

impl Network {
    /// The shapes of every layer, after checking every field.
    ///
    /// # Errors
    /// The first layer that is not allowed, with the field, what was found and what is allowed.
    pub fn shapes(&self) -> Result<Vec<LayerShapes>, ProgramError> {
        let shapes = self.maps()?;
        let index = self.layers.len() - 1;
        if self.layers[index].operation.residual().is_some() {
            return Err(self.refuse(
                index,
                "residual",
                "present",
                "none in the last layer, which gives the results",
            ));
        }
        if self.layers[index].zero != 0 {
            let found = self.layers[index].zero;
            let allowed = "0 in the last layer, whose results are no activations";
            return Err(self.refuse(index, "zero point", found, allowed));
        }
        self.check_readers()?;
        Ok(shapes)
    }

    /// The zero point of a tensor: 0 is the input, k the output of layer k − 1.
    ///
    /// # Panics
    /// If there is no such tensor.
    pub fn zero(&self, tensor: usize) -> i8 {
        match tensor {
            0 => self.input_zero,
            k => self.layers[k - 1].zero,
        }
    }

    /// As [`Network::shapes`], of layers to which others may still be added.
    ///
    /// # Errors
    /// As there, but for what the last layer gives and what is read.
    pub fn maps(&self) -> Result<Vec<LayerShapes>, ProgramError> {
        if !(1..=MAX_LAYERS).contains(&self.layers.len()) {
            return Err(ProgramError::LayerCount(self.layers.len()));
        }
        let i = self.input;
        let side = 1..=MAX_SIDE;
        if !side.contains(&i.height)
            || !side.contains(&i.width)
            || !(1..=MAX_CHANNELS).contains(&i.channels)
        {
            return Err(ProgramError::Input(i));
        }
        let mut tensors = vec![self.input];
        let mut shapes = Vec::with_capacity(self.layers.len());
        for index in 0..self.layers.len() {
            let shape = self.layer_shapes(index, &tensors)?;
            tensors.push(shape.output);
            shapes.push(shape);
        }
        Ok(shapes)
    }

    /// For each tensor the layers that read it, in order.
    ///
    /// # Panics
    /// If a layer reads a tensor that is not there.
    pub fn readers(&self) -> Vec<Vec<usize>> {
        let mut readers = vec![Vec::new(); self.layers.len() + 1];
        for (index, layer) in self.layers.iter().enumerate() {
            for &tensor in &layer.reads {
                let of: &mut Vec<usize> = &mut readers[tensor];
                if of.last() != Some(&index) {
                    of.push(index);
                }
            }
        }
        readers
    }

    /// Refuses outputs that nobody reads: whoever wrote such a network means another one.
    fn check_readers(&self) -> Result<(), ProgramError> {
        let readers = self.readers();
        let hidden = &readers[..self.layers.len()];
        match hidden.iter().skip(1).position(Vec::is_empty) {
            None => Ok(()),
            Some(layer) => Err(self.refuse(
                layer,
                "output",
                "read by no layer",
                "an output that a later layer reads, of all layers but the last",
            )),
        }
    }

    fn refuse(
        &self,
        layer: usize,
        field: &'static str,
        value: impl fmt::Display,
        allowed: impl Into<String>,
    ) -> ProgramError {
        ProgramError::Field {
            layer,
            name: self.layers[layer].name.clone(),
            field,
            value: value.to_string(),
            allowed: allowed.into(),
        }
    }

    fn check_range(
        &self,
        index: usize,
        field: &'static str,
        value: usize,
        (least, most): (usize, usize),
    ) -> Result<(), ProgramError> {
        match (least..=most).contains(&value) {
            true => Ok(()),
            false => Err(self.refuse(index, field, value, format!("{least} to {most}"))),
        }
    }

    fn check_window(&self, index: usize, window: &Window, most: usize) -> Result<(), ProgramError> {
        self.check_range(index, "kernel height", window.height, (1, most))?;
        self.check_range(index, "kernel width", window.width, (1, most))?;
        for stride in [window.stride.rows, window.stride.columns] {
            self.check_range(index, "stride", stride, (1, MAX_STRIDE))?;
        }
        for dilation in [window.dilation.rows, window.dilation.columns] {
            self.check_range(index, "dilation", dilation, (1, MAX_REACH))?;
        }
        let reach = window.reach();
        for reach in [reach.0, reach.1] {
            self.check_range(index, "dilated kernel", reach, (1, MAX_REACH))?;
        }
        self.check_padding(index, window.padding, reach)
    }

    /// A window must not lie in the padding alone.
    fn check_padding(
        &self,
        index: usize,
        padding: Padding,
        (rows, columns): (usize, usize),
    ) -> Result<(), ProgramError> {
        let most = [rows, columns, rows, columns];
        for ((field, value), most) in padding.sides().into_iter().zip(most) {
            self.check_range(index, field, value, (0, most - 1))?;
        }
        Ok(())
    }

    fn check_reads(&self, index: usize) -> Result<(), ProgramError> {
        let layer = &self.layers[index];
        let (least, most) = layer.operation.operands();
        let found = layer.reads.len();
        if !(least..=most).contains(&found) {
            let allowed = match most {
                usize::MAX => format!("{least} or more"),
                most => most.to_string(),
            };
            let what = format!("{allowed} in a layer of kind {}", layer.operation.kind());
            return Err(self.refuse(index, "number of tensors read", found, what));
        }
        match layer.reads.iter().find(|&&tensor| tensor > index) {
            None => Ok(()),
            Some(tensor) => Err(self.refuse(
                index,
                "tensor read",
                tensor,
                format!(
                    "0 to {index} (0 is the network's input, k the output of layer k - 1, and a layer reads what is in front of it)"
                ),
            )),
        }
    }

    /// `tensors[0]` is the input, `tensors[k]` the output of layer k − 1.
    fn layer_shapes(&self, index: usize, tensors: &[Shape]) -> Result<LayerShapes, ProgramError> {
        let layer = &self.layers[index];
        self.check_reads(index)?;
        let scale = layer.operation.operand_scale().unwrap_or_default();
        crate::arithmetic::check_scales(layer.output, scale).map_err(|source| {
            ProgramError::Overflow {
                layer: index,
                name: layer.name.clone(),
                source,
            }
        })?;
        let input = tensors[layer.source()];
        let (window, groups) = self.window(index, input)?;
        let output = self.output(index, tensors, &window)?;
        for (field, value, most) in [
            ("output height", output.height, MAX_SIDE),
            ("output width", output.width, MAX_SIDE),
            ("output channels", output.channels, MAX_CHANNELS),
        ] {
            self.check_range(index, field, value, (1, most))?;
        }
        let shapes = LayerShapes {
            input,
            output,
            window,
            groups,
        };
        self.check_residual(index, tensors, output)?;
        Ok(shapes)
    }

    /// The window that a layer moves over its input, checked, and its groups.
    fn window(&self, index: usize, input: Shape) -> Result<(Window, usize), ProgramError> {
        match self.layers[index].operation {
            Operation::Convolution {
                window,
                groups,
                output_channels,
                ..
            } => {
                self.check_window(index, &window, MAX_CONVOLUTION_KERNEL)?;
                let range = (1, MAX_CHANNELS);
                self.check_range(index, "output channels", output_channels, range)?;
                let divides = |channels: usize| channels.is_multiple_of(groups);
                if groups == 0 || !divides(input.channels) || !divides(output_channels) {
                    let allowed = format!(
                        "a divisor of the {} input and {output_channels} output channels",
                        input.channels
                    );
                    return Err(self.refuse(index, "groups", groups, allowed));
                }
                Ok((window, groups))
            }
            Operation::MaxPool { window } => {
                self.check_window(index, &window, MAX_POOL_KERNEL)?;
                if !window.always_meets(input) {
                    let map = (input.height, input.width);
                    let allowed = format!(
                        "one of which every place has a pixel of the map of {}x{}, for a maximum",
                        map.0, map.1
                    );
                    return Err(self.refuse(index, "window", window, allowed));
                }
                Ok((window, 1))
            }
            Operation::AveragePool { window, counted } => {
                self.check_window(index, &window, MAX_POOL_KERNEL)?;
                let sides = counted.sides().into_iter().zip(window.padding.sides());
                for ((field, counted), (_, padding)) in sides {
                    if counted > padding {
                        let allowed = format!("at most the window's own, {padding}");
                        let found = format!("{counted} of those that count");
                        return Err(self.refuse(index, field, found, allowed));
                    }
                }
                Ok((window, 1))
            }
            Operation::GlobalAveragePool => {
                let window = Window::whole(input);
                self.check_window(index, &window, MAX_POOL_KERNEL)?;
                Ok((window, 1))
            }
            Operation::Resize { factors } => {
                for factor in [factors.rows, factors.columns] {
                    self.check_range(index, "factor", factor, (1, MAX_STRIDE))?;
                }
                Ok((Window::square(1, 1, 0), 1))
            }
            Operation::Pad { padding } => {
                for (field, value) in padding.sides() {
                    self.check_range(index, field, value, (0, MAX_PAD))?;
                }
                Ok((Window::square(1, 1, 0), 1))
            }
            Operation::Add { .. } | Operation::Concat | Operation::Pointwise => {
                Ok((Window::square(1, 1, 0), 1))
            }
        }
    }

    /// What a layer writes.
    fn output(
        &self,
        index: usize,
        tensors: &[Shape],
        window: &Window,
    ) -> Result<Shape, ProgramError> {
        let layer = &self.layers[index];
        let input = tensors[layer.source()];
        let others = layer.reads[1..].iter().map(|&tensor| tensors[tensor]);
        match layer.operation {
            Operation::Convolution {
                output_channels, ..
            } => self.windowed(index, window, input, output_channels),
            Operation::MaxPool { .. }
            | Operation::AveragePool { .. }
            | Operation::GlobalAveragePool => self.windowed(index, window, input, input.channels),
            Operation::Pointwise => Ok(input),
            Operation::Add { .. } => {
                for other in others {
                    if other != input {
                        let allowed = format!("the first one's shape, {input}");
                        return Err(self.refuse(index, "second tensor", other, allowed));
                    }
                }
                Ok(input)
            }
            Operation::Concat => {
                let mut channels = input.channels;
                for zero in layer.reads.iter().map(|&tensor| self.zero(tensor)) {
                    if zero != layer.zero {
                        let allowed = format!("its own, {}, since it copies", layer.zero);
                        return Err(self.refuse(index, "zero point of a part", zero, allowed));
                    }
                }
                for other in others {
                    if (other.height, other.width) != (input.height, input.width) {
                        let map = (input.height, input.width);
                        let allowed = format!("maps of {}x{} as the first tensor", map.0, map.1);
                        return Err(self.refuse(index, "tensor", other, allowed));
                    }
                    channels = channels.saturating_add(other.channels);
                }
                Ok(Shape { channels, ..input })
            }
            Operation::Resize { factors } => Ok(Shape {
                height: input.height * factors.rows,
                width: input.width * factors.columns,
                ..input
            }),
            Operation::Pad { padding } => Ok(Shape {
                height: input.height + padding.top + padding.bottom,
                width: input.width + padding.left + padding.right,
                ..input
            }),
        }
    }

    fn windowed(
        &self,
        index: usize,
        window: &Window,
        input: Shape,
        channels: usize,
    ) -> Result<Shape, ProgramError> {
        let Some((height, width)) = window.positions(input) else {
            let padding = window.padding;
            return Err(self.refuse(
                index,
                "kernel",
                window,
                format!(
                    "at most the padded input of {}x{}",
                    input.height + padding.top + padding.bottom,
                    input.width + padding.left + padding.right
                ),
            ));
        };
        Ok(Shape {
            height,
            width,
            channels,
        })
    }

    fn check_residual(
        &self,
        index: usize,
        tensors: &[Shape],
        out: Shape,
    ) -> Result<(), ProgramError> {
        let layer = &self.layers[index];
        let (Some(residual), Some(tensor)) = (layer.operation.residual(), layer.operand()) else {
            return Ok(());
        };
        if !(1..=2).contains(&residual.stride) {
            return Err(self.refuse(index, "residual stride", residual.stride, "1 or 2"));
        }
        let operand = tensors[tensor];
        if operand.height.div_ceil(residual.stride) != out.height
            || operand.width.div_ceil(residual.stride) != out.width
            || operand.channels > out.channels
        {
            return Err(self.refuse(
                index,
                "residual operand",
                operand,
                format!(
                    "a map that gives {}x{} at stride {} with at most {} channels",
                    out.height, out.width, residual.stride, out.channels
                ),
            ));
        }
        Ok(())
    }
}
