//! What a sandboxed process may do, and what it says of the walls around it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::codec;
use crate::limits;

/// What a process may do beside talking to its parent. It locks itself in with the means of its system, before it runs a module, starts a
/// thread or decodes anything; from then on nobody can open it, the process itself and its parent included.
///
/// However little is allowed, it keeps: its link, its memory and threads, the processor, clocks and random numbers, and the descriptors it
/// has when it is locked in, which are its standard streams and what
/// `remote_child::Init::before_lockdown` opened.
///
/// ```
/// use remote_protocol::sandbox::{Layer, Sandbox};
///
/// let content = Sandbox::strict().memory(512 << 20);
/// let spelling = Sandbox::read_only(["/usr/share/hunspell"]).require([Layer::Namespaces]);
/// assert_ne!(content, spelling);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[must_use]
pub struct Sandbox {
    read: BTreeSet<PathBuf>,
    write: BTreeSet<PathBuf>,
    memory: u64,
    descriptors: u64,
    threads: u64,
    /// `None`: what is required when nothing is said.
    required: Option<BTreeSet<Layer>>,
}

impl Sandbox {
    /// Nothing but the link to the parent: no files, no sockets, no programs, no signals to others.
    pub const fn strict() -> Self {
        Self {
            read: BTreeSet::new(),
            write: BTreeSet::new(),
            memory: limits::SANDBOX_MEMORY,
            descriptors: limits::SANDBOX_DESCRIPTORS,
            threads: limits::SANDBOX_THREADS,
            required: None,
        }
    }

    /// [`strict`](Self::strict), but for reading these files, and what is in these directories. What is in files can be read, but not run.
    pub fn read_only<P: Into<PathBuf>>(paths: impl IntoIterator<Item = P>) -> Self {
        paths.into_iter().fold(Self::strict(), |sandbox, path| sandbox.read(path))
    }

    /// One more file or directory that may be read.
    pub fn read(mut self, path: impl Into<PathBuf>) -> Self {
        self.read.insert(path.into());
        self
    }

    /// One more file or directory that may be read and changed. In a directory, files and directories can be made, renamed and removed.
    pub fn write(mut self, path: impl Into<PathBuf>) -> Self {
        self.write.insert(path.into());
        self
    }

    /// How many bytes of memory of its own the process may have, 4 GiB if nothing is said. A program that wants more is refused it, and
    /// mostly aborts. What it shares with its parent does not count.
    pub const fn memory(mut self, bytes: u64) -> Self {
        self.memory = bytes;
        self
    }

    /// How many descriptors the process may have, 256 if nothing is said.
    pub const fn descriptors(mut self, count: u64) -> Self {
        self.descriptors = count;
        self
    }

    /// How many threads the process may have, 256 if nothing is said. The system does not count those of root: for these
    /// [`memory`](Self::memory) is the limit.
    pub const fn threads(mut self, count: u64) -> Self {
        self.threads = count;
        self
    }

    /// Starts no process in which these layers are not in force, beside those that are required of every sandbox:
    /// [`Layer::NoNewPrivileges`], [`Layer::SystemCalls`] and, where paths are allowed, [`Layer::Files`].
    pub fn require(mut self, layers: impl IntoIterator<Item = Layer>) -> Self {
        let mut required = self.required();
        required.extend(layers);
        self.required = Some(required);
        self
    }

    /// Starts the process however little the system has to lock it in with; what it has is in the report.
    pub fn best_effort(mut self) -> Self {
        self.required = Some(BTreeSet::new());
        self
    }

    /// Whether any path is allowed.
    #[must_use]
    pub fn has_paths(&self) -> bool {
        !self.read.is_empty() || !self.write.is_empty()
    }

    /// What may be read, and not changed.
    pub fn readable(&self) -> impl Iterator<Item = &Path> {
        self.read.iter().map(PathBuf::as_path)
    }

    /// What may be read and changed.
    pub fn writable(&self) -> impl Iterator<Item = &Path> {
        self.write.iter().map(PathBuf::as_path)
    }

    /// The same sandbox, with every path as `resolve` gives it.
    ///
    /// # Errors
    ///
    /// The first path that `resolve` has an error for, and that.
    pub fn with_paths<E>(mut self, resolve: impl Fn(&Path) -> Result<PathBuf, E>) -> Result<Self, (PathBuf, E)> {
        for paths in [&mut self.read, &mut self.write] {
            let resolved = paths.iter().map(|path| resolve(path).map_err(|error| (path.clone(), error)));
            *paths = resolved.collect::<Result<_, _>>()?;
        }
        Ok(self)
    }

    /// See [`memory`](Self::memory).
    #[must_use]
    pub const fn memory_bytes(&self) -> u64 {
        self.memory
    }

    /// See [`descriptors`](Self::descriptors).
    #[must_use]
    pub const fn descriptor_count(&self) -> u64 {
        self.descriptors
    }

    /// See [`threads`](Self::threads).
    #[must_use]
    pub const fn thread_count(&self) -> u64 {
        self.threads
    }

    /// The layers without which no process is started.
    #[must_use]
    pub fn required(&self) -> BTreeSet<Layer> {
        self.required.clone().unwrap_or_else(|| {
            let files = self.has_paths().then_some(Layer::Files);
            [Layer::NoNewPrivileges, Layer::SystemCalls].into_iter().chain(files).collect()
        })
    }

    /// The required layers that are not fully in force, and how far they are.
    #[must_use]
    pub fn missing(&self, report: &Report) -> Report {
        let missing = self.required().into_iter().filter_map(|layer| match report.state(layer) {
            Some(State::Enforced) => None,
            Some(state) => Some((layer, state.clone())),
            None => Some((layer, State::NotAvailable { reason: "the process does not report it".into() })),
        });
        missing.collect()
    }

    /// As what a process is started with says it: letters and digits.
    ///
    /// # Errors
    ///
    /// When a path is not Unicode.
    pub fn to_argument(&self) -> Result<String, codec::EncodeError> {
        let mut bytes = Vec::new();
        codec::encode(self, &mut bytes)?;
        let mut text = String::with_capacity(2 * bytes.len());
        for byte in bytes {
            // A string takes everything.
            let _ = write!(text, "{byte:02x}");
        }
        Ok(text)
    }

    /// What [`to_argument`](Self::to_argument) gave; `None` when it is something else.
    #[must_use]
    pub fn from_argument(text: &str) -> Option<Self> {
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
        let bytes: Option<Vec<u8>> = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
        codec::decode(&bytes?).ok()
    }
}

/// One of the walls around a sandboxed process. They overlap: what one does not know, another may stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Layer {
    /// It holds no capabilities, not even as root.
    Capabilities,
    /// Landlock: no files but the paths that are allowed; no sockets and no signals, as far as the kernel's version of it knows them.
    Files,
    /// Limits of memory, descriptors and threads, and no dump of its memory.
    Limits,
    /// Namespaces of its own for users, networks and what processes share: it sees no network, not even that of its own machine.
    Namespaces,
    /// Nothing it could run would give it more rights.
    NoNewPrivileges,
    /// A filter of system calls: only those that it needs for what it keeps.
    SystemCalls,
}

impl Layer {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Capabilities, Self::Files, Self::Limits, Self::Namespaces, Self::NoNewPrivileges, Self::SystemCalls];
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Capabilities => "capabilities",
            Self::Files => "files",
            Self::Limits => "limits",
            Self::Namespaces => "namespaces",
            Self::NoNewPrivileges => "no new privileges",
            Self::SystemCalls => "system calls",
        })
    }
}

/// How far a layer is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum State {
    /// Fully.
    Enforced,
    /// In part.
    Partly {
        /// What is not.
        missing: Cow<'static, str>,
    },
    /// Not at all.
    NotAvailable {
        /// Why.
        reason: Cow<'static, str>,
    },
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enforced => f.write_str("enforced"),
            Self::Partly { missing } => write!(f, "enforced but for {missing}"),
            Self::NotAvailable { reason } => write!(f, "not available: {reason}"),
        }
    }
}

/// What walls are around a process, as it says itself before it runs anybody's code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report(BTreeMap<Layer, State>);

impl Report {
    /// How far a layer is in force; `None` when the process does not say.
    #[must_use]
    pub fn state(&self, layer: Layer) -> Option<&State> {
        self.0.get(&layer)
    }

    /// Whether a layer is fully in force.
    #[must_use]
    pub fn is_enforced(&self, layer: Layer) -> bool {
        self.state(layer) == Some(&State::Enforced)
    }

    /// The layers and how far they are in force.
    pub fn iter(&self) -> impl Iterator<Item = (Layer, &State)> {
        self.0.iter().map(|(layer, state)| (*layer, state))
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same report, no longer than one of ours is: it comes from a process that may say anything.
    #[must_use]
    pub fn shortened(self) -> Self {
        let short = |text: Cow<'static, str>| match text.char_indices().nth(TEXT_LENGTH) {
            Some((end, _)) => text.get(..end).unwrap_or_default().to_owned().into(),
            None => text,
        };
        let shorten = |state| match state {
            State::Enforced => State::Enforced,
            State::Partly { missing } => State::Partly { missing: short(missing) },
            State::NotAvailable { reason } => State::NotAvailable { reason: short(reason) },
        };
        self.0.into_iter().map(|(layer, state)| (layer, shorten(state))).collect()
    }
}

impl FromIterator<(Layer, State)> for Report {
    fn from_iter<I: IntoIterator<Item = (Layer, State)>>(layers: I) -> Self {
        Self(layers.into_iter().collect())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (layer, state)) in self.iter().enumerate() {
            write!(f, "{}{layer} {state}", if number == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

/// How many characters of a reason are kept.
const TEXT_LENGTH: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn report(state: State) -> Report {
        Layer::ALL.into_iter().map(|layer| (layer, state.clone())).collect()
    }

    #[test]
    fn a_sandbox_arrives_as_it_was_asked_for() {
        let asked = Sandbox::read_only(["/usr/share", "/étc"]).write("/tmp/x y").memory(7).require([Layer::Limits]);
        let argument = asked.to_argument().expect("the paths are Unicode");
        assert!(argument.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_eq!(Sandbox::from_argument(&argument), Some(asked));
    }

    #[test]
    fn what_is_no_sandbox_is_none() {
        let argument = Sandbox::strict().to_argument().expect("there are no paths");
        for wrong in ["", "0", "zz", "éé", &argument[2..], &format!("{argument}00"), &argument[..argument.len() - 1]]
        {
            assert_eq!(Sandbox::from_argument(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn files_are_required_where_only_they_keep_paths_apart() {
        assert_eq!(Sandbox::strict().required(), [Layer::NoNewPrivileges, Layer::SystemCalls].into());
        assert!(Sandbox::read_only(["/"]).required().contains(&Layer::Files));
        assert!(Sandbox::strict().write("/").required().contains(&Layer::Files));
        assert!(Sandbox::read_only(["/"]).best_effort().required().is_empty());
        assert_eq!(Sandbox::strict().best_effort().require([Layer::Limits]).required(), [Layer::Limits].into());
    }

    #[test]
    fn what_is_missing_is_named() {
        let sandbox = Sandbox::strict();
        assert!(sandbox.missing(&report(State::Enforced)).is_empty());
        assert_eq!(sandbox.missing(&Report::default()).iter().count(), 2);
        let missing = sandbox.missing(&report(State::Partly { missing: "half".into() }));
        assert_eq!(missing.to_string(), "no new privileges enforced but for half; system calls enforced but for half");
        assert!(sandbox.best_effort().missing(&Report::default()).is_empty());
    }

    #[test]
    fn long_reasons_are_cut() {
        let long = report(State::NotAvailable { reason: "é".repeat(1000).into() }).shortened();
        let Some(State::NotAvailable { reason }) = long.state(Layer::Files) else { panic!("{long}") };
        assert_eq!(reason.chars().count(), TEXT_LENGTH);
        assert_eq!(report(State::Enforced).shortened(), report(State::Enforced));
    }
}
