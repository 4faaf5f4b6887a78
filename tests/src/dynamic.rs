//! Objects that are used by the names of their members, and what has to be true of them wherever they are used from.

use std::sync::{Arc, Mutex, PoisonError};

use remote_object::{
    CallError, Callback, DynamicObject, Function, MemberKind, Remote, RemoteObject, RemoteValue, Report, Value, value,
};

use crate::interfaces::{Bell, Item, Mirror, NumberError, WorkError, Workshop};
use crate::samples::{Nest, Sample};

/// What a body is given.
#[derive(Clone)]
pub struct Stage {
    pub kit: RemoteObject,
    pub workshop: RemoteObject,
    pub mirror: RemoteObject,
    pub failing: RemoteObject,
}

pub type Body = fn(Stage) -> Result<(), CallError>;

/// All of them, by name.
pub const BODIES: &[(&str, Body)] = &[
    ("members_of_every_kind_are_used_by_name", members_of_every_kind_are_used_by_name),
    ("a_property_that_is_set_to_an_object_holds_the_object_itself", property_set_to_an_object),
    ("an_interface_is_used_by_name", an_interface_is_used_by_name),
    ("an_object_is_used_by_name_and_by_its_interface", an_object_is_used_by_name_and_by_its_interface),
    ("an_object_that_is_something_else_is_an_error", an_object_that_is_something_else_is_an_error),
    ("values_travel_by_name_unchanged", values_travel_by_name_unchanged),
    ("references_in_values_stay_what_they_are", references_in_values_stay_what_they_are),
    ("wrong_arguments_are_errors_that_say_what_is_wrong", wrong_arguments_are_errors_that_say_what_is_wrong),
    ("unknown_members_are_errors_that_say_what_there_is", unknown_members_are_errors_that_say_what_there_is),
    ("members_are_listed", members_are_listed),
    ("errors_arrive_by_name_with_kind_message_and_causes", errors_arrive_by_name),
    ("what_is_too_deep_is_an_error_where_it_is_sent", what_is_too_deep_is_an_error_where_it_is_sent),
];

/// An object of the parent without a trait.
pub fn kit() -> DynamicObject {
    let tool = Arc::new(Mutex::new(None::<RemoteObject>));
    let listeners = Arc::new(Mutex::new(Vec::<Callback<(String, i64)>>::new()));
    let (get, kept) = (Arc::clone(&tool), Arc::clone(&tool));
    let (listen, ring) = (Arc::clone(&listeners), Arc::clone(&listeners));
    DynamicObject::new("Kit")
        .method("add", |one: i64, other: i64| -> Result<i64, CallError> { Ok(one + other) })
        .method("count", |list: Vec<u8>, map: Option<Sample>| -> Result<(usize, bool), CallError> {
            Ok((list.len(), map.is_some()))
        })
        .method("echo", |value: RemoteValue| -> Result<RemoteValue, CallError> { Ok(value) })
        .method("fail", |text: String| -> Result<(), WorkError> { Err(WorkError::Number(NumberError { text })) })
        .method("panic", |text: String| -> Result<(), CallError> { panic!("{text}") })
        .method("nest", |depth: usize| -> Result<Nest, CallError> { Ok(Nest::deep(depth)) })
        .method("listen", move |listener: Callback<(String, i64)>| -> Result<(), CallError> {
            listen.lock().unwrap_or_else(PoisonError::into_inner).push(listener);
            Ok(())
        })
        .method("ring", move |text: String, times: i64| -> Result<usize, CallError> {
            let listeners = std::mem::take(&mut *ring.lock().unwrap_or_else(PoisonError::into_inner));
            Ok(listeners.into_iter().filter(|listener| listener.call((text.clone(), times)).is_ok()).count())
        })
        .method("map", |numbers: Vec<i64>, f: Function<i64, i64>| -> Result<Vec<i64>, CallError> {
            numbers.into_iter().map(|number| f.call(number)).collect()
        })
        .method("ask", |f: Function<RemoteValue, RemoteValue>, value: RemoteValue| -> Result<RemoteValue, CallError> {
            f.call(value)
        })
        // Whether the property is the very object.
        .method("is_kept", move |object: RemoteObject| -> Result<bool, CallError> {
            Ok(kept.lock().unwrap_or_else(PoisonError::into_inner).as_ref() == Some(&object))
        })
        .property(
            "tool",
            move || -> Result<Option<RemoteObject>, CallError> {
                Ok(get.lock().unwrap_or_else(PoisonError::into_inner).clone())
            },
            move |object: Option<RemoteObject>| -> Result<(), CallError> {
                let old = std::mem::replace(&mut *tool.lock().unwrap_or_else(PoisonError::into_inner), object);
                drop(old);
                Ok(())
            },
        )
        .read_only("version", || -> Result<u32, CallError> { Ok(3) })
        .function(|text: String| -> Result<usize, CallError> { Ok(text.len()) })
        .constructor(|name: String| -> Result<RemoteObject, CallError> { Ok(counter(&name, 0).into()) })
        .member_constructor("Counter", |start: i64| -> Result<RemoteObject, CallError> {
            Ok(counter("counter", start).into())
        })
}

/// A function that has members.
fn counter(name: &str, start: i64) -> DynamicObject {
    let count = Arc::new(Mutex::new(start));
    let read = Arc::clone(&count);
    let name = name.to_owned();
    DynamicObject::new("Counter")
        .function(move || -> Result<i64, CallError> {
            let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
            *count += 1;
            Ok(*count)
        })
        .read_only("count", move || -> Result<i64, CallError> {
            Ok(*read.lock().unwrap_or_else(PoisonError::into_inner))
        })
        .read_only("name", move || -> Result<String, CallError> { Ok(name.clone()) })
}

fn members_of_every_kind_are_used_by_name(Stage { kit, .. }: Stage) -> Result<(), CallError> {
    assert_eq!(kit.call::<i64>("add", (1, 2))?, 3);
    assert_eq!(kit.call::<i64>("add", [1, 2])?, 3);
    assert_eq!(kit.call::<i64>("add", value!([1, 2]))?, 3);
    assert_eq!(kit.call::<(usize, bool)>("count", ([7_u8; 3].as_slice(), None::<()>))?, (3, false));
    assert_eq!(kit.get::<u32>("version")?, 3);
    assert_eq!(kit.invoke::<usize>(("text",))?, 4);
    let made = kit.construct(("made",))?;
    assert_eq!(made.get::<String>("name")?, "made");
    let counter = kit.construct_member("Counter", (5,))?;
    assert_eq!((counter.invoke::<i64>(())?, counter.invoke::<i64>(())?), (6, 7));
    assert_eq!(counter.get::<i64>("count")?, 7);
    assert_ne!(counter, made);
    Ok(())
}

fn property_set_to_an_object(Stage { kit, workshop, .. }: Stage) -> Result<(), CallError> {
    let item = workshop.construct_member("make", ("saw",))?;
    assert_eq!(kit.get::<Option<RemoteObject>>("tool")?, None);
    kit.set("tool", &item)?;
    assert_eq!(kit.get::<Option<RemoteObject>>("tool")?, Some(item.clone()));
    assert!(kit.call::<bool>("is_kept", (&item,))?);
    assert!(!kit.call::<bool>("is_kept", (&workshop,))?);
    drop(item);
    let kept: RemoteObject = kit.get("tool")?;
    assert_eq!(kept.get::<String>("name")?, "saw");
    assert!(workshop.call::<bool>("is_original", (&kept,))?);
    kit.set("tool", None::<RemoteObject>)
}

fn an_interface_is_used_by_name(Stage { workshop, .. }: Stage) -> Result<(), CallError> {
    assert_eq!(workshop.call::<i64>("add", (1, 2))?, 3);
    // Its only constructor is that of the object itself.
    let saw = workshop.construct(("saw",))?;
    assert_eq!(saw.get::<String>("name")?, "saw");
    let item: Remote<dyn Item> = workshop.construct_member("make", ("hammer",))?.downcast()?;
    assert_eq!(workshop.call::<Vec<bool>>("originals", ((&item, &saw, &item),))?, [true; 3]);
    assert_eq!(workshop.call::<usize>("weigh", (vec![1_u8, 2, 3],))?, 3);
    let kept = workshop.get::<Option<RemoteObject>>("kept")?;
    assert_eq!(kept, None);
    workshop.call::<()>("keep", (&saw,))?;
    assert_eq!(workshop.get::<Option<RemoteObject>>("kept")?, Some(saw));
    workshop.call("let_go", ())
}

fn an_object_is_used_by_name_and_by_its_interface(Stage { workshop, .. }: Stage) -> Result<(), CallError> {
    let typed: Remote<dyn Workshop> = workshop.downcast()?;
    assert_eq!(RemoteObject::from(&typed), workshop);
    let item = typed.make("saw")?;
    let named = RemoteObject::from(&item);
    assert_eq!(named.get::<String>("name")?, "saw");
    assert!(typed.is_original(named.downcast()?)?);
    assert!(workshop.call::<bool>("is_original", (&item,))?);
    assert_eq!(named.downcast::<dyn Item>()?, item);
    Ok(())
}

fn an_object_that_is_something_else_is_an_error(Stage { kit, workshop, .. }: Stage) -> Result<(), CallError> {
    let saw = workshop.construct(("saw",))?;
    let error = saw.downcast::<dyn Mirror>().unwrap_err().to_string();
    assert!(error.contains("expected a `Mirror`, found a `Item`"), "{error}");
    let error = kit.downcast::<dyn Item>().unwrap_err().to_string();
    assert!(error.contains("expected a `Item`, found a `dynamic Kit`"), "{error}");
    kit.set("tool", &saw)?;
    let error = kit.get::<Option<Remote<dyn Bell>>>("tool").unwrap_err().to_string();
    assert!(error.contains("result of `tool`") && error.contains("expected a `Bell`, found a `Item`"), "{error}");
    let error = workshop.call::<bool>("is_original", (&kit,)).unwrap_err().to_string();
    assert!(error.contains("argument 1 (`item`): expected a `Item`, found a `dynamic Kit`"), "{error}");
    kit.set("tool", None::<RemoteObject>)
}

fn values_travel_by_name_unchanged(Stage { kit, mirror, .. }: Stage) -> Result<(), CallError> {
    for sample in Sample::all() {
        let mirrored: [Sample; 3] =
            [mirror.call("sample", (&sample,))?, mirror.call("owned", (&sample,))?, kit.call("echo", (&sample,))?];
        // Equality takes the two zeros for one.
        assert!(mirrored.iter().all(|other| format!("{other:?}") == format!("{sample:?}")));
        assert_eq!(mirror.call::<String>("text", (&sample.text,))?, sample.text);
        assert_eq!(mirror.call::<Vec<u8>>("bytes", (&sample.bytes,))?, sample.bytes);
        assert_eq!(mirror.call::<Vec<u8>>("byte_vec", (&sample.bytes,))?, sample.bytes);
    }
    // A list of numbers will do for bytes.
    assert_eq!(mirror.call::<Vec<u8>>("bytes", ([1, 2, 3],))?, [1, 2, 3]);
    assert_eq!(mirror.call::<Vec<u8>>("byte_vec", (value!([]),))?, []);
    let bits = |nans: &[f64]| nans.iter().map(|nan| nan.to_bits()).collect::<Vec<_>>();
    let nans = Sample::nans();
    assert_eq!(bits(&mirror.call::<Vec<f64>>("nans", (&nans,))?), bits(&nans));
    for written in [
        value!(null),
        value!([i64::MIN, i64::MAX, u64::MAX, -0.0, f64::INFINITY, f64::NEG_INFINITY, "", "Grüße, 世界", true]),
        value!({ "": [], "ключ": {}, "bytes": vec![0_u8, 255], "list": [0, 255] }),
    ] {
        let echoed: Value = kit.call("echo", (&written,))?;
        assert_eq!(format!("{echoed:?}"), format!("{written:?}"));
    }
    assert!(matches!(kit.call("echo", (vec![7_u8; 3],))?, Value::Bytes(bytes) if bytes == [7; 3]));
    mirror.call("nothing", ())
}

fn references_in_values_stay_what_they_are(Stage { kit, workshop, .. }: Stage) -> Result<(), CallError> {
    let saw = workshop.construct(("saw",))?;
    let echoed: RemoteValue = kit.call("echo", (("text", &saw, [Some(&saw), None]),))?;
    assert!(matches!(echoed.value(), Value::List(list) if list.len() == 3));
    let (text, one, list): (String, RemoteObject, Vec<Option<Remote<dyn Item>>>) = echoed.to().expect("it is these");
    assert_eq!((&*text, &one, list.len()), ("text", &saw, 2));
    drop(saw);
    // And once more.
    let again: (String, RemoteObject, (Option<RemoteObject>, ())) = kit.call("echo", (&echoed,))?;
    assert_eq!((&again.1, again.2.0.as_ref()), (&one, Some(&one)));
    assert_eq!(again.1.get::<String>("name")?, "saw");
    Ok(())
}

fn wrong_arguments_are_errors_that_say_what_is_wrong(Stage { kit, workshop, .. }: Stage) -> Result<(), CallError> {
    let check = |error: CallError, expected: &str| {
        assert!(matches!(error, CallError::Arguments { .. } | CallError::Result { .. }), "{error:?}");
        assert_eq!(error.to_string(), expected);
    };
    let error = workshop.construct((3,)).unwrap_err();
    check(error, "arguments of `make`: argument 1 (`name`): expected a string, found the integer 3");
    let error = workshop.call::<i64>("add", (1, 2.5)).unwrap_err();
    check(error, "arguments of `add`: argument 2 (`other`): expected i64, found the number 2.5");
    let error = workshop.call::<i64>("add", (1,)).unwrap_err();
    check(error, "arguments of `add`: expected 2 arguments (`one: i64`, `other: i64`), found 1");
    let error = workshop.call::<()>("let_go", ("now",)).unwrap_err();
    check(error, "arguments of `let_go`: expected no arguments, found 1");
    let error = workshop.call::<bool>("is_original", (7,)).unwrap_err();
    check(error, "arguments of `is_original`: argument 1 (`item`): expected a reference, found the integer 7");
    let error = kit.call::<i64>("add", ("one", 2)).unwrap_err();
    check(error, "arguments of `add`: argument 1: expected i64, found the string \"one\"");
    let error = kit.call::<i64>("add", "one").unwrap_err();
    check(error, "arguments of `add`: expected the arguments as a tuple or a list, found the string \"one\"");
    let error = kit.invoke::<i64>(()).unwrap_err();
    check(error, "arguments of `Kit`: expected 1 argument (`String`), found 0");
    let error = kit.call::<String>("add", (1, 2)).unwrap_err();
    check(error, "result of `add`: expected a string, found the integer 3");
    assert_eq!(kit.call::<i64>("add", (1, 2))?, 3);
    Ok(())
}

fn unknown_members_are_errors_that_say_what_there_is(Stage { kit, workshop, .. }: Stage) -> Result<(), CallError> {
    let check = |error: CallError, expected: &str| {
        assert!(matches!(error, CallError::NoSuchMember { .. }), "{error:?}");
        assert_eq!(error.to_string(), expected);
    };
    check(workshop.call::<()>("ad", (1, 2)).unwrap_err(), "`Workshop` has no method `ad`");
    check(
        workshop.call::<()>("kept", ()).unwrap_err(),
        "`Workshop` has no method `kept`: it is a property that is only read",
    );
    check(workshop.get::<()>("add").unwrap_err(), "`Workshop` has no readable property `add`: it is a method");
    let error = workshop.set("kept", ()).unwrap_err();
    check(error, "`Workshop` has no writable property `kept`: it is a property that is only read");
    check(workshop.invoke::<()>(()).unwrap_err(), "`Workshop` has no function of its own");
    check(kit.construct_member("add", ()).unwrap_err(), "`Kit` has no constructor `add`: it is a method");
    check(
        kit.set("version", 4).unwrap_err(),
        "`Kit` has no writable property `version`: it is a property that is only read",
    );
    let saw = workshop.construct(("saw",))?;
    check(saw.construct(()).unwrap_err(), "`Item` has no constructor of its own");
    Ok(())
}

fn members_are_listed(Stage { kit, workshop, .. }: Stage) -> Result<(), CallError> {
    let members = kit.members()?;
    assert_eq!(members.name, "Kit");
    let kind = |name: &str| members.get(name).map(|member| member.kind);
    assert_eq!(kind("add"), Some(MemberKind::Method));
    assert_eq!(kind("tool"), Some(MemberKind::Property { readable: true, writable: true }));
    assert_eq!(kind("version"), Some(MemberKind::Property { readable: true, writable: false }));
    assert_eq!(kind("Counter"), Some(MemberKind::Constructor));
    let own: Vec<_> = members.list.iter().filter(|member| member.name.is_empty()).map(|member| member.kind).collect();
    assert_eq!(own, [MemberKind::Function, MemberKind::Constructor]);
    assert_eq!(
        members.get("add").map(|member| member.arguments.as_slice()),
        Some(&["i64".to_owned(), "i64".to_owned()][..])
    );
    let members = workshop.members()?;
    assert_eq!(members.name, "Workshop");
    let kept = members.get("kept").expect("it is there");
    assert_eq!(kept.kind, MemberKind::Property { readable: true, writable: false });
    let make = members.get("make").expect("it is there");
    assert_eq!((make.kind, make.arguments.as_slice()), (MemberKind::Constructor, &["name: &str".to_owned()][..]));
    Ok(())
}

fn errors_arrive_by_name(Stage { kit, failing, .. }: Stage) -> Result<(), CallError> {
    let report = |outcome: Result<(), CallError>| -> Report {
        match outcome {
            Err(CallError::Failed(report)) => report,
            other => panic!("{other:?}"),
        }
    };
    for (failed, method) in
        [(kit.call("fail", ("ten",)), "fail"), (failing.call("caused_error", ("ten",)), "caused_error")]
    {
        let report = report(failed);
        assert_eq!((&*report.kind, &*report.message, &*report.method), ("WorkError", "a broken number", method));
        assert_eq!(report.causes, ["`ten` is no number"]);
    }
    let reported = report(failing.call("reported_error", ("ten",)));
    assert_eq!((&*reported.kind, &*reported.method), ("OrderError", "reported_error"));
    assert_eq!(reported.causes, ["line 1 is broken", "invalid digit found in string"]);
    assert_eq!(failing.call::<i64>("caused_error", ("10",))?, 10);
    for (object, method) in [(&kit, "panic"), (&failing, "panics")] {
        let panicked = object.call::<()>(method, ("the saw slipped",)).unwrap_err();
        let CallError::Panicked { method: named, message, .. } = &panicked else { panic!("{panicked:?}") };
        assert_eq!((&**named, &**message), (method, "the saw slipped"));
    }
    assert_eq!(failing.call::<u32>("succeeds", ())?, 7);
    Ok(())
}

fn what_is_too_deep_is_an_error_where_it_is_sent(Stage { kit, workshop, .. }: Stage) -> Result<(), CallError> {
    let error = workshop.call::<usize>("depth", (Nest::deep(1000),)).unwrap_err();
    assert!(
        matches!(&error, CallError::Arguments { method, reason } if method == "depth" && reason.contains("levels deep")),
        "{error:?}"
    );
    assert_eq!(workshop.call::<usize>("depth", (Nest::deep(25),))?, 25);
    // Made by hand, level by level.
    let deep = (0..100).fold(Value::Null, |inner, _| Value::List(vec![inner]));
    let error = kit.call::<Value>("echo", (deep,)).unwrap_err();
    assert!(
        matches!(&error, CallError::Arguments { method, reason } if method == "echo" && reason.contains("levels deep")),
        "{error:?}"
    );
    let error = kit.call::<Value>("nest", (1000,)).unwrap_err();
    assert!(
        matches!(&error, CallError::Result { method, reason } if method == "nest" && reason.contains("levels deep")),
        "{error:?}"
    );
    assert_eq!(kit.call::<Nest>("nest", (25,))?, Nest::deep(25));
    Ok(())
}
