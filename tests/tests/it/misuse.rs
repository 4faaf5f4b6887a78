//! What an application does wrong is an error that says so, and nothing else breaks.

use remote_parent::{EmitError, Process, ProcessError, Trouble};
use tests::objects::Objects;

use crate::harness::{Setup, ask, every_process_transport, every_transport, heard, sync, try_ask};

every_transport! {
    /// A4: a listener in the child that takes another type is reported with the event, what it takes and what came; the others hear it.
    fn a_listener_of_another_type_in_the_child_is_reported(setup) {
        setup.require("misuse");
        setup.require("basics");
        let errors = setup.errors();
        let child = setup.spawn();
        let numbers = heard::<Process, u32>(&child.port(), "typed number");
        let texts = heard::<Process, String>(&child.port(), "typed text");
        child.port().emit("typed", "a text").unwrap();
        assert_eq!(texts.next().1, "a text");
        let (process, error) = errors.next();
        assert_eq!(process, child.id());
        assert!(matches!(error, ProcessError::Child(Trouble::Payload(_))), "{error:?}");
        let error = error.to_string();
        assert!(error.contains("`typed`") && error.contains("u32") && error.contains("a text"), "{error}");
        child.port().emit("typed", &7).unwrap();
        assert_eq!(numbers.next().1, 7);
        assert!(errors.next().1.to_string().contains("String"));
        child.port().emit("typed", &-1).unwrap();
        assert!(errors.take(2).iter().any(|(_, error)| error.to_string().contains("-1")));
        sync(&child);
        numbers.none();
        errors.none();
    }

    /// A4: so is one in the parent.
    fn a_listener_of_another_type_in_the_parent_is_reported(setup) {
        setup.require("ports");
        let errors = setup.errors();
        let child = setup.spawn();
        let numbers = heard::<Process, u32>(&child.port(), "said");
        let texts = heard::<Process, String>(&child.port(), "said");
        ask::<(), _>(&child, "say", &("said", ["a text"]));
        assert_eq!(texts.so_far().len(), 1);
        numbers.none();
        let (process, error) = errors.next();
        assert_eq!(process, child.id());
        assert!(matches!(error, ProcessError::Payload(_)), "{error:?}");
        let error = error.to_string();
        assert!(error.contains("`said`") && error.contains("u32") && error.contains("a text"), "{error}");
        errors.none();
    }

    /// A4: a listener in the child that panics is reported; the others hear the event, and the process lives on.
    fn a_listener_that_panics_in_the_child_is_reported(setup) {
        setup.require("misuse");
        setup.require("basics");
        let errors = setup.errors();
        let child = setup.spawn();
        let survived = heard::<Process, ()>(&child.port(), "survived");
        child.port().emit("explode", &()).unwrap();
        survived.next();
        let panicked =
            Trouble::ListenerPanicked { event: "explode".to_owned(), message: "the listener's own fault".to_owned() };
        assert_eq!(errors.next(), (child.id(), ProcessError::Child(panicked)));
        sync(&child);
    }

    /// A4: so is one in the parent, also one that listens to what comes and goes.
    fn a_listener_that_panics_in_the_parent_is_reported(setup) {
        setup.require("ports");
        let errors = setup.errors();
        let attached = setup.parent().processes().on_attach(|_process| panic!("attach's own fault"));
        let child = setup.spawn();
        let panicked = |event: &str, message: &str| ProcessError::ListenerPanicked {
            event: event.to_owned(),
            message: message.to_owned(),
        };
        assert_eq!(errors.next(), (child.id(), panicked("attach", "attach's own fault")));
        setup.parent().processes().off_attach(attached);
        child.port().on("said", |_process, _: String| panic!("the listener's own fault"));
        let said = heard::<Process, String>(&child.port(), "said");
        ask::<(), _>(&child, "say", &("said", ["one"]));
        assert_eq!(said.so_far().len(), 1);
        assert_eq!(errors.next(), (child.id(), panicked("said", "the listener's own fault")));
        // Also the one that hears of errors.
        setup.parent().processes().on_error(|_process, _error| panic!("the last straw"));
        ask::<(), _>(&child, "say", &("said", ["two"]));
        assert_eq!(said.so_far().len(), 1);
        child.on_detach(|_process, _reason| panic!("detach's own fault"));
        child.close();
        assert!(child.wait(crate::harness::PATIENCE).is_some());
        assert_eq!(errors.take(2)[1], (child.id(), panicked("detach", "detach's own fault")));
    }

    /// B5: an object of a child cannot be sent, which is an error at the caller, and the next call works.
    fn an_object_of_a_child_cannot_be_sent(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("misuse");
        let child = setup.spawn();
        let error = try_ask::<(), _>(&child, "send a stray", &()).unwrap_err();
        assert!(error.contains("`keep`") && error.contains("`Item`"), "{error}");
        drop(objects);
    }

    /// B7: a reference does not travel in an event, which is an error at the sender, and is still good.
    fn a_reference_does_not_travel_in_an_event(setup) {
        let objects = Objects::served(setup.parent());
        setup.require("misuse");
        let child = setup.spawn();
        let error = try_ask::<(), _>(&child, "send a reference in an event", &()).unwrap_err();
        assert!(error.contains("`a reference`"), "{error}");
        assert_eq!(objects.dropped.recv(), Ok("in an event".to_owned()));
        let item = objects.workshop.make("by the parent").unwrap();
        let error = child.port().emit("a reference", &item).unwrap_err();
        assert!(matches!(error, EmitError::Payload(_)), "{error:?}");
        drop(item);
        assert_eq!(objects.dropped.recv(), Ok("by the parent".to_owned()));
    }
}

every_process_transport! {
    /// A20: a child has no children: making a parent there is an error that says so.
    fn a_parent_in_a_child_is_an_error(transport) {
        let setup = Setup::new("a_parent_in_a_child_is_an_error", transport);
        setup.require("misuse");
        let child = setup.spawn();
        let error = try_ask::<(), _>(&child, "new parent", &()).unwrap_err();
        assert!(error.contains("child"), "{error}");
        ask::<(), _>(&setup.main(), "new parent", &());
    }
}
