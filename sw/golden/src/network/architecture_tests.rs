use super::super::test_graph::{graph, grouped};
use super::super::{Bounds, Builder, Function, Norm};
use super::*;
use brownout_spec::program::{Layer, Operation, Padding, Steps, Window};

fn shape(height: usize, width: usize, channels: usize) -> Shape {
    Shape {
        height,
        width,
        channels,
    }
}

/// Pools down to one pixel, from a map of so many rows and columns.
fn reduced(mut network: Builder, (mut height, mut width): (usize, usize)) -> Builder {
    while height * width > 1 {
        let window = Window {
            height: height.min(63),
            width: width.min(63),
            ..Window::square(1, 7, 0)
        };
        network = network.layer("pool", Operation::MaxPool { window }, Style::default());
        height = (height - window.height) / 7 + 1;
        width = (width - window.width) / 7 + 1;
    }
    network
}

/// The message of a layer that keeps the map's size.
fn refusal(input: Shape, operation: Operation, style: Style) -> String {
    let network = Builder::new("test", input).layer("odd", operation, style);
    let network = reduced(network, (input.height, input.width));
    network.build().unwrap_err().to_string()
}

#[test]
fn a_network_and_its_styles_give_the_architecture_that_they_were_taken_from() {
    let built = graph(shape(28, 28, 1), 10);
    let json = serde_json::to_string(&(&built.network, &built.styles)).unwrap();
    let (network, styles) = serde_json::from_str(&json).unwrap();
    assert_eq!(Architecture::new("graph", network, styles).unwrap(), built);
}

#[test]
fn one_style_is_needed_for_each_layer() {
    let built = graph(shape(28, 28, 1), 10);
    let mut styles = built.styles.clone();
    styles.pop();
    let message = Architecture::new("graph", built.network, styles).unwrap_err();
    assert!(
        message
            .to_string()
            .contains("17 layers, and what training does with them is said of 16"),
        "{message}"
    );
}

#[test]
fn a_style_of_another_kind_of_layer_is_refused_with_what_is_allowed() {
    let map = shape(6, 6, 4);
    let same = Window::square(1, 1, 0);
    let pool = Operation::MaxPool { window: same };
    let average = Operation::AveragePool {
        window: same,
        counted: Padding::NONE,
    };
    let bounds = Style {
        bounds: Bounds::RELU,
        ..Style::default()
    };
    let norm = |norm| Style {
        norm,
        ..Style::default()
    };
    let offset = Style {
        offset: true,
        ..Style::default()
    };
    let convolution = Operation::convolution(same, 6);
    let groups = norm(Norm::Group { groups: 4 });
    for (operation, style, found) in [
        (pool, bounds.clone(), "max pool has bounds"),
        (
            Operation::Pad {
                padding: Padding::around(1),
            },
            bounds,
            "pad has bounds",
        ),
        (pool, norm(Norm::Batch), "allowed only in a convolution"),
        (average, offset, "allowed only in a convolution"),
        (Operation::Pointwise, Style::default(), "has no function"),
        (
            convolution,
            Style::of_function(Function::tanh()),
            "only in a pointwise layer",
        ),
        (
            convolution,
            groups,
            "its 6 channels cannot be in 4 equal groups",
        ),
        (
            convolution,
            norm(Norm::Group { groups: 0 }),
            "in 0 equal groups",
        ),
    ] {
        let message = refusal(map, operation, style);
        assert!(message.starts_with("layer 0 (odd): "), "{message}");
        assert!(message.contains(found), "{message}");
    }
}

#[test]
fn a_mean_over_nothing_is_refused() {
    // Two taps seven columns apart on a map of six, each in the padding.
    let window = Window {
        height: 1,
        width: 2,
        dilation: Steps {
            rows: 1,
            columns: 7,
        },
        padding: Padding {
            left: 1,
            right: 1,
            ..Padding::NONE
        },
        ..Window::square(1, 1, 0)
    };
    let build = |counted| {
        let pool = Operation::AveragePool { window, counted };
        let network = Builder::new("test", shape(6, 6, 4)).layer("odd", pool, Style::default());
        reduced(network, (6, 1)).build()
    };
    let message = build(Padding::NONE).unwrap_err().to_string();
    assert!(message.contains("window at column 0 counts"), "{message}");
    // Where the padding counts there is something to divide by.
    assert!(build(window.padding).is_ok());
}

#[test]
fn what_is_larger_than_the_tables_of_the_inner_loops_is_refused_before_anything_is_allocated() {
    let one = Window::square(1, 1, 0);
    let convolution = |window, channels| Operation::convolution(window, channels);
    let message = refusal(shape(4095, 4095, 16), convolution(one, 2), Style::default());
    assert!(
        message.contains("allowed are at most 134217728"),
        "{message}"
    );
    let message = refusal(
        shape(4095, 1, 1),
        convolution(one, 16_384),
        Style::default(),
    );
    assert!(message.contains("with borders"), "{message}");
    // A border that is a hundred times the map.
    let wide = Window {
        dilation: Steps::both(15),
        ..Window::square(5, 1, 60)
    };
    let network = Builder::new("test", shape(1, 1, 16_384));
    let network = network.layer("odd", convolution(wide, 1), Style::default());
    let message = reduced(network, (61, 61)).build().unwrap_err().to_string();
    assert!(message.contains("with borders"), "{message}");
    // Each of them fits, all together do not.
    let mut network = Builder::new("test", shape(1024, 1024, 64));
    for _ in 0..4 {
        network = network.layer("depthwise", grouped(one, 64, 64), Style::default());
    }
    let message = reduced(network, (1024, 1024))
        .build()
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("values in its tensors; allowed are at most 268435456"),
        "{message}"
    );
    let network = |layers: usize| {
        let mut network = Builder::new("test", shape(1, 1, 16_384));
        for _ in 0..layers {
            network = network.layer("wide", convolution(one, 16_384), Style::default());
        }
        network.build()
    };
    assert!(network(2).is_ok());
    let message = network(3).unwrap_err().to_string();
    assert!(
        message.contains("805306368 weights; allowed are at most 536870912"),
        "{message}"
    );
}

#[test]
fn a_graph_that_says_something_impossible_is_refused_and_not_panicked_at() {
    let built = graph(shape(28, 28, 1), 10);
    let change = |change: &dyn Fn(&mut [Layer])| {
        let mut network = built.network.clone();
        change(&mut network.layers);
        Architecture::new("graph", network, built.styles.clone())
            .unwrap_err()
            .to_string()
    };
    type Change<'a> = &'a dyn Fn(&mut [Layer]);
    let changes: [(Change<'_>, &str); 6] = [
        (
            &|layers| layers[5].reads = vec![4],
            "number of tensors read",
        ),
        (&|layers| layers[5].reads = vec![4, 99], "tensor read"),
        (&|layers| layers[0].reads = vec![], "number of tensors read"),
        (&|layers| layers[5].reads = vec![4, 1], "second tensor"),
        (
            &|layers| layers[1].operation = grouped(Window::square(3, 1, 1), 3, 8),
            "groups",
        ),
        (
            &|layers| {
                layers[15].operation = Operation::MaxPool {
                    window: Window::square(1, 1, 0),
                };
            },
            "one pixel",
        ),
    ];
    for (what, found) in changes {
        let message = change(what);
        assert!(message.contains(found), "{message}");
    }
}
