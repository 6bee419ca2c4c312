//! Built models, kept between runs.
//!
//! An entry is a folder named by the first half of its key, with the shared
//! object, a manifest and the Verilog. It is built under a temporary name and
//! renamed, so it is either whole or not there. The manifest holds a hash of
//! the shared object: what was damaged later is built again instead of loaded.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::build::{
    BuildError, BuildOptions, LIBRARY, ModelSource, PortInfo, build_model, file_error, model_key,
};
use crate::toolchain::Toolchain;

/// Name of the manifest inside an entry.
const MANIFEST: &str = "manifest.json";
/// Hexadecimal digits of the key which name the folder; the manifest has all.
const NAME_DIGITS: usize = 32;

/// One build at a time in a process: threads which ask for the same model
/// then share one build, and the machine is not flooded with compilers.
static BUILDING: Mutex<()> = Mutex::new(());

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
        if let Some(model) = self.read_entry(&key, options) {
            return Ok(model);
        }
        // A panic elsewhere leaves no shared state behind, only a temporary folder.
        let _one_build = BUILDING
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(model) = self.read_entry(&key, options) {
            return Ok(model);
        }
        self.build_entry(toolchain, source, options, key)
    }

    fn entry(&self, key: &str) -> PathBuf {
        self.folder.join(&key[..NAME_DIGITS])
    }

    /// Reads an entry; a missing, foreign or damaged one is none.
    fn read_entry(&self, key: &str, options: BuildOptions) -> Option<CompiledModel> {
        // The loader takes a path without a slash for a library name.
        let entry = fs::canonicalize(self.entry(key)).ok()?;
        let manifest: Manifest =
            serde_json::from_slice(&fs::read(entry.join(MANIFEST)).ok()?).ok()?;
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
        source: &ModelSource,
        options: BuildOptions,
        key: String,
    ) -> Result<CompiledModel, BuildError> {
        fs::create_dir_all(&self.folder).map_err(file_error("create", &self.folder))?;
        let temporary = tempfile::Builder::new()
            .prefix(".building-")
            .tempdir_in(&self.folder)
            .map_err(file_error("create a folder in", &self.folder))?;
        let ports = build_model(toolchain, source, options, temporary.path())?;

        let library = temporary.path().join(LIBRARY);
        let bytes = fs::read(&library).map_err(file_error("read", &library))?;
        let manifest = Manifest {
            key: key.clone(),
            top: source.top.clone(),
            verilator: toolchain.verilator_version().to_string(),
            compiler: toolchain.compiler_version().to_string(),
            library_blake3: hash(&bytes),
            ports,
        };
        let path = temporary.path().join(MANIFEST);
        let text = serde_json::to_vec_pretty(&manifest).map_err(|e| e.into());
        text.and_then(|text| fs::write(&path, text))
            .map_err(file_error("write", &path))?;

        let entry = self.entry(&key);
        self.publish(temporary, &entry, &key, options)?;
        let mut model = self.read_entry(&key, options).ok_or_else(|| {
            file_error("read back", &entry)(std::io::ErrorKind::InvalidData.into())
        })?;
        model.fresh = true;
        Ok(model)
    }

    /// Gives a finished folder its final name.
    fn publish(
        &self,
        temporary: tempfile::TempDir,
        entry: &Path,
        key: &str,
        options: BuildOptions,
    ) -> Result<(), BuildError> {
        if self.read_entry(key, options).is_some() {
            // Another process was faster, and its entry is as good.
            return Ok(());
        }
        // A damaged entry moves into the temporary folder's place and goes with it.
        if entry.exists() {
            let damaged = temporary.path().join("damaged");
            fs::rename(entry, &damaged).map_err(file_error("move away", entry))?;
            fs::remove_dir_all(&damaged).map_err(file_error("remove", &damaged))?;
        }
        match fs::rename(temporary.path(), entry) {
            Ok(()) => {
                // Renamed: there is nothing left to remove under the old name.
                let _ = temporary.keep();
                Ok(())
            }
            Err(_) if self.read_entry(key, options).is_some() => Ok(()),
            Err(error) => Err(file_error("rename to", entry)(error)),
        }
    }
}

fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}
