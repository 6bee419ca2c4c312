//! Norms and scales of layers without weights: gradients against central differences, values
//! against definitions.

use super::gradient_case::{Case, PLAIN, convolution, input};
use super::test_graph::{ADD, COPY};
use super::{Bounds, Builder, Norm, Statistics, Style};
use brownout_spec::program::{Operation, Window};

#[test]
fn norms_and_scales_behind_anything_have_right_gradients() {
    let group = Style {
        norm: Norm::Group { groups: 2 },
        ..Style::default()
    };
    let batch = Style {
        norm: Norm::Batch,
        ..Style::default()
    };
    let scaled = Style {
        norm: Norm::Affine,
        ..Style::default()
    };
    let window = Window::square(3, 2, 1);
    let average = Operation::AveragePool {
        window,
        counted: window.padding,
    };
    for (statistics, style) in [
        (Statistics::Batch, batch.clone()),
        (Statistics::Running, batch),
        (Statistics::Batch, group),
        (Statistics::Batch, scaled.clone()),
        (Statistics::Running, scaled),
    ] {
        // One norm at a time: of norms behind norms central differences are none that tell.
        for place in 0..5 {
            let at = |own: usize| if own == place { style.clone() } else { PLAIN };
            let architecture = Builder::new("test", input(5, 6, 4))
                .layer("input", COPY, at(0))
                .layer("a", convolution(4, (3, 3), 1, 1), PLAIN)
                .layer_from(&[2, 1], "add", ADD, PLAIN)
                // The sum is read twice, and one reader is a norm.
                .layer("norm", COPY, at(1))
                .layer_from(&[3, 4], "concat", Operation::Concat, PLAIN)
                .layer("average", average, at(2))
                .layer("mean", Operation::GlobalAveragePool, at(3))
                .layer_from(&[6], "again", COPY, at(4))
                .layer("whole", convolution(8, (3, 3), 1, 0), PLAIN)
                .layer_from(&[9, 7], "join", ADD, PLAIN)
                .dense("logits", 3, false)
                .build()
                .unwrap();
            let mut case = Case::new(architecture, statistics);
            case.images = 4;
            case.check();
        }
    }
}

#[test]
fn a_scaled_average_is_its_definition_and_a_batch_norm_that_of_its_moments() {
    for norm in [Norm::Affine, Norm::Batch] {
        let style = Style {
            norm,
            bounds: Bounds::new(-0.5, 0.75).unwrap(),
            ..Style::default()
        };
        let architecture = Builder::new("test", input(4, 3, 5))
            .layer("copy", COPY, style)
            .dense("logits", 2, false)
            .build()
            .unwrap();
        let case = Case::new(architecture, Statistics::Running);
        let (_, chunk) = case.run(&case.parameters, &case.input, false);
        let layer = case.parameters.layers[0].as_ref().unwrap();
        assert!(!layer.has_weights());
        let gain = layer.gain.as_ref().unwrap();
        let mut clipped = 0;
        for (at, (&y, &x)) in chunk.output(0).iter().zip(&case.input).enumerate() {
            let c = at % 5;
            let slope = match norm {
                Norm::Affine => f64::from(gain[c]),
                _ => f64::from(gain[c]) / (f64::from(layer.variance[c]) + 1e-5).sqrt(),
            };
            let mean = match norm {
                Norm::Affine => 0.0,
                _ => f64::from(layer.mean[c]),
            };
            let value = (f64::from(x) - mean) * slope + f64::from(layer.bias[c]);
            let expected = value.clamp(-0.5, 0.75);
            clipped += usize::from(value != expected);
            assert!((f64::from(y) - expected).abs() < 1e-5, "{norm:?} at {at}");
        }
        assert!(clipped > 10, "{clipped}");
    }
}

#[test]
fn a_norm_where_values_only_move_and_an_offset_without_one_are_refused() {
    let pool = Operation::MaxPool {
        window: Window::square(2, 2, 0),
    };
    let padding = Operation::Pad {
        padding: Default::default(),
    };
    let filter = convolution(3, (1, 1), 1, 0);
    for (operation, norm, offset, reason) in [
        (
            pool,
            Norm::Batch,
            false,
            "a layer of kind max pool has a norm",
        ),
        (padding, Norm::Affine, false, "kind pad has a norm"),
        (COPY, Norm::Batch, true, "has an offset in front of a norm"),
        (
            filter,
            Norm::Affine,
            true,
            "has an offset in front of a gain",
        ),
    ] {
        let style = Style {
            norm,
            offset,
            ..Style::default()
        };
        let built = Builder::new("test", input(4, 4, 3))
            .layer("a", operation, style)
            .dense("logits", 2, false)
            .build();
        let problem = built.unwrap_err().to_string();
        assert!(problem.contains(reason), "{problem}");
    }
}

#[test]
fn gains_beside_weights_have_right_gradients() {
    let scaled = || Style {
        norm: Norm::Affine,
        ..Style::default()
    };
    for statistics in [Statistics::Batch, Statistics::Running] {
        let architecture = Builder::new("test", input(5, 6, 4))
            .layer("a", convolution(4, (3, 3), 1, 1), scaled())
            .layer("b", convolution(6, (1, 1), 1, 0), scaled())
            .layer("whole", convolution(8, (3, 3), 1, 0), PLAIN)
            .layer("mean", Operation::GlobalAveragePool, PLAIN)
            .layer("logits", Operation::dense(input(1, 1, 8), 3), scaled())
            .build()
            .unwrap();
        let mut case = Case::new(architecture, statistics);
        case.images = 4;
        case.check();
    }
}
