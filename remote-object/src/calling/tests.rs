use std::panic::Location;
use std::time::Instant;

use remote_protocol::limits::Limits;
use remote_protocol::link::BufferSpace;

use super::*;
use crate::buffer::tests::Shelf;

/// What the parent and the loop were told.
#[derive(Debug, Default)]
struct Told {
    revoked: Mutex<Vec<Vec<LentId>>>,
    forgotten: Mutex<Vec<LentId>>,
    released: Mutex<Vec<Release>>,
    shelf: Option<Arc<Shelf>>,
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

    fn release(&self, release: Release) {
        self.released.lock().unwrap().push(release);
    }

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

    fn buffer_view(&self) -> Option<Arc<dyn BufferView>> {
        self.shelf.as_ref().map(|shelf| Arc::clone(shelf) as _)
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
    calling_with(None)
}

fn calling_with(shelf: Option<Arc<Shelf>>) -> (Arc<Told>, Arc<Calling>) {
    let told = Arc::new(Told { shelf, ..Told::default() });
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

/// A buffer of the parent that is said to be at a place.
fn buffer_at(calling: &Arc<Calling>, length: u64, place: u64) -> Result<RemoteBuffer, String> {
    let id = LentId { slot: 3, generation: 1 };
    let mut arrivals = calling.arrive(vec![Reference::Buffer { id, length, copy: None, place: Some(place) }])?;
    let Some(Arrival::Buffer(buffer)) = arrivals.pop() else { panic!("a buffer arrived") };
    Ok(buffer)
}

/// B14: what is said to be shown is read where it is, without asking the parent, and given back when nobody reads it any more.
#[test]
fn a_buffer_that_is_shown_is_read_in_place() {
    let shelf = Shelf::new(100);
    let placed = shelf.put(&[7; 100]).unwrap();
    let (told, calling) = calling_with(Some(Arc::clone(&shelf)));
    let buffer = buffer_at(&calling, 100, placed.offset).unwrap();
    let again = buffer_at(&calling, 100, placed.offset).unwrap();
    assert_eq!((buffer.read(98..).unwrap(), buffer.as_local()), (vec![7; 2], None));
    let view = buffer.view().unwrap();
    drop((buffer, again));
    assert_eq!(*view, [7; 100]);
    assert!(told.released.lock().unwrap().is_empty());
    drop(view);
    let released = told.released.lock().unwrap();
    assert!(matches!(**released, [Release { count: 2, .. }]), "{released:?}");
}

/// B14: a parent that says that a buffer is where there is none is in error, and the child none the worse.
#[test]
fn a_buffer_where_no_memory_is_shared_is_an_error() {
    let shelf = Shelf::new(100);
    let placed = shelf.put(&[7; 100]).unwrap();
    let with = calling_with(Some(shelf));
    for ((told, calling), length, place) in [(calling(), 100, placed.offset), (with, 101, placed.offset)] {
        let error = buffer_at(&calling, length, place).unwrap_err();
        assert_eq!(error, format!("a buffer of {length} bytes at {place}, where there is no memory that is shared"));
        assert_eq!(told.released.lock().unwrap().len(), 1);
    }
}
