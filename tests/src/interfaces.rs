//! What the processes call each other by.

use std::num::ParseIntError;

use remote_object::{CallError, Callback, Remote, interface};
use serde::{Deserialize, Serialize};

use crate::samples::{Nest, Sample};

/// Makes items, and knows those it made.
#[interface]
pub trait Workshop: Send + Sync {
    #[remote(constructor)]
    fn make(&self, name: &str) -> Result<Remote<dyn Item>, CallError>;
    /// Whether it is the very item that was made under its name.
    fn is_original(&self, item: Remote<dyn Item>) -> Result<bool, CallError>;
    fn originals(&self, items: Vec<Remote<dyn Item>>) -> Result<Vec<bool>, CallError>;
    fn keep(&self, item: Remote<dyn Item>) -> Result<(), CallError>;
    #[remote(property)]
    fn kept(&self) -> Result<Option<Remote<dyn Item>>, CallError>;
    fn let_go(&self) -> Result<(), CallError>;
    fn add(&self, one: i64, other: i64) -> Result<i64, CallError>;
    /// The thread that serves this call.
    fn thread(&self) -> Result<String, CallError>;
    /// Puts a mark into the parent's log.
    fn mark(&self, text: &str) -> Result<(), CallError>;
    /// Makes an item, but waits at a gate first.
    fn make_at(&self, gate: &str, name: &str) -> Result<Remote<dyn Item>, CallError>;
    /// Gives an item back, but waits at a gate first.
    fn lend_at(&self, gate: &str, item: Remote<dyn Item>) -> Result<(), CallError>;
    fn weigh(&self, load: &[u8]) -> Result<usize, CallError>;
    fn load(&self, bytes: u64) -> Result<Vec<u8>, CallError>;
    fn depth(&self, nest: &Nest) -> Result<usize, CallError>;
}

/// Something a workshop made. It tells when it is dropped.
#[interface]
pub trait Item: Send + Sync {
    #[remote(property)]
    fn name(&self) -> Result<String, CallError>;
}

/// Gives back what it is given.
#[interface]
pub trait Mirror: Send + Sync {
    fn sample(&self, sample: &Sample) -> Result<Sample, CallError>;
    fn owned(&self, sample: Sample) -> Result<Sample, CallError>;
    fn nans(&self, nans: &[f64]) -> Result<Vec<f64>, CallError>;
    fn text(&self, text: &str) -> Result<String, CallError>;
    fn bytes(&self, bytes: &[u8]) -> Result<Vec<u8>, CallError>;
    fn byte_vec(&self, bytes: Vec<u8>) -> Result<Vec<u8>, CallError>;
    fn extremes(&self, low: i64, high: u64, wide: u128) -> Result<(i64, u64, u128), CallError>;
    fn nothing(&self) -> Result<(), CallError>;
}

/// Fails in all ways.
#[interface]
pub trait Failing: Send + Sync {
    fn own_error(&self, tool: &str) -> Result<u32, WorkError>;
    fn caused_error(&self, text: &str) -> Result<i64, WorkError>;
    fn reported_error(&self, text: &str) -> Result<i64, CallError>;
    fn panics(&self, text: &str) -> Result<u32, WorkError>;
    fn succeeds(&self) -> Result<u32, WorkError>;
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum WorkError {
    #[error("there is no tool `{tool}`")]
    NoTool { tool: String },
    #[error("a broken number")]
    Number(#[source] NumberError),
    #[error(transparent)]
    Call(#[from] CallError),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("`{text}` is no number")]
pub struct NumberError {
    pub text: String,
}

/// An error that does not travel as it is.
#[derive(Debug, thiserror::Error)]
#[error("the order cannot be read")]
pub struct OrderError(#[source] pub LineError);

#[derive(Debug, thiserror::Error)]
#[error("line {line} is broken")]
pub struct LineError {
    pub line: u32,
    #[source]
    pub cause: ParseIntError,
}

/// Keeps callbacks.
#[interface]
pub trait Bell: Send + Sync {
    fn add(&self, listener: Callback<String>) -> Result<(), CallError>;
    /// Whether it was there; by its identity.
    fn remove(&self, listener: Callback<String>) -> Result<bool, CallError>;
    fn clear(&self) -> Result<(), CallError>;
    fn ring(&self, text: &str) -> Result<usize, CallError>;
    /// Calls it by and by, with events of the process in between.
    fn mix(&self, listener: Callback<String>) -> Result<(), CallError>;
    /// Calls it with an item.
    fn deliver(&self, listener: Callback<Remote<dyn Item>>) -> Result<(), CallError>;
    /// Calls it with that many bytes, and says what came of it.
    fn flood(&self, listener: Callback<Vec<u8>>, bytes: u64) -> Result<Option<String>, CallError>;
    /// Tries to send a callback back.
    fn echo(&self, listener: Callback<String>) -> Result<Callback<String>, CallError>;
}

/// An interface in two versions, as an old and a new program would have it.
pub mod stock {
    pub mod old {
        use remote_object::{CallError, Callback, interface};
        use serde::{Deserialize, Serialize};

        #[interface]
        pub trait Stock: Send + Sync {
            fn audit(&self, auditor: Callback<u32>) -> Result<(), CallError>;
            fn count(&self, article: &str) -> Result<u32, CallError>;
            fn price(&self, article: &str) -> Result<u32, CallError>;
            fn take(&self, article: &str) -> Result<u32, StockError>;
        }

        #[derive(Debug, thiserror::Error, Serialize, Deserialize)]
        pub enum StockError {
            #[error(transparent)]
            Call(#[from] CallError),
        }
    }

    pub mod new {
        use remote_object::{CallError, Function, interface};
        use serde::{Deserialize, Serialize};

        #[interface]
        pub trait Stock: Send + Sync {
            /// Nobody waited for what it says once.
            fn audit(&self, auditor: Function<u32, bool>) -> Result<(), CallError>;
            fn take(&self, article: &str) -> Result<u32, StockError>;
            fn reserve(&self, article: &str, count: u32) -> Result<(), CallError>;
            /// It counted in other units once.
            fn price(&self, article: &str) -> Result<f64, CallError>;
            fn count(&self, article: &str) -> Result<u32, CallError>;
        }

        #[derive(Debug, thiserror::Error, Serialize, Deserialize)]
        pub enum StockError {
            #[error(transparent)]
            Call(#[from] CallError),
            #[error("`{article}` is sold out")]
            SoldOut {
                article: String,
                #[source]
                cause: super::super::NumberError,
            },
        }
    }
}
