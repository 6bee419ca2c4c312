//! No file, however damaged, makes a reader panic, hang, take too much memory
//! or refuse it with anything but a sentence.

use brownout_golden::data::idx;
use brownout_tests::readers::allocation::{Meter, measure};
use brownout_tests::readers::harness::{Failure, LONGEST, Report, torture};
use brownout_tests::readers::mutate::Format;
use brownout_tests::readers::{READERS, Reader, Verdict};
use flate2::{Compression, write::GzEncoder};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[global_allocator]
static METER: Meter = Meter;

/// Damaged files for each reader.
const FILES: u64 = 10_000;
/// Least share of them that is accepted, and that is refused: a mutator that
/// only ever meets the first check of a reader, or none, shows nothing.
const LEAST_SHARE: f64 = 0.04;

fn check(names: &[&str]) {
    for name in names {
        let reader = READERS.iter().find(|reader| reader.name == *name);
        let reader = *reader.expect("a reader of this name");
        let report = torture(reader, FILES, LONGEST).unwrap_or_else(|e| panic!("{name}: {e}"));
        let Report {
            accepted, refused, ..
        } = report;
        assert_eq!(accepted + refused, FILES);
        println!("{name}: {report:?}");
        for (what, count) in [("accepted", accepted), ("refused", refused)] {
            let share = count as f64 / FILES as f64;
            assert!(
                share >= LEAST_SHARE,
                "{name}: {share:.3} of the files are {what}"
            );
        }
        assert!(
            report.sentences >= 3,
            "{name}: {} sentences",
            report.sentences
        );
    }
}

#[test]
fn damaged_idx_files_cost_no_more_than_stated_and_are_read_or_refused_in_a_sentence() {
    check(&[
        "IDX images",
        "IDX labels",
        "IDX images, gzip",
        "IDX labels, gzip",
    ]);
}

#[test]
fn damaged_cifar_batches_cost_no_more_than_stated_and_are_read_or_refused_in_a_sentence() {
    check(&["CIFAR-10 batch", "CIFAR-10 batch, xz", "CIFAR-100 batch"]);
}

#[test]
fn damaged_arrays_cost_no_more_than_stated_and_are_read_or_refused_in_a_sentence() {
    check(&["NumPy archive"]);
}

#[test]
fn damaged_pictures_cost_no_more_than_stated_and_are_read_or_refused_in_a_sentence() {
    check(&["PNG picture", "JPEG picture"]);
}

#[test]
fn damaged_checkpoints_and_state_dicts_cost_no_more_than_stated_and_are_read_or_refused_in_a_sentence()
 {
    check(&["checkpoint", "state dict"]);
}

#[test]
fn damaged_quantized_checkpoints_and_training_states_cost_no_more_than_stated_and_are_read_or_refused_in_a_sentence()
 {
    check(&["quantized checkpoint", "training state"]);
}

#[test]
fn damaged_models_and_weight_images_cost_no_more_than_stated_and_are_read_or_refused_in_a_sentence()
{
    check(&["safetensors model", "weight image"]);
}

#[test]
fn damaged_onnx_files_cost_no_more_than_stated_and_are_read_or_refused_in_a_sentence() {
    check(&["ONNX"]);
}

#[test]
fn damaged_texts_cost_no_more_than_stated_and_are_read_or_refused_in_a_sentence() {
    check(&["TOML configuration", "voltage table", "fault map"]);
}

#[test]
fn every_reader_has_a_fuzz_target_that_calls_it_and_every_target_is_declared_and_described() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("a file of tests/fuzz");
    let (manifest, page) = (read("Cargo.toml"), read("README.md"));
    let files: BTreeSet<String> = fs::read_dir(folder.join("fuzz_targets"))
        .expect("the folder of targets")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into())
        .collect();
    for target in &files {
        let text = read(&format!("fuzz_targets/{target}.rs"));
        let declared = format!("name = \"{target}\"\npath = \"fuzz_targets/{target}.rs\"\n");
        assert!(manifest.contains(&declared), "{target} in Cargo.toml");
        assert!(
            page.contains(&format!("`{target}`")),
            "{target} in README.md"
        );
        let calls = match &target[..] {
            // The registers of the hardware, which is no reader of files.
            "registers" => "victim.garbage(bytes)".to_owned(),
            reader => format!("readers::{reader}(bytes)"),
        };
        assert!(text.contains(&calls), "{target} does not call {calls}");
    }
    assert_eq!(manifest.matches("[[bin]]").count(), files.len());
    let readers = READERS.iter().map(|reader| reader.target.to_owned());
    let expected: BTreeSet<String> = readers.chain(["registers".to_owned()]).collect();
    assert_eq!(files, expected);
}

#[test]
fn a_gzip_bomb_costs_no_more_than_its_bound() {
    // 200 images of 1024 x 1024 zeros, all announced in the header.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let header = [2051_u32, 200, 1024, 1024].map(u32::to_be_bytes).concat();
    encoder.write_all(&header).unwrap();
    for _ in 0..200 {
        encoder.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    let (result, demand) = measure(|| idx::images_from(&bomb[..], Path::new("bomb.gz")));
    let message = result.unwrap_err().to_string();
    assert!(
        message.contains("more than 100 times its size"),
        "{message}"
    );
    // A buffer that moves while it grows is there twice.
    let bound = 2 * ((4 << 20) + 100 * bomb.len());
    assert!(demand.peak <= bound, "{} bytes, {demand:?}", bomb.len());
}

/// A file of a length and as many bytes: the format of the bad readers.
fn bad_reader(name: &'static str, read: fn(&[u8]) -> Verdict) -> Reader {
    Reader {
        name,
        target: "none",
        read,
        format: Format::Binary { header: 4 },
        seeds: || vec![[&[0, 0, 0, 9][..], b"nine byte"].concat()],
        memory_per_byte: 3,
        memory_free: 4096,
    }
}

fn length_of(bytes: &[u8]) -> Result<usize, String> {
    let field = bytes.first_chunk::<4>().ok_or("the file has no length")?;
    Ok(u32::from_be_bytes(*field) as usize)
}

fn accept() -> Verdict {
    Ok(Box::new(|| ()))
}

#[test]
fn a_reader_that_trusts_a_length_is_caught_by_the_memory_it_asks_for() {
    fn trusting(bytes: &[u8]) -> Verdict {
        let announced = length_of(bytes)?.min(64 << 20);
        let mut content: Vec<u8> = Vec::with_capacity(announced);
        content.extend(&bytes[4..]);
        std::hint::black_box(&content);
        accept()
    }
    let failure = torture(bad_reader("trusting", trusting), FILES, LONGEST).unwrap_err();
    assert!(matches!(failure, Failure::Memory { .. }), "{failure}");
}

#[test]
fn a_reader_that_takes_bytes_which_are_not_there_is_caught_by_its_panic() {
    fn careless(bytes: &[u8]) -> Verdict {
        let length = length_of(bytes)?;
        std::hint::black_box(&bytes[4..][..length]);
        accept()
    }
    let failure = torture(bad_reader("careless", careless), FILES, LONGEST).unwrap_err();
    assert!(matches!(failure, Failure::Panic { .. }), "{failure}");
}

#[test]
fn a_reader_that_accepts_what_breaks_its_law_is_caught() {
    fn lax(bytes: &[u8]) -> Verdict {
        let (length, left) = (length_of(bytes)?, bytes.len() - 4);
        Ok(Box::new(move || assert_eq!(length, left)))
    }
    let failure = torture(bad_reader("lax", lax), FILES, LONGEST).unwrap_err();
    assert!(matches!(failure, Failure::Panic { .. }), "{failure}");
}

#[test]
fn a_reader_that_never_ends_is_caught() {
    static STOP: AtomicBool = AtomicBool::new(false);
    fn endless(bytes: &[u8]) -> Verdict {
        let step = length_of(bytes)?;
        let mut at = 4;
        while at < bytes.len() && !STOP.load(Ordering::Relaxed) {
            at = at.saturating_add(step);
        }
        accept()
    }
    let short = Duration::from_millis(300);
    let failure = torture(bad_reader("endless", endless), FILES, short).unwrap_err();
    STOP.store(true, Ordering::Relaxed);
    assert!(matches!(failure, Failure::Hang { .. }), "{failure}");
}

#[test]
fn a_reader_that_refuses_with_a_debug_print_or_with_foreign_lines_is_caught() {
    fn raw(bytes: &[u8]) -> Verdict {
        Err(format!("it went wrong: {:?}", bytes.first()))
    }
    fn foreign(bytes: &[u8]) -> Verdict {
        let text = String::from_utf8_lossy(bytes);
        Err(format!("there is no field of the name {text}"))
    }
    for (name, read) in [("raw", raw as fn(&[u8]) -> Verdict), ("foreign", foreign)] {
        let failure = torture(bad_reader(name, read), FILES, LONGEST).unwrap_err();
        assert!(matches!(failure, Failure::Wording { .. }), "{failure}");
    }
}
