use super::*;
use std::fs;

fn header(fields: &[u32], body: &[u8]) -> Vec<u8> {
    let header = fields.iter().flat_map(|f| f.to_be_bytes());
    header.chain(body.iter().copied()).collect()
}

/// Writes a part of a form: one image of 2 x 3 pixels for each label.
fn write(form: &Form, names: Names, folder: &Path, labels: &[i32]) {
    let count = labels.len() as u32;
    let pixels: Vec<u8> = (0..count as u8 * 6).collect();
    fs::write(
        folder.join(names.images),
        header(&[2051, count, 2, 3], &pixels),
    )
    .unwrap();
    let bytes = match form.has_table {
        false => header(
            &[2049, count],
            &labels.iter().map(|&l| l as u8).collect::<Vec<_>>(),
        ),
        true => {
            let rows = labels
                .iter()
                .flat_map(|&label| [label, 4, 3, 2, 1, 0, -1, 99]);
            let rows: Vec<u8> = rows.flat_map(i32::to_be_bytes).collect();
            header(&[3074, count, 8], &rows)
        }
    };
    fs::write(folder.join(names.labels), bytes).unwrap();
}

fn read_after(form: &Form, labels: &[i32]) -> Result<Dataset, String> {
    let folder = tempfile::tempdir().unwrap();
    write(form, form.test, folder.path(), labels);
    let read = form.read_test(folder.path());
    read.map_err(|e| e.to_string())
}

#[test]
fn letters_of_emnist_are_transposed_begin_at_1_and_have_names() {
    let letters = emnist("letters").unwrap();
    let data = read_after(letters, &[1, 26]).unwrap();
    assert_eq!((&data.labels[..], data.classes), (&[0, 25][..], 26));
    assert_eq!(data.class_name(25), "z");
    // Two rows of three became three of two.
    assert_eq!((data.height(), data.width()), (3, 2));
    assert_eq!(data.image(1).bytes(), Some(&[6, 9, 7, 10, 8, 11][..]));
    for (label, found) in [(0, "image 1 has label 0"), (27, "image 1 has label 27")] {
        let message = read_after(letters, &[3, label]).unwrap_err();
        let allowed = "allowed is 1 to 26 (emnist,letters)";
        assert!(
            message.contains(found) && message.contains(allowed),
            "{message}"
        );
    }
}

#[test]
fn the_splits_of_emnist_have_the_classes_that_their_paper_counts() {
    // Table II of the paper, but for the letters, of which it counts 26.
    for (split, classes) in [
        ("letters", 26),
        ("balanced", 47),
        ("byclass", 62),
        ("bymerge", 47),
        ("digits", 10),
        ("mnist", 10),
    ] {
        let form = emnist(split).unwrap();
        let data = read_after(form, &[i32::from(form.first)]).unwrap();
        assert_eq!((data.classes, data.class_names.len()), (classes, classes));
        assert_eq!(data.labels, [0]);
    }
    assert_eq!(emnist("letter"), None);
}

#[test]
fn files_say_which_split_of_emnist_they_are_and_under_another_name_they_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let message = emnist_in(path).unwrap_err().to_string();
    assert!(
        message.contains("emnist-letters-test-images-idx3-ubyte.gz"),
        "{message}"
    );
    for form in &EMNIST {
        let folder = tempfile::tempdir().unwrap();
        write(form, form.test, folder.path(), &[1]);
        assert_eq!(emnist_in(folder.path()).unwrap(), form);
        let message = MNIST.read_test(folder.path()).unwrap_err().to_string();
        let say = format!("say {}:{}", form.source, folder.path().display());
        assert!(message.contains(&say), "{message}");
        write(form, form.test, path, &[1]);
    }
    let message = emnist_in(path).unwrap_err().to_string();
    assert!(
        message.contains("files of 6 splits of EMNIST") && message.contains("emnist,bymerge"),
        "{message}"
    );
}

#[test]
fn labels_of_qmnist_are_the_first_column_of_their_table() {
    let data = read_after(&QMNIST, &[7, 0, 9]).unwrap();
    assert_eq!((&data.labels[..], data.classes), (&[7, 0, 9][..], 10));
    assert_eq!((data.height(), data.width()), (2, 3));
    let message = read_after(&QMNIST, &[7, -1]).unwrap_err();
    assert!(message.contains("class of image 1 is -1"), "{message}");
    let message = read_after(&QMNIST, &[10]).unwrap_err();
    assert!(message.contains("allowed is 0 to 9 (qmnist)"), "{message}");
}

#[test]
fn a_table_of_another_width_or_of_bytes_is_refused_with_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    write(&QMNIST, QMNIST.test, folder.path(), &[1]);
    let path = folder.path().join(QMNIST.test.labels);
    let table = header(&[3074, 1, 5], &[0; 20]);
    for (bytes, reason) in [
        (table, "1 rows of 5 integers; allowed is"),
        (header(&[2049, 1], &[1]), "unsigned bytes in 1 dimension"),
        (header(&[3074, 1, 8], &[0; 31]), "ends after 31 of the 32"),
    ] {
        fs::write(&path, bytes).unwrap();
        let message = QMNIST.read_test(folder.path()).unwrap_err().to_string();
        assert!(message.contains(reason), "{message}");
        assert!(message.contains("qmnist-test-labels-idx2-int"), "{message}");
    }
}
