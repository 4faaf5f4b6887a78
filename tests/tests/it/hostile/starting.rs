//! What a child does before it has said hello.

use remote_parent::{DetachReason, StartError};
use remote_protocol::message::{Hello, PROTOCOL_VERSION, ToParent, Versions};
use remote_protocol::sandbox::Report;
use remote_protocol::state::Violation;
use tests::puppet::{Command, Pull};
use tests::raw;

use super::siege::{hostile, record};

fn say(pull: &mut Pull, record: Vec<u8>) {
    pull.pull(&Command::Say { lane: 0, record, times: 1 });
    // To its end.
    pull.pull(&Command::Hear { lane: 0 });
}

fn hello(protocol: u32, application: &str) -> Vec<u8> {
    let versions = Versions { protocol, application: application.to_owned().into() };
    raw::short(&ToParent::Hello(Hello { versions, pid: u32::MAX, sandbox: Report::default() }))
}

hostile! {
    /// A child that dies before it says hello, whether it has joined or not, is an error that says how.
    fn hostile_20_a_child_that_dies_before_hello_is_an_error(siege) {
        let error = siege.start(|pull| drop(pull.pull(&Command::Exit(7)))).expect_err("it said nothing");
        assert!(matches!(&error, StartError::Exited { status, .. } if status.code() == Some(7)), "{error:?}");
    }

    /// One that hangs up, and ends a little later, is no child either.
    fn hostile_20_a_child_that_hangs_up_before_hello_is_an_error(siege) {
        let error = siege.start(|pull| drop(pull.pull(&Command::HangUp))).expect_err("it said nothing");
        assert!(matches!(&error, StartError::Exited { status, .. } if status.code() == Some(0)), "{error:?}");
    }

    /// What is no hello is a violation, and so is a message that is in order, but not now.
    fn hostile_20_a_first_message_that_is_no_hello_is_a_violation(siege) {
        for bytes in [vec![], vec![2], record(b""), record(b"\xff\xff"), vec![0; 1000]] {
            let error = siege.start(|pull| say(pull, bytes)).expect_err("it is no hello");
            assert!(matches!(error, StartError::Violation(_)), "{error:?}");
        }
        let error = siege.start(|pull| say(pull, raw::short(&ToParent::Bye))).expect_err("it is no hello");
        let expected = Violation::Unexpected { message: "Bye", when: "before hello" };
        assert!(matches!(&error, StartError::Violation(violation) if *violation == expected), "{error:?}");
    }

    /// A child of another version is an error that names both, of whatever it calls itself.
    fn hostile_20_another_version_is_an_error(siege) {
        let long = "9".repeat(60_000);
        for (protocol, application) in [(PROTOCOL_VERSION + 1, ""), (0, ""), (u32::MAX, ""), (PROTOCOL_VERSION, &long)] {
            let error = siege.start(|pull| say(pull, hello(protocol, application))).expect_err("it is of another version");
            let StartError::Version { child, .. } = &error else { panic!("{error:?}") };
            assert_eq!((child.protocol, &*child.application), (protocol, application));
        }
    }

    /// A second hello ends the child.
    fn hostile_20_a_second_hello_ends_the_child(siege) {
        let mut x = siege.puppet();
        x.say(&hello(PROTOCOL_VERSION, ""));
        let violation = siege.violates(&x.process);
        assert_eq!(violation, Violation::Unexpected { message: "Hello", when: "a second time" });
    }

    /// What a child says behind its hello, before it can have heard that it is welcome, is handled as after that; and it names itself what it
    /// likes.
    fn hostile_20_what_comes_right_behind_hello_is_handled(siege) {
        let process = siege.start(|pull| {
            pull.pull(&Command::Say { lane: 0, record: hello(PROTOCOL_VERSION, ""), times: 1 });
            pull.pull(&Command::Say { lane: 0, record: raw::short(&ToParent::Bye), times: 1 });
            pull.pull(&Command::Exit(0));
        });
        let process = process.expect("it said hello");
        assert_eq!(siege.ends(&process), DetachReason::Closed);
        assert_ne!(process.id().pid(), u32::MAX);
    }
}
