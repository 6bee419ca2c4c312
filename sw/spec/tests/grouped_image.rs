//! The weight image of layers with groups of channels, depthwise ones among them.

use brownout_spec::code::{CodeName, Codeword, Policy, Storage};
use brownout_spec::config::WeightBits;
use brownout_spec::image::{Cell, CheckHome, LayerShape, Layout, WeightBit, WeightImage};
use brownout_spec::quantity::{Lane, WordAddress};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;

fn layer(name: &str, groups: usize, outputs: usize, inputs: usize, taps: [usize; 2]) -> LayerShape {
    LayerShape {
        name: name.to_owned(),
        output_channels: groups * outputs,
        input_channels: inputs,
        groups,
        kernel_height: taps[0],
        kernel_width: taps[1],
    }
}

/// Arrays with fewer, as many and more rows than columns, by turns, with what fits them.
fn arrays() -> impl Strategy<Value = (usize, usize, WeightBits, CodeName, Storage)> {
    let side = || (2_u32..=5).prop_map(|power| 1_usize << power);
    let bits = prop_oneof![Just(WeightBits::Four), Just(WeightBits::Eight)];
    let code = prop::sample::select(CodeName::ALL.to_vec());
    let storage = prop::sample::select(Storage::ALL.to_vec());
    (side(), side(), bits, code, storage).prop_filter(
        "the code must support the weights and fit the columns",
        |&(_, columns, bits, code, _)| {
            code.supports(bits)
                && (!code.is_in_place() || columns % code.weights_per_word(bits) == 0)
        },
    )
}

/// A depthwise, a grouped and an ungrouped layer, in any order.
fn shapes() -> impl Strategy<Value = Vec<LayerShape>> {
    let taps = || [1_usize..=3, 1..=2];
    let depthwise = (2_usize..=70, taps()).prop_map(|(c, taps)| layer("deep", c, 1, 1, taps));
    let grouped = (2_usize..=9, 1_usize..=20, 1_usize..=20, taps())
        .prop_map(|(g, o, i, taps)| layer("groups", g, o, i, taps));
    let whole =
        (1_usize..=20, 1_usize..=20, taps()).prop_map(|(o, i, taps)| layer("all", 1, o, i, taps));
    (depthwise, grouped, whole).prop_flat_map(|(a, b, c)| Just(vec![a, b, c]).prop_shuffle())
}

fn layouts() -> impl Strategy<Value = Layout> {
    (arrays(), shapes()).prop_map(|((rows, columns, bits, code, storage), shapes)| {
        Layout::for_array(rows, columns, bits, code, storage, shapes).unwrap()
    })
}

fn random_image(layout: Layout, seed: u64) -> (WeightImage, Vec<Vec<i8>>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let tensors: Vec<Vec<i8>> = layout
        .layers()
        .iter()
        .map(|layer| {
            let weight = |index| {
                let channel = layer.shape.coordinates(index).unwrap().output;
                let (lowest, highest) = layout.code().allowed_range_of_channel(channel);
                rng.random_range(lowest..=highest)
            };
            (0..layer.shape.weights()).map(weight).collect()
        })
        .collect();
    (WeightImage::encode(layout, &tensors).unwrap(), tensors)
}

/// The weight or padding that a cell's bit belongs to; `None` of check bits beside the weights.
fn weight_of(cell: Cell) -> Option<Option<WeightBit>> {
    match cell {
        Cell::WeightBit(bit) => Some(Some(bit)),
        Cell::Padding { .. } => Some(None),
        Cell::CheckBit { home, .. } => match home {
            CheckHome::InWeight(bit) => Some(Some(bit)),
            CheckHome::InPadding { .. } => Some(None),
            CheckHome::Beside => None,
        },
    }
}

/// What the positions of a layer's words hold, in order, by definition: nothing is taken from the
/// layout but the array and the word.
fn positions(layout: &Layout, shape: &LayerShape) -> Vec<Option<usize>> {
    let (rows, columns) = (layout.rows(), layout.columns());
    let per_word = layout.code().weights_per_word();
    let outputs = shape.output_channels;
    let of_group = outputs / shape.groups;
    // The inputs of the layer, in all groups, that an output reads.
    let reads = |output: usize| {
        let first = output / of_group * shape.input_channels;
        first..first + shape.input_channels
    };
    let tiles: Vec<Vec<usize>> = (0..outputs)
        .collect::<Vec<_>>()
        .chunks(columns)
        .map(<[usize]>::to_vec)
        .collect();
    let reached = |tile: &Vec<usize>| -> BTreeSet<usize> {
        tile.iter()
            .flat_map(|&output| reads(output).map(|input| input / rows))
            .collect()
    };
    let most = tiles.iter().map(|tile| reached(tile).len()).max().unwrap();
    let depthwise = of_group == 1 && shape.input_channels == 1 && shape.groups > 1;
    let mut all = Vec::new();
    for (number, tile) in tiles.iter().enumerate() {
        for tap in 0..shape.kernel_height * shape.kernel_width {
            let index = |output: usize, input: usize| {
                let taps = shape.kernel_height * shape.kernel_width;
                (output < outputs && reads(output).contains(&input)).then(|| {
                    let input = input - reads(output).start;
                    (output * shape.input_channels + input) * taps + tap
                })
            };
            let column = |j| number * columns + j;
            if depthwise {
                let used = columns.min(most * rows);
                all.extend((0..used).map(|j| index(column(j), column(j))));
                let padding = used.next_multiple_of(per_word) - used;
                all.extend(vec![None; padding]);
                continue;
            }
            let first = *reached(tile).first().unwrap();
            for row in 0..most * rows {
                let input = first * rows + row;
                all.extend((0..columns).map(|j| index(column(j), input)));
            }
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_position_of_every_word_holds_what_the_definition_says(layout in layouts()) {
        let per_word = layout.code().weights_per_word();
        let width = layout.code().weight_bits().bits();
        let mut words = 0..layout.words() as u32;
        for (number, placed) in layout.layers().iter().enumerate() {
            let expected = positions(&layout, &placed.shape);
            prop_assert_eq!(expected.len(), placed.words * per_word);
            for held in expected.chunks(per_word) {
                let address = WordAddress(words.next().unwrap());
                let weights = layout.weights_of(address).unwrap();
                prop_assert_eq!(weights.layer(), number);
                prop_assert_eq!(weights.indices().collect::<Vec<_>>(), held);
                for (position, &index) in held.iter().enumerate() {
                    let lane = Lane((position * width) as u8);
                    let cell = layout.cell(address, lane).unwrap();
                    let named = index.map(|index| WeightBit { layer: number, index, bit: 0 });
                    prop_assert_eq!(weight_of(cell), Some(named));
                }
            }
        }
        prop_assert_eq!(words.next(), None, "every word belongs to a layer");
    }

    #[test]
    fn every_bit_of_every_weight_has_one_cell_and_back(layout in layouts()) {
        let mut found = BTreeSet::new();
        for (layer, placed) in layout.layers().iter().enumerate() {
            for index in 0..placed.shape.weights() {
                for bit in 0..layout.code().weight_bits().bits() as u8 {
                    let named = WeightBit { layer, index, bit };
                    let (address, lane) = layout.locate(named).unwrap();
                    let cell = layout.cell(address, lane).unwrap();
                    prop_assert_eq!(weight_of(cell), Some(Some(named)));
                    prop_assert!(found.insert((address, lane)), "{:?} shares its cell", named);
                }
            }
            let beyond = WeightBit { layer, index: placed.shape.weights(), bit: 0 };
            prop_assert_eq!(layout.locate(beyond), None);
        }
    }

    #[test]
    fn whether_a_weight_is_constrained_follows_from_its_output_channel_alone(layout in layouts()) {
        let code = layout.code();
        for (number, placed) in layout.layers().iter().enumerate() {
            let constrained = layout.constrained_channels(number).unwrap();
            for word in 0..placed.words as u32 {
                let address = WordAddress(placed.base.0 + word);
                let weights = layout.weights_of(address).unwrap();
                for (position, index) in weights.indices().enumerate() {
                    let Some(index) = index else { continue };
                    let output = placed.shape.coordinates(index).unwrap().output;
                    prop_assert_eq!(code.is_constrained(position), constrained.contains(&output));
                }
            }
        }
    }

    #[test]
    fn tensors_survive_the_image_and_the_image_survives_its_file(layout in layouts(), seed: u64) {
        let (image, tensors) = random_image(layout, seed);
        let decoded = image.decode(Policy::Keep);
        prop_assert_eq!(&decoded.tensors, &tensors);
        prop_assert_eq!(decoded.counts.words, image.words().len() as u64);
        let bytes = image.to_bytes();
        let read = WeightImage::from_bytes(&bytes).unwrap();
        prop_assert_eq!(read.to_bytes(), bytes);
        prop_assert_eq!(read, image);
    }

    #[test]
    fn a_disturbed_cell_of_padding_changes_no_weight(
        layout in layouts().prop_filter("raw weights", |l| l.code().name() == CodeName::None),
        seed: u64,
    ) {
        let (image, tensors) = random_image(layout, seed);
        let decoded = image.decode_disturbed(Policy::Keep, |address, _| {
            let lanes = 0..image.layout().code().n() as u8;
            let padding = lanes.filter(|&lane| {
                let cell = image.layout().cell(address, Lane(lane));
                matches!(cell, Some(Cell::Padding { .. }))
            });
            Codeword(padding.fold(0, |word, lane| word | 1 << lane))
        });
        prop_assert_eq!(&decoded.tensors, &tensors);
    }
}

fn words(array: (usize, usize), bits: WeightBits, code: CodeName, shape: LayerShape) -> [usize; 3] {
    let (rows, columns) = array;
    let layout = Layout::for_array(rows, columns, bits, code, Storage::Coset, [shape]).unwrap();
    let layer = &layout.layers()[0];
    [layer.output_tiles, layer.tiles, layer.words]
}

#[test]
fn depthwise_words_hold_the_weights_of_one_tap_of_one_tile_of_columns() {
    use WeightBits::{Eight, Four};
    let deep = |channels| layer("deep", channels, 1, 1, [3, 3]);
    // 40 channels on 16 columns are three tiles of 9 taps, each two words of eight weights.
    let square = words((16, 16), Eight, CodeName::Inplace64_57, deep(40));
    assert_eq!(square, [3, 27, 54]);
    // With fewer rows, four array tiles take the 16 weights of a tap.
    let wide = words((4, 16), Eight, CodeName::Inplace64_57, deep(40));
    assert_eq!(wide, [3, 108, 54]);
    let wide = words((4, 16), Four, CodeName::None, deep(40));
    assert_eq!(wide, [3, 108, 27]);
    let high = words((16, 8), Eight, CodeName::Secded72_64, deep(40));
    assert_eq!(high, [5, 45, 45]);
    // A tile of four columns fills half of a word of eight, and a quarter of one of sixteen.
    assert_eq!(words((4, 4), Eight, CodeName::None, deep(6)), [2, 18, 18]);
    assert_eq!(words((8, 4), Four, CodeName::None, deep(6)), [2, 18, 18]);
    // Six channels leave the last eight of 16 columns out.
    let few = words((4, 16), Eight, CodeName::Inplace64_57, deep(6));
    assert_eq!(few, [1, 18, 9]);
}

#[test]
fn groups_take_the_tiles_that_their_blocks_lie_in() {
    let of = |array, shape| words(array, WeightBits::Eight, CodeName::Inplace64_57, shape);
    // A tile of 8 x 8 is eight words. Two groups of 8 outputs read a tile of rows each.
    let shape = layer("halves", 2, 8, 8, [1, 1]);
    assert_eq!(of((8, 8), shape), [2, 2, 16]);
    // Four groups of two outputs share a tile of columns and 12 inputs, two tiles of rows.
    let shape = layer("quarters", 4, 2, 3, [1, 1]);
    assert_eq!(of((8, 8), shape), [1, 2, 16]);
    // The second tile of columns reads inputs 3 to 8, of three tiles of rows; the first, of two,
    // takes as many.
    let shape = layer("thirds", 3, 5, 3, [1, 1]);
    assert_eq!(of((4, 8), shape), [2, 6, 24]);
    // Outputs twice the inputs, of which each is read by two.
    let shape = layer("twice", 16, 2, 1, [3, 3]);
    assert_eq!(of((8, 8), shape), [4, 36, 36 * 8]);
}

fn refusal(shape: LayerShape) -> String {
    let (bits, code) = (WeightBits::Eight, CodeName::None);
    let layout = Layout::for_array(4, 8, bits, code, Storage::Plain, [shape]);
    layout.unwrap_err().to_string()
}

#[test]
fn groups_that_cut_no_channels_are_refused_by_name() {
    let mut shape = layer("conv", 3, 2, 1, [1, 1]);
    shape.groups = 4;
    assert_eq!(
        refusal(shape.clone()),
        "groups of layer \"conv\" is 4; allowed is a divisor of its 6 output channels, with at most 65535 input channels in all"
    );
    shape.groups = 0;
    assert_eq!(
        refusal(shape),
        "groups of layer \"conv\" is 0; allowed is 1 to 65535"
    );
    let many = refusal(layer("conv", 1000, 1, 66, [1, 1]));
    assert!(many.contains("65535 input channels in all"), "{many}");
}

#[test]
fn a_file_of_the_newest_version_says_the_groups_of_each_layer_and_has_some() {
    let deep = layer("deep", 5, 1, 1, [3, 1]);
    let array = |shapes: Vec<LayerShape>| {
        let (bits, code) = (WeightBits::Eight, CodeName::Inplace64_57);
        Layout::for_array(4, 8, bits, code, Storage::Coset, shapes).unwrap()
    };
    let bytes = random_image(array(vec![deep]), 1).0.to_bytes();
    assert_eq!(bytes[8..12], [3, 0, 0, 0]);
    let table: [u8; 26] = *b"\x04\0deep\x05\0\0\0\x01\0\0\0\x03\0\0\0\x01\0\0\0\x05\0\0\0";
    assert_eq!(bytes[25..51], table);
    // Two tiles of rows and eight columns, of which one word holds all; three taps.
    assert_eq!(bytes.len(), 51 + 3 * 8 + 4);
    // The same with one group, which is an ungrouped layer's.
    let mut bytes = bytes;
    bytes[47] = 1;
    let message = WeightImage::from_bytes(&bytes).unwrap_err().to_string();
    assert_eq!(
        message,
        "the version of the weight image is 3; allowed is 2 where no layer has groups"
    );
}
