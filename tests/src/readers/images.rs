//! Readers of images of one's own: their good files, and what must hold for accepted ones.

use super::Verdict;
use super::shells::archive;
use brownout_golden::data::Dataset;
use brownout_images::arrays::read_archive;
use brownout_images::pictures::Picture;
use brownout_images::{Hold, Parts};
use std::fs;
use std::io::Cursor;
use std::path::Path;

/// An archive of NumPy arrays.
pub fn npz(bytes: &[u8]) -> Verdict {
    let rules = (None, Some(Hold::Every(2)));
    let path = Path::new("arrays.npz");
    let read = |rules| read_archive(Cursor::new(bytes), path, rules, Parts::Both);
    // Those that say which are for tests need no word on it, and may have none.
    let (train, test) = read(rules)
        .or_else(|_| read((None, None)))
        .map_err(|e| e.to_string())?;
    Ok(Box::new(move || {
        for data in [train, test].into_iter().flatten() {
            dataset(&data);
        }
    }))
}

/// A picture, also in another size.
pub fn picture(bytes: &[u8]) -> Verdict {
    let picture = Picture::decode(bytes)?;
    Ok(Box::new(move || {
        let volume = picture.width * picture.height * picture.channels;
        assert_eq!(picture.pixels.len(), volume);
        let small = picture.with_channels(3).resized(3, 5);
        assert_eq!(small.pixels.len(), 3 * 5 * 3);
    }))
}

/// As many labels as images, none beyond the classes, and no number that is none.
fn dataset(data: &Dataset) {
    assert_eq!(data.images.dim().0, data.len());
    assert!(!data.is_empty() && data.shape().volume() > 0);
    assert_eq!(data.label_beyond(data.classes), None);
    for image in 0..data.len() {
        let (_, _, reals) = data.image(image).parts();
        assert!(reals.iter().all(|value| value.is_finite()));
        assert_eq!(data.image(image).len(), data.shape().volume());
    }
    if let Some(targets) = &data.targets {
        assert_eq!(targets.dim(), (data.len(), data.classes));
    }
}

/// A file of an array, as NumPy writes it.
fn npy(descr: &str, is_fortran: bool, shape: &str, values: Vec<u8>) -> Vec<u8> {
    let order = if is_fortran { "True" } else { "False" };
    let text = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({shape}), }}");
    let text = format!("{text:<117}\n");
    let length = (text.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], text.as_bytes(), &values].concat()
}

/// Archives of every kind of array that is read.
pub fn archives() -> Vec<Vec<u8>> {
    let bytes = |count: usize| {
        (0..count)
            .map(|i| (i * 37 % 251) as u8)
            .collect::<Vec<u8>>()
    };
    let classes = |count: usize| (0..count).map(|i| (i % 3) as u8).collect::<Vec<u8>>();
    let wide = classes(6)
        .into_iter()
        .flat_map(|l| i64::from(l).to_le_bytes());
    let real = |big: bool| {
        let values = (0..72).map(|i| i as f32 * 0.37 - 9.0);
        let bytes = values.flat_map(move |v| {
            if big {
                v.to_be_bytes()
            } else {
                v.to_le_bytes()
            }
        });
        bytes.collect::<Vec<u8>>()
    };
    let half = (0..144u16).flat_map(|i| (i * 97 % 0x7c00).to_le_bytes());
    let member = |name: &str, file| (format!("{name}.npy"), file);
    [
        vec![
            member("images", npy("|u1", false, "6, 4, 4, 3", bytes(288))),
            member("labels", npy("<i8", false, "6,", wide.collect())),
        ],
        vec![
            member("x", npy(">f4", true, "6, 3, 4", real(true))),
            member("y", npy("|u1", false, "6, 1", classes(6))),
        ],
        vec![
            member("inputs", npy("<f4", false, "6, 12", real(false))),
            member(
                "outputs",
                npy("<f4", true, "6, 2", real(false)[..48].to_vec()),
            ),
        ],
        vec![
            member(
                "x_train",
                npy("<f2", false, "4, 3, 12", half.clone().collect()),
            ),
            member("y_train", npy("|i1", false, "4,", classes(4))),
            member("x_test", npy("<f2", false, "4, 3, 12", half.collect())),
            member("y_test", npy("|i1", false, "4,", classes(4))),
        ],
        vec![
            member("vectors", npy("|i1", false, "9, 30", bytes(270))),
            member("labels", npy("|u1", false, "9,", classes(9))),
        ],
    ]
    .iter()
    .enumerate()
    .map(|(number, members)| archive(members, number % 2 == 1))
    .collect()
}

/// Pictures of the tests of the crate that reads them.
fn vectors(end: &str) -> Vec<Vec<u8>> {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../sw/images/tests/vectors/pictures"
    );
    let entries = fs::read_dir(folder).expect("the folder is there");
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let pictures = paths
        .iter()
        .filter(|path| path.extension().is_some_and(|e| e == end));
    pictures
        .map(|path| fs::read(path).expect("a picture"))
        .collect()
}

/// PNG pictures of every kind of colour.
pub fn pngs() -> Vec<Vec<u8>> {
    vectors("png")
}

/// JPEG pictures, baseline and progressive.
pub fn jpegs() -> Vec<Vec<u8>> {
    vectors("jpg")
}
