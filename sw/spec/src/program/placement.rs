//! A network placed on a configuration: what it needs is checked, and its passes put in order.

use super::describe::{describe, describe_load};
use super::descriptor::Descriptor;
use super::layout::{Layout, Run, Stay, writes};
use super::place::{BUFFERS, Place, map_words};
use super::slices::Part;
use super::{
    Layer, LayerShapes, Network, Operand, Operation, Origin, ProgramError, Shape, Step, Window,
};
use crate::arithmetic::{OutputScale, check_accumulator};
use crate::config::Configuration;
use crate::image::{Grid, Tiling};

/// Where a layer's output lies, and from when on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// The step after which all of it is there.
    pub step: usize,
    /// Its place then.
    pub place: Place,
    /// Its shape.
    pub shape: Shape,
    /// Whether the lanes up to the next multiple of the columns are zero behind its last channel:
    /// of a part that another one follows within them, or that begins within, they are not.
    pub padded: bool,
}

/// A network placed on a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Passes in order: layers, but for concats that are free, and copies.
    pub steps: Vec<Step>,
    /// The output of every layer but the last.
    pub outputs: Vec<Output>,
    /// What lies where in the buffers, and during which steps.
    pub stays: Vec<Stay>,
    /// How the parts of concatenated tensors come into their slices.
    pub parts: Vec<Part>,
    /// Words of the weight memory in use; each is read once a pass.
    pub weight_words: usize,
    /// Parameter addresses in use: output tiles of all steps and sets.
    pub parameter_tiles: usize,
    /// Shape of the input image, which the host writes to buffer 0.
    pub input: Shape,
}

impl Program {
    /// Places a network, or says which limit it exceeds and by how much.
    pub fn new(configuration: &Configuration, network: &Network) -> Result<Self, ProgramError> {
        let shapes = network.shapes()?;
        let depths = &configuration.depths;
        let layers = network.layers.iter();
        let passes = layers.filter(|layer| layer.operation != Operation::Concat);
        check_depth(
            "depths.layers",
            depths.layers,
            passes.count(),
            "the network",
        )?;
        check_depth(
            "tables",
            configuration.tables,
            tables(&network.layers),
            "the network, one for each pointwise layer,",
        )?;
        check_activations(configuration, network.input, "the input")?;
        for (index, shape) in shapes.iter().enumerate() {
            check_layer(configuration, network, index, shape)?;
        }
        let layout = Layout::new(configuration, network, &shapes)?;
        let mut program = Self {
            steps: Vec::with_capacity(layout.runs.len()),
            outputs: layout.outputs,
            stays: layout.stays,
            parts: layout.parts,
            weight_words: 0,
            parameter_tiles: 0,
            input: network.input,
        };
        check_depth(
            "depths.layers",
            depths.layers,
            layout.runs.len(),
            "the network with its copies of tensors",
        )?;
        for run in &layout.runs {
            program.place(configuration, network, &shapes, run)?;
        }
        if program.weight_words == 0 {
            return Err(ProgramError::NoWeights);
        }
        program.describe_loads(configuration);
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
        let last = shapes[shapes.len() - 1].output;
        let results = match last.pixels() {
            1 => "the last layer (results, one a class)".to_owned(),
            _ => format!("the last layer (results, a map of {last})"),
        };
        check_depth("depths.results", depths.results, last.volume(), &results)?;
        Ok(program)
    }

    fn place(
        &mut self,
        configuration: &Configuration,
        network: &Network,
        shapes: &[LayerShapes],
        run: &Run,
    ) -> Result<(), ProgramError> {
        let mut step = match run.origin {
            Origin::Copy(tensor) => copy(tensor_shape(network, shapes, tensor), run),
            Origin::Layer(layer) => compute(network, shapes, layer, run),
        };
        step.output_tiles = step.shapes.output.channels.div_ceil(configuration.columns);
        let lane = step.destination.lane % configuration.columns;
        let reach = lane + step.shapes.output.channels;
        step.split = lane > 0 && reach > configuration.columns;
        step.weight_base = self.weight_words;
        step.parameter_base = self.parameter_tiles;
        self.parameter_tiles += step.parameter_tiles();
        if step.convolution {
            let tiling = tiling(configuration, &step.shapes);
            step.input_tiles = tiling.input_tiles();
            step.tiling = Some(tiling);
            self.weight_words += step.output_tiles * step.taps() * tiling.words_per_tap();
        }
        let what = match run.origin {
            Origin::Copy(tensor) => format!("the program, up to a copy of tensor {tensor},"),
            Origin::Layer(layer) => named(network, layer),
        };
        check_depth(
            "depths.parameters",
            configuration.depths.parameters,
            self.parameter_tiles,
            &what,
        )?;
        step.descriptor = describe(configuration, &step);
        self.steps.push(step);
        Ok(())
    }

    /// Tells each step how the weights are loaded that come next: its own, or a later one's.
    fn describe_loads(&mut self, configuration: &Configuration) {
        let mut next = None;
        for step in self.steps.iter_mut().rev() {
            next = step.tiling.or(next);
            if let Some(tiling) = next {
                describe_load(configuration, &tiling, &mut step.descriptor);
            }
        }
    }

    /// Results that a pass gives, pixel by pixel, channels inside.
    pub fn results(&self) -> usize {
        let last = self.steps.last();
        last.map_or(0, |step| step.shapes.output.volume())
    }

    /// The 32-bit words of the program memory, [`WORDS`] a step.
    ///
    /// [`WORDS`]: super::descriptor::WORDS
    pub fn words(&self) -> Vec<u32> {
        self.steps.iter().flat_map(|s| s.descriptor.0).collect()
    }

    /// The most words of each buffer in use at a time, counted from its first one.
    pub fn peaks(&self) -> [usize; BUFFERS] {
        let mut peaks = [0; BUFFERS];
        for stay in &self.stays {
            let peak: &mut usize = &mut peaks[stay.buffer];
            *peak = (*peak).max(stay.base + stay.words);
        }
        peaks
    }
}

/// What message call a layer.
fn named(network: &Network, layer: usize) -> String {
    format!("layer {layer} ({})", network.layers[layer].name)
}

/// The shape of the input, or of what layer `tensor` − 1 writes.
fn tensor_shape(network: &Network, shapes: &[LayerShapes], tensor: usize) -> Shape {
    match tensor {
        0 => network.input,
        k => shapes[k - 1].output,
    }
}

/// A pass that leaves every value as it is.
fn copy(map: Shape, run: &Run) -> Step {
    let pixel = LayerShapes {
        input: map,
        output: map,
        window: Window::square(1, 1, 0),
        groups: 1,
    };
    Step {
        sums: true,
        output: COPY_SCALE,
        ..weightless(pixel, run)
    }
}

/// Scale of a copy, whose channels all have its [`identity`].
///
/// [`identity`]: crate::arithmetic::ChannelParameters::identity
const COPY_SCALE: OutputScale = OutputScale {
    shift: 1,
    low: i8::MIN,
    high: i8::MAX,
};

/// A step that has no weights, one set of parameters, and takes maxima.
fn weightless(shapes: LayerShapes, run: &Run) -> Step {
    Step {
        origin: run.origin,
        shapes,
        repeats: (0, 0),
        convolution: false,
        sums: false,
        operand_tap: false,
        wide: run.destination.is_none(),
        source: run.source,
        source_zero: 0,
        split: false,
        keep: run.keep,
        destination: run.destination.unwrap_or(Place {
            base: shapes.output.channels,
            ..NOWHERE
        }),
        operand: None,
        output: COPY_SCALE,
        table: None,
        tiling: None,
        input_tiles: 1,
        output_tiles: 1,
        sets: 1,
        weight_base: 0,
        parameter_base: 0,
        descriptor: Descriptor::default(),
    }
}

/// The place of results, which go to no buffer.
const NOWHERE: Place = Place {
    buffer: 0,
    base: 0,
    lane: 0,
};

/// The pass of a layer.
fn compute(network: &Network, shapes: &[LayerShapes], layer: usize, run: &Run) -> Step {
    let this = &network.layers[layer];
    let mut step = Step {
        output: this.output,
        source_zero: network.zero(this.source()),
        sums: !matches!(
            this.operation,
            Operation::Convolution { .. } | Operation::MaxPool { .. }
        ),
        convolution: this.operation.has_weights(),
        ..weightless(shapes[layer], run)
    };
    let operand = |place, stride, scale| Operand {
        place,
        shape: tensor_shape(network, shapes, this.reads[1]),
        stride,
        scale,
        zero: network.zero(this.reads[1]),
    };
    match this.operation {
        Operation::Convolution {
            residual: Some(residual),
            ..
        } => {
            let with = |place| operand(place, residual.stride, residual.scale);
            step.operand = run.operand.map(with);
        }
        Operation::Add { scale } => {
            step.operand = run.operand.map(|place| operand(place, 1, scale));
            step.operand_tap = true;
        }
        Operation::AveragePool { .. } => {
            let sets = this.operation.parameter_sets(step.shapes.input);
            step.sets = sets.expect("every layer was checked");
        }
        Operation::Pointwise => step.table = Some(tables(&network.layers[..layer])),
        Operation::Pad { padding } => step.shapes.window.padding = padding,
        Operation::Resize { factors } => step.repeats = (factors.rows - 1, factors.columns - 1),
        _ => {}
    }
    step
}

/// Tables that layers need: each pointwise layer has its own, in their order.
pub(super) fn tables(layers: &[Layer]) -> usize {
    let pointwise = |layer: &&Layer| layer.operation == Operation::Pointwise;
    layers.iter().filter(pointwise).count()
}

/// Checks what depends on a layer alone.
fn check_layer(
    configuration: &Configuration,
    network: &Network,
    index: usize,
    shapes: &LayerShapes,
) -> Result<(), ProgramError> {
    let layer = &network.layers[index];
    check_operation(configuration, network, index, shapes)?;
    let named = named(network, index);
    if writes(network, index) {
        check_activations(configuration, shapes.output, &named)?;
    }
    check_depth(
        "depths.accumulators",
        configuration.depths.accumulators,
        shapes.output.pixels(),
        &named,
    )?;
    if !layer.operation.has_weights() {
        return Ok(());
    }
    let zero = network.zero(layer.source());
    check_accumulator(shapes.inputs(), configuration.weight_bits, zero).map_err(|source| {
        ProgramError::Overflow {
            layer: index,
            name: layer.name.clone(),
            source,
        }
    })
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
    check_depth(
        "depths.activations",
        configuration.depths.activations,
        map_words(configuration, shape),
        &format!("{what}, a map of {shape},"),
    )
}

/// Refuses what the accelerator does not compute.
fn check_operation(
    configuration: &Configuration,
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
            allowed: allowed.to_owned(),
        })
    };
    let zeros = layer.reads.iter().map(|&tensor| network.zero(tensor));
    if let Some(zero) = zeros.chain([layer.zero]).find(|&zero| zero != 0)
        && !configuration.zero_points
    {
        let allowed = "0 on an accelerator without zero points; it needs zero_points = true";
        return refuse("zero point", zero.to_string(), allowed);
    }
    let window = shapes.window;
    if layer.operation.parameter_sets(shapes.input).is_none() {
        return refuse(
            "window",
            format!(
                "{window} with stride {} and padding {} over a map of {}",
                window.stride, window.padding, shapes.input
            ),
            "an average whose divisor differs at most between first, last and other rows and columns of windows, and is never zero, on an accelerator",
        );
    }
    Ok(())
}

fn tiling(configuration: &Configuration, shapes: &LayerShapes) -> Tiling {
    let outputs = shapes.output.channels;
    Tiling::new(
        Grid::of(configuration),
        outputs,
        shapes.groups,
        shapes.group_channels(),
    )
}

#[cfg(test)]
mod fit_tests;
#[cfg(test)]
mod tests;
