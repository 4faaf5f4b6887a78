//! What events carry. What calls carry is among the objects.

use remote_object::Value;
use tests::samples::Sample;

use crate::harness::{ask, every_transport};

every_transport! {
    /// B4: values of all kinds arrive as they were, read by their type and read as what describes itself.
    fn values_of_all_kinds_travel_in_events_unchanged(setup) {
        setup.require("basics");
        for process in [setup.main(), setup.spawn()] {
            for sample in Sample::all() {
                // Equality takes the two zeros for one.
                let written = format!("{sample:?}");
                assert_eq!(format!("{:?}", ask::<Sample, _>(&process, "echo sample", &sample)), written);
                assert_eq!(format!("{:?}", ask::<Sample, _>(&process, "echo value", &sample)), written);
            }
        }
    }

    /// B4: a value that describes itself is told as it is.
    fn values_that_describe_themselves_keep_their_kind(setup) {
        setup.require("basics");
        let child = setup.spawn();
        let values = [
            Value::Null,
            Value::Bool(true),
            Value::I64(i64::MIN),
            Value::U64(u64::MAX),
            Value::F64(1.0),
            Value::String(String::new()),
            Value::Bytes(vec![0, 255]),
            Value::List(vec![Value::Null, Value::List(vec![])]),
            Value::Map(vec![("b".to_owned(), Value::I64(1)), ("a".to_owned(), Value::Null)]),
        ];
        for value in values {
            let echo: Value = ask(&child, "echo value", &value);
            assert_eq!(format!("{echo:?}"), format!("{value:?}"));
        }
    }

    /// B4: NaNs keep their sign and their payload.
    fn nans_travel_in_events_unchanged(setup) {
        setup.require("basics");
        let child = setup.spawn();
        let bits = |nans: &[f64]| nans.iter().map(|nan| nan.to_bits()).collect::<Vec<_>>();
        let nans = Sample::nans();
        assert_eq!(bits(&ask::<Vec<f64>, _>(&child, "echo nans", &nans)), bits(&nans));
        assert_eq!(bits(&ask::<Vec<f64>, _>(&child, "echo value", &nans)), bits(&nans));
    }
}
