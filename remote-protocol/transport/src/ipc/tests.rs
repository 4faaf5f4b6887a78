use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use ipc_channel::ipc::{IpcBytesReceiver, IpcBytesSender, IpcSender};
use remote_protocol::id::LaneId;
use remote_protocol::limits::{LANES, RECORD_BYTES};
use remote_protocol::link::{Closure, Link, Received, SendError};

use super::bootstrap::{ADDRESS_IS_PATH, Bootstrap, Channels};
use super::header::Header;
use super::*;

/// Far enough away that only a hanging test gets there.
fn late() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// A parent's end, and the bare channels of a child that need not keep to anything.
fn bare_child() -> (IpcLink, BareSender, IpcBytesReceiver) {
    let server = Server::new().unwrap();
    let address = server.address().to_owned();
    let acceptance = server.listen().unwrap();
    let (of_parent, of_child) = Channels::pair().unwrap();
    IpcSender::connect(address).unwrap().send(Bootstrap::Channels(of_parent)).unwrap();
    let tx = BareSender { tx: of_child.tx, _alive: of_child.alive };
    (acceptance.wait(late()).unwrap(), tx, of_child.rx)
}

/// What makes such a child one that is there.
struct BareSender {
    tx: IpcBytesSender,
    _alive: IpcBytesSender,
}

/// A record as it is sent: the first byte is its lane.
fn message(lane_and_record: &[u8]) -> Vec<u8> {
    let (&lane, record) = lane_and_record.split_first().unwrap();
    let mut message = Header { lane: LaneId(lane), received: 0 }.to_bytes().to_vec();
    message.extend_from_slice(record);
    message
}

/// How a parent's end closes on messages from a bare child.
fn closure_after(messages: &[&[u8]]) -> Closure {
    let (link, tx, _rx) = bare_child();
    let mut main = link.open(LaneId::MAIN).unwrap();
    for message in messages {
        // Fails if the parent has closed already.
        let _ = tx.tx.send(message);
    }
    let mut record = Vec::new();
    loop {
        match main.rx.recv(&mut record, Some(late())) {
            Received::Record => {}
            Received::Closed(closure) => return closure,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_message_without_a_lane_is_misuse() {
    assert_eq!(closure_after(&[b""]), Closure::Misused { length: 0 });
    assert_eq!(closure_after(&[b"\0ab"]), Closure::Misused { length: 0 });
}

#[test]
fn a_message_for_an_unknown_lane_is_misuse() {
    assert_eq!(closure_after(&[&message(b"\0ok"), &message(&[LANES, 1, 2])]), Closure::Misused { length: 2 });
}

#[test]
fn a_message_longer_than_a_record_is_misuse() {
    let too_long = vec![0; 1 + RECORD_BYTES + 1];
    assert_eq!(closure_after(&[&message(&too_long)]), Closure::Misused { length: RECORD_BYTES + 1 });
}

#[test]
fn a_peer_that_does_not_read_blocks_nobody() {
    let (link, tx, rx) = bare_child();
    let mut main = link.open(LaneId::MAIN).unwrap();
    let record = [7; 1024];
    for _ in 0..100_000 {
        main.tx.send(&record).unwrap();
    }
    assert!(link.queued_bytes() > 90_000 * record.len());
    assert!(!link.flush(Instant::now() + Duration::from_millis(10)));

    drop((tx, rx));

    let mut record = Vec::new();
    assert_eq!(main.rx.recv(&mut record, Some(late())), Received::Closed(Closure::Ended));
    assert!(!link.flush(late()));
    // The writer takes note of the message it was sending by itself.
    let deadline = late();
    while link.queued_bytes() > 0 {
        assert!(Instant::now() < deadline, "the writer goes on");
        thread::yield_now();
    }
}

#[test]
fn closing_does_not_wait_for_a_peer_that_does_not_read() {
    let (link, _tx, _rx) = bare_child();
    let mut main = link.open(LaneId::MAIN).unwrap();
    for _ in 0..10_000 {
        main.tx.send(&[7; 1024]).unwrap();
    }

    link.close();

    let mut record = Vec::new();
    assert_eq!(main.rx.recv(&mut record, Some(late())), Received::Closed(Closure::Ended));
}

#[test]
fn last_words_are_received_though_sending_fails() {
    let (link, tx, rx) = bare_child();
    let mut main = link.open(LaneId::MAIN).unwrap();
    drop(rx);
    // Once a flush has failed, the parent's writer knows that nobody reads.
    main.tx.send(b"lost").unwrap();
    assert!(!link.flush(late()));
    assert_eq!(main.tx.send(b"refused"), Err(SendError::Closed));

    tx.tx.send(&message(b"\0last words")).unwrap();
    drop(tx);

    let mut record = Vec::new();
    assert_eq!(main.rx.recv(&mut record, Some(late())), Received::Record);
    assert_eq!(record, b"last words");
    assert_eq!(main.rx.recv(&mut record, Some(late())), Received::Closed(Closure::Ended));
}

#[test]
fn a_stranger_is_refused() {
    let server = Server::new().unwrap();
    let address = server.address().to_owned();
    let acceptance = server.listen().unwrap();
    IpcSender::connect(address).unwrap().send("no child".to_owned()).unwrap();

    let result = acceptance.wait(late());

    assert!(matches!(result, Err(AcceptError::Malformed)), "{result:?}");
}

#[test]
fn a_first_message_that_names_channels_it_does_not_carry_is_refused() {
    let server = Server::new().unwrap();
    let address = server.address().to_owned();
    let acceptance = server.listen().unwrap();
    IpcSender::connect(address).unwrap().send((0_u32, 7_usize, 8_usize)).unwrap();

    let result = acceptance.wait(late());

    assert!(matches!(result, Err(AcceptError::Malformed)), "{result:?}");
}

#[test]
fn a_client_that_hangs_up_is_noticed() {
    let server = Server::new().unwrap();
    let address = server.address().to_owned();
    let acceptance = server.listen().unwrap();
    drop(IpcSender::<Bootstrap>::connect(address).unwrap());

    let result = acceptance.wait(late());

    assert!(matches!(result, Err(AcceptError::HungUp)), "{result:?}");
}

#[test]
fn an_acceptance_ends_in_time_though_the_client_says_nothing() {
    let server = Server::new().unwrap();
    let address = server.address().to_owned();
    let acceptance = server.listen().unwrap();
    let silent = IpcSender::<Bootstrap>::connect(address.clone()).unwrap();
    let deadline = Instant::now() + Duration::from_millis(10);

    let result = acceptance.wait(deadline);

    assert!(matches!(result, Err(AcceptError::TimedOut)), "{result:?}");
    assert!(Instant::now() >= deadline);
    let again = acceptance.wait(late());
    assert!(matches!(again, Err(AcceptError::Aborted)), "{again:?}");
    drop(silent);
    wait_until_gone(&address);
}

#[test]
fn an_aborted_acceptance_wakes_who_waits_for_it() {
    let server = Server::new().unwrap();
    let address = server.address().to_owned();
    let acceptance = server.listen().unwrap();
    let abort = acceptance.clone();
    let aborter = thread::spawn(move || abort.abort());

    let result = acceptance.wait(late());

    assert!(matches!(result, Err(AcceptError::Aborted)), "{result:?}");
    aborter.join().unwrap();
    wait_until_gone(&address);
}

#[test]
fn dropping_an_acceptance_aborts_it() {
    let server = Server::new().unwrap();
    let address = server.address().to_owned();

    drop(server.listen().unwrap());

    wait_until_gone(&address);
}

#[test]
fn a_server_that_never_listened_leaves_nothing() {
    let server = Server::new().unwrap();
    let address = server.address().to_owned();
    assert_eq!(Path::new(&address).exists(), ADDRESS_IS_PATH);

    drop(server);

    wait_until_gone(&address);
}

#[test]
fn connecting_to_nobody_fails() {
    let absent = connect("/nonexistent/socket");
    assert!(matches!(absent, Err(ConnectError::Unreachable(_))), "{absent:?}");
    let cut_off = connect(&"x".repeat(10_000));
    assert!(matches!(cut_off, Err(ConnectError::NoAddress)), "{cut_off:?}");
    let nul = connect("a\0b");
    assert!(matches!(nul, Err(ConnectError::NoAddress)), "{nul:?}");
}

/// Waits until a server's temporary directory is removed.
fn wait_until_gone(address: &str) {
    let directory = Path::new(address).parent().unwrap_or_else(|| Path::new(""));
    let deadline = late();
    while ADDRESS_IS_PATH && directory.exists() {
        assert!(Instant::now() < deadline, "{} is still there", directory.display());
        thread::yield_now();
    }
}
