use std::time::Duration;

use remote_protocol::call::Invoke;
use remote_protocol::endpoint::OutletError;
use remote_protocol::limits::{
    self, BUFFER_BYTES, BUFFER_COPIES_BYTES, BUFFER_COPY_BYTES, BUFFER_PIECE_BYTES, BUFFER_SHARED_BYTES, CALL,
};
use remote_protocol::link::BufferSpace;
use remote_protocol::service::{ArrivedOutcome, NotifyError, RunError};

use super::*;
use crate::buffer::tests::Shelf;
use crate::callback::{Callback, CallbackError};
use crate::promise::Promise;
use crate::scope::Receiver;

/// What a child was told.
#[derive(Debug, Default)]
struct Told {
    invoked: Mutex<Vec<LentId>>,
    released: Mutex<Vec<Release>>,
    shelf: Option<Arc<Shelf>>,
}

impl Notify for Told {
    fn invoke(&self, invoke: Invoke<'_>) -> Result<(), NotifyError> {
        self.invoked.lock().unwrap().push(invoke.callback);
        Ok(())
    }

    fn run(
        &self,
        function: LentId,
        _form: Encoding,
        _argument: Payload<'_>,
        _deadline: Instant,
    ) -> Result<ArrivedOutcome, RunError> {
        unreachable!("function {function} is not called")
    }

    fn call_deadline(&self) -> Duration {
        CALL
    }

    fn release(&self, release: Release) {
        self.released.lock().unwrap().push(release);
    }

    fn buffer_space(&self) -> Option<Arc<dyn BufferSpace>> {
        self.shelf.as_ref().map(|shelf| Arc::clone(shelf) as _)
    }
}

/// Serves a process that has no frames.
pub(crate) fn serving(roots: Weak<Roots>, child: Arc<dyn Notify>, limits: Limits) -> Arc<Serving> {
    Serving::new(ProcessId::new(7, 1), roots, Weak::<NoFrames>::new(), child, limits)
}

struct NoFrames;

impl FindFrame for NoFrames {
    fn find(&self, _process: ProcessId, _frame: FrameId) -> Option<Box<dyn Any>> {
        None
    }
}

struct NoAnswer;

impl Answer for NoAnswer {
    fn send(&mut self, answer: Return<'_>) -> Result<(), OutletError> {
        panic!("an answer to {}, which was not asked", answer.call)
    }

    fn later(&self) -> Box<dyn Answer + Send> {
        Box::new(Self)
    }
}

fn served() -> (Arc<Told>, ProcessService) {
    served_with(None)
}

fn served_with(shelf: Option<Arc<Shelf>>) -> (Arc<Told>, ProcessService) {
    let told = Arc::new(Told { shelf, ..Told::default() });
    let serving = serving(Weak::new(), Arc::clone(&told) as Arc<dyn Notify>, Limits::new().references(usize::MAX));
    (told, ProcessService(serving))
}

fn revoke(service: &ProcessService, callbacks: Vec<LentId>) -> Result<(), Abuse> {
    service.handle(ToParent::Revoked { callbacks }, &mut NoAnswer)
}

/// The callback of slot 1 arrives once more.
fn arrive(service: &ProcessService) -> Callback<()> {
    let made_at = Location { file: "src/remote.rs".into(), line: 3, column: 5 };
    let mut arrivals = service
        .0
        .arrive(vec![Reference::Callback { id: ID, frame: None, made_at }], &Via::Method("Window", "on_close"))
        .unwrap();
    let Some(Arrival::Callback(callback, form)) = arrivals.pop() else { panic!("a callback arrived") };
    Callback::new(callback, form)
}

const ID: LentId = LentId { slot: 1, generation: 0 };

/// B6: what is kept of a callback is bounded, however long the place is that its process says it was made at.
#[test]
fn a_place_is_kept_in_short() {
    let (_told, service) = served();
    let made_at = Location { file: "x".repeat(1 << 20).into(), line: 3, column: 5 };
    let arrivals =
        service.0.arrive(vec![Reference::Function { id: ID, frame: None, made_at }], &Via::unknown()).unwrap();
    let Some(Arrival::Function(function, _)) = arrivals.first() else { panic!("a function arrived") };
    assert_eq!(function.made_at().file.len(), NAME_BYTES);
}

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
    assert_eq!(service.0.alive(), exports::Alive::default());
}

/// What was warned of on this thread while `act` ran.
fn warnings(act: impl FnOnce()) -> Vec<String> {
    let warned = Arc::<Mutex<Vec<String>>>::default();
    tracing::subscriber::with_default(Warnings(Arc::clone(&warned)), act);
    std::mem::take(&mut *warned.lock().unwrap())
}

struct Warnings(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }

    fn new_span(&self, _span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _span: &tracing::span::Id, _values: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _span: &tracing::span::Id, _follows: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Text(String);
        impl tracing::field::Visit for Text {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
                self.0 += &format!("{}={value:?} ", field.name());
            }
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.lock().unwrap().push(text.0);
    }

    fn enter(&self, _span: &tracing::span::Id) {}

    fn exit(&self, _span: &tracing::span::Id) {}
}

/// A callback that was made at this line.
fn made_at(service: &ProcessService, slot: u32, line: u32) -> Callback<String> {
    let id = LentId { slot, generation: 0 };
    let made_at = Location { file: "src/remote.rs".into(), line, column: 5 };
    let references = vec![Reference::Callback { id, frame: None, made_at }];
    let mut arrivals = service.0.arrive(references, &Via::Method("Window", "on_close")).unwrap();
    let Some(Arrival::Callback(callback, form)) = arrivals.pop() else { panic!("a callback arrived") };
    Callback::new(callback, form)
}

/// B10: a dead listener is dropped with one warning, which names its place and its events, whoever else is called.
#[test]
fn listeners_drop_the_dead_with_one_warning() {
    let (told, service) = served();
    let listeners = crate::Listeners::new();
    let [dead, live] = [made_at(&service, 1, 3), made_at(&service, 2, 4)];
    assert!(listeners.add("close", dead.clone()) && listeners.add("move", dead.clone()));
    assert!(listeners.add("close", live.clone()) && !listeners.add("close", live.clone()));
    assert_eq!(listeners.len(), 3);
    revoke(&service, vec![LentId { slot: 1, generation: 0 }]).unwrap();
    drop(dead);
    let warned = warnings(|| {
        let told = listeners.call("close", &"now".to_owned());
        assert_eq!((told.called, told.dead, told.failed), (1, 1, Vec::new()));
        assert_eq!(listeners.call("close", &"again".to_owned()).dead, 0);
    });
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(warned[0].contains("src/remote.rs:3:5") && warned[0].contains("close, move"), "{warned:?}");
    // It was given back: the list had the last handles.
    assert_eq!(told.released.lock().unwrap().len(), 1);
    assert_eq!(told.invoked.lock().unwrap().len(), 2);
    assert!(listeners.remove(&live) && !listeners.remove(&live) && listeners.is_empty());
}

/// B10: of an event that never happens the dead go when others come.
#[test]
fn dead_listeners_of_silent_events_do_not_pile_up() {
    let (_told, service) = served();
    let listeners = crate::Listeners::new();
    for slot in 0..100 {
        listeners.add("never", made_at(&service, slot, 3));
        revoke(&service, vec![LentId { slot, generation: 0 }]).unwrap();
    }
    assert_eq!((listeners.len(), service.0.alive().callbacks), (1, 1));
    listeners.clear();
    assert_eq!(service.0.alive().callbacks, 0);
}

/// B6: a place whose callbacks pile up is warned of once at 100, once at 1,000, and so on.
#[test]
fn callbacks_that_pile_up_at_one_place_are_warned_of_once_for_each_size() {
    let (_told, service) = served();
    let mut held = Vec::new();
    let warned = warnings(|| {
        for slot in 0..1500 {
            held.push(made_at(&service, slot, 3));
            if slot == 100 {
                // Down and up again.
                held.truncate(50);
            }
        }
        held.extend((0..100).map(|slot| made_at(&service, 5000 + slot, 4)));
    });
    assert_eq!(warned.len(), 2, "{warned:?}");
    for (warned, count) in warned.iter().zip(["count=101 ", "count=1001 "]) {
        assert!(warned.contains("src/remote.rs:3:5") && warned.contains(count), "{warned}");
    }
    drop(held);
    assert_eq!(service.0.tables().places.len(), 0);
}

/// B6: what is alive is listed by where it was made and by what it came, until it is given back.
#[test]
fn leaks_name_the_place_the_method_and_the_age() {
    let (_told, service) = served();
    let held = [made_at(&service, 1, 3), made_at(&service, 2, 3), made_at(&service, 3, 4)];
    revoke(&service, vec![LentId { slot: 2, generation: 0 }]).unwrap();
    let leaks = service.0.leaks().unwrap();
    assert_eq!((leaks.pid, leaks.serial, leaks.objects.len()), (7, 1, 0));
    let found: Vec<_> = leaks.callbacks.iter().map(|one| (one.count, one.dead, &*one.made_at)).collect();
    assert_eq!(found, [(2, 1, "src/remote.rs:3:5"), (1, 0, "src/remote.rs:4:5")]);
    assert!(leaks.callbacks.iter().all(|one| one.passed_to == "Window::on_close"), "{leaks:?}");
    assert_eq!(service.alive().callbacks["src/remote.rs:3:5"], 2);
    drop(held);
    assert_eq!(service.0.leaks(), None);
    assert_eq!(service.alive(), Alive::default());
}

/// What a child was answered.
#[derive(Default)]
struct Answers(Vec<Outcome<'static>>);

impl Answer for Answers {
    fn send(&mut self, answer: Return<'_>) -> Result<(), OutletError> {
        self.0.push(answer.outcome.into_owned());
        Ok(())
    }

    fn later(&self) -> Box<dyn Answer + Send> {
        panic!("buffers are read at once")
    }
}

/// Lends the process buffers; gives the references that it gets.
fn lend(service: &ProcessService, buffers: &[RemoteBuffer]) -> Result<Vec<Reference<'static>>, String> {
    let receiver = Receiver::Child(Arc::clone(&service.0), Via::unknown());
    crate::scope::encode(receiver, Encoding::Typed, buffers, |_bytes, sending| sending.references)
}

fn read(service: &ProcessService, buffer: LentId, offset: u64, length: u64) -> Result<Vec<u8>, CallError> {
    request(service, Request::Read { buffer, offset, length })
}

/// Where the process sees a buffer.
fn share(service: &ProcessService, buffer: LentId) -> Result<Option<u64>, CallError> {
    request(service, Request::Share { buffer }).map(|place| codec::decode(&place).unwrap())
}

fn request(service: &ProcessService, request: Request<'_>) -> Result<Vec<u8>, CallError> {
    let mut answers = Answers::default();
    let call = Call { id: CallId(1), during: None, request };
    service.handle(ToParent::Call(call), &mut answers).unwrap();
    match answers.0.pop() {
        Some(Outcome::Done(payload)) => Ok(payload.bytes.0.into_owned()),
        Some(Outcome::Refused(error)) => Err(*error),
        other => panic!("{other:?}"),
    }
}

/// B14: short buffers bring their bytes along, but no more together than a record has.
#[test]
fn short_buffers_bring_their_bytes_along() {
    let (_told, service) = served();
    let lengths = [0, 1, BUFFER_COPY_BYTES, BUFFER_COPY_BYTES + 1];
    let buffers = lengths.map(|length| RemoteBuffer::from(vec![7; length]));
    let copied: Vec<_> = lend(&service, &buffers).unwrap().iter().map(Reference::copied).collect();
    assert_eq!(copied, [0, 1, BUFFER_COPY_BYTES, 0]);
    let many = vec![buffers[2].clone(); 40];
    let references = lend(&service, &many).unwrap();
    assert_eq!(references.iter().map(Reference::copied).sum::<usize>(), BUFFER_COPIES_BYTES);
    // They are one and the same, and weigh as much.
    assert_eq!(service.0.alive().objects, 4);
    assert_eq!(service.0.alive().buffer_bytes, lengths.iter().sum::<usize>());
}

/// B14: a child that asks for more than there is, for too much at once, or for what is no buffer of its, gets an error.
#[test]
fn what_cannot_be_read_is_an_error() {
    let (_told, service) = served();
    let length = 2 * BUFFER_PIECE_BYTES as u64;
    let buffer = RemoteBuffer::from(vec![7; 2 * BUFFER_PIECE_BYTES]);
    let references = lend(&service, std::slice::from_ref(&buffer)).unwrap();
    let [Reference::Buffer { id, .. }] = *references else { panic!("{references:?}") };
    let piece = BUFFER_PIECE_BYTES as u64;
    assert_eq!(read(&service, id, piece, piece).map(|bytes| bytes.len()), Ok(BUFFER_PIECE_BYTES));
    assert_eq!(read(&service, id, length, 0), Ok(Vec::new()));
    for (start, asked) in [(0, piece + 1), (length, 1), (length + 1, 0), (u64::MAX, u64::MAX), (1, u64::MAX)] {
        let end = start.saturating_add(asked);
        assert_eq!(read(&service, id, start, asked), Err(CallError::Range { start, end, length }));
    }
    let unknown = LentId { slot: id.slot, generation: id.generation + 1 };
    assert!(matches!(read(&service, unknown, 0, 1), Err(CallError::NoSuchObject { .. })));
    let object = service.0.lend(Arc::new(crate::DynamicObject::new("Kit")), &Via::unknown()).unwrap();
    assert!(matches!(read(&service, object, 0, 1), Err(CallError::NoSuchObject { .. })));
    let wrong = vec![Reference::Buffer { id: object, length: 1, copy: None, place: None }];
    assert!(service.0.arrive(wrong, &Via::unknown()).is_err_and(|error| error.contains("no buffer")));
    // Neither is a buffer an object that has methods.
    let mut answers = Answers::default();
    let method = Selector::Typed(remote_protocol::payload::Fingerprint(1));
    let request = Request::Method { object: id, method, arguments: Payload::default() };
    service.handle(ToParent::Call(Call { id: CallId(1), during: None, request }), &mut answers).unwrap();
    let Some(Outcome::Refused(error)) = answers.0.pop() else { panic!("it has no methods") };
    assert!(error.to_string().contains("`RemoteBuffer` has no method"), "{error}");
    assert!(service.0.release(&[Release { id, count: 1 }]).is_ok());
    assert_eq!(service.0.alive().buffer_bytes, 0);
    assert!(matches!(read(&service, id, 0, 1), Err(CallError::NoSuchObject { .. })));
}

/// B14, B6: a buffer is put where the process sees it when it asks, and references tell where from then on, until it is given back.
#[test]
fn a_buffer_is_shared_when_the_process_asks() {
    let shelf = Shelf::new(BUFFER_SHARED_BYTES);
    let (_told, service) = served_with(Some(Arc::clone(&shelf)));
    let buffers = [BUFFER_SHARED_BYTES, 1, BUFFER_SHARED_BYTES].map(|length| RemoteBuffer::from(vec![7; length]));
    let lent = || {
        let references = lend(&service, &buffers).unwrap();
        let place = |reference: &Reference<'_>| match reference {
            Reference::Buffer { id, place, .. } => (*id, *place),
            other => panic!("{other:?}"),
        };
        references.iter().map(place).collect::<Vec<_>>()
    };
    let [(first, None), (short, None), (last, None)] = *lent() else { panic!("nothing is shared") };
    assert_eq!(shelf.leases(), []);

    let place = share(&service, first).unwrap().unwrap();

    assert_eq!(
        (share(&service, first), share(&service, short), share(&service, last)),
        (Ok(Some(place)), Ok(None), Ok(None))
    );
    assert_eq!(lent(), [(first, Some(place)), (short, None), (last, None)]);
    let unknown = LentId { slot: first.slot, generation: first.generation + 1 };
    assert!(matches!(share(&service, unknown), Err(CallError::NoSuchObject { .. })));
    assert_eq!(shelf.leases(), [1]);
    service.0.release(&[Release { id: first, count: 2 }]).unwrap();
    assert_eq!(shelf.leases(), [0]);
    // It is lent anew, and is there yet.
    assert!(matches!(lent()[0], (id, Some(again)) if id != first && again == place));
    service.close();
    assert_eq!(shelf.leases(), [0]);
    drop(buffers);
    assert_eq!(shelf.leases(), []);
}

/// B14, B6: a buffer past the limit is not lent, nor is anything that was to be sent with it.
#[test]
fn a_buffer_past_the_limit_is_not_lent() {
    let (_told, service) = served();
    let large = RemoteBuffer::from(vec![0; BUFFER_BYTES]);
    let one = RemoteBuffer::from(vec![0]);
    let error = lend(&service, &[one.clone(), large.clone()]).unwrap_err();
    assert!(error.contains("a buffer of 268435456 bytes, with 1 bytes of buffers lent"), "{error}");
    assert_eq!(service.0.alive(), exports::Alive::default());
    lend(&service, &[large.clone(), large]).unwrap();
    assert!(lend(&service, &[one]).is_err());
    service.close();
    assert_eq!(service.0.alive(), exports::Alive::default());
}

/// Keeps what is refused.
#[derive(Clone, Default)]
struct Refusals(Arc<Mutex<Vec<CallId>>>);

impl Answer for Refusals {
    fn send(&mut self, answer: Return<'_>) -> Result<(), OutletError> {
        assert!(matches!(answer.outcome, Outcome::Refused(_)), "{answer:?}");
        self.0.lock().unwrap().push(answer.call);
        Ok(())
    }

    fn later(&self) -> Box<dyn Answer + Send> {
        Box::new(self.clone())
    }
}

/// B19: a call may be cancelled before its method has returned: the reply is cancelled all the same, and the child is told, once.
#[test]
fn a_cancellation_may_come_before_the_promise() {
    let (_told, ProcessService(serving)) = served();
    let refusals = Refusals::default();
    let wait = |call| {
        let (promise, reply) = Promise::<u32, CallError>::new();
        let room = serving.room("ask").unwrap();
        let later =
            serving.answer_later(call, "ask".into(), refusals.later(), &reply.cancellation(), Some(room)).unwrap();
        (later, promise, reply)
    };
    serving.cancel(CallId(7));
    let (later, _promise, reply) = wait(CallId(7));
    assert!(reply.is_cancelled() && later.answer().is_none());
    let (later, _promise, reply) = wait(CallId(8));
    assert!(!reply.is_cancelled() && later.answer().is_some());
    assert_eq!(*refusals.0.lock().unwrap(), [CallId(7)]);
    // No room is lost.
    let rooms: Vec<_> = std::iter::from_fn(|| serving.room("ask").ok()).collect();
    assert_eq!(rooms.len(), limits::CALLS);
}
