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
}

/// Serves a process that has no frames.
pub(crate) fn serving(roots: Weak<Roots>, child: Arc<dyn Notify>, limit: usize) -> Arc<Serving> {
    Serving::new(ProcessId::new(7, 1), roots, Weak::<NoFrames>::new(), child, limit)
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
}

fn served() -> (Arc<Told>, ProcessService) {
    let told = Arc::new(Told::default());
    let serving = serving(Weak::new(), Arc::clone(&told) as Arc<dyn Notify>, usize::MAX);
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
        .arrive(vec![Reference::Callback { id: ID, made_at }], &Via::Method("Window".into(), "on_close".into()))
        .unwrap();
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
    let references = vec![Reference::Callback { id, made_at }];
    let mut arrivals = service.0.arrive(references, &Via::Method("Window".into(), "on_close".into())).unwrap();
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
    assert_eq!((listeners.len(), service.0.alive().1), (1, 1));
    listeners.clear();
    assert_eq!(service.0.alive().1, 0);
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
