use remote_protocol::endpoint::OutletError;

use super::*;
use crate::callback::Callback;

/// What a child was told.
#[derive(Debug, Default)]
struct Told {
    invoked: Mutex<Vec<LentId>>,
    released: Mutex<Vec<Release>>,
}

impl Notify for Told {
    fn invoke(&self, invoke: Invoke<'_>) -> Result<(), NotifyError> {
        self.invoked.lock().unwrap().push(invoke.callback);
        Ok(())
    }

    fn release(&self, release: Release) {
        self.released.lock().unwrap().push(release);
    }
}

struct NoAnswer;

impl Answer for NoAnswer {
    fn send(&mut self, answer: Return<'_>) -> Result<(), OutletError> {
        panic!("an answer to {}, which was not asked", answer.call)
    }
}

fn served() -> (Arc<Told>, ProcessService) {
    let told = Arc::new(Told::default());
    let serving = Serving::new(Weak::new(), Arc::clone(&told) as Arc<dyn Notify>, usize::MAX);
    (told, ProcessService(serving))
}

fn revoke(service: &ProcessService, callbacks: Vec<LentId>) -> Result<(), Abuse> {
    service.handle(ToParent::Revoked { callbacks }, &mut NoAnswer)
}

/// The callback of slot 1 arrives once more.
fn arrive(service: &ProcessService) -> Callback<()> {
    let made_at = Location { file: "src/remote.rs".into(), line: 3, column: 5 };
    let mut arrivals = service.0.arrive(vec![Reference::Callback { id: ID, made_at }]).unwrap();
    let Some(Arrival::Callback(callback, form)) = arrivals.pop() else { panic!("a callback arrived") };
    Callback::new(callback, form)
}

const ID: LentId = LentId { slot: 1, generation: 0 };

/// B10
#[test]
fn a_revoked_callback_is_dead_and_its_references_are_given_back() {
    let (told, service) = served();
    let callback = arrive(&service);
    revoke(&service, vec![ID]).unwrap();
    let again = arrive(&service);
    for callback in [&callback, &again] {
        assert!(!callback.is_alive());
        assert_eq!(callback.call(()), Err(CallbackError::Detached { made_at: "src/remote.rs:3:5".to_owned() }));
    }
    assert_eq!(*told.invoked.lock().unwrap(), []);
    drop((callback, again));
    assert_eq!(*told.released.lock().unwrap(), [Release { id: ID, count: 2 }]);
}

/// B10
#[test]
fn a_reference_that_overtakes_its_revocation_is_dead_when_that_is_repeated() {
    let (told, service) = served();
    revoke(&service, vec![ID]).unwrap();
    let callback = arrive(&service);
    callback.call(()).unwrap();
    assert_eq!(*told.invoked.lock().unwrap(), [ID]);
    revoke(&service, vec![ID]).unwrap();
    assert!(!callback.is_alive());
}

#[test]
fn revoking_what_was_never_lent_is_harmless_and_too_much_at_once_is_abuse() {
    let (_told, service) = served();
    let unknown = LentId { slot: u32::MAX, generation: 7 };
    revoke(&service, vec![unknown; REVOKED]).unwrap();
    let abuse = Abuse::Revoked { count: REVOKED + 1, limit: REVOKED };
    assert_eq!(revoke(&service, vec![unknown; REVOKED + 1]), Err(abuse));
    assert_eq!(service.0.alive(), (0, 0));
}
