//! What a child is started with: only processes of their own have it.

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;

use remote_parent::{Process, ProcessOptions, Stream, Transport};
use tests::prepared::SWITCHBOARD;

use crate::harness::{CHILD, PATIENCE, Setup, ask, every_process_transport, sync};

fn setup(name: &str, transport: Transport) -> Setup {
    let setup = Setup::new(name, transport);
    setup.require("surroundings");
    setup.require("basics");
    setup
}

fn spawn(setup: &Setup, options: impl FnOnce(ProcessOptions) -> ProcessOptions) -> Process {
    setup.parent().processes().spawn_with(options(setup.options())).expect("the child starts")
}

fn environment(process: &Process) -> BTreeMap<String, String> {
    let all = ask::<Vec<(String, String)>, _>(process, "environment", &()).into_iter();
    // A child that is locked in is told by it how to reach the tests.
    all.filter(|(name, _)| name != SWITCHBOARD).collect()
}

/// What of this process's own environment goes to children.
fn inherited() -> BTreeMap<String, String> {
    ProcessOptions::INHERITED.iter().filter_map(|name| Some(((*name).to_owned(), env::var(name).ok()?))).collect()
}

every_process_transport! {
    /// A8: a child has the arguments it was given, after ours.
    fn a_child_has_the_arguments_it_was_given(transport) {
        let setup = setup("a_child_has_the_arguments_it_was_given", transport);
        let given = ["--plain", "with space", "", "\"quoted\" 'twice'", "ümläut", "$HOME *"];
        let child = spawn(&setup, |options| given.iter().fold(options, |options, argument| options.argument(argument)));
        let arguments: Vec<String> = ask(&child, "arguments", &());
        assert_eq!(arguments[0], CHILD);
        // What comes behind it is the sandbox, if there is one.
        assert_eq!(arguments[1].split('=').next(), Some(remote_child::CHILD_ARGUMENT));
        assert_eq!(arguments[3..], given);
        assert_eq!(ask::<Vec<String>, _>(&setup.spawn(), "arguments", &()).len(), 3);
    }

    /// A8: of the environment a child has what programs need, and what it was given; nothing else gets there by accident.
    fn a_child_has_the_environment_it_was_given_and_no_secrets(transport) {
        let setup = setup("a_child_has_the_environment_it_was_given_and_no_secrets", transport);
        let secrets: Vec<String> =
            env::vars().map(|(name, _)| name).filter(|name| !inherited().contains_key(name)).collect();
        assert!(!secrets.is_empty(), "this test has something in its environment that is not for children");
        assert_eq!(environment(&setup.spawn()), inherited());
        let child = spawn(&setup, |options| {
            options.environment("TESTS_GIVEN", "a = b\nc").environment("TZ", "Mars/Olympus").environment("TESTS_EMPTY", "")
        });
        let mut expected = inherited();
        for (name, value) in [("TESTS_GIVEN", "a = b\nc"), ("TZ", "Mars/Olympus"), ("TESTS_EMPTY", "")] {
            expected.insert(name.to_owned(), value.to_owned());
        }
        assert_eq!(environment(&child), expected);
        // Whoever wants to, gives all.
        let child = spawn(&setup, |options| options.inherit_environment().environment("TESTS_GIVEN", "too"));
        let mut expected: BTreeMap<String, String> = env::vars().collect();
        expected.insert("TESTS_GIVEN".to_owned(), "too".to_owned());
        assert_eq!(environment(&child), expected);
    }

    /// A8: a child starts in the directory it was given.
    fn a_child_starts_in_the_directory_it_was_given(transport) {
        let setup = setup("a_child_starts_in_the_directory_it_was_given", transport);
        let directory = env::temp_dir().canonicalize().expect("it is there");
        let child = spawn(&setup, |options| options.directory(&directory));
        assert_eq!(ask::<PathBuf, _>(&child, "directory", &()), directory);
        assert_eq!(ask::<PathBuf, _>(&setup.spawn(), "directory", &()), env::current_dir().unwrap());
        let missing = setup.options().directory(directory.join("that is not there"));
        let error = setup.parent().processes().spawn_with(missing).expect_err("there is no such directory");
        assert!(error.to_string().contains("tests-child"), "{error}");
    }

    /// A8: the parent has the other ends of a child's standard streams where it asks for them, once.
    fn a_childs_streams_are_the_parents_where_it_asks_for_them(transport) {
        let setup = setup("a_childs_streams_are_the_parents_where_it_asks_for_them", transport);
        let child = spawn(&setup, |options| options.stdin(Stream::Piped).stdout(Stream::Piped).stderr(Stream::Piped));
        let streams = child.take_streams();
        let (mut stdin, stdout, stderr) = (streams.stdin.unwrap(), streams.stdout.unwrap(), streams.stderr.unwrap());
        let again = child.take_streams();
        assert!(again.stdin.is_none() && again.stdout.is_none() && again.stderr.is_none());
        stdin.write_all("one line\nand another".as_bytes()).unwrap();
        drop(stdin);
        assert_eq!(ask::<String, _>(&child, "read", &()), "one line\nand another");
        let (mut stdout, mut stderr) = (BufReader::new(stdout), BufReader::new(stderr));
        let mut line = String::new();
        ask::<(), _>(&child, "print", "printed");
        stdout.read_line(&mut line).unwrap();
        ask::<(), _>(&child, "complain", "complained");
        stderr.read_line(&mut line).unwrap();
        assert_eq!(line, "printed\ncomplained\n");
        child.close();
        child.wait(PATIENCE).expect("it goes");
        // They end with the process.
        assert_eq!(stdout.read_to_string(&mut line).unwrap() + stderr.read_to_string(&mut line).unwrap(), 0);
    }

    /// A8: without being asked for, there is nothing to be read, and nothing to be taken.
    fn a_child_reads_nothing_where_nothing_was_asked_for(transport) {
        let setup = setup("a_child_reads_nothing_where_nothing_was_asked_for", transport);
        let child = spawn(&setup, |options| options.stdout(Stream::Null).stderr(Stream::Null));
        assert_eq!(ask::<String, _>(&child, "read", &()), "");
        ask::<(), _>(&child, "print", "to nobody");
        ask::<(), _>(&child, "complain", "to nobody");
        let streams = child.take_streams();
        assert!(streams.stdin.is_none() && streams.stdout.is_none() && streams.stderr.is_none());
        let streams = setup.main().take_streams();
        assert!(streams.stdin.is_none() && streams.stdout.is_none() && streams.stderr.is_none());
    }

    /// A8: what a child says on its streams as it crashes can be read when it is gone.
    fn what_a_child_complained_of_can_be_read_when_it_is_gone(transport) {
        let setup = setup("what_a_child_complained_of_can_be_read_when_it_is_gone", transport);
        let child = spawn(&setup, |options| options.stderr(Stream::Piped));
        ask::<(), _>(&child, "complain", "something is wrong");
        child.kill();
        child.wait(PATIENCE).expect("it is killed");
        let mut text = String::new();
        child.take_streams().stderr.expect("it was asked for").read_to_string(&mut text).unwrap();
        assert_eq!(text, "something is wrong\n");
    }

    /// A8: each child has its own options, also when many are started at once.
    fn each_child_has_its_own_options(transport) {
        let setup = setup("each_child_has_its_own_options", transport);
        std::thread::scope(|scope| {
            for number in 0..4 {
                let setup = &setup;
                scope.spawn(move || {
                    let name = format!("number {number}");
                    let child =
                        spawn(setup, |options| options.name(&name).argument(&name).environment("TESTS_NUMBER", &name));
                    assert_eq!(child.name(), Some(&*name));
                    assert_eq!(ask::<Vec<String>, _>(&child, "arguments", &())[3..], [&*name]);
                    assert_eq!(environment(&child)["TESTS_NUMBER"], name);
                    assert!(format!("{child:?}").contains(&name));
                    sync(&child);
                });
            }
        });
    }
}
