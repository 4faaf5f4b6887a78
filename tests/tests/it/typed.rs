//! Events whose type both sides share as a constant.

use std::fmt::Debug;

use remote_parent::{Event, Frame, FrameId, FrameOptions, Port, Process, ProcessError, Subject, Trouble};
use serde::de::DeserializeOwned;
use tests::modules::typed::{EMPTY, PING, PONG, Ping, other};

use crate::harness::{Events, Setup, ask, every_transport, heard};

/// [`heard`] for a typed event.
fn typed<S, P>(port: &Port<S>, event: Event<P>) -> Events<(S, P)>
where
    S: Subject + Send,
    P: DeserializeOwned + Send + 'static,
{
    let (tell, events) = Events::new(event.name());
    port.on(event, move |subject, payload| tell.tell((subject.clone(), payload)));
    events
}

/// A frame in each of two processes, the main process's first.
fn processes(setup: &Setup) -> [(Process, Frame); 2] {
    setup.require("typed");
    [setup.main(), setup.spawn()].map(|process| {
        let frame = setup.parent().frames().open(&process, FrameOptions::new()).expect("the process is there");
        (process, frame)
    })
}

/// What was said of a listener that does not fit names the event, what the listener takes, and what came.
#[track_caller]
fn mismatch(error: &ProcessError, event: &str, expected: &str, found: &str) {
    let text = match error {
        ProcessError::Child(Trouble::Payload(error)) | ProcessError::Payload(error) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(text.contains(&format!("`{event}`")) && text.contains(expected) && text.contains(found), "{text}");
}

#[track_caller]
fn from_each<S: PartialEq + Debug, P: PartialEq + Debug>(events: &[Events<(S, P)>], subject: &S, payload: &P) {
    for events in events {
        let (from, found) = events.next();
        assert_eq!((&from, &found), (subject, payload));
        events.none();
    }
}

every_transport! {
    /// A4: typed events go both ways on the ports of one process and of all.
    fn typed_events_go_both_ways_on_the_ports_of_processes(setup) {
        let processes = processes(&setup);
        for (number, (process, _frame)) in (0u32..).zip(&processes) {
            let pongs = typed(&process.port(), PONG);
            let all = typed(&setup.parent().processes().port(), PONG);
            let empty = typed(&process.port(), EMPTY);
            process.port().emit(PING, &Ping::new(number)).unwrap();
            for by in ["process", "process, once"] {
                assert_eq!(pongs.next(), (process.clone(), (by.to_owned(), Ping::new(number))));
            }
            process.port().emit(EMPTY, &()).unwrap();
            assert_eq!(empty.next(), (process.clone(), ()));
            assert_eq!(all.so_far().len(), 2);
            let (tell, once) = Events::new("once");
            process.port().once(PONG, move |process, pong| tell.tell((process.clone(), pong)));
            ask::<(), _>(process, "pong", &7);
            ask::<(), _>(process, "pong", &8);
            from_each(&[once], process, &("asked".to_owned(), Ping::new(7)));
            assert_eq!(pongs.take(2).len(), 2);
            pongs.none();
        }
        let all = typed(&setup.parent().processes().port(), PONG);
        setup.parent().processes().port().emit(PING, &Ping::new(9)).unwrap();
        let mut heard = all.take(2);
        heard.sort_by_key(|(process, _)| process.id().serial());
        for ((process, _), pong) in processes.iter().zip(&heard) {
            assert_eq!(*pong, (process.clone(), ("process".to_owned(), Ping::new(9))));
        }
    }

    /// A12: and on those of one frame and of all.
    fn typed_events_go_both_ways_on_the_ports_of_frames(setup) {
        let processes = processes(&setup);
        let frames = setup.parent().frames();
        for (process, frame) in &processes {
            let own: FrameId = ask(process, "a frame for pings", &());
            let own = frames.get(own).expect("it is there");
            let pongs = typed(&frame.port(), PONG);
            let all = typed(&frames.port(), PONG);
            frame.port().emit(PING, &Ping::new(1)).unwrap();
            for by in ["frame", "frames"] {
                let expected = (frame.clone(), (by.to_owned(), Ping::new(1)));
                assert_eq!((pongs.next(), all.next()), (expected.clone(), expected));
            }
            frames.port().emit(PING, &Ping::new(2)).unwrap();
            for by in ["frame", "frames"] {
                assert_eq!(pongs.next(), (frame.clone(), (by.to_owned(), Ping::new(2))));
            }
            ask::<(), _>(process, "pong of a frame", &(own.id(), 3));
            ask::<(), _>(process, "pong to all frames", &4);
            let told: Vec<_> = all.so_far().into_iter().filter(|(_, (by, _))| by == "asked").collect();
            assert_eq!(told[0], (own.clone(), ("asked".to_owned(), Ping::new(3))));
            assert_eq!(told.len(), 3);
            assert!(told[1..].iter().all(|(frame, (_, ping))| frame.process() == process && ping.number == 4));
            assert_eq!(pongs.so_far(), [(frame.clone(), ("asked".to_owned(), Ping::new(4)))]);
            own.close();
        }
    }

    /// A4: a listener that goes by the name alone does not take a typed event: a reported error, and the others hear it.
    fn a_typed_event_and_a_named_listener_do_not_fit(setup) {
        let [_, (process, _)] = processes(&setup);
        let errors = setup.errors();
        ask::<(), _>(&process, "listen by name", &());
        let (pongs, by_name) = (typed(&process.port(), PONG), heard::<Process, String>(&process.port(), "heard by name"));
        // In the child.
        process.port().emit(PING, &Ping::new(1)).unwrap();
        assert_eq!(pongs.take(2).len(), 2);
        let (id, error) = errors.next();
        assert_eq!(id, process.id());
        assert!(matches!(error, ProcessError::Child(Trouble::Payload(_))));
        mismatch(&error, "ping", "String", "typed event");
        by_name.none();
        // In the parent.
        let named = heard::<Process, (String, Ping)>(&process.port(), "pong");
        ask::<(), _>(&process, "pong", &2);
        from_each(&[pongs], &process, &("asked".to_owned(), Ping::new(2)));
        let (_, error) = errors.next();
        assert!(matches!(error, ProcessError::Payload(_)));
        mismatch(&error, "pong", "Ping", "typed event");
        named.none();
        errors.none();
    }

    /// A4: nor does a typed listener take what was emitted by its name alone, be it as like as can be.
    fn a_named_event_and_a_typed_listener_do_not_fit(setup) {
        let [(process, _), _] = processes(&setup);
        let errors = setup.errors();
        ask::<(), _>(&process, "listen by name", &());
        let (pongs, by_name) = (typed(&process.port(), PONG), heard::<Process, String>(&process.port(), "heard by name"));
        process.port().emit("ping", "a text").unwrap();
        assert_eq!(by_name.next(), (process.clone(), "a text".to_owned()));
        ask::<(), _>(&process, "pong", &1);
        from_each(&[pongs], &process, &("asked".to_owned(), Ping::new(1)));
        // Both that listen each time and the one that listens once have been asked.
        for (_, error) in errors.take(2) {
            mismatch(&error, "ping", "Ping", "by its name alone");
        }
        let empty = typed(&process.port(), Event::<Result<(), String>>::new("pong: answer"));
        ask::<(), _>(&process, "pong", &2);
        mismatch(&errors.next().1, "pong: answer", "Result", "by its name alone");
        empty.none();
        errors.none();
    }

    /// A4: a constant of the same name and another type, even one of the same name, is an error and not garbage.
    fn the_same_name_with_another_type_is_an_error(setup) {
        let [_, (process, frame)] = processes(&setup);
        let errors = setup.errors();
        ask::<(), _>(&process, "listen to the other", &());
        let by_other = heard::<Process, other::Ping>(&process.port(), "heard by the other");
        let (pongs, others) = (typed(&process.port(), PONG), typed(&process.port(), other::PONG));
        process.port().emit(PING, &Ping::new(1)).unwrap();
        assert_eq!(pongs.take(2).len(), 2);
        let mut told = errors.take(3);
        told.sort_by_key(|(_, error)| matches!(error, ProcessError::Payload(_)));
        mismatch(&told[0].1, "ping", "typed::other::Ping", "another type");
        for (_, error) in &told[1..] {
            mismatch(error, "pong", "u8", "another type");
        }
        let ping = other::Ping { text: "the other".to_owned() };
        process.port().emit(other::PING, &ping).unwrap();
        assert_eq!(by_other.next(), (process.clone(), ping.clone()));
        // The one that listened once is gone.
        mismatch(&errors.next().1, "ping", "typed::Ping", "another type");
        frame.port().emit(other::PING, &ping).unwrap();
        for (_, error) in errors.take(2) {
            mismatch(&error, "ping", "typed::Ping", "another type");
        }
        others.none();
        pongs.none();
        errors.none();
    }
}
