//! Interfaces that are older or newer on the other side.

use remote_object::CallError;
use tests::objects::Objects;

use crate::harness::{ask, every_transport};

every_transport! {
    /// B13: a method that the other side does not have yet, or has with another signature, is an error that names the interface; the others work.
    fn a_method_that_is_too_new_is_an_error_and_the_others_work(setup) {
        let _objects = Objects::served(setup.parent());
        setup.require("objects");
        let child = setup.spawn();
        let errors: [CallError; 3] = ask(&child, "new on old", &());
        for error in errors {
            assert!(matches!(&error, CallError::NoSuchMethod { interface, .. } if interface == "Stock"), "{error:?}");
        }
    }

    /// B13: of an error whose type the caller has differently, kind, message, causes and method arrive.
    fn an_error_of_a_newer_type_arrives_as_a_report(setup) {
        let _objects = Objects::served(setup.parent());
        setup.require("objects");
        let child = setup.spawn();
        let (taken, audited): (CallError, CallError) = ask(&child, "old on new", &());
        assert!(matches!(&audited, CallError::NoSuchMethod { interface, .. } if interface == "Stock"), "{audited:?}");
        let CallError::Failed(report) = taken else { panic!("{taken:?}") };
        assert_eq!((&*report.kind, &*report.message), ("StockError", "`nail` is sold out"));
        assert_eq!((report.causes, &*report.method), (vec!["`0` is no number".to_owned()], "take"));
    }
}
