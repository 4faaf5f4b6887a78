//! Containing panics of application code, so that they end neither a loop nor a lane.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use std::thread;

/// Runs `code`, which is the application's, and gives its result or, if it panics, what the panic said.
///
/// The application's data may be left half changed, as always when a panic is caught; ours is not in reach of `code`.
///
/// # Errors
///
/// The panic's message.
pub fn contain<R>(code: impl FnOnce() -> R) -> Result<R, String> {
    panic::catch_unwind(AssertUnwindSafe(code)).map_err(message)
}

/// [`contain`], and tells where in the source the panic was.
///
/// Only the panic hook knows the place. So the first time, this puts a hook of its own before the one that is set, which it calls. The place
/// stays unknown where an application has set another hook since.
///
/// # Errors
///
/// The panic's message and place.
pub fn contain_and_locate<R>(code: impl FnOnce() -> R) -> Result<R, Panic> {
    note_places();
    // What surrounds this may be locating a panic, too: this can run in a destructor.
    let outer = PLACE.take();
    let result = panic::catch_unwind(AssertUnwindSafe(code));
    let location = PLACE.replace(outer);
    result.map_err(|panic| Panic { message: message(panic), location })
}

/// A panic that was contained.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Panic {
    /// What it said.
    pub message: String,
    /// `file:line:column`, if that is known.
    pub location: Option<String>,
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.location.as_ref().map_or(Ok(()), |location| write!(f, ", at {location}"))
    }
}

#[inline]
fn note_places() {
    if !NOTING.is_completed() {
        begin_to_note_places();
    }
}

#[cold]
fn begin_to_note_places() {
    // A thread that panics cannot set a hook.
    if thread::panicking() {
        return;
    }
    NOTING.call_once(|| {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            // Fails only at the end of a thread.
            let _ = PLACE.try_with(|place| place.set(info.location().map(ToString::to_string)));
            hook(info);
        }));
    });
}

static NOTING: Once = Once::new();

thread_local! {
    /// Where this thread panicked last.
    static PLACE: Cell<Option<String>> = const { Cell::new(None) };
}

fn message(panic: Box<dyn Any + Send>) -> String {
    let text = if let Some(text) = panic.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without a message".to_owned()
    };
    // It may be anything, and panic when it is dropped; then what that panics with is left alone.
    if let Err(another) = panic::catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(another);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(contain(|| 7), Ok(7));
        assert_eq!(contain(|| -> u32 { panic!("it is {}", 3) }), Err("it is 3".to_owned()));
        assert_eq!(contain(|| -> u32 { panic!("plain") }), Err("plain".to_owned()));
        assert_eq!(contain(|| -> u32 { panic::panic_any(1) }), Err("a panic without a message".to_owned()));
    }

    #[test]
    fn a_panic_is_located() {
        let line = line!() + 1;
        let panic = contain_and_locate(|| -> u32 { panic!("it is {}", 3) }).unwrap_err();
        let here = format!("{}:{line}:", file!());
        assert_eq!(panic.message, "it is 3");
        assert!(panic.location.as_ref().is_some_and(|place| place.starts_with(&here)), "{panic}");
    }

    #[test]
    fn a_panic_within_another_leaves_its_place_alone() {
        struct Clumsy;
        impl Drop for Clumsy {
            fn drop(&mut self) {
                assert!(contain_and_locate(|| panic!("inner")).is_err());
            }
        }
        let line = line!() + 3;
        let panic = contain_and_locate(|| -> u32 {
            let _clumsy = Clumsy;
            panic!("outer")
        });
        let Panic { message, location } = panic.unwrap_err();
        assert_eq!(message, "outer");
        assert!(location.is_some_and(|place| place.contains(&format!(":{line}:"))));
    }

    #[test]
    fn what_was_located_before_is_not_told_again() {
        assert!(contain_and_locate(|| panic!("one")).is_err());
        let resumed = contain_and_locate(|| -> u32 { panic::resume_unwind(Box::new("two")) });
        assert_eq!(resumed, Err(Panic { message: "two".to_owned(), location: None }));
    }

    #[test]
    fn a_payload_that_panics_when_dropped_is_contained() {
        struct Nasty;
        impl Drop for Nasty {
            fn drop(&mut self) {
                panic::panic_any(Self);
            }
        }
        assert!(contain(|| panic::panic_any(Nasty)).is_err());
    }
}
