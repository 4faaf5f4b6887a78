//! Buffers of the parent, used from elsewhere.

use std::fs;

use remote_object::CallError;
use remote_parent::Limits;
use tests::buffers::{noise, served};
use tests::gate::Gate;

use crate::harness::{PATIENCE, Setup, ask, every_transport, everywhere, heard, try_ask, unique};

fn in_the_main_process(setup: &Setup, name: &str) {
    let _exports = served(setup.parent());
    setup.require("buffers");
    ask::<(), _>(&setup.main(), "buffer body", name);
}

fn in_a_child(setup: &Setup, name: &str) {
    let exports = served(setup.parent());
    setup.require("buffers");
    let child = setup.spawn();
    ask::<(), _>(&child, "buffer body", name);
    // All of it was given back, before the answer came or with what comes next from any of its threads.
    ask::<(), _>(&child, "ignore", &0);
    let alive = exports.alive();
    assert_eq!((alive.objects, alive.buffer_bytes), (0, 0), "{}", exports.leaks());
    child.close();
    child.wait(PATIENCE).expect("it goes");
}

everywhere! {
    /// B14: what is read is what is there, whole and in part, whatever the length.
    a_buffer_is_read_byte_for_byte
    /// B14: what is viewed is what is there, for as long as it is viewed, and many views are one.
    a_buffer_is_viewed_in_place
    /// B14, B5: what is passed back is the original, and not a copy of it.
    a_buffer_passed_back_arrives_as_the_original
    /// B14: bytes that are not there are an error that says which, and the buffer is as before.
    what_a_buffer_does_not_have_is_an_error
    /// B14: a buffer is read from any thread, from many at once.
    a_buffer_is_read_from_many_threads_at_once
    /// B14, B13: an error of the application's own brings a buffer along.
    a_buffer_in_an_error_is_a_buffer
    /// B14, B3: a buffer in what is used by name stays a buffer, also where nobody looks at it.
    a_buffer_travels_by_name
    /// B14: a buffer is no object, an object no buffer, and neither the bytes: each is an error that says so.
    a_buffer_is_nothing_else
}

every_transport! {
    /// B14: 64 MiB that an object in the parent writes to a file are the same, byte for byte; so is what the child reads of them.
    fn a_large_buffer_that_is_written_to_a_file_is_the_same(setup) {
        const BYTES: u64 = 64 << 20;
        let exports = served(setup.parent());
        setup.require("buffers");
        let directory = std::env::temp_dir();
        for process in [setup.main(), setup.spawn()] {
            let path = directory.join(unique("remote-buffers"));
            let copied = try_ask::<(), _>(&process, "copy", &(&path, BYTES));
            let written = fs::read(&path);
            let removed = fs::remove_file(&path);
            assert_eq!(copied, Ok(()));
            // Not with `assert_eq`: it would print them.
            assert!(written.expect("it was written") == noise(BYTES));
            removed.expect("it is there");
        }
        assert_eq!(exports.alive().buffer_bytes, 0);
    }

    /// B14, B6: the bytes that one process may have at a time are limited; the error is the caller's, and names the limit.
    fn more_bytes_than_the_limit_are_an_error_at_the_sender(setup) {
        let exports = served(setup.parent());
        setup.require("buffers");
        let child = setup.spawn();
        for (bytes, count) in [(64_u64 << 20, 4), (100 << 20, 2), (256 << 20, 1)] {
            let (held, error): (usize, CallError) = ask(&child, "borrow until refused", &bytes);
            assert_eq!(held, count);
            let limit = format!("at most {} may be", 256 << 20);
            assert!(error.to_string().contains("result of `canvas`") && error.to_string().contains(&limit), "{error}");
            // All of it has come back.
            assert_eq!((exports.alive().objects, exports.alive().buffer_bytes), (0, 0));
        }
        let error = try_ask::<(), _>(&child, "borrow until refused", &((256_u64 << 20) + 1)).unwrap_err();
        assert!(error.contains("a buffer of 268435457 bytes"), "{error}");
    }

    /// B14, B6: how many bytes that is, is the parent's to say; with none, there are no buffers.
    fn as_many_bytes_as_the_parent_says(setup) {
        let exports = served(setup.parent());
        setup.require("buffers");
        let limited = |bytes| {
            let options = setup.options().limits(Limits::new().buffer_bytes(bytes));
            setup.parent().processes().spawn_with(options).expect("the child starts")
        };
        let (held, error): (usize, CallError) = ask(&limited(1_000_000), "borrow until refused", &300_000_u64);
        assert_eq!(held, 3);
        assert!(error.to_string().contains("at most 1000000 may be"), "{error}");
        assert_eq!(exports.alive().buffer_bytes, 0);
        let error = try_ask::<(), _>(&limited(0), "borrow until refused", &1_u64).unwrap_err();
        assert!(error.contains("at most 0 may be"), "{error}");
    }

    /// B14: a child has no buffers of its own to send: that is an error at the caller.
    fn a_buffer_of_a_child_cannot_be_sent(setup) {
        let _exports = served(setup.parent());
        setup.require("buffers");
        let error = try_ask::<bool, _>(&setup.spawn(), "send its own", &()).unwrap_err();
        assert!(error.contains("arguments of `is_original`") && error.contains("buffers live in the parent"), "{error}");
        // In the main process it is not sent, and it is none of the gallery.
        assert!(!ask::<bool, _>(&setup.main(), "send its own", &()));
    }

    /// B14, B6: a buffer that is not sent after all is not lent, and one that nobody looks at is given back.
    fn what_is_not_sent_or_not_looked_at_is_not_held(setup) {
        let exports = served(setup.parent());
        setup.require("buffers");
        let child = setup.spawn();
        for bytes in [100, 100_000] {
            let error = try_ask::<(), _>(&child, "get what cannot be sent", &bytes).unwrap_err();
            assert!(error.contains("result of `unsendable`"), "{error}");
            assert_eq!((exports.alive().objects, exports.alive().buffer_bytes), (0, 0));
            ask::<(), _>(&child, "ignore", &bytes);
            assert_eq!((exports.alive().objects, exports.alive().buffer_bytes), (0, 0));
        }
    }

    /// B14, B7: a buffer in a late answer is given back.
    fn a_buffer_in_a_late_answer_is_given_back(setup) {
        let exports = served(setup.parent());
        setup.require("buffers");
        let child = setup.spawn();
        let [report, gate] = [Gate::new(), Gate::new()];
        child.port().emit("give up a buffer", &(report.address(), gate.address())).unwrap();
        let waiting = gate.arrival();
        let late = report.arrival().text();
        assert!(late.contains("Deadline") && late.contains("picture_at"), "{late}");
        waiting.let_go();
        ask::<(), _>(&child, "ignore", &0);
        assert_eq!((exports.alive().objects, exports.alive().buffer_bytes), (0, 0));
    }

    /// B14, B10: a callback is called with a buffer.
    fn a_buffer_is_the_argument_of_a_callback(setup) {
        let exports = served(setup.parent());
        setup.require("buffers");
        for process in [setup.main(), setup.spawn()] {
            let viewed = heard::<_, bool>(&process.port(), "viewed");
            for bytes in [100, 100_000] {
                ask::<(), _>(&process, "view", &bytes);
                assert!(viewed.next().1);
            }
            ask::<(), _>(&process, "ignore", &0);
        }
        assert_eq!((exports.alive().objects, exports.alive().buffer_bytes), (0, 0));
    }

    /// B14, B6: with a process goes what was lent to it; a buffer that it holds is counted until then.
    fn what_a_process_holds_is_listed_and_goes_with_it(setup) {
        let exports = served(setup.parent());
        setup.require("buffers");
        let child = setup.spawn();
        ask::<(), _>(&child, "keep", &1000);
        assert_eq!((exports.alive().objects, exports.alive().buffer_bytes), (1, 1000));
        let leaks = exports.leaks().to_string();
        assert!(leaks.contains("1 RemoteBuffer object lent by Gallery::picture"), "{leaks}");
        child.close();
        child.wait(PATIENCE).expect("it goes");
        assert_eq!((exports.alive().objects, exports.alive().buffer_bytes), (0, 0));
    }
}
