//! A cache of models survives full disks, killed builds, damage and company.
//!
//! Builds that are to be killed or starved run in processes of their own: this
//! test program again, asked for the test [`build_for_a_parent`] alone.

use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use brownout_sim::build::{BuildOptions, ModelSource};
use brownout_sim::cache::{CompiledModel, ModelCache};
use brownout_sim::model::Model;
use brownout_sim::toolchain::Toolchain;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

/// Where a child process keeps its models.
const FOLDER: &str = "BROWNOUT_TEST_CACHE";
/// Builds that are killed in the middle of their work, and how many are started
/// at most, since some end before.
const KILLS: usize = 4;
const MOST_BUILDS: usize = 20;
/// What a child says when it has used its model.
const DONE: &str = "the model counts";

const COUNTER: &str = "
module counter (input clock, input reset, output [15:0] count, output [69:0] wide);
    reg [15:0] count_q;
    always @(posedge clock) count_q <= reset ? 16'd0 : count_q + 16'd3;
    assign count = count_q;
    assign wide = {54'd0, count_q};
endmodule
";

fn counter() -> ModelSource {
    ModelSource {
        top: "counter".into(),
        clock: Some("clock".into()),
        files: vec![("counter.v".into(), COUNTER.into())],
    }
}

fn toolchain() -> Toolchain {
    Toolchain::locate().unwrap_or_else(|error| panic!("{error}"))
}

fn find(cache: &ModelCache, toolchain: &Toolchain) -> Option<CompiledModel> {
    cache.find(toolchain, &counter(), BuildOptions::default())
}

fn get(cache: &ModelCache, toolchain: &Toolchain) -> Result<CompiledModel, String> {
    cache
        .get(toolchain, &counter(), BuildOptions::default())
        .map_err(|error| error.to_string())
}

/// Loads the model and counts to 30.
fn count(compiled: &CompiledModel) {
    let mut model = Model::load(compiled).unwrap_or_else(|error| panic!("{error}"));
    let (reset, value) = (model.port("reset").unwrap(), model.port("count").unwrap());
    model.write(reset, 1);
    model.step();
    model.write(reset, 0);
    (0..10).for_each(|_| model.step());
    assert_eq!(model.read(value), 30);
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// What processes of this test do, and nothing when it runs among the others.
#[test]
fn build_for_a_parent() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    match get(&ModelCache::new(folder), &toolchain()) {
        Ok(compiled) => {
            count(&compiled);
            println!("{DONE}");
        }
        Err(message) => println!("refused: {message}"),
    }
}

/// A process that builds the model, with files of at most `blocks` times 512 bytes.
fn child(folder: &Path, blocks: &str) -> Child {
    let script = "trap '' XFSZ; ulimit -f $0; exec \"$@\"";
    Command::new("sh")
        .args(["-c", script, blocks])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "build_for_a_parent", "--nocapture"])
        .env(FOLDER, folder)
        // A group of its own, so that its compilers can be killed with it.
        .process_group(0)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_full_disk_is_a_sentence_and_leaves_nothing_in_the_cache() {
    let folder = TempDir::new().unwrap();
    let (cache, toolchain) = (ModelCache::new(folder.path()), toolchain());
    // From no byte at all to all but the last tool's output; 512 bytes each.
    let mut refused = Vec::new();
    for blocks in ["0", "1", "4", "12", "40"] {
        let output = child(folder.path(), blocks).wait_with_output().unwrap();
        let text = text(&output);
        let Some((_, message)) = text.split_once("refused: ") else {
            panic!("{blocks} blocks are enough: {text}");
        };
        let message = message.lines().next().unwrap_or_default().to_owned();
        let known = ["could not", "was not written whole"];
        assert!(
            known.iter().any(|k| message.contains(k)),
            "{blocks}: {text}"
        );
        assert!(
            names(folder.path()).is_empty(),
            "{:?}",
            names(folder.path())
        );
        refused.push(message);
    }
    refused.dedup();
    assert!(
        refused.len() >= 3,
        "each tool is starved once: {refused:#?}"
    );
    count(&get(&cache, &toolchain).unwrap());
}

#[test]
fn a_killed_build_leaves_a_whole_entry_or_none_and_the_next_one_cleans_up() {
    let folder = TempDir::new().unwrap();
    let (cache, toolchain) = (ModelCache::new(folder.path()), toolchain());
    let time = || whole_build(folder.path());
    let first = time();
    let entry = find(&cache, &toolchain).unwrap();
    let entry = entry.library().parent().unwrap().to_path_buf();
    fs::remove_dir_all(&entry).unwrap();
    // The shorter of two, since the machine may have other things to do.
    let mut duration = first.min(time());

    let mut rng = ChaCha8Rng::seed_from_u64(0xB20_6000);
    let (mut builds, mut killed, mut left_behind) = (0, 0, 0);
    while (killed < KILLS || left_behind == 0) && builds < MOST_BUILDS {
        builds += 1;
        fs::remove_dir_all(&entry).ok();
        let mut process = child(folder.path(), "unlimited");
        let delay = duration.mul_f64(rng.random_range(0.0..1.0));
        thread::sleep(delay);
        kill_group(&process);
        let status = process.wait().unwrap();
        if status.signal() == Some(9) {
            killed += 1;
        } else {
            // No longer than this, then: the machine has less to do than before.
            duration = duration.min(delay);
        }
        let found = names(folder.path());
        let unfinished = found.iter().filter(|n| n.starts_with(".building-")).count();
        left_behind += unfinished;
        // Whatever has the entry's name can be used.
        assert_eq!(found.len() - unfinished, usize::from(entry.exists()));
        if entry.exists() {
            count(&find(&cache, &toolchain).expect("half an entry under the final name"));
        }
    }
    assert!(
        killed >= KILLS,
        "only {killed} of {builds} builds were killed"
    );
    assert!(left_behind >= 1, "no build was killed in the middle");
    fs::remove_dir_all(&entry).ok();
    count(&get(&cache, &toolchain).unwrap());
    let name = entry.file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(names(folder.path()), [name]);
}

/// How long a build takes that nothing disturbs.
fn whole_build(folder: &Path) -> Duration {
    let start = Instant::now();
    let output = child(folder, "unlimited").wait_with_output().unwrap();
    assert!(text(&output).contains(DONE), "{}", text(&output));
    start.elapsed()
}

fn kill_group(process: &Child) {
    let group = format!("-{}", process.id());
    let killed = Command::new("kill").args(["-KILL", "--", &group]).status();
    assert!(killed.is_ok(), "the command `kill` does not run");
}

#[test]
fn processes_that_share_a_cache_with_a_damaged_entry_all_get_a_model() {
    let folder = TempDir::new().unwrap();
    let (cache, toolchain) = (ModelCache::new(folder.path()), toolchain());
    let compiled = get(&cache, &toolchain).unwrap();
    fs::write(compiled.library(), "no shared object").unwrap();
    let children: Vec<_> = (0..3).map(|_| child(folder.path(), "unlimited")).collect();
    for process in children {
        let output = process.wait_with_output().unwrap();
        assert!(text(&output).contains(DONE), "{}", text(&output));
    }
    assert_eq!(names(folder.path()).len(), 1, "{:?}", names(folder.path()));
    assert!(find(&cache, &toolchain).is_some());
}

/// An entry, and whether the cache still takes it for one.
struct Entry {
    cache: ModelCache,
    toolchain: Toolchain,
    folder: PathBuf,
    whole: CompiledModel,
}

impl Entry {
    /// That the entry is refused, or is in every respect what it was.
    fn check(&self, damage: &str) -> bool {
        let Some(found) = find(&self.cache, &self.toolchain) else {
            return true;
        };
        assert_eq!(found.ports(), self.whole.ports(), "{damage}");
        assert_eq!(found.top(), self.whole.top(), "{damage}");
        assert_eq!(found.key(), self.whole.key(), "{damage}");
        false
    }

    fn refused(&self, damage: &str) {
        assert!(self.check(damage), "{damage} is not noticed");
    }
}

#[test]
fn no_damage_to_an_entry_is_loaded_and_the_next_run_builds_it_again() {
    let folder = TempDir::new().unwrap();
    let (cache, toolchain) = (ModelCache::new(folder.path()), toolchain());
    let whole = get(&cache, &toolchain).unwrap();
    let entry = Entry {
        folder: whole.library().parent().unwrap().to_path_buf(),
        cache,
        toolchain,
        whole,
    };
    let manifest = entry.folder.join("manifest.json");
    let text = fs::read(&manifest).unwrap();
    let mut refused = 0;
    for at in 0..text.len() {
        let mut damaged = text.clone();
        damaged[at] ^= 1 << (at % 8);
        fs::write(&manifest, &damaged).unwrap();
        refused += usize::from(entry.check(&format!("bit {} of byte {at}", at % 8)));
        fs::write(&manifest, &text[..at]).unwrap();
        entry.refused(&format!("a manifest of {at} bytes"));
    }
    // What is left are spaces between the fields.
    assert!(
        refused * 10 >= text.len() * 6,
        "{refused} of {}",
        text.len()
    );
    fs::write(&manifest, &text).unwrap();

    let library = entry.whole.library();
    let object = fs::read(library).unwrap();
    for part in 0..200 {
        let at = object.len() * part / 200;
        let mut damaged = object.clone();
        damaged[at] ^= 1 << (part % 8);
        fs::write(library, &damaged).unwrap();
        entry.refused(&format!("bit {} of byte {at} of the object", part % 8));
        fs::write(library, &object[..at]).unwrap();
        entry.refused(&format!("an object of {at} bytes"));
    }
    fs::write(library, &object).unwrap();
    assert!(!entry.check("nothing"), "everything is whole again");

    for (name, path) in [("object", library), ("manifest", manifest.as_path())] {
        fs::remove_file(path).unwrap();
        entry.refused(&format!("a missing {name}"));
        count(&get(&entry.cache, &entry.toolchain).unwrap());
    }
    // Something else under the entry's name.
    fs::remove_dir_all(&entry.folder).unwrap();
    fs::write(&entry.folder, "a file").unwrap();
    entry.refused("a file");
    count(&get(&entry.cache, &entry.toolchain).unwrap());
    assert_eq!(names(folder.path()).len(), 1);
}

#[test]
fn a_cache_that_is_a_file_is_a_sentence() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("cache");
    fs::write(&path, "a file").unwrap();
    let message = get(&ModelCache::new(&path), &toolchain()).unwrap_err();
    assert!(message.starts_with("could not create "), "{message}");
    assert!(!message.contains('\n'), "{message}");
}
