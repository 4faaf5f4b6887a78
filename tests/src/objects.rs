//! The objects that live in the parent.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;

use remote_object::{CallError, Callback, Exports, Function, Remote};
use remote_parent::{Parent, Process};

use crate::gate;
use crate::interfaces::{Bell, Failing, Item, LineError, Mirror, NumberError, OrderError, WorkError, Workshop, stock};
use crate::samples::{Nest, Sample};
use crate::shapes::{self, Shapes};

/// One of each, exported as `workshop`, `mirror`, `failing`, `shapes` and `bell`; the workshop also as a global.
pub struct Objects {
    pub exports: Exports,
    pub hall: Arc<Hall>,
    pub workshop: Arc<dyn Workshop>,
    pub mirror: Arc<dyn Mirror>,
    pub failing: Arc<dyn Failing>,
    pub shapes: Arc<dyn Shapes>,
    pub bell: Arc<Tower>,
    /// The names of the items that were dropped.
    pub dropped: Receiver<String>,
}

impl Objects {
    pub fn new() -> Self {
        let (tell_dropped, dropped) = channel();
        let hall = Arc::new(Hall {
            made: Mutex::default(),
            kept: Mutex::default(),
            dropped: tell_dropped,
            marks: Mutex::default(),
        });
        let objects = Self {
            exports: Exports::new(),
            workshop: Arc::clone(&hall) as Arc<dyn Workshop>,
            mirror: Arc::new(Glass),
            failing: Arc::new(Clumsy),
            shapes: shapes::shapes(),
            bell: Arc::new(Tower { hall: Arc::clone(&hall), listeners: Mutex::default(), process: Mutex::default() }),
            hall,
            dropped,
        };
        let Self { exports, workshop, mirror, failing, shapes, bell, .. } = &objects;
        let exported = exports
            .module("workshop", Arc::clone(workshop))
            .and_then(|()| exports.global("workshop-of-all", Arc::clone(workshop)))
            .and_then(|()| exports.module("mirror", Arc::clone(mirror)))
            .and_then(|()| exports.module("failing", Arc::clone(failing)))
            .and_then(|()| exports.module("shapes", Arc::clone(shapes)))
            .and_then(|()| exports.module("square", Remote::into_arc(shapes.square().expect("it has one"))))
            .and_then(|()| exports.module("bell", Arc::clone(bell) as Arc<dyn Bell>))
            .and_then(|()| exports.module("old-stock", Arc::new(OldStock) as Arc<dyn stock::old::Stock>))
            .and_then(|()| exports.module("new-stock", Arc::new(NewStock) as Arc<dyn stock::new::Stock>));
        exported.expect("the names are different");
        objects
    }

    pub fn served(parent: &Parent) -> Self {
        let objects = Self::new();
        objects.exports.serve(parent).expect("nothing else is served");
        objects
    }
}

impl Default for Objects {
    fn default() -> Self {
        Self::new()
    }
}

pub struct Hall {
    made: Mutex<HashMap<String, Weak<dyn Item>>>,
    kept: Mutex<Option<Remote<dyn Item>>>,
    dropped: Sender<String>,
    pub marks: Mutex<Vec<String>>,
}

impl Hall {
    fn made(&self, name: &str) -> Arc<dyn Item> {
        let item: Arc<dyn Item> = Arc::new(Made { name: name.to_owned(), dropped: self.dropped.clone() });
        lock(&self.made).insert(name.to_owned(), Arc::downgrade(&item));
        item
    }

    /// Whether an item of this name lives.
    pub fn has(&self, name: &str) -> bool {
        lock(&self.made).get(name).is_some_and(|item| item.strong_count() > 0)
    }
}

impl Workshop for Hall {
    fn make(&self, name: &str) -> Result<Remote<dyn Item>, CallError> {
        Ok(Remote::new(self.made(name)))
    }

    fn is_original(&self, item: Remote<dyn Item>) -> Result<bool, CallError> {
        let original = lock(&self.made).get(&item.name()?).and_then(Weak::upgrade);
        Ok(original.is_some_and(|original| Arc::ptr_eq(&original, Remote::as_arc(&item))))
    }

    fn originals(&self, items: Vec<Remote<dyn Item>>) -> Result<Vec<bool>, CallError> {
        items.into_iter().map(|item| self.is_original(item)).collect()
    }

    fn keep(&self, item: Remote<dyn Item>) -> Result<(), CallError> {
        let old = lock(&self.kept).replace(item);
        drop(old);
        Ok(())
    }

    fn kept(&self) -> Result<Option<Remote<dyn Item>>, CallError> {
        Ok(lock(&self.kept).clone())
    }

    fn let_go(&self) -> Result<(), CallError> {
        let kept = lock(&self.kept).take();
        drop(kept);
        Ok(())
    }

    fn add(&self, one: i64, other: i64) -> Result<i64, CallError> {
        Ok(one + other)
    }

    fn thread(&self) -> Result<String, CallError> {
        Ok(this_thread())
    }

    fn mark(&self, text: &str) -> Result<(), CallError> {
        lock(&self.marks).push(text.to_owned());
        Ok(())
    }

    fn make_at(&self, gate: &str, name: &str) -> Result<Remote<dyn Item>, CallError> {
        gate::wait_at(gate);
        self.make(name)
    }

    fn lend_at(&self, gate: &str, _item: Remote<dyn Item>) -> Result<(), CallError> {
        gate::wait_at(gate);
        Ok(())
    }

    fn weigh(&self, load: &[u8]) -> Result<usize, CallError> {
        Ok(load.len())
    }

    fn load(&self, bytes: u64) -> Result<Vec<u8>, CallError> {
        Ok(vec![7; usize::try_from(bytes).expect("it fits")])
    }

    fn depth(&self, nest: &Nest) -> Result<usize, CallError> {
        Ok(std::iter::successors(Some(nest), |nest| nest.0.first()).count())
    }
}

struct Made {
    name: String,
    dropped: Sender<String>,
}

impl Item for Made {
    fn name(&self) -> Result<String, CallError> {
        Ok(self.name.clone())
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        // The test may have ended.
        let _ = self.dropped.send(self.name.clone());
    }
}

/// An item that has nothing but its name.
pub struct Named(String);

impl Named {
    pub fn item(name: &str) -> Arc<dyn Item> {
        Arc::new(Self(name.to_owned()))
    }
}

impl Item for Named {
    fn name(&self) -> Result<String, CallError> {
        Ok(self.0.clone())
    }
}

struct Glass;

impl Mirror for Glass {
    fn sample(&self, sample: &Sample) -> Result<Sample, CallError> {
        Ok(sample.clone())
    }

    fn owned(&self, sample: Sample) -> Result<Sample, CallError> {
        Ok(sample)
    }

    fn nans(&self, nans: &[f64]) -> Result<Vec<f64>, CallError> {
        Ok(nans.to_vec())
    }

    fn text(&self, text: &str) -> Result<String, CallError> {
        Ok(text.to_owned())
    }

    fn bytes(&self, bytes: &[u8]) -> Result<Vec<u8>, CallError> {
        Ok(bytes.to_vec())
    }

    fn byte_vec(&self, bytes: Vec<u8>) -> Result<Vec<u8>, CallError> {
        Ok(bytes)
    }

    fn extremes(&self, low: i64, high: u64, wide: u128) -> Result<(i64, u64, u128), CallError> {
        Ok((low, high, wide))
    }

    fn nothing(&self) -> Result<(), CallError> {
        Ok(())
    }
}

struct Clumsy;

impl Failing for Clumsy {
    fn own_error(&self, tool: &str) -> Result<u32, WorkError> {
        Err(WorkError::NoTool { tool: tool.to_owned() })
    }

    fn caused_error(&self, text: &str) -> Result<i64, WorkError> {
        text.parse().map_err(|_| WorkError::Number(NumberError { text: text.to_owned() }))
    }

    fn reported_error(&self, text: &str) -> Result<i64, CallError> {
        text.parse().map_err(|cause| CallError::from_error(&OrderError(LineError { line: 1, cause })))
    }

    fn panics(&self, text: &str) -> Result<u32, WorkError> {
        panic!("{text}")
    }

    fn succeeds(&self) -> Result<u32, WorkError> {
        Ok(7)
    }
}

pub struct Tower {
    hall: Arc<Hall>,
    pub listeners: Mutex<Vec<Callback<String>>>,
    /// Where `mix` sends its events.
    pub process: Mutex<Option<Process>>,
}

impl Bell for Tower {
    fn add(&self, listener: Callback<String>) -> Result<(), CallError> {
        lock(&self.listeners).push(listener);
        Ok(())
    }

    fn remove(&self, listener: Callback<String>) -> Result<bool, CallError> {
        let mut listeners = lock(&self.listeners);
        let removed = listeners.iter().position(|other| *other == listener).map(|index| listeners.remove(index));
        drop(listeners);
        Ok(removed.is_some())
    }

    fn clear(&self) -> Result<(), CallError> {
        let all = std::mem::take(&mut *lock(&self.listeners));
        drop(all);
        Ok(())
    }

    fn ring(&self, text: &str) -> Result<usize, CallError> {
        let listeners = lock(&self.listeners).clone();
        Ok(listeners.iter().filter(|listener| listener.call(text.to_owned()).is_ok()).count())
    }

    fn mix(&self, listener: Callback<String>) -> Result<(), CallError> {
        let process = lock(&self.process).clone().expect("the test said which process");
        for round in 1..=3 {
            process.port().emit("mixed", &format!("event {round}")).expect("the process is there");
            listener.call(format!("callback {round}")).expect("the callback is alive");
        }
        Ok(())
    }

    fn deliver(&self, listener: Callback<Remote<dyn Item>>) -> Result<(), CallError> {
        let item = Remote::new(self.hall.made("delivered"));
        listener.call(item).map_err(|error| CallError::from_error(&error))
    }

    fn flood(&self, listener: Callback<Vec<u8>>, bytes: u64) -> Result<Option<String>, CallError> {
        let load = vec![7; usize::try_from(bytes).expect("it fits")];
        Ok(listener.call(load).err().map(|error| error.to_string()))
    }

    fn echo(&self, listener: Callback<String>) -> Result<Callback<String>, CallError> {
        Ok(listener)
    }
}

struct OldStock;

impl stock::old::Stock for OldStock {
    fn audit(&self, auditor: Callback<u32>) -> Result<(), CallError> {
        auditor.call(3).map_err(|error| CallError::from_error(&error))
    }

    fn count(&self, _article: &str) -> Result<u32, CallError> {
        Ok(3)
    }

    fn price(&self, _article: &str) -> Result<u32, CallError> {
        Ok(199)
    }

    fn take(&self, _article: &str) -> Result<u32, stock::old::StockError> {
        Ok(2)
    }
}

struct NewStock;

impl stock::new::Stock for NewStock {
    fn audit(&self, auditor: Function<u32, bool>) -> Result<(), CallError> {
        auditor.call(0).map(drop)
    }

    fn take(&self, article: &str) -> Result<u32, stock::new::StockError> {
        let cause = NumberError { text: "0".to_owned() };
        Err(stock::new::StockError::SoldOut { article: article.to_owned(), cause })
    }

    fn reserve(&self, _article: &str, _count: u32) -> Result<(), CallError> {
        Ok(())
    }

    fn price(&self, _article: &str) -> Result<f64, CallError> {
        Ok(1.99)
    }

    fn count(&self, _article: &str) -> Result<u32, CallError> {
        Ok(0)
    }
}

pub fn this_thread() -> String {
    format!("{:?}", thread::current().id())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
