//! A child without our code: it writes to its link, and into the memory it shares, whatever it likes.

use std::collections::HashMap;
use std::fmt::Debug;
#[cfg(target_os = "linux")]
use std::fs::File;
#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use remote_protocol::codec;
use remote_protocol::id::LaneId;
use remote_protocol::link::{Lane, Link, Received};
use remote_protocol::message::{ToChild, ToParent};
use remote_protocol::state::child::{Session, Settings};
use remote_transport::ipc;

/// The link of such a child.
pub struct Raw {
    link: Arc<dyn Link>,
    main: Lane,
    further: HashMap<LaneId, Lane>,
    /// What it shares with its parent, where it does.
    #[cfg(target_os = "linux")]
    shared: Option<Shared>,
}

/// What a child has of a link over shared memory.
#[cfg(target_os = "linux")]
pub struct Shared {
    /// The memory, as a file: what is written to it is there at once.
    pub memory: File,
    pub socket: OwnedFd,
}

impl Raw {
    /// Joins the parent at the address that children are given.
    ///
    /// # Panics
    ///
    /// When that fails.
    #[must_use]
    pub fn connect(address: &str) -> Self {
        #[cfg(target_os = "linux")]
        if address == remote_transport::lane::ADDRESS {
            let socket = shared::socket();
            let link = link(address);
            let shared = Shared { memory: shared::memory(), socket };
            return Self { shared: Some(shared), ..Self::over(link) };
        }
        Self::over(link(address))
    }

    fn over(link: Arc<dyn Link>) -> Self {
        let main = link.open(LaneId::MAIN).expect("nobody else takes it");
        Self {
            link,
            main,
            further: HashMap::new(),
            #[cfg(target_os = "linux")]
            shared: None,
        }
    }

    /// Says hello, as the application's version `version`; gives the record.
    pub fn greet(&mut self, version: &str) -> Vec<u8> {
        let mut session = Session::new(Settings { application: version.to_owned(), ..Settings::default() });
        session.greet(std::process::id());
        let record = short(&session.poll().expect("a hello"));
        self.say(&record);
        record
    }

    /// Sends a message that is short.
    pub fn say_message(&mut self, message: &ToParent<'_>) {
        self.say(&short(message));
    }

    /// Sends a record: a byte that says whether its message goes on, and a piece of the message.
    pub fn say(&mut self, record: &[u8]) {
        // The parent may have had enough.
        let _ = self.main.tx.send(record);
    }

    /// Sends a record on a lane.
    ///
    /// # Panics
    ///
    /// When there is no such lane.
    pub fn say_on(&mut self, lane: LaneId, record: &[u8]) {
        if let Some(lane) = self.lane(lane) {
            let _ = lane.tx.send(record);
        }
    }

    /// Waits until what was said lies where the parent finds it.
    pub fn flush(&self) {
        self.link.flush(Instant::now() + PATIENCE);
    }

    /// Waits for the next record on a lane; `None` when the link is closed.
    pub fn hear_on(&mut self, lane: LaneId) -> Option<Vec<u8>> {
        let lane = self.lane(lane)?;
        let mut record = Vec::new();
        loop {
            match lane.rx.recv(&mut record, None) {
                Received::Record => return Some(record),
                Received::Closed(_) => return None,
                Received::Woken | Received::TimedOut => {}
            }
        }
    }

    /// Waits for a message, which is short, that `take` takes; all others are ignored.
    ///
    /// # Panics
    ///
    /// When the parent ends the link.
    pub fn hear<T>(&mut self, mut take: impl FnMut(ToChild<'_>) -> Option<T>) -> T {
        loop {
            let record = self.hear_on(LaneId::MAIN).expect("the parent is there");
            let message = codec::decode(record.get(1..).unwrap_or_default()).expect("a short message");
            if let Some(taken) = take(message) {
                return taken;
            }
        }
    }

    /// Waits until the parent ends the link, or this process.
    pub fn wait_for_the_end(mut self) {
        while self.hear_on(LaneId::MAIN).is_some() {}
        self.link.close();
        std::thread::sleep(Duration::from_secs(60));
    }

    /// What it shares with its parent.
    ///
    /// # Panics
    ///
    /// When that is nothing.
    #[cfg(target_os = "linux")]
    #[must_use]
    pub fn shared(&self) -> &Shared {
        self.shared.as_ref().expect("a link over shared memory")
    }

    /// Closes the link, and lives on.
    pub fn hang_up(&self) {
        self.link.close();
    }

    /// `None` when the link is closed.
    fn lane(&mut self, id: LaneId) -> Option<&mut Lane> {
        if id == LaneId::MAIN {
            return Some(&mut self.main);
        }
        if !self.further.contains_key(&id) {
            self.further.insert(id, self.link.open(id).ok()?);
        }
        self.further.get_mut(&id)
    }
}

/// The link to the parent at the address that children are given, with nothing of a child's.
///
/// # Panics
///
/// When that fails.
#[must_use]
pub fn link(address: &str) -> Arc<dyn Link> {
    #[cfg(target_os = "linux")]
    if address == remote_transport::lane::ADDRESS {
        return Arc::new(remote_transport::lane::connect().expect("the parent waits"));
    }
    let link = ipc::connect(address).expect("the parent waits");
    link.set_inbox_bytes(usize::MAX);
    Arc::new(link)
}

/// The record of a message that is short.
///
/// # Panics
///
/// When it cannot be encoded.
#[must_use]
pub fn short(message: &ToParent<'_>) -> Vec<u8> {
    let mut record = vec![0];
    codec::encode(message, &mut record).expect("it can be encoded");
    record
}

/// What a record says that is a whole message of the parent.
///
/// # Panics
///
/// When it is none.
#[must_use]
pub fn message(record: &[u8]) -> ToChild<'_> {
    decoded(record.get(1..).unwrap_or_default())
}

fn decoded<'a, T: serde::Deserialize<'a> + Debug>(bytes: &'a [u8]) -> T {
    codec::decode(bytes).expect("a short message")
}

#[cfg(target_os = "linux")]
mod shared {
    use std::fs::{self, File, OpenOptions};
    use std::io::stdin;
    use std::os::fd::{AsFd, OwnedFd};

    /// Standard input, until the link is made.
    pub(super) fn socket() -> OwnedFd {
        stdin().as_fd().try_clone_to_owned().expect("it is there")
    }

    /// The memory, which the link keeps open.
    pub(super) fn memory() -> File {
        for descriptor in fs::read_dir("/proc/self/fd").expect("the list of descriptors") {
            let path = descriptor.expect("a descriptor").path();
            if fs::read_link(&path).is_ok_and(|file| file.to_string_lossy().starts_with("/memfd:remote-lane")) {
                return OpenOptions::new().read(true).write(true).open(path).expect("it is writable");
            }
        }
        panic!("there is no shared memory");
    }
}

const PATIENCE: Duration = Duration::from_secs(20);
