//! What travels.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use remote_protocol::call::CallError;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::callback::Callback;
use crate::remote::Remote;

#[remote_object::interface]
pub(crate) trait Thing: Send + Sync {
    fn number(&self) -> Result<u32, CallError>;
}

/// What a method is given or gives.
pub(crate) type Load = Odd<(Vec<Remote<dyn Thing>>, Vec<Callback<Load2>>)>;
/// What a callback is given.
pub(crate) type Load2 = Odd<(Vec<Remote<dyn Thing>>, ())>;

#[remote_object::interface]
pub(crate) trait Factory: Send + Sync {
    fn make(&self, count: u8) -> Result<Vec<Remote<dyn Thing>>, CallError>;
    /// All that are kept, several times, in something odd perhaps.
    fn kept(&self, times: u8) -> Result<Odd<Vec<Remote<dyn Thing>>>, CallError>;
    fn keep(&self, load: Load) -> Result<(), CallError>;
    /// Fails with an error that carries what it was given, and what is kept.
    fn fail(&self, load: Load) -> Result<(), Failure>;
}

/// The same interface in a newer version: it has a method that the parent does not know.
pub(crate) mod newer {
    use super::*;

    #[remote_object::interface]
    pub(crate) trait Factory: Send + Sync {
        fn unknown(&self, load: Load) -> Result<Vec<Remote<dyn Thing>>, CallError>;
    }
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
pub(crate) enum Failure {
    #[error("failed as it should")]
    Failed(Odd<Vec<Remote<dyn Thing>>>),
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Something in whose encoding or decoding it goes wrong, after all that it holds.
#[derive(Clone, Debug)]
pub(crate) struct Odd<T> {
    pub(crate) inner: T,
    pub(crate) oddity: Oddity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Oddity {
    None,
    FailsToEncode,
    PanicsToEncode,
    FailsToDecode,
}

impl<T: Serialize> Serialize for Odd<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct End(Oddity);
        impl Serialize for End {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self.0 {
                    Oddity::FailsToEncode => Err(serde::ser::Error::custom("it does not want to be encoded")),
                    // Without the noise of a panic's hook.
                    Oddity::PanicsToEncode => std::panic::resume_unwind(Box::new(PANIC)),
                    oddity => oddity.serialize(serializer),
                }
            }
        }
        (&self.inner, End(self.oddity)).serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Odd<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (inner, oddity) = Deserialize::deserialize(deserializer)?;
        match oddity {
            Oddity::FailsToDecode => Err(serde::de::Error::custom("it does not want to be decoded")),
            oddity => Ok(Self { inner, oddity }),
        }
    }
}

/// What encoding panics with.
pub(crate) const PANIC: &str = "it panics when it is encoded";

/// How often each thing was dropped.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<BTreeMap<u32, u32>>);

impl Ledger {
    /// Every thing there ever was.
    pub(crate) fn things(&self) -> BTreeMap<u32, u32> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn make(self: &Arc<Self>) -> Arc<dyn Thing> {
        let mut things = self.0.lock().unwrap();
        let number = u32::try_from(things.len()).unwrap();
        things.insert(number, 0);
        Arc::new(Counted { number, ledger: Arc::clone(self) })
    }
}

struct Counted {
    number: u32,
    ledger: Arc<Ledger>,
}

impl Thing for Counted {
    fn number(&self) -> Result<u32, CallError> {
        Ok(self.number)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        *self.ledger.0.lock().unwrap().entry(self.number).or_default() += 1;
    }
}

/// The parent's exported object, and all that the parent keeps.
#[derive(Default)]
pub(crate) struct Works {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) things: Mutex<Vec<Remote<dyn Thing>>>,
    pub(crate) callbacks: Mutex<Vec<Callback<Load2>>>,
    /// What is odd about the next result.
    pub(crate) oddity: Mutex<Option<Oddity>>,
}

impl Works {
    fn all(&self, times: u8) -> Odd<Vec<Remote<dyn Thing>>> {
        let things = self.things.lock().unwrap();
        let inner = (0..times).flat_map(|_| things.iter().cloned()).collect();
        Odd { inner, oddity: self.oddity.lock().unwrap().take().unwrap_or(Oddity::None) }
    }
}

impl Factory for Works {
    fn make(&self, count: u8) -> Result<Vec<Remote<dyn Thing>>, CallError> {
        Ok((0..count).map(|_| Remote::new(self.ledger.make())).collect())
    }

    fn kept(&self, times: u8) -> Result<Odd<Vec<Remote<dyn Thing>>>, CallError> {
        Ok(self.all(times))
    }

    fn keep(&self, load: Load) -> Result<(), CallError> {
        let (things, callbacks) = load.inner;
        self.things.lock().unwrap().extend(things);
        self.callbacks.lock().unwrap().extend(callbacks);
        Ok(())
    }

    fn fail(&self, load: Load) -> Result<(), Failure> {
        let mut all = self.all(1);
        all.inner.extend(load.inner.0);
        Err(Failure::Failed(all))
    }
}

/// The number of an object that is a thing.
pub(crate) fn number(object: &Arc<dyn crate::object::Object>) -> Option<u32> {
    let exported = object.as_any().downcast_ref::<crate::object::Exported<dyn Thing>>()?;
    exported.0.number().ok()
}
