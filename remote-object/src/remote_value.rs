use std::fmt;

use remote_protocol::value::Value;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::scope::{self, Arrival};

/// A [`Value`] together with what it refers to: the objects and callbacks in it stay what they are, wherever it goes in calls.
///
/// It is what to ask for, or to take as an argument, where the type is not known beforehand.
#[derive(Clone)]
pub struct RemoteValue {
    value: Value,
    /// By the indices in `value`.
    arrivals: Vec<Arrival>,
}

impl RemoteValue {
    /// The value; its indices mean nothing elsewhere.
    #[must_use]
    pub const fn value(&self) -> &Value {
        &self.value
    }

    /// Makes of it whatever it describes.
    ///
    /// # Errors
    ///
    /// What was expected and what was found.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T, String> {
        scope::from_value(&self.value, self.arrivals.clone())
    }
}

impl fmt::Debug for RemoteValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl Serialize for RemoteValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut value = self.value.clone();
        let sent = each_reference(&mut value, &mut |index| {
            let arrival = usize::try_from(index).ok().and_then(|index| self.arrivals.get(index));
            let arrival = arrival.ok_or("a reference to nothing")?;
            Ok(scope::send_arrival(arrival)?.index)
        });
        sent.map_err(serde::ser::Error::custom)?;
        value.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RemoteValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut value = Value::deserialize(deserializer)?;
        let mut arrivals = Vec::new();
        let received = each_reference(&mut value, &mut |index| {
            arrivals.push(scope::receive_arrival(index)?);
            u32::try_from(arrivals.len() - 1).map_err(|_| "too many references".to_owned())
        });
        received.map_err(serde::de::Error::custom)?;
        Ok(Self { value, arrivals })
    }
}

/// Gives each reference in a value another index. A value that was decoded is not deep.
fn each_reference(value: &mut Value, map: &mut impl FnMut(u32) -> Result<u32, String>) -> Result<(), String> {
    match value {
        Value::Object(index) | Value::Function(index) | Value::Buffer(index) => {
            *index = map(*index)?;
            Ok(())
        }
        Value::List(values) => values.iter_mut().try_for_each(|value| each_reference(value, map)),
        Value::Map(entries) => entries.iter_mut().try_for_each(|(_, value)| each_reference(value, map)),
        _ => Ok(()),
    }
}
