//! A child like any other that kills itself at a step of the protocol: at one of the moments before and after it says something, has
//! heard something, or begins or ends a lane. Its third argument says at which.

use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use remote_child::{Host, run};
use remote_protocol::id::LaneId;
use remote_protocol::link::{
    CloseHandler, Lane, LaneHandler, Link, OpenError, Receive, Received, SendError, Transmit, Waker,
};
use tests as _;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [_, address, steps] = arguments.as_slice() else { panic!("{arguments:?} are not what it is started with") };
    let life = Life(Arc::new(AtomicU64::new(steps.parse().expect("a number of steps"))));
    life.step();
    let link = tests::raw::link(address);
    life.step();
    let ended = run(Arc::new(Mortal { link, life }), Host::default());
    std::process::exit(if ended == remote_child::Ended::Closed { 0 } else { 1 });
}

/// How many steps are left.
#[derive(Clone, Debug)]
struct Life(Arc<AtomicU64>);

impl Life {
    fn step(&self) {
        if self.0.fetch_sub(1, Ordering::SeqCst) == 0 {
            // No destructor, no flush, no word.
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            loop {
                std::thread::park();
            }
        }
    }
}

#[derive(Debug)]
struct Mortal {
    link: Arc<dyn Link>,
    life: Life,
}

impl Link for Mortal {
    fn open(&self, lane: LaneId) -> Result<Lane, OpenError> {
        self.life.step();
        let Lane { tx, rx } = self.link.open(lane)?;
        let life = self.life.clone();
        Ok(Lane { tx: Box::new(MortalTx { tx, life: life.clone() }), rx: Box::new(MortalRx { rx, life }) })
    }

    fn on_lane(&self, handler: LaneHandler) {
        self.link.on_lane(handler);
    }

    fn flush(&self, deadline: Instant) -> bool {
        self.life.step();
        self.link.flush(deadline)
    }

    fn on_close(&self, handler: CloseHandler) {
        self.link.on_close(handler);
    }

    fn close(&self) {
        self.life.step();
        self.link.close();
    }
}

struct MortalTx {
    tx: Box<dyn Transmit>,
    life: Life,
}

impl Transmit for MortalTx {
    fn send(&mut self, record: &[u8]) -> Result<(), SendError> {
        self.life.step();
        let sent = self.tx.send(record);
        self.life.step();
        sent
    }
}

struct MortalRx {
    rx: Box<dyn Receive>,
    life: Life,
}

impl Receive for MortalRx {
    fn recv(&mut self, record: &mut Vec<u8>, deadline: Option<Instant>) -> Received {
        let received = self.rx.recv(record, deadline);
        if received == Received::Record {
            self.life.step();
        }
        received
    }

    fn waker(&self) -> Waker {
        self.rx.waker()
    }
}
