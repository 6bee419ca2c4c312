use super::*;
use lzma_rust2::{XzOptions, XzWriter};
use std::io::Write;

fn records(count: usize) -> Vec<u8> {
    (0..count * RECORD)
        .map(|i| match i % RECORD {
            0 => (i / RECORD % CLASSES) as u8,
            at => (at * 7 + i / RECORD) as u8,
        })
        .collect()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut writer = XzWriter::new(Vec::new(), XzOptions::with_preset(0)).unwrap();
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

fn message(bytes: &[u8], name: &str) -> String {
    batch_from(bytes, Path::new(name)).unwrap_err().to_string()
}

#[test]
fn plain_and_compressed_batches_give_the_same_images_with_the_channel_innermost() {
    let bytes = records(3);
    let plain = batch_from(&bytes[..], Path::new("b.bin")).unwrap();
    let packed = batch_from(&xz(&bytes)[..], Path::new("b.bin.xz")).unwrap();
    assert_eq!(plain, packed);
    assert_eq!(plain.labels, [0, 1, 2]);
    let (image, row, column) = (2, 5, 9);
    for channel in 0..CHANNELS {
        let stored = bytes[image * RECORD + 1 + (channel * SIDE + row) * SIDE + column];
        let read = ((image * SIDE + row) * SIDE + column) * CHANNELS + channel;
        assert_eq!(plain.pixels[read], stored);
    }
}

#[test]
fn each_malformed_batch_is_refused_with_its_name_and_reason() {
    let good = records(2);
    let mut label = good.clone();
    label[RECORD] = 10;
    let packed = xz(&good);
    let mut damaged = packed.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0x55;
    let long = records(MOST_RECORDS + 1);
    let cases: [(&str, &[u8], &str); 9] = [
        ("empty.bin", &[], "no record"),
        (
            "short.bin",
            &good[..RECORD + 100],
            "ends 100 bytes into record 1",
        ),
        ("mnist.bin", &good[..16], "whole records of 3073 bytes"),
        (
            "label.bin",
            &label,
            "label of record 1 is 10; allowed is 0 to 9",
        ),
        ("long.bin", &long, "more than 10000 records"),
        ("cut.bin.xz", &packed[..packed.len() / 2], "cut short"),
        ("damaged.bin.xz", &damaged, "damaged"),
        ("plain.bin.xz", &good, "record 0 cannot be read"),
        ("none.bin.xz", &[], "record 0 cannot be read"),
    ];
    for (name, bytes, reason) in cases {
        let message = message(bytes, name);
        assert!(message.contains(name), "{message:?} lacks {name:?}");
        assert!(message.contains(reason), "{message:?} lacks {reason:?}");
    }
}

#[test]
fn a_dictionary_beyond_the_limit_is_refused_before_it_is_made() {
    let mut options = XzOptions::with_preset(0);
    // The encoder makes tables of the size that it announces; a copy of the header suffices.
    options.lzma_options.dict_size = 1 << 20;
    let mut writer = XzWriter::new(Vec::new(), options).unwrap();
    writer.write_all(&records(1)).unwrap();
    let mut file = writer.finish().unwrap();
    // The block header: size, flags, filter 0x21 with one property byte, padding, CRC-32.
    assert_eq!(file[14..16], [0x21, 1]);
    let set = |file: &mut [u8], property: u8| {
        file[16] = property;
        let mut crc = flate2::Crc::new();
        crc.update(&file[12..20]);
        file[20..24].copy_from_slice(&crc.sum().to_le_bytes());
    };
    // (2 | p mod 2) · 2^(p / 2 + 11) bytes: 28 is 64 MiB, 29 is 96 MiB.
    set(&mut file, 28);
    assert!(batch_from(&file[..], Path::new("a.xz")).is_ok());
    set(&mut file, 29);
    assert!(message(&file, "a.xz").contains("more than 64 MiB"));
}

#[test]
fn an_xz_bomb_is_refused_before_it_has_grown_beyond_its_bound() {
    let bomb = xz(&vec![0; 8 * 1024 * RECORD]);
    assert!(bomb.len() < 20_000, "{} bytes", bomb.len());
    let message = message(&bomb, "bomb.bin.xz");
    assert!(
        message.contains("more than 100 times its size"),
        "{message}"
    );
}

#[test]
fn a_missing_batch_is_named_with_both_spellings() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("data_batch_1.bin"), records(1)).unwrap();
    let message = read_directory(directory.path()).unwrap_err().to_string();
    assert!(message.contains("data_batch_2.bin.xz"), "{message}");
}

/// Records of CIFAR-100, whose labels are 19, 18, .. and 99, 98, ..
fn records_of_hundred(count: usize) -> Vec<u8> {
    (0..count)
        .flat_map(|i| {
            let labels = [19 - (i % 20) as u8, 99 - (i % 100) as u8];
            labels
                .into_iter()
                .chain((0..VOLUME).map(move |at| (at * 7 + i) as u8))
        })
        .collect()
}

#[test]
fn records_of_cifar_100_have_their_fine_labels_and_a_hundred_classes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    std::fs::write(path.join("test.bin"), records_of_hundred(3)).unwrap();
    let test = HUNDRED.read_test(path).unwrap();
    assert_eq!((&test.labels[..], test.classes), (&[99, 98, 97][..], 100));
    assert_eq!(test.class_name(98), "98");
    let names: Vec<String> = (0..100).map(|class| format!("fine {class}\n")).collect();
    std::fs::write(path.join("fine_label_names.txt"), names.concat()).unwrap();
    let named = HUNDRED.read_test(path).unwrap();
    assert_eq!(named.class_name(98), "fine 98");
    let coarse = COARSE.read_test(path).unwrap();
    assert_eq!(coarse.class_names, [""; 0]);
    assert_eq!(coarse.images, test.images);
    let stored = records_of_hundred(3);
    let first: Vec<u16> = stored.chunks(3074).map(|r| u16::from(r[0])).collect();
    assert_eq!((coarse.labels, coarse.classes <= 20), (first, true));
    assert_eq!(
        test.image(1).bytes().unwrap()[0],
        1,
        "the first value after two labels"
    );
    let message = HUNDRED.read_directory(path).unwrap_err().to_string();
    assert!(message.contains("train.bin.xz"), "{message}");
    std::fs::write(path.join("train.bin.xz"), xz(&records_of_hundred(2))).unwrap();
    let split = HUNDRED.read_directory(path).unwrap();
    assert_eq!((split.train.len(), split.train.classes), (2, 100));
    for (at, value, reason) in [
        (
            0,
            20,
            "the coarse label of record 0 is 20; allowed is 0 to 19",
        ),
        (
            1,
            100,
            "the fine label of record 0 is 100; allowed is 0 to 99",
        ),
    ] {
        let mut bytes = records_of_hundred(1);
        bytes[at] = value;
        let refused = HUNDRED.batch_from(&bytes[..], Path::new("b"));
        let message = refused.unwrap_err().to_string();
        assert!(message.contains(reason), "{message:?} lacks {reason:?}");
    }
}

#[test]
fn records_of_the_other_form_are_called_by_their_name() {
    for count in [1, 4, 25] {
        let hundred = records_of_hundred(count);
        for bytes in [hundred.clone(), xz(&hundred)] {
            let name = if bytes == hundred {
                "b.bin"
            } else {
                "b.bin.xz"
            };
            let message = message(&bytes, name);
            let part = format!(
                "its {} bytes are {count} records of 3074 bytes, which is CIFAR-100: say cifar100:DIR",
                hundred.len()
            );
            assert!(message.contains(&part), "{message:?} lacks {part:?}");
        }
        let ten = records(count);
        let refused = HUNDRED.batch_from(&ten[..], Path::new("b.bin"));
        let message = refused.unwrap_err().to_string();
        assert!(
            message.contains("which is CIFAR-10: say cifar10:DIR"),
            "{message}"
        );
    }
    // Neither form: nothing is said about the other one.
    let message = message(&records(3)[..RECORD + 100], "b.bin");
    assert!(!message.contains("CIFAR"), "{message}");
}

#[test]
fn pages_and_packed_files_are_called_by_their_name() {
    let gzipped = b"\x1f\x8b\x08\0\0\0\0\0";
    for (bytes, name, part) in [
        (&b"<html><head>"[..], "b.bin", "it is an HTML or XML page"),
        (b"<html><head>", "b.bin.xz", "it is an HTML or XML page"),
        (gzipped, "b.bin", "it is a gzip file"),
        (b"\x80\x02}q", "b.bin", "it is a Python pickle"),
    ] {
        let message = message(bytes, name);
        assert!(message.contains(part), "{message:?} lacks {part:?}");
    }
    let packed = xz(&records(1));
    assert!(message(&packed, "b.bin").contains("it is an xz file"));
    let cut = message(&packed[..packed.len() / 2], "b.bin.xz");
    assert!(!cut.contains("it is"), "{cut}");
}

#[test]
fn the_published_cifar_100_has_a_hundred_classes_and_the_moments_that_are_used() {
    let Some(directory) = crate::test_data::folder("cifar-100-binary") else {
        return;
    };
    let split = HUNDRED.read_directory(&directory).unwrap();
    assert_eq!(split.test.len(), 10_000);
    assert!(split.train.len() <= 50_000 && split.unused_labels().is_empty());
    for class in 0..100 {
        let count = split.test.labels.iter().filter(|&&l| l == class).count();
        assert_eq!(count, 100, "class {class}");
    }
    let message = TEN.batch_from(
        BufReader::new(File::open(directory.join("test.bin.xz")).unwrap()),
        Path::new("test_batch.bin.xz"),
    );
    let message = message.unwrap_err().to_string();
    assert!(
        message.contains("its 30740000 bytes are 10000 records of 3074 bytes, which is CIFAR-100"),
        "{message}"
    );
    // Of a part of the training images, so to three digits.
    let pixels = split.train.images.bytes().unwrap();
    let count = (split.train.len() * PIXELS) as f64;
    for (channel, mean) in [0.5071, 0.4865, 0.4409].into_iter().enumerate() {
        let values = pixels[channel..]
            .iter()
            .step_by(3)
            .map(|&p| f64::from(p) / 255.0);
        let found = values.sum::<f64>() / count;
        assert!((found - mean).abs() < 3e-3, "{found}");
    }
}

#[test]
fn the_published_batches_have_fifty_and_ten_thousand_images_and_the_published_moments() {
    let Some(directory) = crate::test_data::folder("cifar-10-batches-bin") else {
        return;
    };
    let split = read_directory(&directory).unwrap();
    assert_eq!((split.train.len(), split.test.len()), (50_000, 10_000));
    for (data, each) in [(&split.train, 5_000), (&split.test, 1_000)] {
        for class in 0..CLASSES {
            let count = data.labels.iter().filter(|&&l| usize::from(l) == class);
            assert_eq!(count.count(), each, "class {class}");
        }
    }
    let pixels = split.train.images.bytes().unwrap();
    let count = (split.train.len() * PIXELS) as f64;
    for (channel, (mean, deviation)) in [(0.4914, 0.2470), (0.4822, 0.2435), (0.4465, 0.2616)]
        .into_iter()
        .enumerate()
    {
        let values = || {
            pixels[channel..]
                .iter()
                .step_by(3)
                .map(|&p| f64::from(p) / 255.0)
        };
        let found = values().sum::<f64>() / count;
        let variance = values().map(|v| (v - found).powi(2)).sum::<f64>() / count;
        assert!((found - mean).abs() < 6e-5, "{found}");
        assert!(
            (variance.sqrt() - deviation).abs() < 6e-5,
            "{}",
            variance.sqrt()
        );
    }
}
