use std::ffi::OsString;
use std::path::PathBuf;

pub(crate) const HELP: &str = "\
Draws SVG files, each in a window of a content process, and writes them as PNG files.

usage: browser [--crash] [--out DIR] [--] [FILE.svg …]

  --crash     kills the content process of the first page, which is then opened again in a new one
  --out DIR   where to write; made if missing [default: target/browser]
  -h, --help  says this

Without files it draws three documents of its own.";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Browse { crash: bool, out: PathBuf, files: Vec<PathBuf> },
    Help,
}

/// What is wrong with the command line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UsageError {
    #[error("there is no option {}", option.display())]
    UnknownOption { option: OsString },
    #[error("--out needs a directory")]
    NoDirectory,
}

impl Command {
    pub(crate) fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Self, UsageError> {
        let mut crash = false;
        let mut out = PathBuf::from("target/browser");
        let mut files = Vec::new();
        while let Some(argument) = arguments.next() {
            match argument.to_str() {
                Some("-h" | "--help") => return Ok(Self::Help),
                Some("--crash") => crash = true,
                Some("--out") => {
                    let directory = arguments.next().filter(|directory| !directory.is_empty());
                    out = directory.ok_or(UsageError::NoDirectory)?.into();
                }
                Some("--") => files.extend(arguments.by_ref().map(PathBuf::from)),
                _ if argument.as_encoded_bytes().starts_with(b"-") => {
                    return Err(UsageError::UnknownOption { option: argument });
                }
                _ => files.push(argument.into()),
            }
        }
        Ok(Self::Browse { crash, out, files })
    }
}
