//! Maps from pixels against their definitions.

use super::*;
use crate::data::Pixels;

#[test]
fn each_map_keeps_the_order_and_reaches_its_ends() {
    for (map, low, high) in [(InputMap::Halve, 0, 127), (InputMap::Centre, -128, 127)] {
        assert_eq!(map.quantize(0, 0), low);
        assert_eq!(map.quantize(255, 0), high);
        assert!((0..255).all(|p| map.quantize(p, 0) <= map.quantize(p + 1, 0)));
    }
    assert_eq!(InputMap::Centre.quantize(128, 0), 0);
}

#[test]
fn bytes_are_the_numbers_that_they_are_and_black_is_zero() {
    let map: InputMap = "bytes".parse().unwrap();
    assert_eq!(
        (map, map.to_string()),
        (InputMap::Bytes, "bytes".to_owned())
    );
    let pixels: Vec<u8> = (0..=255).collect();
    for table in [map.real_table(), map.rounded_table()] {
        let numbers: Vec<f32> = table.apply(Pixels::Bytes(&pixels)).collect();
        assert!(numbers.iter().zip(0u8..).all(|(&x, p)| x == f32::from(p)));
    }
    let stored: Vec<i8> = map.table().apply(Pixels::Bytes(&pixels)).collect();
    for (stored, pixel) in stored.into_iter().zip(0i16..) {
        assert_eq!(i16::from(stored) - i16::from(map.zero()), pixel);
    }
    // Numbers beyond are at the ends, and numbers between are rounded.
    let numbers = [-3.0, 0.4, 200.6, 300.0];
    let stored: Vec<i8> = map.table().apply(Pixels::Reals(&numbers)).collect();
    assert_eq!(stored, [-128, -128, 73, 127]);
    assert_eq!(map.neutral(2), [0, 0]);
}

#[test]
fn a_normalised_pixel_is_its_definition_rounded_to_the_step_and_the_mean_is_zero() {
    for moments in [
        Normalization::CIFAR10,
        Normalization::IMAGENET,
        Normalization::MNIST,
        Normalization::UNIT,
    ] {
        let map = InputMap::Normalize(moments);
        let mut largest = 0;
        let channels = moments.channels();
        for (channel, of) in channels.iter().enumerate() {
            let (mean, deviation) = (of.mean.get() as f32, of.deviation.get() as f32);
            for pixel in 0..=255 {
                let exact = (f32::from(pixel) / 255.0 - mean) / deviation;
                assert!((map.real(pixel, channel) - exact).abs() < 1e-5);
                let rounded = f32::from(map.quantize(pixel, channel)) * map.step();
                assert!((rounded - exact).abs() <= 0.5001 * map.step());
                largest = largest.max(map.quantize(pixel, channel).unsigned_abs());
            }
            assert_eq!(
                map.quantize(map.neutral(channels.len())[channel], channel),
                0
            );
        }
        assert!(
            (100..=127).contains(&largest),
            "{largest} of 127 steps are in use"
        );
    }
}

#[test]
fn maps_are_known_by_name_and_by_exact_decimal_fractions() {
    let numbers = "0.4914,0.4822,0.4465,0.2470,0.2435,0.2616";
    assert_eq!(numbers.parse(), "cifar10".parse::<InputMap>());
    let imagenet = "0.485,0.456,0.406,0.229,0.224,0.225".parse();
    assert_eq!(imagenet, Ok(InputMap::Normalize(Normalization::IMAGENET)));
    for bad in [
        "",
        "svhn",
        "0.5,0.5,0.5",
        "1.1,0,0,1,1,1",
        "0.5,3",
        "256,0,0,255,255,255",
        "0,0,0,0,0,1,1,1,1,1",
        "1e-1,0,0,1,1,1",
        ".,1",
        "0,0,0,0.001,1,1",
        "-0,0,0,1,1,1",
    ] {
        assert!(
            bad.parse::<InputMap>().unwrap_err().contains("allowed"),
            "{bad}"
        );
    }
}

#[test]
fn a_map_is_written_as_it_is_read_and_its_formula_has_its_numbers() {
    let odd = "0.4850,0.0079,1.0000,0.2290,0.2240,1.0000";
    let fine = "0.49139968,0.24703223";
    for name in [
        "halve", "centre", "cifar10", "imagenet", "mnist", "unit", odd, fine,
    ] {
        assert_eq!(name.parse::<InputMap>().unwrap().to_string(), name);
    }
    let numbers = "with means 0.4850, 0.0079, 1.0000 and deviations 0.2290, 0.2240, 1.0000";
    let formula = odd.parse::<InputMap>().unwrap().formula();
    assert!(formula.contains(numbers), "{formula}");
    for pixel in 0..=255 {
        let p = f32::from(pixel);
        // As the formulas have it.
        assert_eq!(InputMap::Halve.real(pixel, 0), (p / 2.0).floor() / 64.0);
        assert_eq!(InputMap::Centre.real(pixel, 0), (p - 128.0) / 64.0);
    }
}

#[test]
fn a_table_is_its_map() {
    let map = InputMap::Normalize(Normalization::CIFAR10);
    let image: Vec<u8> = (0..=255).rev().collect();
    let table: Vec<i8> = map.table().apply(&image).collect();
    let direct = image
        .iter()
        .enumerate()
        .map(|(i, &p)| map.quantize(p, i % 3));
    assert!(table.into_iter().eq(direct));
}

#[test]
fn moments_without_an_activation_for_every_pixel_are_refused() {
    let message = |text: &str| text.parse::<InputMap>().unwrap_err();
    let narrow = message("0.4914,0.4822,0.4465,0.2470,0.0040,0.2616");
    assert!(
        narrow.contains("channel 1 is 0.0040") && narrow.contains("0.00407717 to 1"),
        "{narrow}"
    );
    // In the units that the user wrote nothing but the result is said.
    assert!(message("0.5,0.5,0.5,1,1,0").contains("channel 2 is 0.0000"));
    // As far from the end as the least deviation allows.
    assert!("0.5,0.00393701".parse::<InputMap>().is_ok());
    assert!("0.5,0.003937".parse::<InputMap>().is_err());
}

#[test]
fn moments_are_read_as_people_write_them() {
    let imagenet = InputMap::Normalize(Normalization::IMAGENET);
    for text in [
        "0.485, 0.456, 0.406, 0.229, 0.224, 0.225",
        ".485,.456,.406,.229,.224,.225",
        "(0.485, 0.456, 0.406), (0.229, 0.224, 0.225)",
        "[0.48500000, 0.456, 0.406] [0.229, 0.224, 0.225]",
        // 255 times as much.
        "123.675,116.28,103.53,58.395,57.12,57.375",
        " imagenet ",
    ] {
        assert_eq!(text.parse(), Ok(imagenet), "{text}");
    }
    let mnist = "0.1307,0.3081".parse::<InputMap>().unwrap();
    assert_eq!(mnist, InputMap::Normalize(Normalization::MNIST));
    let unit = "0,255".parse::<InputMap>().unwrap();
    assert_eq!(
        (unit, unit.real(51, 0)),
        (InputMap::Normalize(Normalization::UNIT), 0.2)
    );
    // Eight digits are all kept.
    let fine = "0.49139968,0.24703223".parse::<InputMap>().unwrap();
    let exact = (200.0 / 255.0 - 0.491_399_68) / 0.247_032_23;
    assert!((f64::from(fine.real(200, 0)) - exact).abs() < 1e-6);
    // What NumPy prints of a mean is rounded.
    let long = "0.1306604762738429,0.30810780385646264".parse::<InputMap>();
    assert_eq!(long.unwrap().to_string(), "0.13066048,0.3081078");
    let odd = "0.1,0.2,0.3".parse::<InputMap>().unwrap_err();
    assert!(
        odd.contains("3 numbers") && odd.contains("all means first"),
        "{odd}"
    );
}

#[test]
fn a_map_has_as_many_channels_as_the_images_and_one_pair_stands_for_all() {
    let refused = InputMap::Normalize(Normalization::IMAGENET);
    let message = refused.check_channels(1).unwrap_err();
    assert!(
        message.contains("imagenet, has moments of 3 channels") && message.contains("1 channel;"),
        "{message}"
    );
    assert_eq!(refused.for_channels(1), Err(message));
    let half: InputMap = "0.5,0.25".parse().unwrap();
    let three = half.for_channels(3).unwrap();
    assert_eq!(Ok(three), "0.5,0.5,0.5,0.25,0.25,0.25".parse());
    assert_eq!(three.check_channels(3), Ok(()));
    assert_eq!(half.for_channels(1), Ok(half));
    assert!(half.check_channels(3).is_err() && half.for_channels(5).is_err());
    assert_eq!(InputMap::Halve.for_channels(17), Ok(InputMap::Halve));
}

#[test]
fn files_have_ten_thousandths_as_before_and_finer_fractions_as_texts() {
    let text = |map: &str| serde_json::to_string(&map.parse::<InputMap>().unwrap()).unwrap();
    assert_eq!(
        text("cifar10"),
        r#"{"normalize":{"mean":[4914,4822,4465],"deviation":[2470,2435,2616]}}"#
    );
    let fine = r#"{"normalize":{"mean":["0.49139968"],"deviation":[2470]}}"#;
    assert_eq!(text("0.49139968,0.247"), fine);
    assert_eq!(
        serde_json::from_str::<InputMap>(fine).unwrap().to_string(),
        "0.49139968,0.2470"
    );
    for bad in [
        r#"{"normalize":{"mean":[],"deviation":[]}}"#,
        r#"{"normalize":{"mean":[1],"deviation":[2470,1]}}"#,
        r#"{"normalize":{"mean":[10001],"deviation":[2470]}}"#,
        r#"{"normalize":{"mean":["1.00000001"],"deviation":[2470]}}"#,
        r#"{"normalize":{"mean":[4914],"deviation":[0]}}"#,
        r#"{"normalize":{"mean":[1,1,1,1,1],"deviation":[9,9,9,9,9]}}"#,
    ] {
        let refused = serde_json::from_str::<InputMap>(bad)
            .unwrap_err()
            .to_string();
        assert!(refused.contains("allowed"), "{bad}: {refused}");
    }
}

#[test]
fn activations_and_real_numbers_bypass_the_map_and_are_rounded_where_integers_need_it() {
    for map in [InputMap::Halve, InputMap::Normalize(Normalization::CIFAR10)] {
        let step = map.step();
        let activations: [i8; 6] = [-128, -1, 0, 1, 64, 127];
        let pixels = Pixels::Activations(&activations);
        assert!(map.table().apply(pixels).eq(activations));
        let meant = activations.map(|v| f32::from(v) * step);
        assert!(map.rounded_table().apply(pixels).eq(meant));
        assert!(map.real_table().apply(pixels).eq(meant));
        // 0.1 is no multiple of any step; ties go to the even one, and ends stay ends.
        let reals = [0.1, 2.5 * step, -1.5 * step, 1e9, -1e9];
        let pixels = Pixels::Reals(&reals);
        assert!(map.real_table().apply(pixels).eq(reals));
        let rounded = [(0.1 / step).round() as i8, 2, -2, 127, -128];
        assert!(map.table().apply(pixels).eq(rounded));
        let mut written = [0; 5];
        map.table().write(pixels, &mut written);
        assert_eq!(written, rounded);
        let meant = rounded.map(|v| f32::from(v) * step);
        assert!(map.rounded_table().apply(pixels).eq(meant));
    }
}

#[test]
fn grey_images_of_any_size_have_one_map() {
    let map = InputMap::Normalize(Normalization::MNIST);
    let image = [90; 12];
    let values: Vec<i8> = map.table().apply(&image).collect();
    assert_eq!(values, [map.quantize(90, 0); 12]);
    let mut written = [0; 12];
    map.table().write(&image, &mut written);
    assert_eq!(values, written);
}
