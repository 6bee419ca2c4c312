//! Against what NumPy wrote and says of it: `tests/vectors/arrays.py`.

use super::*;
use brownout_golden::data::Pixels;
use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/arrays")
}

fn test_images(name: &str, hold: Option<Hold>, order: Option<Order>) -> Result<Dataset, String> {
    let path = vectors().join(format!("{name}.npz"));
    let read = super::read(true, &path, (order, hold), Parts::Test, None);
    read.map(|(_, test)| test.unwrap())
        .map_err(|e| e.to_string())
}

/// The values of image 3 of each array, by archive and array, as NumPy says them.
fn said() -> HashMap<(String, String), Vec<f32>> {
    let text = fs::read_to_string(vectors().join("values.tsv")).unwrap();
    let rows = text.lines().skip(1).map(|line| {
        let cells: Vec<&str> = line.split('\t').collect();
        let values = cells[5].split(' ').map(|v| v.parse().unwrap());
        ((cells[0].into(), cells[1].into()), values.collect())
    });
    rows.collect()
}

#[test]
fn every_type_order_and_packing_gives_the_values_that_numpy_says() {
    let said = said();
    for (name, images) in [
        ("stored", "images"),
        ("packed", "images"),
        ("zip64", "x"),
        ("fortran", "x"),
        ("big-endian", "x"),
        ("half", "x"),
        ("double", "x"),
        ("activations", "vectors"),
        ("targets", "inputs"),
        ("channels-first", "images"),
    ] {
        let is_first = name == "channels-first";
        let order = is_first.then_some(Order::ChannelsFirst);
        let data = test_images(name, Some(Hold::All), order).unwrap();
        assert_eq!(data.images.dim(), (8, 5, 4, 3), "{name}");
        let found: Vec<f32> = match data.image(3) {
            Pixels::Bytes(values) => values.iter().map(|&v| f32::from(v)).collect(),
            Pixels::Activations(values) => values.iter().map(|&v| f32::from(v)).collect(),
            Pixels::Reals(values) => values.to_vec(),
        };
        let mut expected = said[&(name.to_owned(), images.to_owned())].clone();
        if is_first {
            let planes = expected.clone();
            let place = |i: usize| i % 3 * 20 + i / 3;
            (0..60).for_each(|i| expected[i] = planes[place(i)]);
        }
        assert_eq!(found, expected, "{name}");
        if name != "targets" {
            assert_eq!(data.labels, [0, 5, 3, 1, 6, 4, 2, 0], "{name}");
            assert_eq!((data.classes, data.targets), (7, None), "{name}");
        }
    }
}

#[test]
fn tensors_of_labels_are_kept_as_targets_and_the_largest_is_the_class() {
    let data = test_images("targets", Some(Hold::All), None).unwrap();
    let targets = data.targets.as_ref().unwrap();
    assert_eq!((targets.dim(), data.classes), ((8, 4), 4));
    let said = &said()[&("targets".into(), "outputs".into())];
    assert!(targets.row(3).iter().eq(said));
    let best = |row: usize| {
        let row: Vec<f32> = targets.row(row).to_vec();
        (0..4).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap() as u16
    };
    let expected: Vec<u16> = (0..8).map(best).collect();
    assert_eq!(data.labels, expected);
    let part = data.range(2..5);
    assert_eq!(part.targets.unwrap().row(1), targets.row(3));
}

#[test]
fn arrays_that_name_their_parts_are_split_as_they_say_and_others_as_the_user_says() {
    for (name, train, test) in [("keras", 6, 2), ("medmnist", 4, 2)] {
        let path = vectors().join(format!("{name}.npz"));
        let read = super::read(true, &path, (None, None), Parts::Both, None);
        let (training, tests) = read.unwrap();
        let (training, tests) = (training.unwrap(), tests.unwrap());
        assert_eq!((training.len(), tests.len()), (train, test));
        assert_eq!(tests.labels, [2, 0]);
        // The largest label of both parts that are read.
        let largest = training.labels.iter().max().unwrap() + 1;
        assert_eq!(
            (training.classes, tests.classes),
            (largest.into(), largest.into())
        );
        assert_eq!(training.channels(), if name == "keras" { 3 } else { 1 });
    }
    let path = vectors().join("stored.npz");
    let read = super::read(true, &path, (None, Some(Hold::Every(3))), Parts::Both, None);
    let (training, tests) = read.unwrap();
    let (training, tests) = (training.unwrap(), tests.unwrap());
    assert_eq!(tests.labels, [0, 1, 2], "images 0, 3 and 6");
    assert_eq!(training.labels, [5, 3, 6, 4, 0]);
    let all = test_images("stored", Some(Hold::All), None).unwrap();
    assert_eq!(tests.image(1), all.image(3));
    assert_eq!(training.image(4), all.image(7));
}

#[test]
fn a_folder_of_arrays_is_read_as_their_archive_is() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = fs::read(vectors().join("keras.npz")).unwrap();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    for number in 0..archive.len() {
        let mut member = archive.by_index(number).unwrap();
        let mut bytes = Vec::new();
        member.read_to_end(&mut bytes).unwrap();
        fs::write(folder.path().join(member.name().unwrap().as_ref()), bytes).unwrap();
    }
    let read = super::read(false, folder.path(), (None, None), Parts::Test, None);
    let loose = read.unwrap().1.unwrap();
    let packed = test_images("keras", None, None).unwrap();
    assert_eq!(
        (&loose.images, &loose.labels),
        (&packed.images, &packed.labels)
    );
    let path = folder.path().join("y_test.npy");
    fs::write(&path, [&fs::read(&path).unwrap()[..], b"x"].concat()).unwrap();
    let read = super::read(false, folder.path(), (None, None), Parts::Test, None);
    let message = read.unwrap_err().to_string();
    assert!(
        message.contains("y_test.npy: it holds more than"),
        "{message}"
    );
}

#[test]
fn pickles_wrong_words_and_wrong_files_are_refused_in_a_sentence() {
    let all = Some(Hold::All);
    for (name, hold, order, reason) in [
        ("objects", all, None, "x: its values are objects of Python"),
        ("stored", None, None, "hold=all before the file"),
        ("keras", all, None, "hold=all is for one set"),
        ("missing", all, None, "missing.npz"),
        // Four columns may be channels as well as three planes.
        (
            "channels-first",
            all,
            None,
            "8 x 3 x 5 x 4, where the second or",
        ),
    ] {
        let message = test_images(name, hold, order).unwrap_err();
        assert!(message.contains(reason), "{message:?} lacks {reason:?}");
        assert!(message.contains(&format!("{name}.npz")), "{message}");
    }
    let read = |is_archive: bool, path: &Path| {
        let read = super::read(is_archive, path, (None, None), Parts::Test, None);
        read.unwrap_err().to_string()
    };
    let folder = vectors();
    let message = read(true, &folder);
    assert!(message.contains("npy:DIR for a folder"), "{message}");
    let message = read(false, &folder.join("stored.npz"));
    assert!(message.contains("npz:FILE for an archive"), "{message}");
    let message = read(true, &folder.join("values.tsv"));
    assert!(message.contains("no archive of arrays"), "{message}");
    let message = read(false, &folder);
    assert!(
        message.contains("no array with a name that ends in .npy"),
        "{message}"
    );
}
