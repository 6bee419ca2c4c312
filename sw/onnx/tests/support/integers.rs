//! Networks in integers beside what the operators' own definitions give.

use super::model::Model;
use brownout_golden::infer::IntegerNetwork;
use brownout_golden::model::{InputMap, IntegerModel, Normalization};
use brownout_onnx::integers::{Integers, integers};
use brownout_onnx::network::{Network, Operator, QuantizedForm};
use brownout_onnx::{network_of, reference};
use std::path::Path;

pub fn network(model: &Model) -> Network {
    network_of(model.bytes(), Path::new("net.onnx")).unwrap_or_else(|problem| panic!("{problem}"))
}

pub fn made(network: &Network) -> Result<Integers, String> {
    let pixels = InputMap::Normalize(Normalization::UNIT);
    integers(network, ("net", "net.onnx"), pixels)
}

pub fn model(of: &Model) -> IntegerModel {
    let made = made(&network(of)).unwrap_or_else(|problem| panic!("{problem}"));
    made.model
}

/// Activations of every layer and the results for integers of the image, channels last.
pub fn run(model: &IntegerModel, input: &[i8]) -> (Vec<Vec<i8>>, Vec<i32>) {
    let network = IntegerNetwork::undisturbed(model);
    let mut workspace = network.workspace();
    network.run(input, &mut workspace);
    let layers = 0..model.network.layers.len() - 1;
    let activations = layers.map(|layer| workspace.activations(layer).unwrap_or_default().to_vec());
    (activations.collect(), workspace.logits().to_vec())
}

/// Some image of numbers from −1.5 to 1.5, channels first.
pub fn image(count: usize, seed: usize) -> Vec<f32> {
    (0..count)
        .map(|at| ((at * 37 + seed * 101) % 61) as f32 / 20.0 - 1.5)
        .collect()
}

/// Every integer of every quantizer is what the operators' own definitions give, of some images;
/// values that lie within `ties` of a half may be one off.
pub fn check(of: &Model, ties: f32) -> Integers {
    let network = network(of);
    let made = made(&network).unwrap_or_else(|problem| panic!("{problem}"));
    let shape = made.image;
    for seed in 0..8 {
        let image = image(shape.volume(), seed);
        let tensors = reference::tensors(&network, &image).expect("an image of its size");
        let last = |values: &[f32], order: &[usize], pixels: usize| -> Vec<f32> {
            let place = |at: usize| order[at % order.len()] * pixels + at / order.len();
            (0..values.len()).map(|at| values[place(at)]).collect()
        };
        let plain: Vec<usize> = (0..shape.channels).collect();
        let moved = last(&image, &plain, shape.pixels());
        let input = made
            .model
            .quantize(brownout_golden::data::Pixels::Reals(&moved));
        let (layers, _) = run(&made.model, &input);
        for (layer, (found, said)) in layers.iter().zip(&made.tensors).enumerate() {
            let Some(said) = said else { continue };
            let wanted = &tensors[said.tensor];
            let quantizer = network.layers.iter().find(|l| l.writes == said.tensor);
            let steps = match quantizer.map(|l| &l.operator) {
                Some(Operator::Quantizer(QuantizedForm::IntQuant(q))) => {
                    (q.scale.clone(), q.zero_point[0])
                }
                Some(Operator::Quantizer(QuantizedForm::Bipolar(q))) => (q.scale.clone(), 0.0),
                Some(Operator::Quantizer(QuantizedForm::Trunc(q))) => {
                    let second = q.second.as_ref().expect("version 2");
                    (second.scale_out.clone(), 0.0)
                }
                _ => (vec![1.0], 0.0),
            };
            let pixels = wanted.len() / said.order.len();
            let wanted = last(wanted, &said.order, pixels);
            for (at, (&found, wanted)) in found.iter().zip(wanted).enumerate() {
                let channel = said.order[at % said.order.len()];
                let scale = steps.0[channel.min(steps.0.len() - 1)];
                let integer = wanted / scale + steps.1 - said.recentred as f32;
                assert!(
                    (f32::from(found) - integer).abs() < 1e-3 + ties,
                    "layer {layer} value {at}: {found} for {integer}\n{}",
                    made.explain(Some(&network))
                );
            }
        }
    }
    made
}
