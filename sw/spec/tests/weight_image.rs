//! The weight image: bits and cells, order, decoding, the file.

use brownout_spec::code::{Code, CodeName, Codeword, Outcome, Policy, Storage};
use brownout_spec::config::{Configuration, WeightBits};
use brownout_spec::image::{
    Cell, CheckHome, Coordinates, LayerShape, Layout, ReadCounts, WeightBit, WeightImage,
};
use brownout_spec::quantity::{Lane, WordAddress};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn shape(name: &str, extents: [usize; 4]) -> LayerShape {
    LayerShape {
        name: name.to_owned(),
        output_channels: extents[0],
        input_channels: extents[1],
        groups: 1,
        kernel_height: extents[2],
        kernel_width: extents[3],
    }
}

/// Arrays, weight widths and codes that a configuration may combine.
fn arrays() -> impl Strategy<Value = (usize, usize, WeightBits, CodeName, Storage)> {
    let side = || (2_u32..=6).prop_map(|power| 1_usize << power);
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

fn shapes() -> impl Strategy<Value = Vec<LayerShape>> {
    let one = (1_usize..=20, 1_usize..=20, 1_usize..=3, 1_usize..=3);
    prop::collection::vec(one, 1..=3).prop_map(|layers| {
        layers
            .into_iter()
            .enumerate()
            .map(|(number, (o, i, y, x))| shape(&format!("layer{number}"), [o, i, y, x]))
            .collect()
    })
}

fn layouts() -> impl Strategy<Value = Layout> {
    (arrays(), shapes()).prop_map(|((rows, columns, bits, code, storage), shapes)| {
        Layout::for_array(rows, columns, bits, code, storage, shapes).unwrap()
    })
}

fn random_tensors(layout: &Layout, seed: u64) -> Vec<Vec<i8>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    layout
        .layers()
        .iter()
        .map(|layer| {
            (0..layer.shape.weights())
                .map(|index| {
                    let channel = layer.shape.coordinates(index).unwrap().output;
                    let (lowest, highest) = layout.code().allowed_range_of_channel(channel);
                    rng.random_range(lowest..=highest)
                })
                .collect()
        })
        .collect()
}

fn random_image(layout: Layout, seed: u64) -> (WeightImage, Vec<Vec<i8>>) {
    let tensors = random_tensors(&layout, seed);
    (WeightImage::encode(layout, &tensors).unwrap(), tensors)
}

fn cells(layout: &Layout) -> impl Iterator<Item = (WordAddress, Lane, Cell)> + '_ {
    (0..layout.words() as u32).flat_map(move |word| {
        (0..layout.code().n() as u8).map(move |lane| {
            let (address, lane) = (WordAddress(word), Lane(lane));
            (address, lane, layout.cell(address, lane).unwrap())
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_bit_of_every_weight_has_a_cell_that_names_it(layout in layouts()) {
        for (layer, placed) in layout.layers().iter().enumerate() {
            for index in 0..placed.shape.weights() {
                for bit in 0..layout.code().weight_bits().bits() as u8 {
                    let named = WeightBit { layer, index, bit };
                    let (address, lane) = layout.locate(named).unwrap();
                    let found = match layout.cell(address, lane).unwrap() {
                        Cell::WeightBit(found) => found,
                        Cell::CheckBit { home: CheckHome::InWeight(found), .. } => {
                            let at = placed.shape.coordinates(index).unwrap();
                            let per_word = layout.code().weights_per_word();
                            prop_assert!(layout.code().is_constrained(at.output % per_word));
                            found
                        }
                        other => panic!("{named:?} lies in {other:?}"),
                    };
                    prop_assert_eq!(found, named);
                }
            }
        }
    }

    #[test]
    fn every_cell_holds_what_is_located_there_and_none_is_counted_twice(layout in layouts()) {
        let (mut weight_bits, mut check_bits) = (0, 0);
        for (address, lane, cell) in cells(&layout) {
            let bit = match cell {
                Cell::WeightBit(bit) => Some(bit),
                Cell::CheckBit { home, check, .. } => {
                    check_bits += 1;
                    prop_assert_eq!(layout.code().check_of_lane(lane), Some(check));
                    match home {
                        CheckHome::InWeight(bit) => Some(bit),
                        CheckHome::Beside | CheckHome::InPadding { .. } => None,
                    }
                }
                Cell::Padding { layer, at, .. } => {
                    prop_assert_eq!(layout.layers()[layer].shape.index(at), None);
                    None
                }
            };
            if let Some(bit) = bit {
                weight_bits += 1;
                prop_assert_eq!(layout.locate(bit), Some((address, lane)));
            }
        }
        let weights: usize = layout.layers().iter().map(|l| l.shape.weights()).sum();
        prop_assert_eq!(weight_bits, weights * layout.code().weight_bits().bits());
        prop_assert_eq!(check_bits, layout.words() * layout.code().check_bits());
    }

    #[test]
    fn cells_follow_output_tile_kernel_row_kernel_column_input_tile_row_column(layout in layouts()) {
        let width = layout.code().weight_bits().bits();
        let per_word = layout.code().weights_per_word();
        // The number of weights, padding included, before the current one.
        let mut before = 0;
        for (layer, placed) in layout.layers().iter().enumerate() {
            prop_assert_eq!(placed.base.0 as usize * per_word, before);
            let s = &placed.shape;
            for output in (0..s.output_channels).step_by(layout.columns()) {
                for kernel_row in 0..s.kernel_height {
                    for kernel_column in 0..s.kernel_width {
                        for input in (0..s.input_channels).step_by(layout.rows()) {
                            for row in 0..layout.rows() {
                                for column in 0..layout.columns() {
                                    let at = Coordinates {
                                        output: output + column,
                                        input: input + row,
                                        kernel_row,
                                        kernel_column,
                                    };
                                    let address = WordAddress((before / per_word) as u32);
                                    let position = before % per_word;
                                    let lane = Lane((position * width) as u8);
                                    let index = s.index(at);
                                    let expected = match index {
                                        Some(index) => {
                                            Cell::WeightBit(WeightBit { layer, index, bit: 0 })
                                        }
                                        None => Cell::Padding { layer, at, bit: 0 },
                                    };
                                    prop_assert_eq!(layout.cell(address, lane), Some(expected));
                                    let weights = layout.weights_of(address).unwrap();
                                    prop_assert_eq!(weights.layer(), layer);
                                    prop_assert_eq!(weights.indices().nth(position), Some(index));
                                    before += 1;
                                }
                            }
                        }
                    }
                }
            }
        }
        prop_assert_eq!(before, layout.words() * per_word);
    }

    #[test]
    fn tensors_survive_the_image_and_the_image_survives_its_file(layout in layouts(), seed: u64) {
        let (image, tensors) = random_image(layout, seed);
        let decoded = image.decode(Policy::Keep);
        prop_assert_eq!(&decoded.tensors, &tensors);
        let expected = ReadCounts { words: image.words().len() as u64, ..ReadCounts::default() };
        prop_assert_eq!(decoded.counts, expected);
        let bytes = image.to_bytes();
        let read = WeightImage::from_bytes(&bytes).unwrap();
        prop_assert_eq!(read.to_bytes(), bytes);
        prop_assert_eq!(read, image);
    }

    #[test]
    fn without_a_code_a_disturbed_cell_changes_its_bit_and_nothing_else(
        layout in layouts().prop_filter("raw weights", |l| l.code().name() == CodeName::None),
        seed: u64,
    ) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (image, mut tensors) = random_image(layout, seed);
        let layer = rng.random_range(0..tensors.len());
        let index = rng.random_range(0..tensors[layer].len());
        let bits = image.layout().code().weight_bits().bits() as u8;
        let bit = rng.random_range(0..bits);
        let (address, lane) = image.layout().locate(WeightBit { layer, index, bit }).unwrap();
        let flip = |at, _| Codeword(u128::from(at == address) << lane.0);
        // Shifting up and back repeats the sign of a 4-bit weight.
        let flipped = tensors[layer][index] ^ (1 << bit);
        tensors[layer][index] = flipped << (8 - bits) >> (8 - bits);
        let decoded = image.decode_disturbed(Policy::Zero, flip);
        prop_assert_eq!(&decoded.tensors, &tensors);
        prop_assert_eq!((decoded.counts.disturbed_words, decoded.counts.flipped_bits), (1, 1));
        prop_assert_eq!(image.disturbed(flip).decode(Policy::Zero).tensors, tensors);
    }

    #[test]
    fn arbitrary_bytes_after_a_valid_start_are_refused(tail: Vec<u8>) {
        let mut bytes = b"BROWNIMG\x01\0\0\0".to_vec();
        bytes.extend(tail);
        prop_assert!(WeightImage::from_bytes(&bytes).is_err());
    }
}

/// Two small layers on a 4 x 8 array with the in-place code.
fn small_layout() -> Layout {
    Layout::for_array(
        4,
        8,
        WeightBits::Eight,
        CodeName::Inplace64_57,
        Storage::Coset,
        [shape("conv", [10, 3, 2, 1]), shape("dense", [2, 10, 1, 1])],
    )
    .unwrap()
}

#[test]
fn layers_take_as_many_words_as_their_tiles() {
    let layout = small_layout();
    let [conv, dense] = layout.layers() else {
        panic!("two layers were given")
    };
    // A tile of 4 x 8 bytes is 4 words.
    assert_eq!((conv.output_tiles, conv.input_tiles, conv.tiles), (2, 1, 4));
    assert_eq!((conv.base, conv.words), (WordAddress(0), 16));
    assert_eq!((dense.output_tiles, dense.input_tiles), (1, 3));
    assert_eq!((dense.base, dense.words), (WordAddress(16), 12));
    assert_eq!(layout.words(), 28);
}

#[test]
fn constrained_channels_depend_on_the_channel_alone() {
    assert_eq!(
        small_layout().constrained_channels(0),
        Some(vec![0, 1, 2, 3, 4, 5, 6, 8, 9])
    );
    assert_eq!(small_layout().constrained_channels(2), None);
    for columns in [8, 16, 32] {
        let layout = Layout::for_array(
            4,
            columns,
            WeightBits::Four,
            CodeName::Inplace32_26,
            Storage::Coset,
            [shape("dense", [11, 5, 1, 1])],
        );
        assert_eq!(
            layout.unwrap().constrained_channels(0),
            Some(vec![0, 1, 2, 3, 4, 5, 8, 9, 10])
        );
    }
}

#[test]
fn corrected_and_detected_words_are_counted_with_the_last_address() {
    let (image, tensors) = random_image(small_layout(), 1);
    let decoded = image.decode_disturbed(Policy::Keep, |address, _| {
        Codeword(match address.0 {
            3 => 1 << 63,
            5 | 9 => 0b11,
            // Beyond the word: no cell there.
            11 => 1 << 64,
            _ => 0,
        })
    });
    assert_eq!(
        decoded.counts,
        ReadCounts {
            words: 28,
            disturbed_words: 3,
            flipped_bits: 5,
            corrected: 1,
            detected: 2,
            last_detected: Some(WordAddress(9)),
        }
    );
    assert_eq!(decoded.tensors[1], tensors[1]);
}

#[test]
fn a_weight_out_of_range_is_refused_with_layer_place_value_and_range() {
    let layout = small_layout();
    let mut tensors = random_tensors(&layout, 2);
    let at = Coordinates {
        output: 8,
        input: 2,
        kernel_row: 1,
        kernel_column: 0,
    };
    tensors[0][layout.layers()[0].shape.index(at).unwrap()] = 64;
    let message = WeightImage::encode(layout, &tensors)
        .unwrap_err()
        .to_string();
    assert_eq!(
        message,
        "layer \"conv\", weight [8][2][1][0] is 64; allowed for this output channel is -64 to 63 with code inplace-64-57"
    );
}

#[test]
fn an_8_bit_weight_in_a_4_bit_memory_is_refused_with_what_to_do() {
    let shapes = vec![LayerShape {
        name: "first".into(),
        output_channels: 1,
        input_channels: 1,
        groups: 1,
        kernel_height: 1,
        kernel_width: 1,
    }];
    let (bits, code) = (WeightBits::Four, CodeName::None);
    let layout = Layout::for_array(4, 4, bits, code, Storage::Coset, shapes).unwrap();
    let message = WeightImage::encode(layout, &[[100]])
        .unwrap_err()
        .to_string();
    assert_eq!(
        message,
        "layer \"first\", weight [0][0][0][0] is 100; allowed for this output channel is -8 to 7 with code none; a network with some layers of 8 bits and others of 4 runs with weight_bits = 8"
    );
}

#[test]
fn tensors_that_do_not_match_the_layout_are_refused() {
    let mut tensors = random_tensors(&small_layout(), 3);
    tensors[1].pop();
    let message = WeightImage::encode(small_layout(), &tensors)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("\"dense\" has 19 weights; its shape has 20"),
        "{message}"
    );
    let message = WeightImage::encode(small_layout(), &tensors[..1])
        .unwrap_err()
        .to_string();
    assert!(message.contains("2 layers"), "{message}");
}

fn configuration(weights: usize) -> Configuration {
    Configuration::from_toml(&format!(
        "rows = 4\ncolumns = 8\nweight_bits = 8\ncode = \"inplace-64-57\"\n\
         voltage_model = \"fdx-22nm\"\nfault_emulation = true\n[depths]\nweights = {weights}\n\
         activations = 64\naccumulators = 64\nparameters = 8\nlayers = 4\n"
    ))
    .unwrap()
}

#[test]
fn weights_that_exceed_the_memory_are_refused_by_how_much() {
    let shapes = || {
        small_layout()
            .layers()
            .iter()
            .map(|l| l.shape.clone())
            .collect::<Vec<_>>()
    };
    let message = Layout::new(&configuration(27), shapes())
        .unwrap_err()
        .to_string();
    assert_eq!(
        message,
        "depths.weights is 27; the network needs at least 28 code words, 1 more"
    );
    let layout = Layout::new(&configuration(28), shapes()).unwrap();
    assert_eq!(layout, small_layout());
    assert!(layout.suits(&configuration(4)));
}

#[test]
fn shapes_without_a_layout_are_refused_by_name() {
    let refuse = |shapes: Vec<LayerShape>| {
        Layout::for_array(
            4,
            8,
            WeightBits::Eight,
            CodeName::None,
            Storage::Coset,
            shapes,
        )
        .unwrap_err()
        .to_string()
    };
    let message = refuse(vec![shape("empty", [1, 0, 1, 1])]);
    assert!(
        message.contains("input_channels of layer \"empty\" is 0"),
        "{message}"
    );
    let message = refuse(vec![shape("vast", [65_535; 4])]);
    assert!(message.contains("depths.weights is 8388608"), "{message}");
    let message = refuse(vec![shape("one", [1; 4]); 256]);
    assert!(message.contains("256 layers"), "{message}");
    let message = refuse(vec![shape(&"x".repeat(256), [1; 4])]);
    assert!(message.contains("256 bytes"), "{message}");
}

#[test]
fn there_is_nothing_beyond_the_image_the_word_and_the_weight() {
    let layout = small_layout();
    assert_eq!(layout.cell(WordAddress(28), Lane(0)), None);
    assert_eq!(layout.cell(WordAddress(0), Lane(64)), None);
    assert_eq!(layout.weights_of(WordAddress(28)), None);
    for (layer, index, bit) in [(2, 0, 0), (0, 60, 0), (0, 0, 8)] {
        assert_eq!(layout.locate(WeightBit { layer, index, bit }), None);
    }
}

#[test]
fn every_truncation_of_a_file_is_refused() {
    let bytes = random_image(small_layout(), 4).0.to_bytes();
    for length in 0..bytes.len() {
        let message = WeightImage::from_bytes(&bytes[..length])
            .unwrap_err()
            .to_string();
        let expected = if length < 8 {
            "not a weight image"
        } else {
            "truncated"
        };
        assert!(message.contains(expected), "{length}: {message}");
    }
}

#[test]
fn every_changed_bit_of_a_file_is_refused() {
    let bytes = random_image(small_layout(), 5).0.to_bytes();
    for bit in 0..8 * bytes.len() {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(WeightImage::from_bytes(&changed).is_err(), "bit {bit}");
    }
}

#[test]
fn a_file_with_bytes_after_its_end_is_refused() {
    let mut bytes = random_image(small_layout(), 6).0.to_bytes();
    bytes.push(0);
    let message = WeightImage::from_bytes(&bytes).unwrap_err().to_string();
    assert!(message.contains("1 bytes after its checksum"), "{message}");
}

#[test]
fn a_file_begins_as_its_documentation_says() {
    let bytes = random_image(small_layout(), 7).0.to_bytes();
    let header: [u8; 25] = *b"BROWNIMG\x02\0\0\0\x02\x08\x04\x08\x01\x02\0\0\0\x1c\0\0\0";
    assert_eq!(bytes[..25], header);
    let first: [u8; 22] = *b"\x04\0conv\x0a\0\0\0\x03\0\0\0\x02\0\0\0\x01\0\0\0";
    assert_eq!(bytes[25..47], first);
    // Two table entries, 28 words of 8 bytes, the checksum.
    assert_eq!(bytes.len(), 25 + 22 + 23 + 28 * 8 + 4);
}

#[test]
fn an_image_written_with_faults_is_read_back_with_them() {
    let (image, _) = random_image(small_layout(), 8);
    let faulty = image.disturbed(|address, _| Codeword(u128::from(address.0)));
    let read = WeightImage::from_bytes(&faulty.to_bytes()).unwrap();
    assert_eq!(read, faulty);
    let code = Code::new(CodeName::Inplace64_57, WeightBits::Eight, Storage::Coset);
    assert!(read.words().iter().any(|&word| code.syndrome(word) != 0));
}

/// A word line of a small image whose cells all read the same, with one weight of zero elsewhere.
fn with_stuck_word(storage: Storage, ones: bool) -> ReadCounts {
    let layout = small_layout();
    let shapes = layout.layers().iter().map(|layer| layer.shape.clone());
    let layout = Layout::for_array(
        layout.rows(),
        layout.columns(),
        WeightBits::Eight,
        CodeName::Inplace64_57,
        storage,
        shapes,
    );
    let (image, _) = random_image(layout.unwrap(), 9);
    let stuck = Codeword(if ones { u128::from(u64::MAX) } else { 0 });
    let read = |address, stored| match address {
        WordAddress(7) => stored ^ stuck,
        _ => Codeword(0),
    };
    image.decode_disturbed(Policy::Keep, read).counts
}

#[test]
fn a_stuck_word_line_moves_no_counter_of_plain_words_and_the_last_one_of_a_coset() {
    for ones in [false, true] {
        let plain = with_stuck_word(Storage::Plain, ones);
        assert_eq!((plain.corrected, plain.detected), (0, 0));
        let coset = with_stuck_word(Storage::Coset, ones);
        assert_eq!((coset.corrected, coset.detected), (0, 1));
        assert_eq!(coset.last_detected, Some(WordAddress(7)));
    }
}

/// The bytes of a file with another checksum at the end.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let mut crc = u32::MAX;
    for byte in &bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 * (crc & 1));
        }
    }
    bytes.extend((!crc).to_le_bytes());
    bytes
}

#[test]
fn a_file_of_version_1_is_read_as_plain_words_and_does_not_suit_an_accelerator_of_the_other_form() {
    let mut bytes = random_image(small_layout(), 10).0.to_bytes();
    bytes.truncate(bytes.len() - 4);
    bytes[8] = 1;
    assert_eq!(bytes.remove(16), 1, "the form of the words");
    let image = WeightImage::from_bytes(&sealed(bytes)).unwrap();
    assert_eq!(image.layout().code().storage(), Storage::Plain);
    assert!(!image.layout().suits(&configuration(28)));
    let plain = Configuration {
        storage: Storage::Plain,
        ..configuration(28)
    };
    assert!(image.layout().suits(&plain));
    // Its words were those of a coset, so that every one of them is an error here.
    let outcomes = (0..28).map(|word| image.decode_word(WordAddress(word), Policy::Keep));
    assert!(outcomes.flatten().all(|d| d.outcome == Outcome::Detected));
}

#[test]
fn a_form_of_words_that_the_code_does_not_have_is_refused() {
    for (code, coset, allowed) in [(2, 2, "0 or 1"), (0, 1, "0 with code none")] {
        let mut bytes = random_image(small_layout(), 11).0.to_bytes();
        bytes.truncate(bytes.len() - 4);
        (bytes[12], bytes[16]) = (code, coset);
        let message = WeightImage::from_bytes(&sealed(bytes)).unwrap_err();
        let expected =
            format!("the coset flag of the weight image is {coset}; allowed is {allowed}");
        assert_eq!(message.to_string(), expected);
    }
}
