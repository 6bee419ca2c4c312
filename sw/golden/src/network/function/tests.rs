use super::*;

/// Functions by the names that `tests/vectors/functions.py` gives them.
fn named(name: &str) -> Function {
    let half = Function::clip(Bounds::new(-0.5, 0.5).unwrap());
    match name {
        "clip" => half,
        "relu6" => Function::clip(Bounds::RELU6),
        "leaky_relu" => Function::leaky_relu(0.1).unwrap(),
        "hard_sigmoid" => Function::hard_sigmoid(0.2, 0.5).unwrap(),
        "hard_swish" => Function::hard_swish(),
        "sigmoid" => Function::sigmoid(),
        "silu" => Function::silu(),
        "tanh" => Function::tanh(),
        "gelu" => Function::gelu(),
        "gelu_tanh" => Function::gelu_tanh(),
        "elu" => Function::elu(1.5).unwrap(),
        "softplus" => Function::softplus(),
        "mish" => Function::mish(),
        "tanh_of_silu" => Function::silu().then(&Function::tanh()).unwrap(),
        "root_of_magnitude_and_one" => Function::new(vec![
            Step::Magnitude(0),
            Step::Constant(1.0),
            Step::Add(1, 2),
            Step::Root(3),
        ])
        .unwrap(),
        "softsign" => Function::new(vec![
            Step::Magnitude(0),
            Step::Constant(1.0),
            Step::Add(1, 2),
            Step::Divide(0, 3),
        ])
        .unwrap(),
        "logarithm_of_exponential_and_two" => Function::new(vec![
            Step::Exponential(0),
            Step::Constant(-2.0),
            Step::Subtract(1, 2),
            Step::Logarithm(3),
        ])
        .unwrap(),
        other => panic!("no function is named {other}"),
    }
}

/// (name, x, value, derivative), computed by a script of its own with 50 digits.
fn vectors() -> Vec<(String, f64, f64, f64)> {
    let text = include_str!("../../../tests/vectors/functions.tsv");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let line = |line: &str| {
        let mut fields = line.split('\t');
        let name = fields.next().unwrap().to_owned();
        let mut number = || fields.next().unwrap().parse().unwrap();
        (name, number(), number(), number())
    };
    lines.map(line).collect()
}

#[test]
fn values_and_derivatives_are_those_of_another_implementation() {
    let vectors = vectors();
    assert!(vectors.len() > 300);
    for (name, x, value, derivative) in vectors {
        let function = named(&name);
        for (what, found, expected) in [
            ("value", function.value(x), value),
            ("derivative", function.derivative(x), derivative),
        ] {
            let difference = (found - expected).abs();
            assert!(
                difference <= 4e-15 * (1.0 + expected.abs()),
                "{what} of {name} at {x}: {found} is not {expected}"
            );
        }
    }
}

#[test]
fn single_precision_differs_from_double_by_its_rounding_alone() {
    for (name, ..) in vectors() {
        let function = named(&name);
        // More than a block, and one that is not full.
        let x: Vec<f32> = (0..150).map(|i| (i as f32 - 75.0) / 7.3).collect();
        let (mut y, mut dx) = (vec![f32::NAN; x.len()], vec![0.25; x.len()]);
        function.apply(&x, &mut y);
        function.take_back(&x, &vec![2.0; x.len()], &mut dx);
        for ((&x, y), dx) in x.iter().zip(y).zip(dx) {
            let (value, derivative) = function.at(f64::from(x));
            let difference = (f64::from(y) - value).abs();
            assert!(difference < 1e-6 * (1.0 + value.abs()), "{name} at {x}");
            let difference = (f64::from(dx) - 0.25 - 2.0 * derivative).abs();
            assert!(difference < 4e-6, "derivative of {name} at {x}");
        }
    }
}

#[test]
fn where_a_function_has_a_kink_the_derivative_is_that_of_the_lower_half() {
    assert_eq!(named("leaky_relu").derivative(0.0), 0.1);
    assert_eq!(named("relu6").derivative(0.0), 0.0);
    assert_eq!(named("relu6").derivative(6.0), 1.0);
    assert_eq!(named("elu").derivative(0.0), 1.5);
}

#[test]
fn large_numbers_do_not_make_what_is_none() {
    for name in [
        "sigmoid",
        "silu",
        "tanh",
        "gelu",
        "elu",
        "softplus",
        "mish",
        "hard_swish",
    ] {
        let mut y = [0.0; 4];
        let mut dx = [0.0; 4];
        let x = [-2000.0, -90.0, 90.0, 2000.0];
        named(name).apply(&x, &mut y);
        named(name).take_back(&x, &[1.0; 4], &mut dx);
        assert!(
            y.iter().chain(&dx).all(|y| y.is_finite()),
            "{name}: {y:?}, {dx:?}"
        );
    }
}

#[test]
fn a_function_survives_its_json_and_without_steps_is_its_variable() {
    for (name, ..) in vectors() {
        let json = serde_json::to_string(&named(&name)).unwrap();
        let read: Function = serde_json::from_str(&json).unwrap();
        assert_eq!(read, named(&name));
    }
    assert_eq!(
        serde_json::to_string(&Function::silu()).unwrap(),
        r#"[{"sigmoid":0},{"multiply":[0,1]}]"#
    );
    assert_eq!(Function::default().value(1.25), 1.25);
    assert_eq!(Function::default().derivative(1.25), 1.0);
}

#[test]
fn what_no_function_can_be_is_refused_with_what_is_allowed() {
    for (json, found) in [
        (r#"[{"add":[0,1]}]"#, "step 0 of a function reads 1"),
        (r#"[{"tanh":0},{"erf":3}]"#, "step 1 of a function reads 3"),
        (r#"[{"constant":1e300}]"#, "finite numbers of 32 bits"),
        (
            r#"[{"clip":[0,{"low":3.0,"high":1.0}]}]"#,
            "below the upper one",
        ),
        (r#"[{"cosine":0}]"#, "unknown variant"),
    ] {
        let message = serde_json::from_str::<Function>(json)
            .unwrap_err()
            .to_string();
        assert!(message.contains(found), "{json}: {message}");
    }
    let long = vec![Step::Tanh(0); MAX_STEPS + 1];
    assert!(Function::new(long).unwrap_err().contains("at most 64"));
    let half = Function::new(vec![Step::Tanh(0); 40]).unwrap();
    assert!(half.then(&half).is_err());
}
