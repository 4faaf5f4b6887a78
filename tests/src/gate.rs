//! Where code waits, in any process, until a test lets it go on: a connection, so that nothing but the system is between them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

/// Held by the test.
pub struct Gate {
    listener: TcpListener,
}

impl Gate {
    pub fn new() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").expect("a port of this machine") }
    }

    /// What to give to those that shall wait.
    pub fn address(&self) -> String {
        self.listener.local_addr().expect("the listener is bound").to_string()
    }

    /// Waits until somebody waits here.
    pub fn arrival(&self) -> Waiting {
        let (stream, _) = self.listener.accept().expect("the listener listens");
        Waiting { stream }
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

/// Somebody who waits at a gate; dropping it lets it go on.
pub struct Waiting {
    stream: TcpStream,
}

impl Waiting {
    pub fn let_go(self) {}

    pub(crate) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// What it says, to the end of its connection, which is that of its process at the latest.
    pub fn text(mut self) -> String {
        let mut text = Vec::new();
        // A process that is killed resets the connection, perhaps.
        let _ = self.stream.read_to_end(&mut text);
        String::from_utf8(text).expect("text")
    }
}

/// Waits at a gate.
pub fn wait_at(address: &str) {
    let mut stream = connect(address);
    let _ = stream.read_to_end(&mut Vec::new());
}

/// Says something at a gate, when there may be no other way any more.
pub struct Report(TcpStream);

impl Report {
    pub fn at(address: &str) -> Self {
        Self(connect(address))
    }

    pub fn say(&mut self, text: &str) {
        let _ = self.0.write_all(text.as_bytes());
    }
}

fn connect(address: &str) -> TcpStream {
    #[cfg(target_os = "linux")]
    if let Some(stream) = crate::switchboard::connect(address) {
        return stream;
    }
    TcpStream::connect(address).expect("the gate is there")
}
