//! A child that does to its link what a test tells it, step by step: both ends of the strings.
//!
//! They are a connection of their own, so that the link carries nothing but the attack.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::{Command as Program, Stdio, exit};
use std::thread;

use remote_protocol::codec;
use remote_protocol::id::LaneId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::gate::{Gate, Waiting};
use crate::raw::Raw;

/// What a puppet can be told. It answers when it has been done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Say hello; gives the record.
    Greet,
    /// Send a record so often, on a lane. Waits until it lies where the parent finds it.
    Say { lane: u8, record: Vec<u8>, times: u32 },
    /// Wait for a record; gives it.
    Hear { lane: u8 },
    /// Wait for so many records, and forget them.
    Skip { lane: u8, records: u32 },
    /// Write into the shared memory.
    Poke { at: u64, bytes: Vec<u8> },
    /// Read what is there.
    Peek { at: u64, length: usize },
    /// Write these words there, again and again, until the end.
    Scribble { words: Vec<(u64, u64)> },
    /// Send the parent's watching thread these bytes.
    Tell(Vec<u8>),
    /// Change the size of the shared memory.
    Resize(u64),
    /// Give a part of it back to the system.
    Punch { at: u64, length: u64 },
    /// Make it unchangeable.
    Seal,
    /// Close the link.
    HangUp,
    /// Start a process that has all descriptors of this one that can be given on, and sleeps; gives its id.
    LeaveBehind,
    /// End this process.
    Exit(i32),
}

/// What came of it: bytes, or why not.
pub type Done = Result<Vec<u8>, String>;

/// What a puppet is started with, and waits for its commands at.
pub struct Strings(Gate);

impl Strings {
    #[must_use]
    pub fn new() -> Self {
        Self(Gate::new())
    }

    /// The arguments of a puppet; it says hello by itself if it `greets`.
    #[must_use]
    pub fn arguments(&self, greets: bool) -> [String; 2] {
        [if greets { "greets" } else { "waits" }.to_owned(), self.0.address()]
    }

    /// Waits for the puppet.
    #[must_use]
    pub fn taken_up(&self) -> Pull {
        Pull(self.0.arrival())
    }
}

impl Default for Strings {
    fn default() -> Self {
        Self::new()
    }
}

/// The end that the test pulls at.
pub struct Pull(Waiting);

impl Pull {
    /// Has the puppet do something, and waits until it is done. `None` when the puppet is no more.
    pub fn pull(&mut self, command: &Command) -> Option<Done> {
        write(self.0.stream(), command).ok()?;
        read(self.0.stream()).ok().flatten()
    }

    /// Has the puppet begin something, and does not wait.
    pub fn begin(&mut self, command: &Command) {
        // It may be no more.
        let _ = write(self.0.stream(), command);
    }

    /// Waits until the puppet has done what it began. `None` when it is no more.
    pub fn end(&mut self) -> Option<Done> {
        read(self.0.stream()).ok().flatten()
    }
}

/// The argument that makes a puppet do all this by itself, and then wait for its end.
///
/// # Panics
///
/// When the commands cannot be encoded.
#[must_use]
pub fn script(commands: &[Command]) -> String {
    let mut bytes = Vec::new();
    codec::encode(commands, &mut bytes).expect("commands can be encoded");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a puppet does, with the arguments it was started with.
///
/// # Panics
///
/// When they are not those of a puppet.
pub fn dance(arguments: &[String]) -> ! {
    let [_, address, how, what] = arguments else { panic!("{arguments:?} are not what a puppet is started with") };
    if how == "script" {
        let digits = (0..what.len()).step_by(2).map(|at| &what[at..at + 2]);
        let bytes: Vec<u8> = digits.map(|digits| u8::from_str_radix(digits, 16).expect("two digits")).collect();
        let commands: Vec<Command> = codec::decode(&bytes).expect("commands");
        let mut raw = Raw::connect(address);
        for command in commands {
            let _ = obey(&mut raw, command);
        }
        raw.wait_for_the_end();
        exit(0);
    }
    let mut strings = TcpStream::connect(what).expect("the test waits");
    strings.set_nodelay(true).expect("it is a socket");
    let mut raw = Raw::connect(address);
    if how == "greets" {
        raw.greet("");
    }
    while let Ok(Some(command)) = read(&mut strings) {
        let done = obey(&mut raw, command);
        if write(&mut strings, &done).is_err() {
            break;
        }
    }
    exit(0);
}

fn obey(raw: &mut Raw, command: Command) -> Done {
    match command {
        Command::Greet => return Ok(raw.greet("")),
        Command::Say { lane, record, times } => {
            for time in 1..=times {
                raw.say_on(LaneId(lane), &record);
                if time == times || time.is_multiple_of(64) {
                    raw.flush();
                }
            }
        }
        Command::Hear { lane } => return raw.hear_on(LaneId(lane)).ok_or_else(|| "the link is closed".to_owned()),
        Command::Skip { lane, records } => {
            for _ in 0..records {
                raw.hear_on(LaneId(lane)).ok_or("the link is closed")?;
            }
        }
        Command::HangUp => raw.hang_up(),
        Command::LeaveBehind => return leave_behind().map_err(|error| error.to_string()),
        Command::Exit(code) => exit(code),
        #[cfg(target_os = "linux")]
        other => return harm(raw, other).map_err(|error| error.to_string()),
        #[cfg(not(target_os = "linux"))]
        other => return Err(format!("not here: {other:?}")),
    }
    Ok(Vec::new())
}

/// What needs a link over shared memory.
#[cfg(target_os = "linux")]
fn harm(raw: &Raw, command: Command) -> io::Result<Vec<u8>> {
    use std::os::unix::fs::FileExt;

    let memory = &raw.shared().memory;
    match command {
        Command::Poke { at, bytes } => memory.write_all_at(&bytes, at)?,
        Command::Peek { at, length } => {
            let mut bytes = vec![0; length];
            memory.read_exact_at(&mut bytes, at)?;
            return Ok(bytes);
        }
        Command::Scribble { words } => {
            let memory = memory.try_clone()?;
            thread::spawn(move || {
                loop {
                    for (at, word) in &words {
                        let _ = memory.write_all_at(&word.to_le_bytes(), *at);
                    }
                }
            });
        }
        Command::Tell(bytes) => {
            let mut bytes = bytes.as_slice();
            while !bytes.is_empty() {
                let flags = rustix::net::SendFlags::NOSIGNAL;
                match rustix::net::send(&raw.shared().socket, bytes, flags) {
                    Ok(sent) => bytes = &bytes[sent..],
                    // The parent does not read as fast.
                    Err(rustix::io::Errno::AGAIN) => thread::yield_now(),
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Command::Resize(bytes) => memory.set_len(bytes)?,
        Command::Punch { at, length } => {
            let flags = rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE;
            rustix::fs::fallocate(memory, flags, at, length)?;
        }
        Command::Seal => rustix::fs::fcntl_add_seals(memory, rustix::fs::SealFlags::FUTURE_WRITE)?,
        other => panic!("{other:?} is done elsewhere"),
    }
    Ok(Vec::new())
}

/// A process that holds on to everything that belongs to the link.
#[cfg(target_os = "linux")]
fn leave_behind() -> io::Result<Vec<u8>> {
    use rustix::fd::OwnedFd;
    use rustix::io::{FdFlags, fcntl_setfd};
    use rustix::net::{AddressFamily, getsockname};
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

    let this = pidfd_open(getpid(), PidfdFlags::empty())?;
    let mut held: Vec<OwnedFd> = Vec::new();
    for descriptor in std::fs::read_dir("/proc/self/fd")? {
        let number = descriptor?.file_name().to_string_lossy().parse().map_err(io::Error::other)?;
        // The one of the list itself is closed by now.
        let Ok(descriptor) = pidfd_getfd(&this, number, PidfdGetfdFlags::empty()) else { continue };
        let is_socket = getsockname(&descriptor).is_ok_and(|name| name.address_family() == AddressFamily::UNIX);
        let is_memory = rustix::fs::fcntl_get_seals(&descriptor).is_ok_and(|seals| !seals.is_empty());
        if is_socket || is_memory {
            fcntl_setfd(&descriptor, FdFlags::empty())?;
            held.push(descriptor);
        }
    }
    let null = Stdio::null;
    let sleeper = Program::new("sleep").arg("60").stdin(null()).stdout(null()).stderr(null()).spawn()?;
    drop(held);
    Ok(sleeper.id().to_le_bytes().to_vec())
}

#[cfg(not(target_os = "linux"))]
fn leave_behind() -> io::Result<Vec<u8>> {
    Err(io::ErrorKind::Unsupported.into())
}

fn write<T: Serialize>(stream: &mut TcpStream, what: &T) -> io::Result<()> {
    let mut bytes = vec![0; 4];
    codec::encode(what, &mut bytes).map_err(io::Error::other)?;
    let length = u32::try_from(bytes.len() - 4).map_err(io::Error::other)?;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    stream.write_all(&bytes)
}

/// `None` at the end.
fn read<T: DeserializeOwned>(stream: &mut TcpStream) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    if stream.read_exact(&mut length).is_err() {
        return Ok(None);
    }
    let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
    stream.read_exact(&mut bytes)?;
    codec::decode(&bytes).map(Some).map_err(io::Error::other)
}
