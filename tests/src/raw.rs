//! A child without our code: it writes to its link whatever it likes.

use std::sync::Arc;
use std::time::Duration;

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
}

impl Raw {
    /// Joins the parent at the address that children are given.
    ///
    /// # Panics
    ///
    /// When that fails.
    #[must_use]
    pub fn connect(address: &str) -> Self {
        let link = link_to(address);
        let main = link.open(LaneId::MAIN).expect("nobody else takes it");
        Self { link, main }
    }

    /// Says hello, as the application's version `version`.
    pub fn greet(&mut self, version: &str) {
        let mut session = Session::new(Settings { application: version.to_owned() });
        session.greet(std::process::id());
        self.say_message(&session.poll().expect("a hello"));
    }

    /// Sends a message that is short.
    ///
    /// # Panics
    ///
    /// When it cannot be encoded.
    pub fn say_message(&mut self, message: &ToParent<'_>) {
        let mut record = vec![0];
        codec::encode(message, &mut record).expect("it can be encoded");
        self.say(&record);
    }

    /// Sends a record: a byte that says whether its message goes on, and a piece of the message.
    pub fn say(&mut self, record: &[u8]) {
        // The parent may have had enough.
        let _ = self.main.tx.send(record);
    }

    /// Waits for a message, which is short, that `take` takes; all others are ignored.
    ///
    /// # Panics
    ///
    /// When the parent ends the link.
    pub fn hear<T>(&mut self, mut take: impl FnMut(ToChild<'_>) -> Option<T>) -> T {
        let mut record = Vec::new();
        loop {
            let received = self.main.rx.recv(&mut record, None);
            assert!(matches!(received, Received::Record), "{received:?}");
            let message = codec::decode(record.get(1..).unwrap_or_default()).expect("a short message");
            if let Some(taken) = take(message) {
                return taken;
            }
        }
    }

    /// Waits until the parent ends the link, or this process.
    pub fn wait_for_the_end(mut self) {
        let mut record = Vec::new();
        while !matches!(self.main.rx.recv(&mut record, None), Received::Closed(_)) {}
        self.link.close();
        std::thread::sleep(Duration::from_secs(60));
    }
}

fn link_to(address: &str) -> Arc<dyn Link> {
    #[cfg(target_os = "linux")]
    if address == remote_transport::lane::ADDRESS {
        return Arc::new(remote_transport::lane::connect().expect("the parent waits"));
    }
    Arc::new(ipc::connect(address).expect("the parent waits"))
}
