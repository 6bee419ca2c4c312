//! Integers that a judge gave for the layers of a model, against what each layer makes of the
//! judge's own integers in front of it.

use super::exact::{Quotient, Tensor, quotient};
use brownout_golden::model::IntegerModel;
use std::path::Path;

/// What a judge gave for a model and some images.
pub struct Answer {
    /// Of every layer but the last, all images one after the other.
    pub integers: Vec<i8>,
    /// Of the last.
    pub results: Vec<f32>,
}

impl Answer {
    /// Those of a file of `run.py`, if it has written one.
    pub fn read(folder: &Path, name: &str) -> Option<Self> {
        let bytes = std::fs::read(folder.join(name)).ok()?;
        Some(Self {
            integers: bytes.iter().map(|&b| b as i8).collect(),
            results: super::floats(&folder.join(format!("{name}.output"))),
        })
    }
}

/// How many values were compared, and which of them were not hardware's.
#[derive(Debug, Default)]
pub struct Tally {
    /// Values of all layers but concats.
    pub values: usize,
    /// Those that are a step off.
    pub differ: usize,
    /// The largest distance of one of these from the boundary between both steps.
    pub farthest: f64,
}

impl Tally {
    /// A line for people.
    pub fn line(&self) -> String {
        format!(
            "{} of {} values differ by a step ({:.4} %), none more than {:.5} steps from the boundary between two",
            self.differ,
            self.values,
            self.share() * 100.0,
            self.farthest
        )
    }

    /// The share of those that are a step off.
    pub fn share(&self) -> f64 {
        self.differ as f64 / self.values.max(1) as f64
    }
}

/// Compares all layers for an image, by its integers plane by plane and its number of so many.
/// `unit` is what a unit of hardware's results is in the answer.
///
/// # Panics
/// At a value that is not hardware's, unless single precision may have rounded it the other way.
pub fn compare(
    model: &IntegerModel,
    (image, number, images): (&[i8], usize, usize),
    (answer, unit): (&Answer, f64),
    tally: &mut Tally,
) {
    let shapes = model.network.shapes().unwrap();
    let mut tensors = vec![Tensor {
        shape: model.network.input,
        integers: image.to_vec(),
        zero: model.network.input_zero,
    }];
    let mut start = 0;
    for (index, s) in shapes.iter().enumerate() {
        let layer = &model.network.layers[index];
        let volume = s.output.volume();
        let reads: Vec<&Tensor> = layer.reads.iter().map(|&t| &tensors[t]).collect();
        let last = index + 1 == shapes.len();
        let found = |at: usize| match last {
            true => f64::from(answer.results[number * volume + at]) / unit,
            false => f64::from(answer.integers[start + number * volume + at]),
        };
        for at in 0..volume {
            let (pixel, channel) = (at % s.output.pixels(), at / s.output.pixels());
            let place = (channel, pixel / s.output.width, pixel % s.output.width);
            let said = format!(
                "layer {index} ({}) at {place:?}, image {number}",
                layer.operation.kind()
            );
            match quotient(model, (index, s), &reads, place) {
                None => assert_eq!(found(at), part(&reads, at), "{said}"),
                Some(of) => check((model, index), of, found(at), &said, tally),
            }
        }
        let integers = (0..volume).map(|at| found(at) as i8).collect();
        tensors.push(Tensor {
            shape: s.output,
            integers,
            zero: layer.zero,
        });
        start += images * volume;
    }
}

/// What a concat copies: parts lie one behind the other, plane by plane.
fn part(reads: &[&Tensor], mut at: usize) -> f64 {
    for part in reads {
        if at < part.integers.len() {
            return part.integers[at].into();
        }
        at -= part.integers.len();
    }
    unreachable!("the channels are those of the parts")
}

fn check(
    (model, index): (&IntegerModel, usize),
    Quotient { value, bound }: Quotient,
    found: f64,
    said: &str,
    tally: &mut Tally,
) {
    let layer = &model.network.layers[index];
    let table = &model.layers[index].table;
    tally.values += 1;
    if index + 1 == model.layers.len() && table.is_none() {
        // Results are not rounded.
        let apart = (found - value).abs();
        assert!(
            apart <= bound + value.abs() * 1e-6,
            "{said}: {found}, {value}"
        );
        return;
    }
    let (low, high) = (f64::from(layer.output.low), f64::from(layer.output.high));
    let of = |step: f64| {
        let integer = step.clamp(low, high);
        match table {
            Some(table) => f64::from(table[(integer + 128.0) as usize]),
            None => integer,
        }
    };
    if found == of(value.floor()) {
        return;
    }
    let distance = (value - value.round()).abs();
    assert!(
        distance <= bound,
        "{said}: {found} for {value}, which single precision knows to {bound}"
    );
    let near = [value.round() - 1.0, value.round()].map(of);
    assert!(near.contains(&found), "{said}: {found} for {value}");
    tally.differ += 1;
    tally.farthest = tally.farthest.max(distance);
}
