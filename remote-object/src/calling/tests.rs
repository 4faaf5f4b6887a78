use std::panic::Location;
use std::time::Instant;

use remote_protocol::limits::Limits;

use super::*;

/// What the parent and the loop were told.
#[derive(Debug, Default)]
struct Told {
    revoked: Mutex<Vec<Vec<LentId>>>,
    forgotten: Mutex<Vec<LentId>>,
}

impl Caller for Told {
    fn call(
        &self,
        _request: Request<'_>,
        _within: Duration,
        _take: &mut dyn FnMut(Outcome<'_>),
    ) -> Result<(), CallFailure> {
        Err(CallFailure::Disconnected)
    }

    fn release(&self, _release: Release) {}

    fn revoke(&self, callbacks: Vec<LentId>) {
        self.revoked.lock().unwrap().push(callbacks);
    }

    fn limits(&self) -> Limits {
        Limits::new()
    }

    fn next_call(&self) -> CallId {
        CallId(0)
    }

    fn start(&self, _call: CallId, _request: Request<'_>) -> Result<(), CallFailure> {
        Err(CallFailure::Disconnected)
    }

    fn cancel(&self, _call: CallId) {}

    fn pump(&self, _deadline: Instant, _settled: &dyn Fn() -> bool) -> bool {
        false
    }
}

impl Loop for Told {
    fn invoke(&self, _id: LentId, _form: Encoding, _argument: Vec<u8>, _arrivals: Vec<Arrival>) -> bool {
        true
    }

    fn run(
        &self,
        _id: LentId,
        name: String,
        _form: Encoding,
        _argument: Vec<u8>,
        _arrivals: Vec<Arrival>,
        _within: Duration,
    ) -> Result<Returned, CallError> {
        Err(CallError::NoSuchFunction { function: name })
    }

    fn forget(&self, id: LentId) {
        self.forgotten.lock().unwrap().push(id);
    }
}

fn calling() -> (Arc<Told>, Arc<Calling>) {
    let told = Arc::new(Told::default());
    let calling =
        Calling::new(Arc::clone(&told) as Arc<dyn Caller>, Arc::clone(&told) as Arc<dyn Loop>, Duration::ZERO);
    (told, calling)
}

/// B10
#[test]
fn what_was_lent_is_revoked_and_counts_until_it_is_given_back() {
    let (told, calling) = calling();
    let life = Arc::new(Life::default());
    let made = [(); 2].map(|()| calling.make_callback(&life, Location::caller()));
    let lent = calling.lend(&made[0]).unwrap();
    calling.revoke(&life, &made.each_ref().map(|made| made.id()));
    assert_eq!(*told.revoked.lock().unwrap(), [vec![lent]]);
    assert!(calling.lend(&made[0]).unwrap_err().contains("calling/tests.rs:"));
    assert!(made[1].post(Encoding::Typed, Vec::new(), Vec::new()).is_err());
    // The parent calls it all the same, and gives it back.
    calling.revoke_again(lent);
    assert_eq!(told.revoked.lock().unwrap().len(), 2);
    drop(made);
    calling.release(Release { id: lent, count: 1 }).unwrap();
    assert!(told.forgotten.lock().unwrap().contains(&lent));
    calling.revoke_again(lent);
    assert_eq!(told.revoked.lock().unwrap().len(), 2);
}

/// B10
#[test]
fn many_callbacks_are_revoked_by_several_messages() {
    let (told, calling) = calling();
    let life = Arc::new(Life::default());
    let made: Vec<_> = (0..=REVOKED).map(|_| calling.make_callback(&life, Location::caller())).collect();
    let lent: Vec<_> = made.iter().map(|made| calling.lend(made).unwrap()).collect();
    calling.revoke(&life, &lent);
    let lengths: Vec<_> = told.revoked.lock().unwrap().iter().map(Vec::len).collect();
    assert_eq!(lengths, [REVOKED, 1]);
}
