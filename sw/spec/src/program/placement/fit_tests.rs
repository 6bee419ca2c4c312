//! Memories that just hold a network.

use super::tests::{configuration, convolution, network, residual};
use crate::config::Configuration;
use crate::program::{Operation, Program, fit};

#[test]
fn a_fitted_configuration_holds_the_network_and_one_word_less_of_any_memory_does_not() {
    let graph = network(vec![
        convolution(3, 20, None),
        convolution(3, 16, None),
        convolution(3, 20, residual(1)),
    ]);
    let (fitted, program) = fit(&configuration(), &graph).unwrap();
    assert_eq!(Program::new(&fitted, &graph).as_ref(), Ok(&program));
    assert_eq!(fitted.validate(), Ok(()));
    type Less = fn(&mut Configuration);
    let less: [(Less, &str); 5] = [
        (|c| c.depths.weights -= 1, "depths.weights"),
        (|c| c.depths.activations -= 1, "depths.activations"),
        (|c| c.depths.accumulators -= 1, "depths.accumulators"),
        (|c| c.depths.parameters -= 1, "depths.parameters"),
        (|c| c.depths.layers -= 1, "depths.layers"),
    ];
    for (less, field) in less {
        let mut smaller = fitted.clone();
        less(&mut smaller);
        let message = Program::new(&smaller, &graph).unwrap_err().to_string();
        assert!(message.starts_with(field), "{message}");
    }
}

#[test]
fn a_fitted_configuration_has_zero_points_and_tables_only_if_the_network_has() {
    let plain = network(vec![convolution(3, 4, None)]);
    let built = Configuration {
        zero_points: true,
        tables: 5,
        ..configuration()
    };
    let (fitted, _) = fit(&built, &plain).unwrap();
    assert_eq!((fitted.zero_points, fitted.tables), (false, 0));
    let mut both = network(vec![convolution(3, 4, None), convolution(1, 4, None)]);
    both.input_zero = -128;
    both.layers[1].operation = Operation::Pointwise;
    let (fitted, _) = fit(&configuration(), &both).unwrap();
    assert_eq!((fitted.zero_points, fitted.tables), (true, 1));
}
