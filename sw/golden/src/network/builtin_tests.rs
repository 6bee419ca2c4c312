use super::*;
use crate::network::{Norm, Parameters};

const DIGIT: Shape = Shape {
    height: 28,
    width: 28,
    channels: 1,
};
const PHOTO: Shape = Shape {
    height: 32,
    width: 32,
    channels: 3,
};

fn count(name: &str, input: Shape, classes: usize) -> usize {
    let architecture = Architecture::builtin(name.parse().unwrap(), input, classes).unwrap();
    Parameters::random(&architecture, 1, 0).count()
}

#[test]
fn the_mlp_is_784_100_10() {
    let shapes = Architecture::mlp(DIGIT, 10).unwrap().shapes().to_vec();
    let volumes: Vec<_> = shapes.iter().map(|s| s.input.volume()).collect();
    assert_eq!(volumes, [784, 100]);
    assert_eq!(shapes[1].output.volume(), 10);
    assert_eq!(count("mlp", DIGIT, 10), 784 * 100 + 100 + 100 * 10 + 10);
}

#[test]
fn the_cnn_has_two_convolutions_two_pools_and_two_dense_layers() {
    let cnn = Architecture::cnn(DIGIT, 10).unwrap();
    let kinds: Vec<_> = cnn
        .network
        .layers
        .iter()
        .map(|l| l.operation.kind())
        .collect();
    assert_eq!(
        kinds,
        [
            "convolution",
            "max pool",
            "convolution",
            "max pool",
            "convolution",
            "convolution"
        ]
    );
    assert_eq!(cnn.shapes()[4].output.pixels(), 1, "dense layers are flat");
}

#[test]
fn an_image_too_small_for_the_cnn_is_refused_by_layer() {
    let tiny = Shape {
        height: 2,
        width: 2,
        channels: 1,
    };
    let message = Architecture::cnn(tiny, 10).unwrap_err().to_string();
    assert!(message.contains("pool1"), "{message}");
}

#[test]
fn residual_networks_have_the_published_numbers_of_parameters_and_layers() {
    // He et al., table 6: 0.27 M, 0.46 M, 0.66 M and 0.85 M.
    for (name, parameters) in [
        ("resnet20", 269_722),
        ("resnet32", 464_154),
        ("resnet44", 658_586),
        ("resnet56", 853_018),
    ] {
        assert_eq!(count(name, PHOTO, 10), parameters, "{name}");
        // Two projections of 16 x 32 and 32 x 64 weights, each with a batch norm.
        let projections = 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64;
        assert_eq!(
            count(&format!("{name}-b"), PHOTO, 10),
            parameters + projections
        );
    }
    let plain = Architecture::builtin("resnet20".parse().unwrap(), PHOTO, 10).unwrap();
    assert_eq!(
        plain.network.layers.len(),
        21,
        "19 convolutions, a pool, a dense layer"
    );
    assert_eq!(
        plain.network.shapes().unwrap(),
        plain.shapes(),
        "it is a chain"
    );
}

#[test]
fn simple_nets_have_the_published_numbers_of_parameters() {
    assert_eq!(count("simplenet", PHOTO, 10), 5_498_378);
    assert_eq!(count("simplenet:64", PHOTO, 100), 5_521_508);
    assert_eq!(count("simplenet", DIGIT, 10), 1_082_826);
    assert_eq!(count("simplenet-bn:32", DIGIT, 10), 1_082_826);
    assert!(count("simplenet:16", PHOTO, 10) < 400_000);
}

#[test]
fn groups_are_at_most_half_of_the_channels_and_divide_them() {
    for (channels, expected) in [
        (64, 32),
        (32, 16),
        (16, 8),
        (48, 24),
        (80, 16),
        (74, 1),
        (2, 1),
    ] {
        assert_eq!(groups(channels, 16), expected, "{channels} channels");
    }
    let net = Architecture::simple_net(Some(8), false, PHOTO, 10).unwrap();
    assert_eq!(net.styles[0].norm, Norm::Group { groups: 4 });
}

#[test]
fn no_group_has_so_few_values_that_nothing_is_left_of_them() {
    // The papers' networks and half of their width are as in the papers: four values and more.
    let groups_of = |width, input| -> Vec<usize> {
        let net = Architecture::simple_net(Some(width), false, input, 10).unwrap();
        let of = |norm: &Norm| match norm {
            Norm::Group { groups } => Some(*groups),
            _ => None,
        };
        net.styles.iter().filter_map(|s| of(&s.norm)).collect()
    };
    assert_eq!(groups_of(64, PHOTO), [32; 13]);
    let half = [[16].as_slice(), &[32; 12]].concat();
    assert_eq!(groups_of(32, PHOTO), half);
    assert_eq!(groups_of(32, DIGIT), half[..11]);
    // Of 64 channels of one pixel, 32 groups would have two values each.
    let narrow = [[8].as_slice(), &[16; 5], &[32; 6], &[16]].concat();
    assert_eq!(groups_of(16, PHOTO), narrow);
    for (channels, pixels, expected) in [(64, 1, 16), (16, 1, 4), (12, 1, 3), (2, 1, 1), (6, 1, 1)]
    {
        assert_eq!(groups(channels, pixels), expected, "{channels} of {pixels}");
    }
}

#[test]
fn networks_survive_their_names_and_others_are_refused() {
    for name in [
        "mlp",
        "cnn",
        "resnet20",
        "resnet56-b",
        "simplenet",
        "simplenet:16",
        "simplenet-bn",
        "simplenet-bn:64",
    ] {
        assert_eq!(name.parse::<Builtin>().unwrap().to_string(), name);
    }
    for name in [
        "",
        "vgg",
        "resnet",
        "resnet18",
        "resnet020",
        "mlp:3",
        "simplenet:",
        "simplenet:3",
        "simplenet:514",
        "simplenet:+8",
        "simplenet:008",
    ] {
        let message = name.parse::<Builtin>().unwrap_err().to_string();
        assert!(
            message.contains("resnet20") && message.contains("WIDTH is even, 2 to 512"),
            "{message}"
        );
    }
    let grey_blue = Shape {
        channels: 2,
        ..PHOTO
    };
    let message = Architecture::simple_net(None, false, grey_blue, 10)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("one or three channels") && message.contains("32x32x2"),
        "{message}"
    );
}
