use super::*;
use crate::data::{Dataset, glyph};
use crate::model::InputMap;
use crate::network::Builtin;
use crate::quantize::{BitWidth, Grid, Uniform};
use crate::train::{Run, Trained, WcatOptions, train};
use brownout_spec::code::CodeName;

fn data() -> Dataset {
    glyph::split(1, 320, 10).train
}

fn options(quantizer: QuantizerName) -> TrainingOptions {
    TrainingOptions {
        epochs: 2,
        quiet: true,
        quantizer,
        weight_bits: BitWidth::FOUR,
        code: CodeName::None,
        granularity: Granularity::Channel,
        learning_rate: 1e-3,
        ..TrainingOptions::default()
    }
}

/// A network on grids that nobody would choose: odd steps, narrow integers, zero points.
fn start(data: &Dataset) -> QuantizedNetwork {
    let images = (data.shape(), data.classes);
    let model = FloatModel::random(Builtin::Cnn, images, InputMap::Bytes, 1).unwrap();
    let mut network = model
        .calibrate(data, &options(QuantizerName::LeastError))
        .unwrap();
    for (layer, grid) in network.quantization.grids.iter_mut().enumerate() {
        let Some(grid) = grid else { continue };
        let steps = grid.steps(grid.len()).unwrap().into_iter().enumerate();
        let odd = steps.map(|(channel, step)| {
            let step = step * (0.8 + 0.01 * (channel + layer) as f32);
            let grid = Uniform::new(BitWidth::FOUR, step).unwrap();
            Grid::Uniform(grid.within(-3, 3))
        });
        *grid = WeightGrid::channels(odd.collect());
    }
    let hidden = network
        .quantization
        .activations
        .iter_mut()
        .flatten()
        .skip(1);
    for (place, grid) in hidden.enumerate() {
        grid.step *= 0.05;
        (grid.low, grid.high) = (-(place as i16), 255 - place as i16);
    }
    network
}

fn trained(quantizer: QuantizerName, change: impl Fn(&mut TrainingOptions)) -> Trained {
    let data = data();
    let mut options = options(quantizer);
    change(&mut options);
    train(start(&data), &data, &options).unwrap()
}

#[test]
fn grids_stay_as_they_are_and_weights_move_on_them() {
    let data = data();
    let start = start(&data);
    let trained = trained(QuantizerName::LeastError, |_| {});
    assert_eq!(trained.network.quantization, start.quantization);
    assert_ne!(trained.network.stored(), start.stored());
    let stored = trained.network.stored();
    let mut all = stored.0.iter().flatten().flatten();
    assert!(all.all(|weight| (-3..=3).contains(weight)));
}

#[test]
fn learned_steps_and_ranges_begin_with_the_grids_and_move_from_there() {
    let start = start(&data()).quantization;
    for quantizer in [QuantizerName::Wcat, QuantizerName::Lsq] {
        let still = trained(quantizer, |options| {
            options.learning_rate = 1e-12;
            options.wcat = WcatOptions {
                decay: 0.0,
                ..WcatOptions::default()
            };
            options.weight_decay = 0.0;
        });
        let moved = trained(quantizer, |options| options.activations.learned = true);
        let steps = |of: &Quantization| -> Vec<f32> {
            let grids = of.grids.iter().flatten();
            grids
                .flat_map(|grid| grid.steps(grid.len()).unwrap())
                .collect()
        };
        let own = steps(&start);
        let near = |a: &f32, b: &f32| (a / b - 1.0).abs() < 1e-4;
        let still = still.network.quantization;
        assert!(
            steps(&still).iter().zip(&own).all(|(a, b)| near(a, b)),
            "{quantizer}"
        );
        assert_eq!(still.activations, start.activations);
        let moved = moved.network.quantization;
        assert!(
            steps(&moved).iter().zip(&own).any(|(a, b)| a != b),
            "{quantizer}"
        );
        for (a, b) in moved.activations.iter().zip(&start.activations) {
            let ends = |grid: &Option<ActivationGrid>| grid.map(|grid| (grid.low, grid.high));
            assert_eq!(ends(a), ends(b), "the integers are the same");
        }
    }
}

#[test]
fn a_run_on_its_own_grids_goes_on_from_its_state_and_from_no_other_grids() {
    let data = data();
    for quantizer in [
        QuantizerName::LeastError,
        QuantizerName::Wcat,
        QuantizerName::Lsq,
    ] {
        let options = options(quantizer);
        let whole = train(start(&data), &data, &options).unwrap();
        let mut run = Run::new(start(&data), &data, &options).unwrap();
        for _ in 0..3 {
            run.step().unwrap();
        }
        let state = run.to_bytes();
        let mut run = Run::resume(&state, start(&data), &data, &options).unwrap();
        let _ = run
            .advance(|_| std::ops::ControlFlow::<()>::Continue(()))
            .unwrap();
        assert_eq!(run.finish().unwrap().network, whole.network);
        let mut other = start(&data);
        other.quantization.activations[1].as_mut().unwrap().step *= 1.05;
        assert!(Run::resume(&state, other, &data, &options).is_err());
        assert!(Run::resume(&state, &start(&data).model, &data, &options).is_err());
    }
}

#[test]
fn what_does_not_fit_the_grids_is_refused_with_a_sentence() {
    let data = data();
    let refused = |change: &dyn Fn(&mut TrainingOptions), part: &str| {
        let mut options = options(QuantizerName::LeastError);
        change(&mut options);
        let problem = Run::new(start(&data), &data, &options).unwrap_err();
        assert!(problem.to_string().contains(part), "{problem}");
    };
    refused(
        &|o| o.weight_bits = BitWidth::EIGHT,
        "weight bits is 8; allowed is 4",
    );
    refused(
        &|o| o.granularity = Granularity::Tensor,
        "granularity is tensor; allowed is channel",
    );
    refused(
        &|o| o.quantizer = QuantizerName::Symmetric,
        "quantizer is symmetric; allowed is least-error",
    );
    refused(
        &|o| o.activations.bits = BitWidth::FOUR,
        "activations is of 4 bits, signed; allowed is nothing else",
    );
    refused(
        &|o| o.activations.quantize = false,
        "activations is in floating point",
    );
}
