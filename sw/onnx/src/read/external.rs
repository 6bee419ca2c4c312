//! Elements in a file beside the model.
//!
//! A model must not make its reader open any file of the machine, so the place is a
//! relative path that stays in the model's folder, links followed.

use super::{MOST_BYTES, Reading};
use crate::error::quoted;
use crate::schema::StringStringEntryProto;
use bytes::Bytes;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

/// The bytes of a tensor that lie in another file.
///
/// # Errors
/// A place outside the model's folder, or one that has not these bytes.
pub(super) fn read(
    reading: &mut Reading<'_>,
    entries: &[StringStringEntryProto],
    bytes: usize,
    whose: &str,
) -> Result<Bytes, String> {
    let entry = |key: &str| entries.iter().find(|e| e.key == key).map(|e| &e.value);
    let number = |key: &str| match entry(key) {
        None => Ok(None),
        Some(text) => text.parse::<u64>().map(Some).map_err(|_| {
            format!(
                "{key} of the external data of {whose} is {}; allowed is a whole number",
                quoted(text)
            )
        }),
    };
    let location = entry("location").ok_or_else(|| {
        format!("the external data of {whose} have no location; allowed is a file's name")
    })?;
    let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
    if let Some(length) = length.filter(|&length| length != bytes as u64) {
        return Err(format!(
            "the external data of {whose} have a length of {length} bytes, but its dims ask \
             for {bytes}"
        ));
    }
    reading.external += bytes as u64;
    if reading.external > MOST_BYTES {
        return Err(format!(
            "the external data up to {whose} are {} bytes; allowed are {MOST_BYTES} in all",
            reading.external
        ));
    }
    let path = inside(reading.folder, location, whose)?;
    let failed = |e: std::io::Error| {
        format!(
            "the external data {} of {whose} cannot be read: {e}",
            quoted(location)
        )
    };
    let mut file = File::open(path).map_err(failed)?;
    let found = file.metadata().map_err(failed)?.len();
    let end = offset.checked_add(bytes as u64);
    if end.is_none_or(|end| end > found) {
        return Err(format!(
            "the external data of {whose} ask for {bytes} bytes from {offset} on, but {} has \
             {found}",
            quoted(location)
        ));
    }
    file.seek(SeekFrom::Start(offset)).map_err(failed)?;
    let mut data = vec![0; bytes];
    file.read_exact(&mut data).map_err(failed)?;
    Ok(data.into())
}

/// The file of that name in the model's folder.
fn inside(folder: Option<&Path>, location: &str, whose: &str) -> Result<PathBuf, String> {
    let outside = || {
        format!(
            "the external data {} of {whose} lie outside the model's folder; allowed are files \
             inside it, by a path without ..",
            quoted(location)
        )
    };
    let folder = folder.ok_or_else(|| {
        format!(
            "the elements of {whose} lie in {}, but the model is no file beside which it could \
             be found",
            quoted(location)
        )
    })?;
    let plain = |c: Component<'_>| matches!(c, Component::Normal(_) | Component::CurDir);
    if location.is_empty()
        || location.contains('\\')
        || !Path::new(location).components().all(plain)
    {
        return Err(outside());
    }
    let failed = |e: std::io::Error| {
        format!(
            "the external data {} of {whose} cannot be found: {e}",
            quoted(location)
        )
    };
    let folder = folder.canonicalize().map_err(failed)?;
    let path = folder.join(location).canonicalize().map_err(failed)?;
    if !path.starts_with(&folder) {
        return Err(outside());
    }
    if !path.is_file() {
        return Err(format!(
            "the external data {} of {whose} are no file",
            quoted(location)
        ));
    }
    Ok(path)
}
