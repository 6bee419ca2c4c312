use super::super::test_dicts::{NETWORKS, PHOTO, Tensors, bytes, import, state_dict, target};
use super::*;
use crate::data::{Split, cifar};
use crate::export::export;
use crate::infer::IntegerNetwork;
use crate::network::Evaluator;
use crate::train::TrainingOptions;
use brownout_spec::code::CodeName;

#[test]
fn every_kind_of_network_is_imported_with_and_without_module_in_front() {
    for network in NETWORKS {
        let tensors = state_dict(network);
        let plain = import(&tensors, network).unwrap();
        let mut wrapped = tensors.clone();
        wrapped.insert("bn1.num_batches_tracked".into(), (vec![1], vec![3.0]));
        let wrapped = bytes(&wrapped, "module.");
        let path = Path::new("net.safetensors");
        let wrapped = state_dict_from(&wrapped, path, &target(network)).unwrap();
        assert_eq!(plain, wrapped, "{network}");
        let values = tensors.iter().filter(|(name, _)| !name.contains("running"));
        let values: usize = values.map(|(_, (_, values))| values.len()).sum();
        assert_eq!(plain.parameters.count(), values, "{network}");
    }
}

#[test]
fn each_bad_tensor_is_named_with_what_is_allowed() {
    type Change = fn(&mut Tensors);
    let cases: [(Change, &[&str]); 8] = [
        (
            |t| drop(t.remove("layer2.1.conv2.weight")),
            &["no tensor \"layer2.1.conv2.weight\"", "resnet20"],
        ),
        (
            |t| drop(t.remove("layer1.0.bn1.running_var")),
            &["no tensor \"layer1.0.bn1.running_var\""],
        ),
        (
            |t| drop(t.insert("head.bias".into(), (vec![1], vec![0.0]))),
            &["tensor \"head.bias\"", "does not know"],
        ),
        (
            |t| t.get_mut("conv1.weight").unwrap().0 = vec![16, 27, 1, 1],
            &["\"conv1.weight\"", "[16, 27, 1, 1]", "[16, 3, 3, 3]"],
        ),
        (
            |t| t.get_mut("linear.weight").unwrap().0 = vec![64, 10],
            &["\"linear.weight\"", "[64, 10]", "[10, 64]"],
        ),
        (
            |t| t.get_mut("linear.bias").unwrap().1[7] = f32::NAN,
            &["value 7", "\"linear.bias\"", "NaN", "finite"],
        ),
        (
            |t| t.get_mut("bn1.weight").unwrap().1[0] = f32::NEG_INFINITY,
            &["\"bn1.weight\"", "-inf", "finite"],
        ),
        (
            |t| t.get_mut("bn1.running_var").unwrap().1[2] = -0.5,
            &["value 2", "\"bn1.running_var\"", "0 or more"],
        ),
    ];
    for (change, expected) in cases {
        let mut tensors = state_dict("resnet20");
        change(&mut tensors);
        let message = import(&tensors, "resnet20").unwrap_err();
        for part in expected.iter().chain(&["net.safetensors"]) {
            assert!(message.contains(part), "{message:?} lacks {part:?}");
        }
    }
    let garbage = state_dict_from(b"PK\x03\x04", Path::new("a.pth"), &target("cnn"));
    assert!(
        garbage
            .unwrap_err()
            .to_string()
            .contains("not a safetensors file")
    );
}

/// The forward pass of a ResNet as its state dict means it, in f64, channels first,
/// zeros in front and behind: written down again, without anything of this crate.
fn reference(tensors: &Tensors, blocks: usize, image: &[f64]) -> Vec<f64> {
    let get = |name: &str| &tensors[name].1;
    let conv = |x: &[f64], side: usize, name: &str, norm: &str, stride: usize| -> Vec<f64> {
        let (shape, w) = &tensors[&format!("{name}.weight")];
        let (outputs, inputs) = (shape[0], shape[1]);
        let out = side / stride;
        let mut y = vec![0.0; outputs * out * out];
        for o in 0..outputs {
            let part = |p: &str| f64::from(get(&format!("{norm}.{p}"))[o]);
            for at in 0..out * out {
                let mut sum = 0.0;
                for i in 0..inputs {
                    for tap in 0..9 {
                        let row = (at / out * stride + tap / 3) as isize - 1;
                        let column = (at % out * stride + tap % 3) as isize - 1;
                        let inside = 0..side as isize;
                        if inside.contains(&row) && inside.contains(&column) {
                            let x = x[i * side * side + row as usize * side + column as usize];
                            sum += x * f64::from(w[(o * inputs + i) * 9 + tap]);
                        }
                    }
                }
                let deviation = (part("running_var") + 1e-5).sqrt();
                y[o * out * out + at] =
                    (sum - part("running_mean")) / deviation * part("weight") + part("bias");
            }
        }
        y
    };
    let relu = |x: Vec<f64>| -> Vec<f64> { x.into_iter().map(|v| v.max(0.0)).collect() };
    let mut x = relu(conv(image, 32, "conv1", "bn1", 1));
    let mut side = 32;
    for stage in 1..=3 {
        for block in 0..blocks {
            let stride = if stage > 1 && block == 0 { 2 } else { 1 };
            let name = format!("layer{stage}.{block}");
            let (bn1, bn2) = (format!("{name}.bn1"), format!("{name}.bn2"));
            let h = relu(conv(&x, side, &format!("{name}.conv1"), &bn1, stride));
            let mut y = conv(&h, side / stride, &format!("{name}.conv2"), &bn2, 1);
            let (out, operands) = (side / stride, x.len() / side / side);
            let front = (y.len() / out / out - operands) / 2;
            for c in 0..operands {
                for at in 0..out * out {
                    let from = (at / out * stride) * side + at % out * stride;
                    y[(front + c) * out * out + at] += x[c * side * side + from];
                }
            }
            (x, side) = (relu(y), out);
        }
    }
    let means: Vec<f64> = x
        .chunks(side * side)
        .map(|m| m.iter().sum::<f64>() / m.len() as f64)
        .collect();
    let (w, b) = (get("linear.weight"), get("linear.bias"));
    b.iter()
        .zip(w.chunks(64))
        .map(|(b, w)| {
            f64::from(*b)
                + w.iter()
                    .zip(&means)
                    .map(|(w, m)| f64::from(*w) * m)
                    .sum::<f64>()
        })
        .collect()
}

#[test]
fn zeros_behind_give_the_logits_of_zeros_in_front_and_behind() {
    let tensors = state_dict("resnet20");
    let model = import(&tensors, "resnet20").unwrap();
    let image: Vec<f32> = (0..PHOTO.volume())
        .map(|i| (i * 7919 % 613) as f32 / 306.5 - 1.0)
        .collect();
    let evaluator = Evaluator::exact(&model.architecture, &model.parameters);
    let mut values = evaluator.values();
    evaluator.run(image.iter().copied(), &mut values);
    let planes: Vec<f64> = (0..3)
        .flat_map(|c| image.iter().skip(c).step_by(3).map(|&v| f64::from(v)))
        .collect();
    let expected = reference(&tensors, 3, &planes);
    let largest = expected.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    for (found, expected) in values.logits().iter().zip(&expected) {
        let difference = (f64::from(*found) - expected).abs() / largest;
        assert!(difference < 1e-4, "{found} is not {expected}");
    }
    // The order of channels matters: without it, the logits are others.
    let mut unordered = model.clone();
    let last = unordered.parameters.layers[20].as_mut().unwrap();
    last.weight.invert_axis(Axis(3));
    last.weight = last.weight.as_standard_layout().into_owned();
    let evaluator = Evaluator::exact(&unordered.architecture, &unordered.parameters);
    evaluator.run(image.iter().copied(), &mut values);
    assert!((f64::from(values.logits()[0]) - expected[0]).abs() / largest > 1e-3);
}

/// The pretrained ResNet-20 and its images, where they are.
fn pretrained() -> Option<(FloatModel, Split)> {
    let weights =
        crate::test_data::folder("cifar10-resnets")?.join("resnet20-12fca82f.safetensors");
    let images = crate::test_data::folder("cifar-10-batches-bin")?;
    let model = read_state_dict(&weights, &target("resnet20")).unwrap();
    Some((model, cifar::read_directory(&images).unwrap()))
}

#[test]
fn the_pretrained_resnet20_has_its_published_accuracy_in_floating_point_and_in_integers() {
    let Some((model, Split { train, test })) = pretrained() else {
        return;
    };
    assert_eq!(model.parameters.count(), 269_722);
    let published = [
        -5.3097, -0.4958, 0.8773, 23.7305, -4.1050, 4.4637, -0.2343, -5.4179, -3.7118, -9.8822,
    ];
    for (found, expected) in model.logits(test.image(0)).iter().zip(published) {
        assert!((found - expected).abs() < 1e-3, "{found} is not {expected}");
    }
    let score = model.score(&test);
    assert!(
        score.correct.abs_diff(9173) <= 2,
        "{} of 10000 are right",
        score.correct
    );
    assert!(
        (score.loss - 0.3727).abs() < 1e-4,
        "the mean loss is {}",
        score.loss
    );

    let options = TrainingOptions {
        code: CodeName::None,
        ..TrainingOptions::default()
    };
    let trained = model.calibrate(&train.first(512), &options).unwrap();
    let exported = export(&trained, None).unwrap();
    let integer = IntegerNetwork::undisturbed(&exported).count_correct(&test);
    println!("float {}, integer {integer} of 10000", score.correct);
    assert!(
        integer + 30 >= score.correct,
        "{integer} of 10000 are right in integers"
    );
}
