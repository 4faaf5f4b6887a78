use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar};

use remote_protocol::call::Call;
use remote_protocol::id::InvocationId;
use remote_protocol::record::Charge;
use remote_protocol::service::ArrivedOutcome;
use remote_protocol::state::Violation;

/// The functions of a process that have been called and not been answered.
#[derive(Default)]
pub(super) struct Invocations {
    by_id: HashMap<InvocationId, State>,
    next: u32,
    limit: usize,
}

enum State {
    Waiting(Waiter),
    /// Nobody waits any more. It keeps its place until it is answered, so that a process that never answers has only so many.
    GivenUp,
}

/// What has come of a function, charged while the thread that waits for it does something else: that is as long as the process wants.
pub(super) type Outcome = (ArrivedOutcome, Option<Charge>);

/// A thread that waits for a function, and what has come for it.
#[derive(Default)]
pub(super) struct Waiter {
    pub(super) outcome: Option<Outcome>,
    /// Calls that the function made, for this thread to serve, and what each costs.
    pub(super) calls: VecDeque<(Call<'static>, Charge)>,
    /// Something else to look at.
    pub(super) alarmed: bool,
    /// Notified when something has come, or when it is this thread's turn to read.
    pub(super) changed: Arc<Condvar>,
    /// Whether the thread waits for `changed`.
    pub(super) sleeps: bool,
}

impl Invocations {
    /// At most `limit` at a time.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// A function is about to be called. `None` when too many are unanswered.
    pub(super) fn begin(&mut self) -> Option<InvocationId> {
        if self.by_id.len() >= self.limit {
            return None;
        }
        // There are far more ids than invocations at a time.
        while self.by_id.contains_key(&InvocationId(self.next)) {
            self.next = self.next.wrapping_add(1);
        }
        let id = InvocationId(self.next);
        self.next = self.next.wrapping_add(1);
        self.by_id.insert(id, State::Waiting(Waiter::default()));
        Some(id)
    }

    /// The function was answered, or not called after all.
    pub(super) fn end(&mut self, id: InvocationId) {
        self.by_id.remove(&id);
    }

    /// Nobody waits for the function any more.
    pub(super) fn give_up(&mut self, id: InvocationId) {
        self.by_id.insert(id, State::GivenUp);
    }

    pub(super) fn waiter(&mut self, id: InvocationId) -> Option<&mut Waiter> {
        match self.by_id.get_mut(&id) {
            Some(State::Waiting(waiter)) => Some(waiter),
            Some(State::GivenUp) | None => None,
        }
    }

    /// Whether a function may be answered, or make calls: once.
    pub(super) fn check(&self, id: InvocationId) -> Result<(), Violation> {
        match self.by_id.get(&id) {
            Some(State::Waiting(Waiter { outcome: None, .. }) | State::GivenUp) => Ok(()),
            Some(State::Waiting(_)) | None => Err(Violation::NoSuchInvocation(id)),
        }
    }

    /// The outcome of a function has come. It is given back when nobody waits for it any more.
    pub(super) fn answer(&mut self, id: InvocationId, outcome: Outcome) -> Option<ArrivedOutcome> {
        match self.by_id.get_mut(&id) {
            Some(State::Waiting(waiter)) => {
                waiter.outcome = Some(outcome);
                if waiter.sleeps {
                    waiter.changed.notify_one();
                }
                None
            }
            Some(State::GivenUp) | None => {
                self.by_id.remove(&id);
                Some(outcome.0)
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// A thread that waits for its turn.
    pub(super) fn sleeper(&self) -> Option<&Waiter> {
        self.waiters().find(|waiter| waiter.sleeps)
    }

    pub(super) fn waiters(&self) -> impl Iterator<Item = &Waiter> {
        self.by_id.values().filter_map(|state| match state {
            State::Waiting(waiter) => Some(waiter),
            State::GivenUp => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome() -> Outcome {
        (Box::new(()), None)
    }

    #[test]
    fn an_outcome_is_for_the_thread_that_waits() {
        let mut invocations = Invocations::new(3);
        let id = invocations.begin().unwrap();
        assert!(invocations.check(id).is_ok());
        assert!(invocations.answer(id, outcome()).is_none());
        assert!(invocations.waiter(id).unwrap().outcome.is_some());
        assert_eq!(invocations.check(id), Err(Violation::NoSuchInvocation(id)), "a second answer");
        invocations.end(id);
        assert!(invocations.is_empty());
        assert_eq!(invocations.check(id), Err(Violation::NoSuchInvocation(id)));
    }

    #[test]
    fn the_outcome_of_one_that_was_given_up_is_nobodys() {
        let mut invocations = Invocations::new(3);
        let id = invocations.begin().unwrap();
        invocations.give_up(id);
        assert!(invocations.check(id).is_ok());
        assert!(invocations.waiter(id).is_none());
        assert!(invocations.answer(id, outcome()).is_some());
        assert!(invocations.is_empty());
    }

    #[test]
    fn what_is_never_answered_keeps_its_place_and_its_id() {
        let mut invocations = Invocations::new(3);
        let first = invocations.begin().unwrap();
        invocations.give_up(first);
        invocations.next = first.0;
        for _ in 1..3 {
            let id = invocations.begin().unwrap();
            assert_ne!(id, first);
            invocations.give_up(id);
        }
        assert_eq!(invocations.begin(), None);
        assert!(invocations.answer(first, outcome()).is_some());
        assert!(invocations.begin().is_some());
    }
}
