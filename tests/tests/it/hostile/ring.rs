//! Lies in the memory that a child shares with the parent, and on the socket beside it.

use std::time::Instant;

use remote_parent::{DetachReason, FrameOptions};
use remote_protocol::id::LaneId;
use remote_protocol::limits::RECORD_BYTES;
use remote_protocol::link::Closure;
use remote_protocol::state::Violation;
use remote_transport::lane::{self, Offsets};
use tests::puppet::Command;

use super::siege::{Puppet, SOON, Siege, hostile_over_the_lane};

/// The rings of a lane: to the parent, and to the child.
fn rings(lane: u8) -> (Offsets, Offsets) {
    let ring = |to_parent| lane::offsets(LaneId(lane), to_parent).expect("there is such a lane");
    (ring(true), ring(false))
}

/// Where the header of the record is that the child says next on its main lane, which it has not said much on.
fn next_header(x: &mut Puppet) -> u64 {
    let mut at = rings(0).0.data;
    loop {
        let bytes = x.acts(&Command::Peek { at, length: 8 });
        let header = u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        if header == 0 {
            return at;
        }
        at += lane::step((header & 0xffff_ffff) as usize - 1);
    }
}

/// Has the parent look at what it shares with a child until the child is ended.
fn look(siege: &mut Siege, x: &Puppet) -> DetachReason {
    let deadline = Instant::now() + SOON;
    while x.process.detached().is_none() {
        // This wakes the thread of the process; it may be gone.
        let _ = siege.parent().frames().open(&x.process, FrameOptions::new());
        let _ = x.process.port().emit("look", &[7_u8; 1000][..]);
        assert!(Instant::now() < deadline, "the attacker is still there");
        std::thread::yield_now();
    }
    siege.ends(&x.process)
}

#[track_caller]
fn is_link(reason: &DetachReason, expected: impl Fn(&Closure) -> bool) {
    match reason {
        DetachReason::Violation(Violation::Link(closure)) if expected(closure) => {}
        other => panic!("{other}"),
    }
}

const fn is_misused(closure: &Closure) -> bool {
    matches!(closure, Closure::Misused { .. })
}

const fn is_corrupted(closure: &Closure) -> bool {
    matches!(closure, Closure::Corrupted { .. })
}

hostile_over_the_lane! {
    /// A header that says a length no record has ends the child.
    fn hostile_2_lengths_that_cannot_be_end_the_child(siege) {
        let too_long = RECORD_BYTES as u64 + 2;
        for header in [too_long, u64::from(u32::MAX), 1 << 32, u64::MAX - 1, 0xffff_ffff_0000_0000, 1 << 31] {
            let mut x = siege.puppet();
            let at = next_header(&mut x);
            x.poke(at, &[header]);
            is_link(&look(siege, &x), is_misused);
        }
    }

    /// A header that sends the parent back to the beginning shows it what it has read before: that is a second hello.
    fn hostile_2_old_records_are_not_taken_for_new_ones(siege) {
        let mut x = siege.puppet();
        let at = next_header(&mut x);
        x.poke(at, &[u64::MAX]);
        let reason = look(siege, &x);
        let DetachReason::Violation(Violation::Unexpected { message: "Hello", .. }) = reason else { panic!("{reason}") };
        // And one that does it again and again leads nowhere.
        let mut x = siege.puppet();
        let at = next_header(&mut x);
        x.poke(rings(0).0.data, &[u64::MAX]);
        x.poke(at, &[u64::MAX]);
        is_link(&look(siege, &x), is_misused);
    }

    /// A record that would go past the end of its ring is not read.
    fn hostile_2_a_record_past_the_end_of_its_ring_ends_the_child(siege) {
        let mut x = siege.puppet();
        let (ring, _) = rings(1);
        let step = lane::step(RECORD_BYTES);
        let records = ring.length.div_ceil(step);
        assert!(records * step > ring.length);
        for record in 0..records {
            // The first byte says that its message goes on.
            x.poke(ring.data + record * step, &[RECORD_BYTES as u64 + 1, 1]);
        }
        x.act(&Command::Tell(vec![0x11]));
        let reason = siege.ends(&x.process);
        is_link(&reason, |closure| *closure == Closure::Misused { length: RECORD_BYTES });
    }

    /// A child that says it has taken what it was not given, or has not taken what it said before, is ended.
    fn hostile_2_a_position_that_cannot_be_ends_the_child(siege) {
        let (_, ring) = rings(0);
        for head in [u64::MAX, 1 << 40, u64::MAX / 2 + 1] {
            let mut x = siege.puppet();
            x.poke(ring.head, &[head]);
            is_link(&look(siege, &x), is_corrupted);
        }
        let mut x = siege.puppet();
        for _ in 0..300 {
            x.process.port().emit("much", &[7_u8; 1000][..]).expect("there is room");
            x.acts(&Command::Hear { lane: 0 });
        }
        x.poke(ring.head, &[0]);
        is_link(&look(siege, &x), is_corrupted);
    }

    /// Bytes on the socket that say nothing, or what is not so, end the child.
    fn hostile_2_bytes_on_the_socket_that_are_lies_end_the_child(siege) {
        for byte in [0x00, 0x0f, 0x30, 0x41, 0x80, 0xff] {
            let mut x = siege.puppet();
            x.act(&Command::Tell(vec![byte]));
            is_link(&siege.ends(&x.process), is_corrupted);
        }
        // Of the main lane, that there is such a lane.
        let mut x = siege.puppet();
        x.act(&Command::Tell(vec![0x10]));
        is_link(&siege.ends(&x.process), is_misused);
        // That it has more to say than it may.
        let mut x = siege.puppet();
        x.act(&Command::Tell(vec![0x40]));
        is_link(&siege.ends(&x.process), |closure| matches!(closure, Closure::Overflow { .. }));
    }

    /// Lanes on which nothing is said have a thread each, which ends with the child.
    fn hostile_2_lanes_on_which_nothing_is_said_end_with_the_child(siege) {
        let mut x = siege.puppet();
        x.acts(&Command::Tell((0x11..=0x1f).collect()));
        siege.goes_on();
        x.process.kill();
        assert_eq!(siege.ends(&x.process), DetachReason::Killed { signal: 9 });
    }

    /// A lane that is announced again ends the child.
    fn hostile_2_a_lane_that_is_announced_twice_ends_the_child(siege) {
        let mut x = siege.puppet();
        let (ring, _) = rings(3);
        // The beginning of a message.
        x.poke(ring.data, &[3, u64::from(u16::from_le_bytes([1, 7]))]);
        x.act(&Command::Tell(vec![0x13]));
        x.act(&Command::Tell(vec![0x13]));
        is_link(&siege.ends(&x.process), is_misused);
    }

    /// A child that says there is room, again and again, keeps a thread of its own busy and nobody else.
    fn hostile_2_room_that_nobody_asked_for_harms_nobody(siege) {
        let mut x = siege.puppet();
        for lane in 0..16 {
            x.acts(&Command::Tell(vec![0x20 | lane; 10_000]));
        }
        siege.goes_on();
        x.process.kill();
        assert_eq!(siege.ends(&x.process), DetachReason::Killed { signal: 9 });
    }

    /// Headers that change while they are read: each is read once, and what comes of it is a record or a lie.
    fn hostile_2_headers_that_change_while_they_are_read_end_the_child(siege) {
        for values in [vec![0, 3, 70_000], vec![u64::MAX, 0, 9], vec![17, 33, 65, 129], vec![1, 2, 1 << 32]] {
            let mut x = siege.puppet();
            let at = next_header(&mut x);
            let words = values.iter().map(|value| (at, *value));
            let words = words.chain(values.iter().map(|value| (at + 8, *value))).collect();
            x.act(&Command::Scribble { words });
            siege.goes_on();
            let reason = look(siege, &x);
            assert!(matches!(reason, DetachReason::Violation(_)), "{reason}");
        }
    }

    /// Positions, flags and wishes that change all the time, while both sides say much: the child ends, at the latest when it is killed.
    fn hostile_2_words_that_change_all_the_time_harm_nobody(siege) {
        let (to_parent, to_child) = rings(0);
        let flags = [to_parent.flag, to_child.flag].map(|flag| [(flag, 0), (flag, 1), (flag, 1 << 31)]);
        let wishes = [to_parent.wanted, to_child.wanted].map(|wanted| [(wanted, 1), (wanted, 0), (wanted, u64::MAX)]);
        let heads = [(to_child.head, 0), (to_child.head, 1), (to_parent.head, u64::MAX), (to_child.head, 100_000)];
        for words in [flags.concat(), wishes.concat(), heads.to_vec()] {
            let mut x = siege.puppet();
            x.act(&Command::Scribble { words });
            for _ in 0..100 {
                // It may be ended meanwhile.
                let _ = x.process.port().emit("much", &[7_u8; 1000][..]);
                let _ = siege.parent().frames().open(&x.process, FrameOptions::new());
            }
            siege.goes_on();
            x.process.kill();
            let reason = siege.ends(&x.process);
            // It was found out, or was not and was killed.
            let is_due = matches!(reason, DetachReason::Violation(Violation::Link(_)) | DetachReason::Killed { signal: 9 });
            assert!(is_due, "{reason}");
        }
    }

    /// The memory keeps its size, and can be written, whatever the child does.
    fn hostile_19_memory_cannot_be_truncated(siege) {
        let mut x = siege.puppet();
        for command in [Command::Resize(0), Command::Resize(4096), Command::Resize(1 << 40), Command::Seal] {
            let done = x.act(&command).expect("the puppet lives");
            assert!(done.as_ref().is_err_and(|error| error.contains("os error 1)")), "{command:?}: {done:?}");
        }
        x.process.port().emit("still there", &()).expect("the process is there");
        x.acts(&Command::Hear { lane: 0 });
        siege.goes_on();
        x.process.kill();
        assert_eq!(siege.ends(&x.process), DetachReason::Killed { signal: 9 });
    }

    /// Memory that is given back to the system is zero, which says nothing; the child ends as any does.
    fn hostile_19_memory_that_is_given_back_says_nothing(siege) {
        let mut x = siege.puppet();
        x.acts(&Command::Punch { at: 0, length: 64 << 20 });
        for _ in 0..100 {
            x.process.port().emit("much", &[7_u8; 1000][..]).expect("there is room");
        }
        siege.goes_on();
        x.process.kill();
        assert_eq!(siege.ends(&x.process), DetachReason::Killed { signal: 9 });
    }

    /// What is rewritten while it is copied is what the child said: a message, or none.
    fn hostile_19_records_that_are_rewritten_while_they_are_read_end_the_child(siege) {
        let mut x = siege.puppet();
        let at = next_header(&mut x);
        // Within the record that is said below, and beyond its first words, which say that it is an event.
        let words = (0..64).map(|word| (at + 64 + 8 * word, u64::MAX << word)).collect();
        x.act(&Command::Scribble { words });
        // Of a loader that there is not, if nothing worse is read.
        let event = remote_protocol::message::ToParent::Event(remote_protocol::message::Event {
            loader: remote_protocol::id::LoaderId(77),
            target: remote_protocol::message::Target::Process,
            name: "rewritten".into(),
            form: remote_protocol::payload::Form::Dynamic,
            payload: remote_protocol::payload::Payload::plain(vec![7; 500]),
        });
        x.say_message(&event);
        let violation = siege.violates(&x.process);
        assert!(matches!(violation, Violation::NoSuchLoader(_) | Violation::Malformed(_)), "{violation:?}");
    }
}
