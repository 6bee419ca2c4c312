//! The image: from real numbers to the first activations.

use super::dialect::Grid;
use super::writer::{INPUT, Tensor, Writer, extents};
use brownout_golden::data::Pixels;

/// Numbers beyond every activation's.
const BEYOND: f32 = 1e30;
/// Difference of a factor from one, and of a summand from nothing in steps, that comes of single
/// precision alone.
const LEFT_BY_ROUNDING: f64 = 1e-5;

/// What a model's map makes of real numbers, by channel: an activation a stands for
/// slope·a + start, and none is below or above the ends.
struct Line {
    slopes: Vec<f64>,
    starts: Vec<f64>,
    ends: (i8, i8),
}

impl Writer<'_> {
    /// The image, rounded as the model's map rounds real numbers.
    ///
    /// A quantizer adds its zero point, and a map gives stored integers as they are: what stands
    /// for the integer 0 is not what stands for the zero point, so a summand goes in front where
    /// both differ, and a factor where channels have steps of their own.
    pub(super) fn image(&mut self) {
        let (step, zero) = (self.steps[0], self.model.network.input_zero);
        let line = self.line();
        let factors: Vec<f64> = line.slopes.iter().map(|slope| step / slope).collect();
        let starts = line.starts.iter().zip(&factors);
        let summands = starts.map(|(start, factor)| -start * factor - f64::from(zero) * step);
        let summands: Vec<f64> = summands.collect();
        let mut value = INPUT.to_owned();
        if factors.iter().any(|f| (f - 1.0).abs() > LEFT_BY_ROUNDING) {
            let factors = self.of_image("input.factors", &factors);
            value = self
                .graph
                .node("Mul", "input.scaled", &[&value, &factors], &[]);
        }
        if summands.iter().any(|s| s.abs() > LEFT_BY_ROUNDING * step) {
            let summands = self.of_image("input.summands", &summands);
            value = self
                .graph
                .node("Add", "input.shifted", &[&value, &summands], &[]);
        }
        let name = self.graph.take_name("input.rounded");
        let grid = Grid {
            low: line.ends.0,
            high: line.ends.1,
            ..Grid::whole(zero, step)
        };
        let names = self
            .dialect
            .activation(&mut self.graph, (&name, &value), &grid);
        let input = self.model.network.input;
        let flat = input.pixels() == 1;
        self.graph.shape(&names.real, true, &extents(input, flat));
        self.tensors.push(Tensor { names, flat });
    }

    fn line(&self) -> Line {
        let map = self.model.input;
        let channels = map.channels().unwrap_or(1);
        let number = |activation: i8| -> Vec<f64> {
            let activations = vec![activation; channels];
            let numbers = map.rounded_table();
            let numbers = numbers.apply(Pixels::Activations(&activations));
            numbers.map(f64::from).collect()
        };
        let (least, most) = (number(i8::MIN), number(i8::MAX));
        let slopes = least.iter().zip(&most).map(|(a, b)| (b - a) / 255.0);
        let end = |value: f32| -> Vec<i8> {
            let values = vec![value; channels];
            map.table().apply(Pixels::Reals(&values)).collect()
        };
        let ends = [end(-BEYOND), end(BEYOND)].concat();
        Line {
            slopes: slopes.collect(),
            starts: number(0),
            ends: (
                ends.iter().copied().min().unwrap_or(i8::MIN),
                ends.iter().copied().max().unwrap_or(i8::MAX),
            ),
        }
    }

    /// A constant with a number for each channel of images, or one for all.
    fn of_image(&mut self, name: &str, values: &[f64]) -> String {
        let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
        let input = self.model.network.input;
        if values.iter().all(|value| *value == values[0]) {
            return self.graph.floats(name, &[], &values[..1]);
        }
        match input.pixels() {
            // A row has one pixel of an image after the other.
            1 => {
                let row: Vec<f32> = values
                    .iter()
                    .copied()
                    .cycle()
                    .take(input.channels)
                    .collect();
                self.graph.floats(name, &[1, input.channels], &row)
            }
            _ => self.graph.floats(name, &[1, values.len(), 1, 1], &values),
        }
    }
}
