//! What a file is that is not what was asked for, by its first bytes.

/// Kinds of files that are met in place of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signature {
    Gzip,
    Xz,
    Zip,
    Bzip2,
    Zstd,
    /// What Git leaves where a large file is elsewhere.
    GitLfs,
    Png,
    Jpeg,
    /// An array of NumPy (npy).
    Numpy,
    Hdf5,
    Gguf,
    Elf,
    /// A page of HTML or XML, as a download that failed leaves.
    Page,
    Json,
}

const BEGINNINGS: [(&[u8], Signature); 12] = [
    (b"\x1f\x8b", Signature::Gzip),
    (b"\xfd7zXZ\0", Signature::Xz),
    (b"PK\x03\x04", Signature::Zip),
    (b"BZh", Signature::Bzip2),
    (b"\x28\xb5\x2f\xfd", Signature::Zstd),
    (b"version https://git-lfs", Signature::GitLfs),
    (b"\x89PNG", Signature::Png),
    (b"\xff\xd8\xff", Signature::Jpeg),
    (b"\x93NUMPY", Signature::Numpy),
    (b"\x89HDF\r\n\x1a\n", Signature::Hdf5),
    (b"GGUF", Signature::Gguf),
    (b"\x7fELF", Signature::Elf),
];
/// Bytes by which a text is told.
const TEXT: usize = 64;

impl Signature {
    /// The kind of a file that begins with these bytes, if it is one of them.
    pub fn of(head: &[u8]) -> Option<Self> {
        let mut known = BEGINNINGS.iter();
        if let Some((_, kind)) = known.find(|(begin, _)| head.starts_with(begin)) {
            return Some(*kind);
        }
        let head = &head[..head.len().min(TEXT)];
        let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
        // Pixels may begin like a page, but do not go on in letters.
        let is_text = |&byte: &u8| byte >= 0x20 || byte.is_ascii_whitespace();
        if !text.iter().all(is_text) {
            return None;
        }
        match text.trim_ascii_start() {
            [b'<', b'!' | b'?' | b'a'..=b'z' | b'A'..=b'Z', ..] => Some(Self::Page),
            [b'{' | b'[', ..] => Some(Self::Json),
            _ => None,
        }
    }
}
