//! Objects that are used by the names of their members.

use remote_object::{CallError, RemoteObject};
use remote_parent::{ProcessError, Trouble};
use tests::dynamic::{BODIES, Stage, kit};
use tests::mill::Works;
use tests::objects::Objects;

use crate::harness::{Setup, ask, every_transport, everywhere, heard};

fn served(setup: &Setup) -> Objects {
    let objects = Objects::served(setup.parent());
    let kit = RemoteObject::from(kit());
    objects.exports.module_dynamic("kit", kit.clone()).expect("the name is free");
    objects.exports.global_dynamic("kit-of-all", kit).expect("the name is free");
    Works::exported(&objects.exports);
    setup.require("dynamic");
    objects
}

fn in_a_child(setup: &Setup, name: &str) {
    let objects = served(setup);
    let child = setup.spawn();
    ask::<(), _>(&child, "dynamic body", name);
    // What it used has been given back.
    child.close();
    child.wait(crate::harness::PATIENCE).expect("it goes");
    assert_eq!(objects.exports.alive().objects, 0);
}

fn in_the_main_process(setup: &Setup, name: &str) {
    let _objects = served(setup);
    ask::<(), _>(&setup.main(), "dynamic body", name);
}

fn local(name: &str) {
    let objects = Objects::new();
    let (_, body) = BODIES.iter().find(|(body, _)| *body == name).unwrap();
    let stage = Stage {
        kit: kit().into(),
        workshop: objects.workshop.clone().into(),
        mirror: objects.mirror.clone().into(),
        failing: objects.failing.clone().into(),
    };
    body(stage).unwrap();
}

everywhere! {
    local;
    /// B2: methods, functions, constructors and properties of an object without a trait.
    members_of_every_kind_are_used_by_name
    /// B2: setting a property to a remote object stores the real object.
    a_property_that_is_set_to_an_object_holds_the_object_itself
    /// B2: an interface is used by name as well.
    an_interface_is_used_by_name
    /// B2: one object both ways.
    an_object_is_used_by_name_and_by_its_interface
    /// B17: an object of another interface is an error that names both.
    an_object_that_is_something_else_is_an_error
    /// B4: what calls by name carry arrives unchanged.
    values_travel_by_name_unchanged
    /// B5: objects in a value that nobody knows the type of stay those objects.
    references_in_values_stay_what_they_are
    /// B17: an error names the member, the argument, what was expected and what was found.
    wrong_arguments_are_errors_that_say_what_is_wrong
    /// B17: so does one for a member that is not there, or is of another kind.
    unknown_members_are_errors_that_say_what_there_is
    /// B17: the members of an object can be listed.
    members_are_listed
    /// B13: errors keep kind, message, causes and method; a panic is an error.
    errors_arrive_by_name_with_kind_message_and_causes
    /// B18: deep data is an error at the sender, in values too.
    what_is_too_deep_is_an_error_where_it_is_sent
}

every_transport! {
    /// B1, B2: asking twice gives the same object; one that has no interface is no object of one.
    fn what_is_exported_is_found_without_its_interface(setup) {
        let _objects = served(&setup);
        for process in [setup.main(), setup.spawn()] {
            let (unknown, wrong): (CallError, CallError) = ask(&process, "look up", &());
            assert!(matches!(&unknown, CallError::NoSuchExport { root } if root.contains("nothing")), "{unknown:?}");
            let CallError::WrongInterface { root, expected, found } = &wrong else { panic!("{wrong:?}") };
            assert_eq!((&**root, &**expected, &**found), ("module `kit`", "Item", "dynamic Kit"));
        }
    }

    /// B8: a callback that was passed by name is called; so is one that was passed by name to an interface.
    fn a_callback_that_was_passed_by_name_is_called(setup) {
        let objects = served(&setup);
        for process in [setup.main(), setup.spawn()] {
            let heard = heard::<_, (String, i64)>(&process.port(), "heard by name");
            assert_eq!(ask::<usize, _>(&process, "listen", &()), 1);
            assert_eq!(heard.next().1, ("hello".to_owned(), 2));
            ask::<(), _>(&process, "bell by name", &());
            assert_eq!(heard.next().1, ("hello".to_owned(), 0));
            ask::<(), _>(&process, "dynamic body", "members_are_listed");
            assert_eq!(objects.exports.alive().callbacks, 0);
        }
    }

    /// B17: a callback that is called with what it does not take is told to the parent, with where it was made.
    fn a_callback_that_does_not_fit_is_an_error_that_says_so(setup) {
        let _objects = served(&setup);
        let errors = setup.errors();
        for process in [setup.main(), setup.spawn()] {
            let made: String = ask(&process, "listen wrongly", &());
            let (_, error) = errors.next();
            let ProcessError::Child(Trouble::CallbackFailed { made_at, message }) = error else { panic!("{error:?}") };
            assert_eq!(made_at, made);
            assert!(made_at.contains("modules/dynamic.rs:"), "{made_at}");
            assert!(message.contains("expected a string, found the integer 2"), "{message}");
            ask::<(), _>(&process, "dynamic body", "members_are_listed");
        }
    }

    /// B11, B12: functions are passed by name, also to an interface, and called for results of any kind.
    fn a_function_that_was_passed_by_name_is_called_for_its_result(setup) {
        let objects = served(&setup);
        for process in [setup.main(), setup.spawn()] {
            ask::<(), _>(&process, "functions by name", &());
            ask::<(), _>(&process, "dynamic body", "members_are_listed");
            assert_eq!(objects.exports.alive().callbacks, 0);
        }
    }

    /// B17: a callback for a function, the other way round, and a function of other types are errors that say what was expected and found.
    fn a_function_that_does_not_fit_is_an_error_that_says_so(setup) {
        let objects = served(&setup);
        for process in [setup.main(), setup.spawn()] {
            for (error, expected) in ask::<Vec<(String, String)>, _>(&process, "wrong functions by name", &()) {
                assert_eq!(error, expected);
            }
            ask::<(), _>(&process, "functions by name", &());
            assert_eq!(objects.exports.alive().callbacks, 0);
        }
    }
}
