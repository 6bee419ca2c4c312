//! Built models, kept between runs.
//!
//! An entry is a folder named by the first half of its key, with the shared
//! object, a manifest and the Verilog. It is built under a temporary name and
//! renamed, so it is either whole or not there. The manifest holds a hash of
//! the shared object and one of itself: what was damaged later is built again
//! instead of loaded. What a killed build left is removed by the next one.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use brownout_golden::files::ScratchFolder;
use serde::{Deserialize, Serialize};

use crate::build::{
    BuildError, BuildOptions, LIBRARY, ModelSource, PROGRESS, PortInfo, Progress, build_model,
    file_error, model_key,
};
use crate::toolchain::Toolchain;

/// Name of the manifest inside an entry.
const MANIFEST: &str = "manifest.json";
/// How the names of unfinished entries begin.
const UNFINISHED: &str = ".building-";
/// Hexadecimal digits of the key which name the folder; the manifest has all.
const NAME_DIGITS: usize = 32;

/// One build at a time in a process: threads which ask for the same model
/// then share one build, and the machine is not flooded with compilers.
static BUILDING: Mutex<()> = Mutex::new(());

/// Makes a shared object in an empty folder.
type Builder<'a> = dyn Fn(&Path, &Progress) -> Result<Vec<PortInfo>, BuildError> + 'a;

/// A folder of built models.
#[derive(Clone, Debug)]
pub struct ModelCache {
    folder: PathBuf,
}

/// A built model, ready to be loaded.
#[derive(Clone, Debug)]
pub struct CompiledModel {
    top: String,
    library: PathBuf,
    ports: Vec<PortInfo>,
    key: String,
    options: BuildOptions,
    fresh: bool,
}

impl CompiledModel {
    /// Name of the top module.
    pub fn top(&self) -> &str {
        &self.top
    }

    /// The shared object.
    pub fn library(&self) -> &Path {
        &self.library
    }

    /// All ports of the top module, the clock included.
    pub fn ports(&self) -> &[PortInfo] {
        &self.ports
    }

    /// The hash this model is kept under, 64 hexadecimal digits.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What the model was built for.
    pub fn options(&self) -> BuildOptions {
        self.options
    }

    /// Whether it was built by this call, rather than found.
    pub fn is_fresh(&self) -> bool {
        self.fresh
    }
}

/// What a cache entry says about itself.
#[derive(Serialize, Deserialize)]
struct Manifest {
    key: String,
    top: String,
    verilator: String,
    compiler: String,
    library_blake3: String,
    ports: Vec<PortInfo>,
}

/// A manifest as it is stored, with the hash that shows whether it is as it was written.
#[derive(Serialize, Deserialize)]
struct Sealed {
    manifest: Manifest,
    blake3: String,
}

impl Sealed {
    fn new(manifest: Manifest) -> Self {
        let blake3 = manifest.hash();
        Self { manifest, blake3 }
    }

    /// The manifest, unless it was damaged.
    fn open(self) -> Option<Manifest> {
        (self.manifest.hash() == self.blake3).then_some(self.manifest)
    }
}

impl Manifest {
    fn hash(&self) -> String {
        hash(&serde_json::to_vec(self).expect("a manifest is plain data with text keys"))
    }
}

impl ModelCache {
    /// A cache in `folder`, which is created when the first model is built.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        ModelCache {
            folder: folder.into(),
        }
    }

    /// The cache in `$BROWNOUT_CACHE`, else in `target/models` of the workspace
    /// the tools belong to, else below the current directory.
    pub fn locate(toolchain: &Toolchain) -> Self {
        match env::var_os("BROWNOUT_CACHE").filter(|folder| !folder.is_empty()) {
            Some(folder) => Self::new(folder),
            None => Self::new(
                toolchain
                    .home()
                    .unwrap_or(Path::new(""))
                    .join("target/models"),
            ),
        }
    }

    /// The cached model of this source, if it is there and undamaged.
    pub fn find(
        &self,
        toolchain: &Toolchain,
        source: &ModelSource,
        options: BuildOptions,
    ) -> Option<CompiledModel> {
        self.read_entry(&model_key(toolchain, source, options), options)
    }

    /// The model of this source, built if it is not cached. Building takes
    /// from about a second to a minute; ask [`ModelCache::find`] first to
    /// tell the user.
    ///
    /// # Errors
    /// If the Verilog is refused, a tool fails, or a file cannot be written.
    /// Nothing is left in the cache then.
    pub fn get(
        &self,
        toolchain: &Toolchain,
        source: &ModelSource,
        options: BuildOptions,
    ) -> Result<CompiledModel, BuildError> {
        let key = model_key(toolchain, source, options);
        self.get_as(
            toolchain,
            &source.top,
            options,
            &key,
            &|folder, progress| build_model(toolchain, source, options, folder, progress),
        )
    }

    /// The model of module `top` under `key`, built by `build` in an empty folder if it is not cached.
    pub(crate) fn get_as(
        &self,
        toolchain: &Toolchain,
        top: &str,
        options: BuildOptions,
        key: &str,
        build: &Builder,
    ) -> Result<CompiledModel, BuildError> {
        if let Some(model) = self.read_entry(key, options) {
            return Ok(model);
        }
        // A panic elsewhere leaves no shared state behind, only a temporary folder.
        let _one_build = BUILDING
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(model) = self.read_entry(key, options) {
            return Ok(model);
        }
        self.build_entry(toolchain, top, options, key, build)
    }

    /// Where builds that are not over say what they are doing, with `*` for what differs.
    pub fn progress(&self) -> PathBuf {
        self.folder.join(format!("{UNFINISHED}*")).join(PROGRESS)
    }

    fn entry(&self, key: &str) -> PathBuf {
        self.folder.join(&key[..NAME_DIGITS])
    }

    /// Reads an entry; a missing, foreign or damaged one is none.
    fn read_entry(&self, key: &str, options: BuildOptions) -> Option<CompiledModel> {
        // The loader takes a path without a slash for a library name.
        let entry = fs::canonicalize(self.entry(key)).ok()?;
        let stored = fs::read(entry.join(MANIFEST)).ok()?;
        let manifest = serde_json::from_slice::<Sealed>(&stored).ok()?.open()?;
        let library = entry.join(LIBRARY);
        let bytes = fs::read(&library).ok()?;
        if manifest.key != key || manifest.library_blake3 != hash(&bytes) {
            return None;
        }
        Some(CompiledModel {
            top: manifest.top,
            library,
            ports: manifest.ports,
            key: manifest.key,
            options,
            fresh: false,
        })
    }

    fn build_entry(
        &self,
        toolchain: &Toolchain,
        top: &str,
        options: BuildOptions,
        key: &str,
        build: &Builder,
    ) -> Result<CompiledModel, BuildError> {
        fs::create_dir_all(&self.folder).map_err(file_error("create", &self.folder))?;
        let temporary = ScratchFolder::inside(&self.folder, UNFINISHED)
            .map_err(file_error("create a folder in", &self.folder))?;
        let ports = build(temporary.path(), &Progress::new(temporary.path()))?;

        let library = temporary.path().join(LIBRARY);
        let bytes = fs::read(&library).map_err(file_error("read", &library))?;
        let manifest = Manifest {
            key: key.to_owned(),
            top: top.to_owned(),
            verilator: toolchain.verilator_version().to_string(),
            compiler: toolchain.compiler_version().to_string(),
            library_blake3: hash(&bytes),
            ports,
        };
        let path = temporary.path().join(MANIFEST);
        let text = serde_json::to_vec_pretty(&Sealed::new(manifest)).map_err(io::Error::from);
        text.and_then(|text| fs::write(&path, text))
            .map_err(file_error("write", &path))?;

        let entry = self.entry(key);
        self.publish(temporary, &entry, key, options)?;
        let mut model = self
            .read_entry(key, options)
            .ok_or_else(|| file_error("read back", &entry)(io::ErrorKind::InvalidData.into()))?;
        model.fresh = true;
        Ok(model)
    }

    /// Gives a finished folder its final name.
    fn publish(
        &self,
        temporary: ScratchFolder,
        entry: &Path,
        key: &str,
        options: BuildOptions,
    ) -> Result<(), BuildError> {
        // One process at a time, so that none takes another's new entry for the
        // damaged one. Where the file system has no locks, renaming decides.
        let _turn = File::open(&self.folder).inspect(|folder| drop(folder.lock()));
        if self.read_entry(key, options).is_some() {
            // Another process was faster, and its entry is as good.
            return Ok(());
        }
        self.remove_damaged(entry)?;
        match temporary.persist(entry) {
            Ok(()) => Ok(()),
            Err(_) if self.read_entry(key, options).is_some() => Ok(()),
            Err(error) => Err(file_error("rename to", entry)(error)),
        }
    }

    /// Moves whatever has an entry's name into a folder that goes away.
    fn remove_damaged(&self, entry: &Path) -> Result<(), BuildError> {
        if entry.symlink_metadata().is_err() {
            return Ok(());
        }
        let away = ScratchFolder::inside(&self.folder, UNFINISHED)
            .map_err(file_error("create a folder in", &self.folder))?;
        match fs::rename(entry, away.path().join("damaged")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(file_error("move away", entry)(error))
            }
            _ => Ok(()),
        }
    }
}

fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}
