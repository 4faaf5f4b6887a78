//! Containing panics of application code, so that they end neither a loop nor a lane.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `code`, which is the application's, and gives its result or, if it panics, what the panic said.
///
/// The application's data may be left half changed, as always when a panic is caught; ours is not in reach of `code`.
///
/// # Errors
///
/// The panic's message.
pub fn contain<R>(code: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(code)).map_err(|panic| message(panic.as_ref()).to_owned())
}

fn message(panic: &(dyn Any + Send)) -> &str {
    if let Some(text) = panic.downcast_ref::<&str>() {
        text
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text
    } else {
        "a panic without a message"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(contain(|| 7), Ok(7));
        assert_eq!(contain(|| -> u32 { panic!("it is {}", 3) }), Err("it is 3".to_owned()));
        assert_eq!(contain(|| -> u32 { panic!("plain") }), Err("plain".to_owned()));
        assert_eq!(contain(|| -> u32 { std::panic::panic_any(1) }), Err("a panic without a message".to_owned()));
    }
}
