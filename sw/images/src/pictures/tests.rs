//! Against what Pillow makes of the same files: `tests/vectors/pictures.py`.

use super::*;
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use std::path::PathBuf;

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn hex(text: &str) -> Vec<u8> {
    let pairs = (0..text.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// Each row of the table: the file's name, and pairs of found and expected values.
fn rows() -> Vec<(String, Vec<(u8, u8)>)> {
    let table = fs::read_to_string(vectors().join("pictures.tsv")).unwrap();
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('\t').collect();
        let number = |at: usize| cells[at].parse::<i64>().unwrap();
        let (name, side) = (cells[0], number(1));
        let size = Size {
            height: number(2) as usize,
            width: number(3) as usize,
        };
        let form = Form {
            size: Some(size),
            is_own: side == 0,
            resize: (side > 0).then_some(side as usize),
            channels: number(4) as usize,
        };
        let bytes = fs::read(vectors().join("pictures").join(name)).unwrap();
        let picture = Picture::decode(&bytes).unwrap();
        let found = form.apply(picture, size).unwrap();
        let expected = hex(cells[5]);
        assert_eq!(found.pixels.len(), expected.len(), "{line}");
        let pairs = found.pixels.into_iter().zip(expected);
        (name.to_owned(), pairs.collect())
    };
    table.lines().map(row).collect()
}

#[test]
fn every_kind_of_png_in_every_size_and_colour_is_pillows_to_the_bit() {
    let rows: Vec<_> = rows();
    let pngs = rows.iter().filter(|(name, _)| name.ends_with(".png"));
    let mut values = 0;
    for (name, pairs) in pngs {
        for (found, expected) in pairs {
            assert_eq!(found, expected, "{name}");
        }
        values += pairs.len();
    }
    assert!(values > 10_000, "{values}");
}

/// JPEG leaves the rounding of its transforms, and how colours of half the size are brought to
/// the size of the picture, to the decoder.
#[test]
fn a_jpeg_is_near_to_pillows_and_nearest_where_its_colours_have_its_size() {
    for (name, pairs) in rows().iter().filter(|(name, _)| name.ends_with(".jpg")) {
        let (most, mean) = match &name[..] {
            "grey.jpg" | "full-colour.jpg" => (3, 0.1),
            _ => (12, 0.5),
        };
        let steps = |&(found, expected): &(u8, u8)| found.abs_diff(expected);
        let largest = pairs.iter().map(steps).max().unwrap();
        let sum: usize = pairs.iter().map(|pair| usize::from(steps(pair))).sum();
        let average = sum as f64 / pairs.len() as f64;
        assert!(
            largest <= most && average <= mean,
            "{name}: {largest} steps at most, {average:.3} on average"
        );
    }
}

#[test]
fn values_of_sixteen_bits_keep_their_high_byte() {
    let bytes = fs::read(vectors().join("pictures/grey-16.png")).unwrap();
    let picture = Picture::decode(&bytes).unwrap();
    assert_eq!(
        (picture.height, picture.width, picture.channels),
        (11, 15, 1)
    );
    let high = (0..11 * 15).map(|i| ((i * 397 % 65536) >> 8) as u8);
    assert!(picture.pixels.iter().copied().eq(high));
    let colours: Vec<u8> = (0..4 * 8).map(|i| i * 7).collect();
    let mut file = Vec::new();
    let encoder = PngEncoder::new(&mut file);
    let kind = ExtendedColorType::Rgba16;
    encoder.write_image(&colours, 2, 2, kind).unwrap();
    let picture = Picture::decode(&file).unwrap();
    let high =
        |i: usize| colours[i / 3 * 8 + i % 3 * 2 + usize::from(cfg!(target_endian = "little"))];
    assert_eq!(
        (picture.channels, picture.pixels),
        (3, (0..12).map(high).collect())
    );
}

/// Writes a picture of one colour.
fn write(folder: &Path, name: &str, (width, height): (u32, u32), value: u8) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = Vec::new();
    let pixels = vec![value; (width * height) as usize];
    let kind = ExtendedColorType::L8;
    let encoder = PngEncoder::new(&mut file);
    encoder.write_image(&pixels, width, height, kind).unwrap();
    fs::write(path, file).unwrap();
}

fn of(
    folder: &Path,
    options: &str,
    parts: Parts,
    input: Option<Shape>,
) -> Result<[Option<Dataset>; 2], String> {
    let text = format!("images{options}:{}", folder.display());
    let source: crate::Source = text.parse()?;
    let read = source.read(parts, input).map(|(train, test)| [train, test]);
    read.map_err(|e| e.to_string())
}

#[test]
fn classes_are_folders_in_the_order_of_their_names_in_both_parts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for (name, value) in [
        ("train/cat/b.png", 1),
        ("train/cat/a.PNG", 2),
        ("train/Zebra/x.png", 3),
        ("train/ant/deep/er/x.png", 4),
        ("train/.cache/x.png", 9),
        ("test/cat/x.png", 5),
        ("val/cat/x.png", 9),
    ] {
        write(path, name, (4, 4), value);
    }
    fs::write(path.join("train/cat/notes.txt"), "none").unwrap();
    let [train, test] = of(path, "", Parts::Both, None).unwrap();
    let (train, test) = (train.unwrap(), test.unwrap());
    assert_eq!(train.class_names, ["Zebra", "ant", "cat"]);
    let first = |data: &Dataset, i: usize| data.image(i).bytes().unwrap()[0];
    let values: Vec<u8> = (0..4).map(|i| first(&train, i)).collect();
    assert_eq!(
        (values, &train.labels[..]),
        (vec![3, 4, 2, 1], &[0, 1, 2, 2][..])
    );
    assert_eq!((first(&test, 0), &test.labels[..]), (5, &[2][..]));
    assert_eq!(
        train.images.dim(),
        (4, 4, 4, 3),
        "RGB, whatever the files are"
    );
    // The number of a class does not depend on which part is read.
    let [none, test] = of(path, "", Parts::Test, None).unwrap();
    let test = test.unwrap();
    assert_eq!((none, &test.labels[..], test.classes), (None, &[2][..], 3));
    write(path, "test/dog/x.png", (4, 4), 0);
    let message = of(path, "", Parts::Test, None).unwrap_err();
    assert!(
        message.contains("test class dog is none of the 3"),
        "{message}"
    );
}

#[test]
fn without_parts_the_user_says_what_is_held_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for class in ["a", "b"] {
        (0..5).for_each(|i| write(path, &format!("{class}/{i}.png"), (3, 3), i));
    }
    let [train, test] = of(path, ",hold=3", Parts::Both, None).unwrap();
    let values = |data: Option<Dataset>| -> Vec<u8> {
        let data = data.unwrap();
        (0..data.len())
            .map(|i| data.image(i).bytes().unwrap()[0])
            .collect()
    };
    assert_eq!(values(train), [1, 2, 4, 1, 2, 4]);
    assert_eq!(values(test), [0, 3, 0, 3]);
    let [_, all] = of(path, ",hold=all", Parts::Test, None).unwrap();
    assert_eq!(all.unwrap().labels, [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
    for (options, parts, reason) in [
        ("", Parts::Test, "hold=K before the folder"),
        (
            ",hold=all",
            Parts::Both,
            "hold=all leaves no pictures to train",
        ),
    ] {
        let message = of(path, options, parts, None).unwrap_err();
        assert!(message.contains(reason), "{message}");
    }
}

#[test]
fn names_that_are_numbers_are_classes_with_folders_and_without() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write(path, "003.png", (3, 3), 1);
    write(path, "999.png", (3, 3), 2);
    let [_, test] = of(path, ",hold=all,numbered", Parts::Test, None).unwrap();
    let test = test.unwrap();
    assert_eq!((&test.labels[..], test.classes), (&[3, 999][..], 1000));
    assert_eq!(test.class_name(3), "3");
    let message = of(path, ",hold=all", Parts::Test, None).unwrap_err();
    assert!(message.contains("numbered before the folder"), "{message}");
    write(path, "x.png", (3, 3), 2);
    let message = of(path, ",hold=all,numbered", Parts::Test, None).unwrap_err();
    assert!(message.contains("x is no number of a class"), "{message}");
    write(path, "12/x.png", (3, 3), 2);
    let [_, test] = of(path, ",hold=all,numbered", Parts::Test, None).unwrap();
    assert_eq!(test.unwrap().labels, [12]);
}

#[test]
fn the_size_is_that_of_an_option_of_the_network_or_of_all_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write(path, "a/1.png", (6, 4), 70);
    let shape = |height, width, channels| Shape {
        height,
        width,
        channels,
    };
    let grey = Some(shape(5, 5, 1));
    for (options, input, expected) in [
        ("", None, (4, 6, 3)),
        (",grey", None, (4, 6, 1)),
        ("", grey, (5, 5, 1)),
        (",size=2", grey, (2, 2, 1)),
        (",size=2x7", None, (2, 7, 3)),
        (",resize=9", Some(shape(8, 7, 3)), (8, 7, 3)),
        (",resize=9", None, (9, 9, 3)),
        // A flat input has no rows and columns.
        ("", Some(shape(1, 1, 72)), (4, 6, 3)),
    ] {
        let options = format!("{options},hold=all");
        let [_, test] = of(path, &options, Parts::Test, input).unwrap();
        let test = test.unwrap();
        let found = (test.height(), test.width(), test.channels());
        assert_eq!(found, expected, "{options}");
        assert!(
            test.images
                .bytes()
                .unwrap()
                .iter()
                .all(|&value| value == 70)
        );
    }
    let message = of(path, ",resize=4,hold=all", Parts::Test, grey).unwrap_err();
    assert!(message.contains("at least the larger side"), "{message}");
    write(path, "a/2.png", (6, 5), 70);
    let message = of(path, ",hold=all", Parts::Test, None).unwrap_err();
    assert!(
        message.contains("2.png: it is 5 x 6 pixels, and the first picture 4 x 6"),
        "{message}"
    );
    assert!(message.contains("size=S before the folder"), "{message}");
}

#[test]
fn folders_without_pictures_and_pictures_of_other_kinds_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let message = |options: &str| of(path, options, Parts::Test, None).unwrap_err();
    assert!(message(",hold=all").contains("it has no folder with PNG or JPEG"));
    write(path, "a/1.png", (3, 3), 0);
    fs::create_dir(path.join("b")).unwrap();
    let empty = message(",hold=all");
    assert!(
        empty.contains("b: it has no PNG or JPEG picture"),
        "{empty}"
    );
    fs::write(path.join("b/1.webp"), "RIFF").unwrap();
    let other = message(",hold=all");
    assert!(
        other.contains("1.webp: it is a picture of a kind"),
        "{other}"
    );
    fs::rename(path.join("b/1.webp"), path.join("b/1.png")).unwrap();
    let damaged = message(",hold=all");
    assert!(
        damaged.contains("1.png: it is neither a PNG nor a JPEG"),
        "{damaged}"
    );
    let missing = of(&path.join("none"), ",hold=all", Parts::Test, None).unwrap_err();
    assert!(missing.contains("none"), "{missing}");
    let file = of(&path.join("a/1.png"), ",hold=all", Parts::Test, None).unwrap_err();
    assert!(file.contains("it is no folder"), "{file}");
}
