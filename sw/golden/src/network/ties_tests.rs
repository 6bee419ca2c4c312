use super::super::{Bounds, Builder, Style};
use brownout_spec::arithmetic::ResidualScale;
use brownout_spec::program::{Operation, Padding, Shape, Steps, Window};

const INPUT: Shape = Shape {
    height: 8,
    width: 8,
    channels: 3,
};

fn builder() -> Builder {
    Builder::new("ties", INPUT)
}

fn convolution(network: Builder, source: usize, name: &str) -> Builder {
    let operation = Operation::convolution(Window::square(3, 1, 1), 4);
    let style = Style {
        bounds: Bounds::RELU,
        ..Style::default()
    };
    network.layer_from(&[source], name, operation, style)
}

fn concat(network: Builder, parts: &[usize]) -> Builder {
    network.layer_from(parts, "concat", Operation::Concat, Style::default())
}

fn pool(network: Builder, source: usize) -> Builder {
    let window = Window {
        padding: Padding::around(1),
        ..Window::square(3, 1, 0)
    };
    let operation = Operation::MaxPool { window };
    network.layer_from(&[source], "pool", operation, Style::default())
}

fn owners(network: Builder) -> Vec<usize> {
    let whole = network.last();
    let network = network
        .global_average_pool("mean")
        .dense("logits", 2, false);
    let mut owners = network.build().unwrap().grid_owners();
    assert_eq!(owners.split_off(whole + 1), [whole + 1, whole + 2]);
    owners
}

#[test]
fn what_only_moves_values_keeps_the_grid_of_its_source_even_of_the_input() {
    let network = convolution(pool(builder(), 0), 1, "a");
    let factors = Steps::both(2);
    let network = network.layer("resize", Operation::Resize { factors }, Style::default());
    let padding = Padding::around(1);
    let network = network.layer("pad", Operation::Pad { padding }, Style::default());
    assert_eq!(owners(network), [0, 0, 2, 2, 2]);
}

#[test]
fn a_concat_takes_its_parts_along_unless_others_read_them() {
    // 1 is read by the concat and by 3; 2 and 3 by the concat alone.
    let network = convolution(convolution(builder(), 0, "a"), 0, "b");
    let network = convolution(network, 1, "c");
    assert_eq!(owners(concat(network, &[1, 2, 3, 0])), [0, 1, 4, 4, 4]);
}

#[test]
fn a_part_behind_pools_is_tied_if_nobody_reads_what_is_in_front_of_them() {
    let network = convolution(convolution(builder(), 0, "a"), 0, "b");
    // 3 and 4 are pools of 1, which 5 reads too; 6 is one of 2, which nobody else reads.
    let network = pool(pool(network, 1), 3);
    let network = pool(convolution(network, 1, "c"), 2);
    let found = owners(concat(network, &[4, 5, 6]));
    assert_eq!(found, [0, 1, 7, 1, 1, 7, 7, 7]);
}

#[test]
fn a_chain_of_concats_and_pools_has_one_grid_and_a_concat_read_twice_keeps_its_own() {
    let two = |network: Builder| convolution(convolution(network, 0, "a"), 0, "b");
    // (1, 2) -> 3, pooled 4, with 5 -> 6.
    let network = convolution(pool(concat(two(builder()), &[1, 2]), 3), 0, "c");
    let whole = concat(network.clone(), &[4, 5]);
    assert_eq!(owners(whole), [0, 6, 6, 6, 6, 6, 6]);
    // Layer 5 reads the first concat as well.
    let network = convolution(pool(concat(two(builder()), &[1, 2]), 3), 3, "c");
    let whole = concat(network, &[4, 5]);
    assert_eq!(owners(whole), [0, 3, 3, 3, 3, 6, 6]);
}

#[test]
fn a_tensor_that_is_a_part_twice_is_tied() {
    let network = convolution(builder(), 0, "a");
    assert_eq!(owners(concat(network, &[1, 1])), [0, 2, 2]);
    // An add has a grid of its own.
    let network = convolution(convolution(builder(), 0, "a"), 0, "b");
    let scale = ResidualScale::default();
    let add = Operation::Add { scale };
    let network = network.layer_from(&[1, 2], "add", add, Style::default());
    assert_eq!(owners(network), [0, 1, 2, 3]);
}
