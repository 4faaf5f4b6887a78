//! What the loop thread is in the midst of. It waits in calls, runs functions meanwhile, and these wait in calls again.

use std::cell::{Cell, RefCell};

use remote_protocol::id::{CallId, InvocationId};

/// The functions that run on the loop thread, and the calls it waits for: each one within the one before it.
#[derive(Default)]
pub(crate) struct Nesting {
    /// Innermost last; `None` for a function that another thread of this process called.
    functions: RefCell<Vec<Option<InvocationId>>>,
    /// How many functions have begun, ever.
    begun: Cell<u64>,
    /// Innermost last, each with its return, if that came while something within was waited for.
    awaited: RefCell<Vec<(CallId, Option<Vec<u8>>)>>,
}

impl Nesting {
    /// A function begins, within less than `limit` others; it ends when what this gives is dropped.
    pub(crate) fn begin(&self, invocation: Option<InvocationId>, limit: usize) -> Result<Running<'_>, TooDeep> {
        let mut functions = self.functions.borrow_mut();
        if functions.len() >= limit {
            return Err(TooDeep { limit });
        }
        functions.push(invocation);
        self.begun.set(self.begun.get().wrapping_add(1));
        Ok(Running { nesting: self })
    }

    /// The innermost function that the parent waits for: what the loop thread calls now, that thread of the parent serves.
    pub(crate) fn invocation(&self) -> Option<InvocationId> {
        self.functions.borrow().iter().rev().find_map(|function| *function)
    }

    pub(crate) fn is_in_function(&self) -> bool {
        !self.functions.borrow().is_empty()
    }

    /// How many functions have begun, ever: where it has changed, what is waited for may have come meanwhile.
    pub(crate) const fn begun(&self) -> u64 {
        self.begun.get()
    }

    /// The return of a call is waited for, until what this gives is dropped.
    pub(crate) fn wait_for(&self, call: CallId) -> Awaited<'_> {
        self.awaited.borrow_mut().push((call, None));
        Awaited { nesting: self, call }
    }

    /// Keeps the return of a call that is waited for further out. `false` when there is none such.
    pub(crate) fn keep(&self, call: CallId, message: &[u8]) -> bool {
        let mut awaited = self.awaited.borrow_mut();
        let Some((_, early)) = awaited.iter_mut().find(|(other, _)| *other == call) else { return false };
        *early = Some(message.to_owned());
        true
    }
}

/// A function that runs.
pub(crate) struct Running<'a> {
    nesting: &'a Nesting,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.nesting.functions.borrow_mut().pop();
    }
}

/// A call that is waited for.
pub(crate) struct Awaited<'a> {
    nesting: &'a Nesting,
    call: CallId,
}

impl Awaited<'_> {
    /// Whether the return came while something within was waited for.
    pub(crate) fn has_come(&self) -> bool {
        self.nesting.awaited.borrow().iter().any(|(call, early)| *call == self.call && early.is_some())
    }

    /// The return, if it came while something within was waited for.
    pub(crate) fn early(&self) -> Option<Vec<u8>> {
        let mut awaited = self.nesting.awaited.borrow_mut();
        awaited.iter_mut().find(|(call, _)| *call == self.call)?.1.take()
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        self.nesting.awaited.borrow_mut().retain(|(call, _)| *call != self.call);
    }
}

/// No more functions may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooDeep {
    pub(crate) limit: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_function_that_the_parent_waits_for_makes_the_calls() {
        let nesting = Nesting::default();
        assert_eq!(nesting.invocation(), None);
        let outer = nesting.begin(Some(InvocationId(7)), 9).unwrap();
        let local = nesting.begin(None, 9).unwrap();
        assert_eq!(nesting.invocation(), Some(InvocationId(7)));
        let inner = nesting.begin(Some(InvocationId(8)), 9).unwrap();
        assert_eq!(nesting.invocation(), Some(InvocationId(8)));
        drop((inner, local));
        assert!(nesting.is_in_function());
        drop(outer);
        assert!(!nesting.is_in_function());
        assert_eq!(nesting.begun(), 3);
    }

    #[test]
    fn functions_nest_as_deep_as_the_limit() {
        let nesting = Nesting::default();
        let running: Vec<_> = (0..3).map(|_| nesting.begin(None, 3).ok()).collect();
        assert!(running.iter().all(Option::is_some));
        assert!(nesting.begin(None, 3).is_err());
        drop(running);
        assert!(nesting.begin(None, 3).is_ok());
    }

    #[test]
    fn a_return_that_comes_while_another_is_waited_for_is_kept() {
        let nesting = Nesting::default();
        let outer = nesting.wait_for(CallId(1));
        let inner = nesting.wait_for(CallId(2));
        assert!(nesting.keep(CallId(1), b"outer"));
        assert!(!nesting.keep(CallId(3), b"late"));
        assert!(outer.has_come() && !inner.has_come());
        drop(inner);
        assert_eq!(outer.early(), Some(b"outer".to_vec()));
        assert!(!outer.has_come());
        drop(outer);
        assert!(!nesting.keep(CallId(1), b"late"));
    }
}
