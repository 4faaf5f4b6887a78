use std::borrow::Cow;
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::interfaces::PageError;

/// Something to draw.
#[derive(Debug)]
pub(crate) struct Document {
    /// What it is called in what is printed.
    pub(crate) name: String,
    /// Where its picture goes; no two documents' go to the same place.
    pub(crate) picture: PathBuf,
    source: Source,
}

#[derive(Debug)]
enum Source {
    File(PathBuf),
    BuiltIn(&'static [u8]),
}

/// These files, or the documents that come with the program if there are none.
pub(crate) fn list(files: Vec<PathBuf>, out: &Path) -> Vec<Document> {
    let mut taken = HashSet::new();
    if files.is_empty() {
        let document = |(name, bytes)| Document {
            name: String::from(name),
            picture: picture(out, Path::new(name), &mut taken),
            source: Source::BuiltIn(bytes),
        };
        return BUILT_IN.into_iter().map(document).collect();
    }
    let document = |file: PathBuf| Document {
        name: file.display().to_string(),
        picture: picture(out, &file, &mut taken),
        source: Source::File(file),
    };
    files.into_iter().map(document).collect()
}

impl Document {
    /// Reads the whole document, unless it is too long to be sent to a content process.
    pub(crate) fn read(&self) -> Result<Cow<'static, [u8]>, PageError> {
        let path = match &self.source {
            Source::BuiltIn(bytes) => return Ok(Cow::Borrowed(bytes)),
            Source::File(path) => path,
        };
        let failed = |error: std::io::Error| PageError::Read(error.to_string());
        // Opening a pipe would wait for somebody to write to it.
        if !path.metadata().map_err(failed)?.is_file() {
            return Err(PageError::Read("not a file".to_owned()));
        }
        let mut bytes = Vec::new();
        File::open(path).map_err(failed)?.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(PageError::TooLong { most: MOST_BYTES });
        }
        Ok(Cow::Owned(bytes))
    }
}

/// `out/x.png` for `x.svg`; `out/x-2.png` for the second `x.svg`.
fn picture(out: &Path, file: &Path, taken: &mut HashSet<OsString>) -> PathBuf {
    let stem = file.file_stem().unwrap_or_else(|| OsStr::new("document"));
    let mut number = 1;
    loop {
        let mut name = stem.to_owned();
        if number > 1 {
            name.push(format!("-{number}"));
        }
        name.push(".png");
        // Some file systems take `a.png` and `A.png` for the same.
        if taken.insert(name.to_ascii_lowercase()) {
            return out.join(name);
        }
        number += 1;
    }
}

/// A message is 16 MiB at most, and there is more in it than the document.
const MOST_BYTES: u64 = 15 * 1024 * 1024;

const BUILT_IN: [(&str, &[u8]); 3] = [
    ("sunset.svg", include_bytes!("documents/sunset.svg")),
    ("clock.svg", include_bytes!("documents/clock.svg")),
    ("rosette.svg", include_bytes!("documents/rosette.svg")),
];
