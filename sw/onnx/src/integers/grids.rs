//! A network in floating point on the file's own grids.
//!
//! The numbers that integers stand for are chosen so that a layer's sums need no multiplier: a
//! weight's step is what the layer's multiplier makes of the steps of its two tensors. So it is the
//! file's own wherever nothing but a quantizer stands behind the sums, and where a norm does, that
//! is kept, with its moments, to be trained. Zero points are where the range of a tensor's
//! integers lies around its zero.

use super::OnGrids;
use super::building::Building;
use super::finish::{Ordered, weights};
use super::node::Node;
use crate::lower::function::function;
use brownout_golden::float::{FloatModel, Form};
use brownout_golden::network::{
    Architecture, Bounds, Epsilon, LayerParameters, Norm, Parameters, Style,
};
use brownout_golden::quantize::{ActivationGrid, BitWidth, Grid, Placement, Uniform, WeightGrid};
use brownout_golden::quantized::{Quantization, QuantizedNetwork};
use brownout_spec::arithmetic::OutputScale;
use brownout_spec::code::CodeName;
use brownout_spec::program::{Divisors, Network, Operation};
use ndarray::Array1;

/// How far a factor may be from one that is none: what single precision makes of a quotient.
const EXACT: f64 = 1e-5;

/// One layer's part.
struct Made {
    style: Style,
    parameters: Option<LayerParameters>,
    /// The step of each output channel's weights, and their least and largest integer.
    weights: Option<(Vec<f64>, (i8, i8))>,
}

impl Building<'_> {
    /// The network.
    ///
    /// # Errors
    /// What has no integer form, or none that can be trained.
    pub fn on_grids(mut self, (name, origin): (&str, &str)) -> Result<OnGrids, String> {
        let ordered = self.ordered()?;
        if let Some(name) = &self.rounded_results {
            self.remarks.push(format!(
                "the results of {name} are as they come: the quantizer behind it is left out, and outputs that it makes equal are told apart"
            ));
        }
        let width = BitWidth::from(self.weight_bits());
        let input = self.plain_map(&ordered.first)?;
        let count = self.nodes.len();
        let mut made = Vec::with_capacity(count);
        // All integers of a byte, so that its zero point is the map's even where a file has fewer.
        let image = ActivationGrid::of_bytes(input.step(), input.zero());
        let mut activations = vec![Some(image)];
        for (index, node) in self.nodes.iter().enumerate() {
            let refused = |problem: String| {
                format!(
                    "{}: {problem} (--form checkpoint leaves the file's grids)",
                    node.name
                )
            };
            made.push(self.part(index, &ordered).map_err(refused)?);
            let grid = match index + 1 == count {
                true => None,
                false => Some(self.grid(index, &activations).map_err(refused)?),
            };
            activations.push(grid);
        }
        let channels = made.iter().flat_map(|made| &made.weights);
        let each = channels
            .flat_map(|(steps, _)| steps.windows(2))
            .any(|pair| pair[0] != pair[1]);
        let grids = made.iter().map(|made| {
            let weights = made.weights.as_ref();
            weights
                .map(|weights| weight_grid(weights, width, each))
                .transpose()
        });
        let grids = grids.collect::<Result<Vec<_>, String>>()?;
        let mut styles = Vec::with_capacity(count);
        let mut layers = Vec::with_capacity(count);
        for (made, grid) in made.into_iter().zip(&grids) {
            let mut parameters = made.parameters;
            if let (Some(parameters), Some(grid)) = (&mut parameters, grid) {
                // So far they are integers.
                let integers = parameters.weight.mapv(|integer| integer as i8);
                parameters.weight = grid.decode(&integers);
            }
            styles.push(made.style);
            layers.push(parameters);
        }
        let network = graph(ordered.network, &styles);
        let architecture = Architecture::new(name, network, styles);
        let architecture = architecture.map_err(|problem| problem.to_string())?;
        Ok(OnGrids {
            network: QuantizedNetwork {
                model: FloatModel {
                    network: Form::Graph(name.to_owned()),
                    architecture,
                    image: self.image,
                    input,
                    origin: origin.to_owned(),
                    parameters: Parameters { layers },
                },
                quantization: Quantization {
                    width,
                    code: CodeName::None,
                    placement: Placement::Channel,
                    grids,
                    activations,
                },
            },
            remarks: self.remarks,
        })
    }

    /// The grid of what a layer writes, with those in front of it.
    fn grid(
        &self,
        index: usize,
        grids: &[Option<ActivationGrid>],
    ) -> Result<ActivationGrid, String> {
        let node = &self.nodes[index];
        let parts = || node.reads.iter().filter_map(|&read| grids[read]);
        let moves = matches!(
            node.operation,
            Operation::MaxPool { .. } | Operation::Resize { .. } | Operation::Pad { .. }
        );
        match node.operation {
            _ if moves => parts().next().ok_or_else(|| "it moves results".to_owned()),
            Operation::Concat => {
                let first = parts()
                    .next()
                    .ok_or_else(|| "it joins results".to_owned())?;
                let together = parts().fold(first, |all, part| ActivationGrid {
                    low: all.low.min(part.low),
                    high: all.high.max(part.high),
                    ..all
                });
                match parts().all(|part| part.step == first.step) {
                    true => Ok(together),
                    false => Err(
                        "it joins tensors that have steps of their own; allowed on the file's grids is one step for all"
                            .to_owned(),
                    ),
                }
            }
            _ => {
                let zero = i16::from(node.zero);
                let (low, high) = node.meaning.range;
                let step = step_of(node)? as f32;
                let grid = ActivationGrid {
                    step,
                    low: (i16::from(low) - zero).min(0),
                    high: (i16::from(high) - zero).max(1),
                };
                grid.validate().map(|()| grid)
            }
        }
    }

    /// Style and parameters of a layer; of weights the integers.
    fn part(&self, index: usize, ordered: &Ordered) -> Result<Made, String> {
        let node = &self.nodes[index];
        let last = index + 1 == self.nodes.len();
        if node.meaning.is_sign {
            return Err(
                "it keeps a sign alone, which no function with a gradient stands for; allowed are quantizers of two bits or more"
                    .to_owned(),
            );
        }
        let mut style = Style {
            bounds: bounds(node, last)?,
            ..Style::default()
        };
        let order = &ordered.orders[index + 1];
        let plain = |style| Made {
            style,
            parameters: None,
            weights: None,
        };
        let source = node.reads[0];
        match node.operation {
            Operation::MaxPool { .. }
            | Operation::Resize { .. }
            | Operation::Pad { .. }
            | Operation::Concat => {
                style.bounds = Bounds::NONE;
                let uneven = node
                    .real
                    .multipliers
                    .windows(2)
                    .any(|pair| pair[0] != pair[1]);
                match uneven {
                    true => Err("it has a factor for each channel behind values that are only moved; allowed on the file's grids is one for all".to_owned()),
                    false => Ok(plain(style)),
                }
            }
            Operation::Pointwise => {
                let expression = node.meaning.function.as_ref().ok_or(MISSING_STEP)?;
                let (low, high) = beside_zero(node);
                Ok(plain(Style {
                    bounds: Bounds::new(low as f32, high as f32)?,
                    ..Style::of_function(function(expression)?)
                }))
            }
            Operation::Add { .. } => {
                self.check_sum(node)?;
                let factor = step_of(node)? / self.unit(source)?;
                let same = |m: &f64| (m * factor - 1.0).abs() < EXACT;
                let zero = f64::from(node.zero);
                let free = node.real.constants.iter().all(|&c| c == zero);
                match node.real.multipliers.iter().all(same) && free {
                    true => Ok(plain(style)),
                    false => Err("it adds multiples of its tensors, or a constant to their sum; allowed on the file's grids are sums as they are".to_owned()),
                }
            }
            Operation::AveragePool { window, counted } => {
                let input = ordered.shapes[index].input;
                let divisors = Divisors::new(&window, input, counted);
                let first = divisors.and_then(|divisors| divisors.in_order().first().copied());
                Ok(self.averaged(node, style, (first.unwrap_or(1), order))?)
            }
            Operation::GlobalAveragePool => {
                let pixels = ordered.shapes[index].input.pixels();
                Ok(self.averaged(node, style, (pixels, order))?)
            }
            Operation::Convolution { .. } => {
                if node.operation.residual().is_some() {
                    self.check_sum(node)?;
                }
                self.learned(index, style, ordered)
            }
        }
    }

    /// What a step of a tensor that is read stands for.
    fn unit(&self, tensor: usize) -> Result<f64, String> {
        self.step(tensor).ok_or_else(|| MISSING_STEP.to_owned())
    }

    /// Checks that the second tensor of a sum is added as it is.
    fn check_sum(&self, node: &Node<'_>) -> Result<(), String> {
        let factor =
            node.real.residual.unwrap_or(0.0) * step_of(node)? / self.unit(node.reads[1])?;
        match (factor - 1.0).abs() < EXACT {
            true => Ok(()),
            false => Err(format!(
                "it adds {factor} times a tensor; allowed on the file's grids are sums of tensors as they are"
            )),
        }
    }

    /// An average, with what each channel is multiplied with and what is added, if anything.
    fn averaged(
        &self,
        node: &Node<'_>,
        style: Style,
        (divisor, order): (usize, &[usize]),
    ) -> Result<Made, String> {
        let step = step_of(node)?;
        let factor = step * divisor as f64 / self.unit(node.reads[0])?;
        let zero = f64::from(node.zero);
        let of = |values: &[f64]| -> Vec<f64> { order.iter().map(|&c| values[c]).collect() };
        let gains = of(&node.real.multipliers).into_iter().map(|m| m * factor);
        let gains: Vec<f64> = gains.collect();
        let biases = of(&node.real.constants)
            .into_iter()
            .map(|c| (c - zero) * step);
        let biases: Vec<f64> = biases.collect();
        let free =
            gains.iter().all(|gain| (gain - 1.0).abs() < EXACT) && biases.iter().all(|&b| b == 0.0);
        let single =
            |values: Vec<f64>| -> Array1<f32> { values.into_iter().map(|v| v as f32).collect() };
        let parameters =
            (!free).then(|| LayerParameters::weightless(single(gains), single(biases)));
        Ok(Made {
            style: Style {
                norm: if free { Norm::None } else { Norm::Affine },
                ..style
            },
            parameters,
            weights: None,
        })
    }

    /// A convolution with its norm, if there is one.
    fn learned(&self, index: usize, style: Style, ordered: &Ordered) -> Result<Made, String> {
        let node = &self.nodes[index];
        let learned = node.learned.ok_or("it has no weights")?;
        let order = &ordered.orders[index + 1];
        let orders = (&ordered.orders[node.reads[0]][..], &order[..]);
        let integers = weights(&learned, &ordered.shapes[index], orders).integers;
        let integers = integers
            .permuted_axes([0, 2, 3, 1])
            .as_standard_layout()
            .into_owned();
        let (input, output) = (self.unit(node.reads[0])?, step_of(node)?);
        let zero = f64::from(node.zero);
        let mut style = style;
        let (mut steps, mut biases) = (Vec::new(), Vec::new());
        let (mut offsets, mut gains) = (Vec::new(), Vec::new());
        let (mut means, mut variances, mut signs) = (Vec::new(), Vec::new(), Vec::new());
        let dead = |at: usize| {
            integers
                .index_axis(ndarray::Axis(0), at)
                .iter()
                .all(|&w| w == 0)
        };
        for &channel in order {
            let slope = node.real.multipliers[channel] * output;
            let constant = (node.real.constants[channel] - zero) * output;
            let step = match &node.meaning.norm {
                Some(norm) => {
                    let deviation = (norm.variance[channel] + f64::from(norm.epsilon)).sqrt();
                    let slope = slope / norm.factor[channel];
                    offsets.push(norm.offset[channel]);
                    means.push(norm.mean[channel]);
                    variances.push(norm.variance[channel]);
                    gains.push(slope * deviation);
                    biases.push(constant - (norm.offset[channel] - norm.mean[channel]) * slope);
                    norm.factor[channel] / input
                }
                None => {
                    biases.push(constant);
                    slope / input
                }
            };
            signs.push(step.signum());
            steps.push(step.abs());
        }
        // What stores zeros alone, or is multiplied with zero, may have any step, and decides nothing
        // with that of another one.
        let living = |at: &usize| !dead(*at) && (steps[*at] as f32).is_normal();
        let least = (0..steps.len()).filter(living).map(|at| steps[at]);
        let least = least.min_by(f64::total_cmp).unwrap_or(1.0);
        for at in 0..steps.len() {
            let nothing = !(steps[at] as f32).is_normal();
            if nothing {
                signs[at] = 0.0;
            }
            if nothing || dead(at) {
                steps[at] = least;
            }
        }
        let normed = node.meaning.norm.as_ref();
        if signs.iter().any(|&sign| sign != 1.0) {
            // The sign of what stands behind them is no step's.
            match normed {
                Some(_) => {
                    for values in [&mut gains, &mut means, &mut offsets] {
                        values
                            .iter_mut()
                            .zip(&signs)
                            .for_each(|(value, sign)| *value *= sign);
                    }
                }
                None => gains = signs,
            }
        }
        let single = |values: &[f64]| -> Array1<f32> { values.iter().map(|&v| v as f32).collect() };
        let outputs = order.len();
        let offset = normed.is_some() && offsets.iter().any(|&offset| offset != 0.0);
        if let Some(norm) = normed {
            style.norm = Norm::Batch;
            style.epsilon = Epsilon::new(norm.epsilon)?;
            style.offset = offset;
        } else if !gains.is_empty() {
            style.norm = Norm::Affine;
        }
        let parameters = LayerParameters {
            weight: integers.mapv(f32::from),
            offset: offset.then(|| single(&offsets)),
            bias: single(&biases),
            gain: (!gains.is_empty()).then(|| single(&gains)),
            mean: normed.map_or_else(|| Array1::zeros(outputs), |_| single(&means)),
            variance: normed.map_or_else(|| Array1::ones(outputs), |_| single(&variances)),
        };
        let numbers = [&parameters.bias, &parameters.mean, &parameters.variance];
        let numbers = numbers
            .into_iter()
            .chain(&parameters.gain)
            .chain(&parameters.offset);
        if !numbers.flatten().all(|number| number.is_finite()) {
            return Err(
                "its parameters are not finite once scaled; allowed are finite numbers".to_owned(),
            );
        }
        let allowed = learned
            .weights
            .grid()
            .map_or((-128.0, 127.0), |grid| grid.bounds);
        // The casts saturate.
        let ends = (allowed.0.ceil() as i8, allowed.1.floor() as i8);
        Ok(Made {
            style,
            parameters: Some(parameters),
            weights: Some((steps, ends)),
        })
    }
}

/// What a sentence says of a tensor whose channels have steps of their own.
const MISSING_STEP: &str = "it reads or writes a tensor with a step for each channel; allowed on the file's grids is one for all";

fn step_of(node: &Node<'_>) -> Result<f64, String> {
    node.meaning.step.ok_or_else(|| MISSING_STEP.to_owned())
}

/// What the file clips a layer's numbers to; a quantizer whose least integer is the zero implies a
/// ReLU, since tools leave that out then.
fn bounds(node: &Node<'_>, last: bool) -> Result<Bounds, String> {
    let (low, high) = node.meaning.ends;
    let implied = !last && node.meaning.range.0 == node.zero;
    let low = if implied { low.max(0.0) } else { low };
    let (least, most) = match last {
        true => (f64::NEG_INFINITY, f64::INFINITY),
        false => beside_zero(node),
    };
    Bounds::new(low.max(least) as f32, high.min(most) as f32)
}

/// What a quantizer clips to whose integers are all above its zero, or none of them: a grid has
/// zero and one.
fn beside_zero(node: &Node<'_>) -> (f64, f64) {
    let (low, high) = node.meaning.range;
    let steps = |end: i8| f64::from(i16::from(end) - i16::from(node.zero));
    let step = node.meaning.step.unwrap_or(1.0);
    (
        if low > node.zero {
            steps(low) * step
        } else {
            f64::NEG_INFINITY
        },
        if high <= node.zero {
            steps(high) * step
        } else {
            f64::INFINITY
        },
    )
}

/// The grid of a layer's weights: one for each channel, or one for all.
fn weight_grid(
    (steps, (low, high)): &(Vec<f64>, (i8, i8)),
    width: BitWidth,
    each: bool,
) -> Result<WeightGrid, String> {
    let (least, most) = width.range();
    // With zero and one, which every grid has.
    let ends = ((*low).clamp(least, 0), (*high).clamp(1, most));
    let grid = |step: f64| {
        let grid = Uniform::new(width, step as f32).map_err(|problem| problem.to_string())?;
        Ok(Grid::Uniform(grid.within(ends.0, ends.1)))
    };
    match each {
        true => {
            let grids = steps.iter().map(|&step| grid(step));
            Ok(WeightGrid::channels(grids.collect::<Result<_, String>>()?))
        }
        false => grid(steps.first().copied().unwrap_or(1.0)).map(WeightGrid::tensor),
    }
}

/// The layers as those of a network in floating point, whose scales say nothing.
fn graph(mut network: Network, styles: &[Style]) -> Network {
    network.input_zero = 0;
    for (layer, style) in network.layers.iter_mut().zip(styles) {
        layer.zero = 0;
        layer.output = OutputScale {
            shift: 1,
            low: if style.bounds.low() == 0.0 {
                0
            } else {
                i8::MIN
            },
            high: i8::MAX,
        };
    }
    network
}
