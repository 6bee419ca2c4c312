use super::*;
use crate::data::idx_forms::MNIST;
use flate2::{Compression, write::GzEncoder};
use std::io::Write;

fn header(fields: &[u32], body: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = fields.iter().flat_map(|f| f.to_be_bytes()).collect();
    bytes.extend_from_slice(body);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn write(directory: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn plain_and_compressed_files_give_the_same_images() {
    let directory = tempfile::tempdir().unwrap();
    let pixels: Vec<u8> = (0..12).collect();
    let file = header(&[2051, 2, 2, 3], &pixels);
    let plain = read_images(&write(directory.path(), "a", &file)).unwrap();
    let packed = read_images(&write(directory.path(), "a.gz", &gzip(&file))).unwrap();
    assert_eq!(plain, packed);
    assert_eq!(plain.dim(), (2, 2, 3, 1));
    assert_eq!(plain[(1, 0, 2, 0)], 8);
}

#[test]
fn each_malformed_image_file_is_refused_with_its_name_and_reason() {
    let directory = tempfile::tempdir().unwrap();
    let good = header(&[2051, 1, 2, 2], &[1, 2, 3, 4]);
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty", vec![], "header cannot be read"),
        ("cut-header", good[..10].to_vec(), "header cannot be read"),
        ("magic", header(&[2049, 1, 2, 2], &[0; 4]), "2049"),
        ("short", good[..19].to_vec(), "ends after 3 of the 4 pixels"),
        (
            "long",
            header(&[2051, 1, 2, 2], &[0; 5]),
            "more than the 4 pixels",
        ),
        ("zero-rows", header(&[2051, 1, 0, 2], &[]), "rows is 0"),
        (
            "huge",
            header(&[2051, u32::MAX, 28, 28], &[0; 9]),
            "announces",
        ),
        (
            "hungry",
            header(&[2051, 300_000, 28, 28], &[0; 9]),
            "ends after 9",
        ),
        ("not-gzip.gz", good.clone(), "header cannot be read"),
        ("cut.gz", gzip(&good)[..20].to_vec(), "cannot be read"),
    ];
    for (name, bytes, reason) in cases {
        let path = write(directory.path(), name, &bytes);
        let message = read_images(&path).unwrap_err().to_string();
        assert!(message.contains(name), "{message:?} lacks {name:?}");
        assert!(message.contains(reason), "{message:?} lacks {reason:?}");
    }
}

#[test]
fn a_gzip_bomb_is_refused_before_it_has_grown_beyond_its_bound() {
    let directory = tempfile::tempdir().unwrap();
    let pixels = 100 * 1024 * 1024;
    let bomb = gzip(&header(&[2051, 100, 1024, 1024], &vec![0; pixels]));
    assert!(bomb.len() < 200_000, "{} bytes", bomb.len());
    let path = write(directory.path(), "bomb.gz", &bomb);
    let message = read_images(&path).unwrap_err().to_string();
    assert!(
        message.contains("more than 100 times its size"),
        "{message}"
    );
}

/// Writes the two files of a part: images of one pixel with these labels.
fn write_part(directory: &Path, part: &str, labels: &[u8]) {
    let count = labels.len() as u32;
    let images = header(&[2051, count, 1, 1], &vec![7; labels.len()]);
    write(directory, &format!("{part}-images-idx3-ubyte"), &images);
    let labels = header(&[2049, count], labels);
    write(directory, &format!("{part}-labels-idx1-ubyte"), &labels);
}

#[test]
fn there_are_as_many_classes_as_the_largest_label_of_both_parts_demands() {
    for (train, test, classes) in [
        (&[0, 1][..], &[1][..], 2),
        (&[4, 0], &[0], 5),
        (&[0, 1], &[4], 5),
        // The letters of EMNIST are 1 to 26: there is an output 0 without images.
        (&[1, 26], &[5, 1], 27),
        (&[46], &[99, 0], 100),
        (&[255, 0], &[0], 256),
    ] {
        let directory = tempfile::tempdir().unwrap();
        write_part(directory.path(), "train", train);
        write_part(directory.path(), "t10k", test);
        let split = MNIST.read_directory(directory.path()).unwrap();
        assert_eq!(
            (split.train.classes, split.test.classes),
            (classes, classes)
        );
        assert_eq!(split.train.first(1).classes, classes, "a part of them");
        let wide = |labels: &[u8]| labels.iter().copied().map(u16::from).collect::<Vec<_>>();
        assert_eq!(
            (&split.train.labels, &split.test.labels),
            (&wide(train), &wide(test))
        );
        let used: Vec<usize> = train.iter().map(|&l| usize::from(l)).collect();
        let unused = split.unused_labels();
        assert!((0..classes).all(|label| used.contains(&label) != unused.contains(&label)));
        let beyond = split.train.label_beyond(2);
        let first = train.iter().position(|&label| label >= 2);
        assert_eq!(beyond, first.map(|at| (at, u16::from(train[at]))));
    }
}

#[test]
fn either_part_is_read_where_the_other_is_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    write_part(path, "t10k", &[0, 3]);
    assert_eq!(MNIST.read_test(path).unwrap().classes, 4);
    let message = MNIST.read_directory(path).unwrap_err().to_string();
    assert!(message.contains("train-images-idx3-ubyte"), "{message}");
    assert!(MNIST.read_training(path).is_err());

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    write_part(path, "train", &[0, 6]);
    assert_eq!(MNIST.read_training(path).unwrap().classes, 7);
    let message = MNIST.read_directory(path).unwrap_err().to_string();
    assert!(message.contains("t10k-images-idx3-ubyte"), "{message}");
    assert!(MNIST.read_test(path).is_err());
}

#[test]
fn a_count_of_labels_that_differs_from_that_of_images_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    write_part(directory.path(), "t10k", &[0]);
    let labels = header(&[2049, 2], &[0, 1]);
    write(directory.path(), "t10k-labels-idx1-ubyte", &labels);
    let message = MNIST.read_test(directory.path()).unwrap_err().to_string();
    assert!(message.contains("2 labels"), "{message}");
}

#[test]
fn what_a_file_is_in_place_of_images_is_said_in_words() {
    for (name, bytes, reason) in [
        (
            "int32",
            header(&[3074, 1, 1], &[0; 4]),
            "it holds 32-bit integers in 2 dimensions (magic number 3074); allowed is an image file: unsigned bytes in 3 dimensions (magic number 2051)",
        ),
        (
            "labels",
            header(&[2049, 1], &[0]),
            "it holds unsigned bytes in 1 dimension (magic number 2049); allowed is an image file",
        ),
        (
            "little-endian",
            header(&[2051u32.swap_bytes(), 1, 1, 1], &[0]),
            "its header has the bytes of each number in reverse order; allowed",
        ),
        (
            "page",
            b"<!DOCTYPE html><html>".to_vec(),
            "it is an HTML or XML page",
        ),
        (
            "page.gz",
            b"<!DOCTYPE html><html>".to_vec(),
            "header cannot be read: invalid gzip header; it is an HTML or XML page",
        ),
        (
            "inside.gz",
            gzip(b"<!DOCTYPE html><html>"),
            "it is an HTML or XML page",
        ),
        (
            "packed",
            gzip(&header(&[2051, 1, 1, 1], &[0])),
            "it is a gzip file; the name of one has to end in .gz",
        ),
        ("zip", b"PK\x03\x04....".to_vec(), "it is a zip archive"),
        (
            "noise",
            vec![9, 8, 7, 6, 5],
            "it is no IDX file: it begins with the bytes [09, 08, 07, 06]",
        ),
        (
            "empty",
            vec![],
            "header cannot be read: the file ends in it",
        ),
    ] {
        let message = images_from(&bytes[..], Path::new(name))
            .unwrap_err()
            .to_string();
        assert!(
            message.contains(reason),
            "{name}: {message:?} lacks {reason:?}"
        );
    }
}

#[test]
fn a_missing_file_is_named_with_both_spellings() {
    let directory = tempfile::tempdir().unwrap();
    let message = MNIST
        .read_directory(directory.path())
        .unwrap_err()
        .to_string();
    assert!(message.contains("train-images-idx3-ubyte.gz"), "{message}");
}
