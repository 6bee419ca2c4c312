//! Random quantized networks that ONNX's own packages wrote, as networks in floating point on the
//! file's grids: exported without training they have the file's integers, as weights and, but for
//! the rounding of multipliers, as activations.

mod support;

use brownout_golden::data::Pixels;
use brownout_golden::export::export;
use brownout_golden::infer::IntegerNetwork;
use brownout_golden::model::{InputMap, IntegerModel, Normalization};
use brownout_golden::quantize::{Grid, Uniform, WeightGrid};
use brownout_golden::quantized::QuantizedNetwork;
use brownout_onnx::integers::{integers, on_grids};
use brownout_onnx::read_network;

/// Networks of a run.
const NETWORKS: usize = 150;

/// Integers above the zero point of every layer but the last, and the results.
fn run(model: &IntegerModel, image: &[f32]) -> (Vec<Vec<i32>>, Vec<i32>) {
    let network = IntegerNetwork::undisturbed(model);
    let mut workspace = network.workspace();
    network.run(&model.quantize(Pixels::Reals(image)), &mut workspace);
    let layers = 0..model.network.layers.len() - 1;
    let above = layers.map(|layer| {
        let zero = i32::from(model.network.layers[layer].zero);
        let activations = workspace.activations(layer).expect("a hidden layer");
        activations.iter().map(|&q| i32::from(q) - zero).collect()
    });
    (above.collect(), workspace.logits().to_vec())
}

fn largest(values: &[i32]) -> usize {
    let most = values.iter().max();
    values.iter().position(|v| Some(v) == most).unwrap_or(0)
}

/// The same network with one layer's weight steps this much larger.
fn with_wrong_step(network: &QuantizedNetwork, layer: usize, by: f32) -> QuantizedNetwork {
    let mut wrong = network.clone();
    let grid = wrong.quantization.grids[layer].as_mut().expect("weights");
    let steps = grid
        .steps(
            network.model.parameters.layers[layer]
                .as_ref()
                .expect("weights")
                .bias
                .len(),
        )
        .expect("equal steps");
    let width = network.quantization.width;
    let stretched = steps
        .iter()
        .map(|step| Grid::Uniform(Uniform::new(width, step * by).expect("a step")));
    *grid = WeightGrid::channels(stretched.collect());
    let weight = &mut wrong.model.parameters.layers[layer]
        .as_mut()
        .expect("weights")
        .weight;
    weight.mapv_inplace(|w| w * by);
    wrong
}

#[test]
fn networks_on_a_files_grids_export_to_its_integers() {
    let Some(python) = support::python() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let drawn = [&NETWORKS.to_string(), "2"];
    support::write(&python, "quantized.py", folder.path(), &drawn);
    let (mut without, mut made, mut values, mut differ, mut weights) = (0, 0, 0, 0, 0);
    let (mut classes, mut zeros, mut wrong, mut noticed) = (0, 0, 0, 0);
    let mut problems = Vec::new();
    for number in 0..NETWORKS {
        let file = |ending: &str| folder.path().join(format!("{number}.{ending}"));
        let network = read_network(&file("onnx")).expect("it is read");
        let pixels = InputMap::Normalize(Normalization::UNIT);
        let of = ("random", "random");
        let model = match integers(&network, of, pixels) {
            Ok(made) => made.model,
            // What has no integers has no grids either.
            Err(_) => {
                without += 1;
                assert!(on_grids(&network, of, pixels).is_err());
                continue;
            }
        };
        let own = match on_grids(&network, of, pixels) {
            Ok(own) => own.network,
            Err(problem) => {
                problems.push(format!("network {number}: {problem}"));
                continue;
            }
        };
        own.quantization.validate(&own.model).expect("a checkpoint");
        let again = match export(&own, None) {
            Ok(again) => again,
            Err(problem) => {
                problems.push(format!("network {number}: {problem}"));
                continue;
            }
        };
        made += 1;
        assert_eq!(
            model.weight_tensors(),
            again.weight_tensors(),
            "network {number}"
        );
        weights += model
            .weight_tensors()
            .iter()
            .map(|w| w.len())
            .sum::<usize>();
        assert_eq!(model.weight_bits, again.weight_bits);
        zeros += usize::from(again.network.layers.iter().any(|layer| layer.zero != 0));
        let image = support::floats(&file("input"));
        let shape = model.network.input;
        let image: Vec<f32> = (0..shape.volume())
            .map(|at| image[at % shape.channels * shape.pixels() + at / shape.channels])
            .collect();
        assert_eq!(
            model.quantize(Pixels::Reals(&image)),
            again.quantize(Pixels::Reals(&image))
        );
        let (file_layers, file_results) = run(&model, &image);
        let (own_layers, own_results) = run(&again, &image);
        let compare = |own: &[Vec<i32>]| {
            let pairs = file_layers.iter().flatten().zip(own.iter().flatten());
            pairs.filter(|(a, b)| a != b).count()
        };
        if file_layers.len() == own_layers.len() {
            values += file_layers.iter().map(Vec::len).sum::<usize>();
            differ += compare(&own_layers);
        }
        classes += usize::from(largest(&file_results) == largest(&own_results));
        // A scale that is 5 % off is noticed.
        let weighted = own.quantization.grids.iter().position(Option::is_some);
        if let (Some(layer), true) = (weighted, number < 60)
            && file_layers.len() == own_layers.len()
            && layer + 1 < file_layers.len()
        {
            let mutant = export(&with_wrong_step(&own, layer, 1.05), None).expect("an export");
            assert_eq!(mutant.weight_tensors(), model.weight_tensors());
            wrong += 1;
            noticed += usize::from(compare(&run(&mutant, &image).0) > 0);
        }
    }
    println!(
        "{made} of {NETWORKS} networks with {weights} weights, {zeros} with zero points; {differ} of {values} integers differ, {classes} classes are the same, {noticed} of {wrong} wrong steps are noticed"
    );
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(without * 20 < NETWORKS, "{without} have no integers");
    assert!(
        values > 100_000 && differ * 1000 < values,
        "{differ} of {values}"
    );
    assert!(classes * 100 >= made * 99, "{classes} of {made}");
    assert!(zeros > 50, "{zeros}");
    assert!(
        wrong > 20 && noticed * 10 >= wrong * 8,
        "{noticed} of {wrong}"
    );
}
