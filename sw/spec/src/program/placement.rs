//! A network placed on a configuration: buffers, tiles, descriptors.

use super::descriptor::{self as field, Descriptor};
use super::{LayerShapes, Network, Operation, Padding, ProgramError, Residual, Shape, Steps};
use crate::arithmetic::check_accumulator;
use crate::config::{Configuration, RESULT_FIFO_DEPTH};

/// Number of activation buffers.
pub const BUFFERS: usize = 3;

/// One layer as the accelerator runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Shapes and window.
    pub shapes: LayerShapes,
    /// Whether the layer is a convolution, and so reads weights.
    pub convolution: bool,
    /// Whether it is the last layer, whose results are int32.
    pub wide: bool,
    /// Buffer that is read.
    pub source: usize,
    /// Buffer that is written.
    pub destination: usize,
    /// Buffer, shape and scale of the residual operand.
    pub residual: Option<(usize, Shape, Residual)>,
    /// Tiles of `rows` input channels; 1 in a pool.
    pub input_tiles: usize,
    /// Tiles of `columns` output channels.
    pub output_tiles: usize,
    /// Address of the first weight word (convolutions).
    pub weight_base: usize,
    /// Parameter address of the first output tile.
    pub parameter_base: usize,
    /// What the sequencer reads.
    pub descriptor: Descriptor,
}

impl Step {
    /// Array tiles (or pooling taps) that the layer streams, in all.
    pub fn tiles(&self) -> usize {
        self.output_tiles * self.taps() * self.input_tiles
    }

    /// Pixels of the window.
    pub fn taps(&self) -> usize {
        self.shapes.window.taps()
    }

    /// M: output pixels, streamed once per tile.
    pub fn pixels(&self) -> usize {
        self.shapes.output.pixels()
    }

    /// Multiplications of the layer, padding of tiles not counted.
    pub fn multiply_accumulates(&self) -> usize {
        if !self.convolution {
            return 0;
        }
        self.shapes.inputs() * self.shapes.output.volume()
    }
}

/// A network placed on a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Layers in order.
    pub steps: Vec<Step>,
    /// Words of the weight memory in use; each is read once a pass.
    pub weight_words: usize,
    /// Parameter addresses in use: output tiles of all layers.
    pub parameter_tiles: usize,
    /// Shape of the input image, which the host writes to buffer 0.
    pub input: Shape,
}

impl Program {
    /// Places a network, or says which limit it exceeds and by how much.
    pub fn new(configuration: &Configuration, network: &Network) -> Result<Self, ProgramError> {
        let shapes = network.shapes()?;
        let depths = &configuration.depths;
        check_depth("depths.layers", depths.layers, shapes.len(), "the network")?;
        check_activations(configuration, network.input, "the input")?;
        let mut program = Self {
            steps: Vec::with_capacity(shapes.len()),
            weight_words: 0,
            parameter_tiles: 0,
            input: network.input,
        };
        let buffers = assign_buffers(network)?;
        for (index, shape) in shapes.iter().enumerate() {
            program.place(configuration, network, index, *shape, &buffers)?;
        }
        if program.weight_words == 0 {
            return Err(ProgramError::NoWeights);
        }
        check_depth(
            "depths.weights",
            depths.weights,
            program.weight_words,
            "the weight image",
        )?;
        check_depth(
            "depths.parameters",
            depths.parameters,
            program.parameter_tiles,
            "the program (output tiles of all layers)",
        )?;
        let results = shapes[shapes.len() - 1].output.channels;
        if results > RESULT_FIFO_DEPTH {
            return Err(ProgramError::Results(results));
        }
        Ok(program)
    }

    fn place(
        &mut self,
        configuration: &Configuration,
        network: &Network,
        index: usize,
        shapes: LayerShapes,
        buffers: &[usize],
    ) -> Result<(), ProgramError> {
        let layer = &network.layers[index];
        check_operation(network, index, &shapes)?;
        let convolution = layer.operation.has_weights();
        let named = format!("layer {index} ({})", layer.name);
        let wide = index + 1 == network.layers.len();
        if !wide {
            check_activations(configuration, shapes.output, &named)?;
        }
        check_depth(
            "depths.accumulators",
            configuration.depths.accumulators,
            shapes.output.pixels(),
            &named,
        )?;
        if convolution {
            let zero = network.zero(layer.source());
            check_accumulator(shapes.inputs(), configuration.weight_bits, zero).map_err(
                |source| ProgramError::Overflow {
                    layer: index,
                    name: layer.name.clone(),
                    source,
                },
            )?;
        }
        let operand = layer.operand().zip(layer.operation.residual());
        let residual =
            operand.map(|(tensor, r)| (buffers[tensor], tensor_shape(network, self, tensor), r));
        let mut step = Step {
            shapes,
            convolution,
            wide,
            source: buffers[layer.source()],
            destination: buffers[index + 1],
            residual,
            input_tiles: if convolution {
                shapes.input.channels.div_ceil(configuration.rows)
            } else {
                1
            },
            output_tiles: shapes.output.channels.div_ceil(configuration.columns),
            weight_base: self.weight_words,
            parameter_base: self.parameter_tiles,
            descriptor: Descriptor::default(),
        };
        self.parameter_tiles += step.output_tiles;
        if convolution {
            self.weight_words += step.tiles() * configuration.words_per_tile();
        }
        check_depth(
            "depths.parameters",
            configuration.depths.parameters,
            self.parameter_tiles,
            &named,
        )?;
        step.descriptor = describe(configuration, network, index, &step);
        self.steps.push(step);
        Ok(())
    }

    /// The 32-bit words of the program memory, [`field::WORDS`] a layer.
    pub fn words(&self) -> Vec<u32> {
        self.steps.iter().flat_map(|s| s.descriptor.0).collect()
    }
}

fn tensor_shape(network: &Network, program: &Program, tensor: usize) -> Shape {
    match tensor {
        0 => network.input,
        k => program.steps[k - 1].shapes.output,
    }
}

fn check_depth(
    field: &'static str,
    have: usize,
    need: usize,
    what: &str,
) -> Result<(), ProgramError> {
    if need > have {
        return Err(ProgramError::Depth {
            field,
            have,
            need,
            what: what.to_owned(),
        });
    }
    Ok(())
}

fn check_activations(
    configuration: &Configuration,
    shape: Shape,
    what: &str,
) -> Result<(), ProgramError> {
    let groups = shape.channels.div_ceil(configuration.activation_lanes());
    check_depth(
        "depths.activations",
        configuration.depths.activations,
        groups * shape.pixels(),
        &format!("{what}, a map of {shape},"),
    )
}

/// The buffer of every tensor: entry 0 is the input, entry k the output of layer k − 1.
fn assign_buffers(network: &Network) -> Result<Vec<usize>, ProgramError> {
    let readers = network.readers();
    let mut buffers = vec![0];
    for index in 0..network.layers.len() {
        // In use while this layer writes: every tensor that it or a later layer reads.
        let mut taken = [false; BUFFERS];
        for (tensor, buffer) in buffers.iter().enumerate() {
            if readers[tensor].last().is_some_and(|&last| last >= index) {
                taken[*buffer] = true;
            }
        }
        let free = taken
            .iter()
            .position(|used| !used)
            .ok_or_else(|| ProgramError::Buffers {
                layer: index,
                name: network.layers[index].name.clone(),
            })?;
        buffers.push(free);
    }
    Ok(buffers)
}

/// Refuses what no accelerator computes.
fn check_operation(
    network: &Network,
    index: usize,
    shapes: &LayerShapes,
) -> Result<(), ProgramError> {
    let layer = &network.layers[index];
    let refuse = |field, value: String, allowed: &str| {
        Err(ProgramError::Field {
            layer: index,
            name: layer.name.clone(),
            field,
            value,
            allowed: format!("{allowed} on an accelerator"),
        })
    };
    match layer.operation {
        Operation::Convolution { .. }
        | Operation::MaxPool { .. }
        | Operation::GlobalAveragePool => {}
        other => {
            let allowed = "convolution, max pool or global average pool";
            return refuse("operation", other.kind().to_owned(), allowed);
        }
    }
    let zeros = layer.reads.iter().map(|&tensor| network.zero(tensor));
    if let Some(zero) = zeros.chain([layer.zero]).find(|&zero| zero != 0) {
        return refuse("zero point", zero.to_string(), "0");
    }
    let window = shapes.window;
    if shapes.groups != 1 {
        return refuse("groups", shapes.groups.to_string(), "1");
    }
    if window.stride.rows != window.stride.columns {
        return refuse(
            "stride",
            window.stride.to_string(),
            "one for both directions",
        );
    }
    if window.dilation != Steps::ONE {
        return refuse("dilation", window.dilation.to_string(), "1");
    }
    if window.padding != Padding::around(window.padding.top) {
        return refuse("padding", window.padding.to_string(), "one for all sides");
    }
    if layer.operand() == Some(layer.source()) {
        let allowed = "another tensor than the layer's source";
        return refuse("residual operand", "its source".to_owned(), allowed);
    }
    Ok(())
}

/// Channels in the last of the tiles that `channels` fill.
fn last_tile(channels: usize, tile: usize) -> usize {
    (channels - 1) % tile + 1
}

fn describe(
    configuration: &Configuration,
    network: &Network,
    index: usize,
    step: &Step,
) -> Descriptor {
    let mut d = Descriptor::default();
    let s = &step.shapes;
    let layer = &network.layers[index];
    d.set(field::POOL, usize::from(!step.convolution));
    d.set(
        field::AVERAGE,
        usize::from(layer.operation == Operation::GlobalAveragePool),
    );
    d.set(field::WIDE, usize::from(step.wide));
    d.set(field::LAST, usize::from(step.wide));
    d.set(field::SOURCE, step.source);
    d.set(field::DESTINATION, step.destination);
    d.set(field::KERNEL_HEIGHT, s.window.height - 1);
    d.set(field::KERNEL_WIDTH, s.window.width - 1);
    d.set(field::STRIDE, s.window.stride.rows);
    d.set(field::PADDING, s.window.padding.top);
    d.set(field::INPUT_HEIGHT, s.input.height);
    d.set(field::INPUT_WIDTH, s.input.width);
    d.set(field::OUTPUT_HEIGHT, s.output.height - 1);
    d.set(field::OUTPUT_WIDTH, s.output.width - 1);
    d.set(field::INPUT_TILES, step.input_tiles - 1);
    d.set(field::OUTPUT_TILES, step.output_tiles - 1);
    let width = s.input.width as i64;
    let padding = s.window.padding.top as i64;
    d.set_wrapped(field::INPUT_PLANE, s.input.pixels() as i64);
    d.set_wrapped(field::ROW_STEP, s.window.stride.rows as i64 * width);
    d.set_wrapped(field::TAP_ROW_STEP, width - (s.window.width as i64 - 1));
    d.set_wrapped(field::ORIGIN, -(padding * width + padding));
    d.set(
        field::LAST_ROWS,
        last_tile(s.input.channels, configuration.rows),
    );
    d.set(
        field::LAST_COLUMNS,
        last_tile(s.output.channels, configuration.columns),
    );
    d.set(field::OUTPUT_PLANE, s.output.pixels() - 1);
    d.set(field::PARAMETER_BASE, step.parameter_base);
    d.set(field::SHIFT, usize::from(layer.output.shift));
    d.set_wrapped(field::LOW, i64::from(layer.output.low));
    d.set_wrapped(field::HIGH, i64::from(layer.output.high));
    describe_operand(configuration, step, &mut d);
    d
}

/// The operand port: a residual, or the map that a pool reduces.
fn describe_operand(configuration: &Configuration, step: &Step, d: &mut Descriptor) {
    let Some((buffer, shape, residual)) = step.residual else {
        let channels = step.shapes.output.channels;
        d.set(field::OPERAND_SOURCE, step.source);
        d.set(field::OPERAND_STRIDE, 1);
        d.set_wrapped(field::OPERAND_PLANE, step.shapes.input.pixels() as i64);
        d.set(field::OPERAND_TILES, step.output_tiles - 1);
        d.set(
            field::LAST_OPERAND_COLUMNS,
            last_tile(channels, configuration.columns),
        );
        return;
    };
    d.set(field::OPERAND, 1);
    d.set(field::OPERAND_SOURCE, buffer);
    d.set(field::OPERAND_STRIDE, residual.stride);
    d.set_wrapped(
        field::OPERAND_ROW_STEP,
        (residual.stride * shape.width) as i64,
    );
    d.set_wrapped(field::OPERAND_PLANE, shape.pixels() as i64);
    d.set(
        field::OPERAND_TILES,
        shape.channels.div_ceil(configuration.columns) - 1,
    );
    d.set(
        field::LAST_OPERAND_COLUMNS,
        last_tile(shape.channels, configuration.columns),
    );
    d.set(field::RESIDUAL_SHIFT, usize::from(residual.scale.shift));
    d.set_wrapped(
        field::RESIDUAL_MULTIPLIER,
        i64::from(residual.scale.multiplier),
    );
}

#[cfg(test)]
mod fit_tests;
#[cfg(test)]
mod tests;
