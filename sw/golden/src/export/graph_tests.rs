//! A network with every operator of a graph, from floating point to integers.

use super::plan::{Plan, Planned};
use super::resolution_tests::{model, noise, options};
use super::{check_form, export, judge};
use crate::network::{
    Architecture, Bounds, Builder, Function, Norm, Parameters, Style, test_graph,
};
use crate::quantize::Granularity;
use brownout_spec::arithmetic::ResidualScale;
use brownout_spec::program::{Operation, Padding, Shape, Steps, Window};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub(super) fn graph() -> Architecture {
    let normalized = |bounds| Style {
        norm: Norm::Batch,
        bounds,
        ..Style::default()
    };
    let grouped = |window, groups, output_channels| Operation::Convolution {
        window,
        groups,
        output_channels,
        residual: None,
    };
    let dilated = Window {
        dilation: Steps::both(2),
        ..Window::square(3, 1, 2)
    };
    let average = Operation::AveragePool {
        window: Window::square(3, 2, 1),
        counted: Padding::NONE,
    };
    let pool = Operation::MaxPool {
        window: Window::square(2, 2, 0),
    };
    let add = Operation::Add {
        scale: ResidualScale::default(),
    };
    let corner = Padding {
        bottom: 1,
        right: 1,
        ..Padding::NONE
    };
    let twice = Operation::Resize {
        factors: Steps::both(2),
    };
    let clipped = Style {
        bounds: Bounds::new(-1.0, 2.0).unwrap(),
        ..Style::default()
    };
    let plain = Style::default();
    let convolution = |kernel, stride, padding, channels| {
        Operation::convolution(Window::square(kernel, stride, padding), channels)
    };
    let image = Shape {
        height: 16,
        width: 16,
        channels: 3,
    };
    let network = Builder::new("graph", image)
        .layer("stem", convolution(3, 2, 1, 8), normalized(Bounds::RELU6))
        .layer(
            "depthwise",
            grouped(Window::square(3, 1, 1), 8, 8),
            normalized(Bounds::RELU),
        )
        .layer("linear", convolution(1, 1, 0, 12), normalized(Bounds::NONE))
        .layer(
            "swish",
            Operation::Pointwise,
            Style::of_function(Function::hard_swish()),
        )
        .layer("dilated", grouped(dilated, 3, 12), normalized(Bounds::NONE))
        .layer_from(&[4, 5], "add", add, clipped)
        .layer("average", average, plain.clone())
        .layer_from(&[6], "pool", pool, plain.clone())
        .layer_from(&[7, 8], "concat", Operation::Concat, plain.clone())
        .layer("pad", Operation::Pad { padding: corner }, plain.clone())
        .layer("shrink", convolution(2, 2, 0, 16), normalized(Bounds::NONE))
        .layer(
            "silu",
            Operation::Pointwise,
            Style::of_function(Function::silu()),
        )
        .layer("resize", twice, plain)
        .layer(
            "strided",
            grouped(Window::square(3, 2, 1), 16, 16),
            normalized(Bounds::RELU),
        )
        .layer_from(&[14, 12], "join", Operation::Concat, Style::default())
        .global_average_pool("mean")
        .dense("logits", 6, false)
        .build();
    network.unwrap()
}

#[test]
fn every_operator_is_in_integers_what_it_is_in_the_rounded_network() {
    let mut copies = 0;
    for seed in 0..4 {
        let architecture = graph();
        let parameters = Parameters::random(&architecture, seed, 0);
        let network = model(architecture, parameters);
        let data = noise(&network, 40);
        let trained = network
            .calibrate(&data, &options(Granularity::Channel))
            .unwrap();
        let exported = export(&trained, None).unwrap();
        let judgement = judge(&trained, &exported, &data);
        for layer in &judgement.layers {
            assert!(!layer.is_apart(), "seed {seed}: {layer:?}");
        }
        assert!(judgement.is_faithful(), "{judgement:?}");
        let compared: usize = judgement.layers.iter().filter(|l| l.values > 0).count();
        assert_eq!(compared, judgement.layers.len() - 1, "all but the results");
        let plan = Plan::new(&trained);
        let copied = plan
            .steps
            .iter()
            .filter(|step| matches!(step, Planned::Copy { .. }));
        copies += copied.count();
        assert_eq!(exported.layers.len(), plan.steps.len());
    }
    assert!(copies >= 2, "{copies} parts of concats are on other grids");
}

#[test]
fn norms_and_scales_behind_anything_are_in_integers_what_they_are_in_the_rounded_network() {
    let image = Shape {
        height: 16,
        width: 16,
        channels: 3,
    };
    let mut random = ChaCha8Rng::seed_from_u64(4);
    for seed in 0..4 {
        let architecture = test_graph::normed_anywhere(image, 6);
        let mut parameters = Parameters::random(&architecture, seed, 0);
        for layer in parameters.layers.iter_mut().flatten() {
            let mut draw = |low: f32, high: f32| random.random_range(low..high);
            layer.bias.mapv_inplace(|_| draw(-0.5, 0.5));
            layer.mean.mapv_inplace(|_| draw(-0.5, 0.5));
            layer.variance.mapv_inplace(|_| draw(0.3, 3.0));
            // Of either sign.
            if let Some(gain) = &mut layer.gain {
                gain.mapv_inplace(|_| {
                    draw(0.3, 1.5) * if draw(0.0, 1.0) < 0.3 { -1.0 } else { 1.0 }
                });
            }
        }
        let weights = architecture.weights();
        let network = model(architecture, parameters);
        let data = noise(&network, 40);
        let trained = network
            .calibrate(&data, &options(Granularity::Channel))
            .unwrap();
        let exported = export(&trained, None).unwrap();
        let judgement = judge(&trained, &exported, &data);
        for layer in &judgement.layers {
            assert!(!layer.is_apart(), "seed {seed}: {layer:?}");
            assert!(layer.coarse.is_empty(), "seed {seed}: {layer:?}");
        }
        assert!(judgement.is_faithful(), "{judgement:?}");
        // No norm has made a weight cell.
        let stored = exported.weight_shapes();
        assert_eq!(stored.iter().map(|s| s.weights()).sum::<usize>(), weights);
    }
}

#[test]
fn a_gain_far_below_the_others_of_its_norm_is_named() {
    let image = Shape {
        height: 16,
        width: 16,
        channels: 3,
    };
    let architecture = test_graph::normed_anywhere(image, 6);
    let mut parameters = Parameters::random(&architecture, 1, 0);
    let norm = parameters.layers[2]
        .as_mut()
        .unwrap()
        .gain
        .as_mut()
        .unwrap();
    norm.fill(2.0);
    norm[3] = 2e-3;
    let network = model(architecture, parameters);
    let data = noise(&network, 20);
    let mut trained = network
        .calibrate(&data, &options(Granularity::Channel))
        .unwrap();
    // What a range that was learned may be: so fine that the small channel counts.
    let step = trained.quantization.activations[2].unwrap().step / 20.0;
    trained.quantization.activations[3].as_mut().unwrap().step = step;
    let exported = export(&trained, None).unwrap();
    let judgement = judge(&trained, &exported, &data);
    assert_eq!(judgement.layers[2].coarse, [3], "{:?}", judgement.layers[2]);
    let remarks = judgement.remarks();
    assert!(
        remarks.iter().any(|r| r.contains("(a.norm1): 1 of 8")),
        "{remarks:?}"
    );
}

#[test]
fn a_table_is_the_nearest_step_of_the_function_for_every_activation() {
    let architecture = graph();
    let network = model(
        architecture.clone(),
        Parameters::random(&architecture, 1, 0),
    );
    let data = noise(&network, 8);
    let trained = network
        .calibrate(&data, &options(Granularity::Channel))
        .unwrap();
    let exported = export(&trained, None).unwrap();
    let grid = |tensor: usize| trained.quantization.activations[tensor].unwrap();
    let silu = exported
        .network
        .layers
        .iter()
        .position(|l| l.name == "silu")
        .unwrap();
    let table = exported.layers[silu].table.unwrap();
    let (x, y) = (grid(11), grid(12));
    for (entry, &found) in table.iter().enumerate() {
        let x = (entry as f64 - 128.0) * f64::from(x.step);
        let expected = x / (1.0 + (-x).exp()) / f64::from(y.step);
        let expected = expected.clamp(f64::from(y.low), f64::from(y.high));
        assert!(
            (f64::from(found) - expected).abs() <= 0.5 + 1e-9,
            "{entry}: {found}, {expected}"
        );
    }
}

#[test]
fn results_may_come_from_a_function_a_sum_or_a_concat() {
    let sum = Operation::Add {
        scale: ResidualScale::default(),
    };
    let silu = Style::of_function(Function::silu());
    let base = graph();
    for (operation, style, reads) in [
        (Operation::Pointwise, silu, vec![17]),
        (sum, Style::default(), vec![17, 17]),
        (Operation::Concat, Style::default(), vec![17, 16]),
    ] {
        let mut network = base.network.clone();
        let mut styles = base.styles.clone();
        let mut layer = network.layers[16].clone();
        (layer.name, layer.operation, layer.reads) = ("last".into(), operation, reads);
        network.layers.push(layer);
        styles.push(style);
        let architecture = Architecture::new("graph", network, styles).unwrap();
        let parameters = Parameters::random(&architecture, 3, 0);
        let network = model(architecture, parameters);
        let data = noise(&network, 60);
        let trained = network
            .calibrate(&data, &options(Granularity::Channel))
            .unwrap();
        let exported = export(&trained, None).unwrap();
        let judgement = judge(&trained, &exported, &data);
        assert!(
            judgement.is_faithful(),
            "{}: {judgement:?}",
            operation.kind()
        );
        assert_eq!(exported.classes(), Some(network.architecture.classes()));
    }
}

#[test]
fn clips_of_results_are_refused_by_name() {
    let base = graph();
    let mut styles = base.styles.clone();
    styles.last_mut().unwrap().bounds = Bounds::new(-1.0, 1.0).unwrap();
    let architecture = Architecture::new("graph", base.network.clone(), styles).unwrap();
    let problem = check_form(&architecture).unwrap_err().to_string();
    assert!(problem.contains("clips them to -1 to 1"), "{problem}");
    assert_eq!(check_form(&base), Ok(()));
}
