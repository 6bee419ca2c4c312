//! A small network that has every operator of a graph at once.

use super::{Architecture, Bounds, Builder, Function, Norm, Style};
use brownout_spec::arithmetic::ResidualScale;
use brownout_spec::program::{Operation, Padding, Residual, Shape, Steps, Window};

/// A sum of two tensors.
pub(crate) const ADD: Operation = Operation::Add {
    scale: ResidualScale {
        multiplier: 0,
        shift: 0,
    },
};

/// A convolution of groups.
pub(crate) fn grouped(window: Window, groups: usize, output_channels: usize) -> Operation {
    Operation::Convolution {
        window,
        groups,
        output_channels,
        residual: None,
    }
}

/// A copy without weights: an average of one tap.
pub(crate) const COPY: Operation = Operation::AveragePool {
    window: Window::square(1, 1, 0),
    counted: Padding::NONE,
};

/// Norms and scales behind anything but a convolution: the input, a sum, a concat, averages.
///
/// A block of a pre-activation network (its norms stand in front of its convolutions, and the sum
/// is read as it is), two of a densely connected one, for images of at least 8 x 8 pixels.
pub(crate) fn normed_anywhere(image: Shape, classes: usize) -> Architecture {
    let with = |norm, bounds| Style {
        norm,
        bounds,
        ..Style::default()
    };
    let active = || with(Norm::Batch, Bounds::RELU);
    let plain = Style::default;
    let three = |channels| Operation::convolution(Window::square(3, 1, 1), channels);
    let added = |channels| {
        three(channels).with_residual(Residual {
            stride: 1,
            scale: ResidualScale::default(),
        })
    };
    let halved = Operation::AveragePool {
        window: Window::square(3, 2, 1),
        counted: Padding::NONE,
    };
    let network = Builder::new("graph", image)
        .layer("input.norm", COPY, with(Norm::Batch, Bounds::NONE))
        .layer(
            "stem",
            Operation::convolution(Window::square(3, 2, 1), 8),
            plain(),
        )
        .layer("a.norm1", COPY, active())
        .layer("a.conv1", three(8), active())
        .layer_from(&[4, 2], "a.conv2", added(8), plain())
        .layer("b.norm", COPY, active())
        .layer("b.conv", three(4), plain())
        .layer_from(&[5, 7], "b.concat", Operation::Concat, plain())
        .layer("c.norm", COPY, with(Norm::Batch, Bounds::RELU6))
        .layer("c.conv", three(4), plain())
        .layer_from(&[8, 10], "c.concat", Operation::Concat, plain())
        .layer("halved", halved, active())
        .layer("scaled", COPY, with(Norm::Affine, Bounds::NONE))
        .layer(
            "mean",
            Operation::GlobalAveragePool,
            with(Norm::Affine, Bounds::NONE),
        )
        .dense("logits", classes, false)
        .build();
    network.expect("the specification allows it")
}

/// Depthwise, dilated and grouped convolutions, an average pool, a max pool, sums, concats, a pad,
/// a resize, functions and clips, for images of 28 x 28 pixels.
pub(crate) fn graph(image: Shape, classes: usize) -> Architecture {
    let normalized = |bounds| Style {
        norm: Norm::Batch,
        bounds,
        ..Style::default()
    };
    let grouped_norm = Style {
        norm: Norm::Group { groups: 4 },
        offset: true,
        bounds: Bounds::RELU,
        ..Style::default()
    };
    let dilated = Window {
        dilation: Steps::both(2),
        ..Window::square(3, 1, 2)
    };
    let clipped = Style {
        bounds: Bounds::new(-4.0, 6.0).expect("it is a range"),
        ..Style::default()
    };
    let average = Operation::AveragePool {
        window: Window::square(3, 2, 1),
        counted: Padding::NONE,
    };
    let corner = Padding {
        bottom: 1,
        right: 1,
        ..Padding::NONE
    };
    let twice = Operation::Resize {
        factors: Steps::both(2),
    };
    let function = Style::of_function;
    let convolution = |window, channels| Operation::convolution(window, channels);
    let relu6 = normalized(Bounds::RELU6);
    let network = Builder::new("graph", image)
        .layer(
            "stem",
            convolution(Window::square(3, 2, 1), 8),
            relu6.clone(),
        )
        .layer("depthwise", grouped(Window::square(3, 1, 1), 8, 8), relu6)
        .layer(
            "linear",
            convolution(Window::square(1, 1, 0), 12),
            normalized(Bounds::NONE),
        )
        .layer(
            "swish",
            Operation::Pointwise,
            function(Function::hard_swish()),
        )
        .layer("dilated", grouped(dilated, 3, 12), grouped_norm)
        .layer_from(&[4, 5], "add", ADD, clipped)
        .layer("average", average, Style::default())
        .layer_from(
            &[6],
            "pool",
            Operation::MaxPool {
                window: Window::square(2, 2, 0),
            },
            Style::default(),
        )
        .layer_from(&[7, 8], "concat", Operation::Concat, Style::default())
        .layer("pad", Operation::Pad { padding: corner }, Style::default())
        .layer(
            "shrink",
            convolution(Window::square(2, 2, 0), 16),
            Style {
                offset: true,
                ..normalized(Bounds::NONE)
            },
        )
        .layer("silu", Operation::Pointwise, function(Function::silu()))
        .layer("resize", twice, Style::default())
        .layer(
            "strided",
            grouped(Window::square(3, 2, 1), 16, 16),
            normalized(Bounds::RELU),
        )
        .layer_from(&[14, 12], "join", Operation::Concat, Style::default())
        .global_average_pool("mean")
        .dense("logits", classes, false)
        .build();
    network.expect("the specification allows it")
}
