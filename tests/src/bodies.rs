//! What has to be true of objects wherever they are used from: each of these runs on the objects themselves, in the main process's
//! own modules, and in children.

use std::error::Error;
use std::thread;

use remote_object::{CallError, Remote};

use crate::interfaces::{Failing, Item, Mirror, NumberError, WorkError, Workshop};
use crate::samples::Sample;
use crate::shapes::{self, Shapes};

/// What a body is given.
#[derive(Clone, Copy)]
pub struct Stage<'a> {
    pub workshop: &'a dyn Workshop,
    pub mirror: &'a dyn Mirror,
    pub failing: &'a dyn Failing,
    pub shapes: &'a dyn Shapes,
}

pub type Body = fn(Stage<'_>) -> Result<(), CallError>;

/// All of them, by name.
pub const BODIES: &[(&str, Body)] = &[
    ("values_of_all_kinds_travel_unchanged", values_of_all_kinds_travel_unchanged),
    ("nans_keep_sign_and_payload", nans_keep_sign_and_payload),
    ("an_object_passed_back_arrives_as_the_original", an_object_passed_back_arrives_as_the_original),
    ("two_getters_for_one_thing_give_equal_objects", two_getters_for_one_thing_give_equal_objects),
    ("objects_are_used_from_many_threads_at_once", objects_are_used_from_many_threads_at_once),
    ("an_error_arrives_as_the_type_it_is", an_error_arrives_as_the_type_it_is),
    ("a_report_keeps_kind_message_and_causes", a_report_keeps_kind_message_and_causes),
    ("interfaces_of_all_shapes_are_called", |stage| shapes::use_all(stage.shapes)),
];

fn values_of_all_kinds_travel_unchanged(stage: Stage<'_>) -> Result<(), CallError> {
    let Stage { mirror, .. } = stage;
    for sample in Sample::all() {
        let mirrored = [mirror.sample(&sample)?, mirror.owned(sample.clone())?];
        // Equality takes the two zeros for one.
        assert!(mirrored.iter().all(|other| format!("{other:?}") == format!("{sample:?}")));
        assert_eq!(mirror.text(&sample.text)?, sample.text);
        assert_eq!(mirror.bytes(&sample.bytes)?, sample.bytes);
        assert_eq!(mirror.byte_vec(sample.bytes.clone())?, sample.bytes);
    }
    assert_eq!(mirror.text("")?, "");
    assert_eq!(mirror.bytes(&[])?, []);
    assert_eq!(mirror.extremes(i64::MIN, u64::MAX, u128::MAX)?, (i64::MIN, u64::MAX, u128::MAX));
    mirror.nothing()
}

fn nans_keep_sign_and_payload(stage: Stage<'_>) -> Result<(), CallError> {
    let bits = |nans: &[f64]| nans.iter().map(|nan| nan.to_bits()).collect::<Vec<_>>();
    let nans = Sample::nans();
    assert_eq!(bits(&stage.mirror.nans(&nans)?), bits(&nans));
    Ok(())
}

fn an_object_passed_back_arrives_as_the_original(stage: Stage<'_>) -> Result<(), CallError> {
    let Stage { workshop, .. } = stage;
    let item = workshop.make("boomerang")?;
    assert_eq!(item.name()?, "boomerang");
    assert!(workshop.is_original(item.clone())?);
    // Also when it has been nothing but an `Arc` meanwhile.
    let plain = Remote::into_arc(item);
    assert!(workshop.is_original(Remote::new(plain.clone()))?);
    assert!(workshop.is_original(Remote::from(plain.clone()))?);
    // Several, the same one twice.
    let other = workshop.make("other")?;
    assert_eq!(workshop.originals(vec![Remote::new(plain), other.clone(), other])?, [true; 3]);
    Ok(())
}

fn two_getters_for_one_thing_give_equal_objects(stage: Stage<'_>) -> Result<(), CallError> {
    let Stage { workshop, .. } = stage;
    assert!(workshop.kept()?.is_none());
    let item = workshop.make("kept")?;
    workshop.keep(item.clone())?;
    assert_eq!(workshop.kept()?, Some(item.clone()));
    assert_eq!(workshop.kept()?, workshop.kept()?);
    assert_ne!(item, workshop.make("another")?);
    drop(item);
    assert_eq!(workshop.kept()?.map(|kept| kept.name()), Some(Ok("kept".to_owned())));
    workshop.let_go()
}

fn objects_are_used_from_many_threads_at_once(stage: Stage<'_>) -> Result<(), CallError> {
    let Stage { workshop, .. } = stage;
    let shared = workshop.make("shared")?;
    let shared = &shared;
    // More than there are lanes.
    let results: Vec<Result<(), CallError>> = thread::scope(|scope| {
        let threads: Vec<_> =
            (0..24).map(|number| scope.spawn(move || use_objects(workshop, shared, number))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no assertion failed")).collect()
    });
    results.into_iter().collect()
}

fn use_objects(workshop: &dyn Workshop, shared: &Remote<dyn Item>, number: i64) -> Result<(), CallError> {
    for round in 0..20 {
        assert_eq!(workshop.add(number, round)?, number + round);
        let own = workshop.make(&format!("item {number} {round}"))?;
        assert!(workshop.is_original(own)?);
        assert!(workshop.is_original(shared.clone())?);
    }
    Ok(())
}

fn an_error_arrives_as_the_type_it_is(stage: Stage<'_>) -> Result<(), CallError> {
    let Stage { failing, .. } = stage;
    assert_eq!(failing.own_error("saw"), Err(WorkError::NoTool { tool: "saw".to_owned() }));
    let cause = NumberError { text: "ten".to_owned() };
    let error = failing.caused_error("ten").expect_err("ten is no number");
    assert_eq!(error.source().map(ToString::to_string), Some(cause.to_string()));
    assert_eq!(error, WorkError::Number(cause));
    assert_eq!(failing.caused_error("10"), Ok(10));
    Ok(())
}

fn a_report_keeps_kind_message_and_causes(stage: Stage<'_>) -> Result<(), CallError> {
    let Err(CallError::Failed(report)) = stage.failing.reported_error("ten") else { panic!("ten was a number") };
    assert_eq!((&*report.kind, &*report.message), ("OrderError", "the order cannot be read"));
    assert_eq!(report.causes, ["line 1 is broken", "invalid digit found in string"]);
    assert_eq!(stage.failing.reported_error("10"), Ok(10));
    Ok(())
}
