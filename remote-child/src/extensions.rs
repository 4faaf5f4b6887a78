use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

/// Things that other crates keep with ours, one of each type: with the loop, a loader, or a frame as one loader sees it.
///
/// What is dropped when they end may come back here: nothing is borrowed then.
#[derive(Default)]
pub(crate) struct Extensions {
    kept: RefCell<HashMap<TypeId, Rc<dyn Any>>>,
    /// Nothing is kept any more.
    ended: Cell<bool>,
}

impl Extensions {
    pub(crate) fn get<T: 'static>(&self) -> Option<Rc<T>> {
        let kept = self.kept.borrow().get(&TypeId::of::<T>()).cloned();
        kept.and_then(|kept| kept.downcast().ok())
    }

    /// What is made once all has ended, only the caller has. `make` may come back to us: nothing is borrowed while it runs.
    pub(crate) fn get_or_make<T: 'static>(&self, make: impl FnOnce() -> T) -> Rc<T> {
        if let Some(kept) = self.get() {
            return kept;
        }
        let made = Rc::new(make());
        if !self.ended.get() {
            let kept: Rc<dyn Any> = Rc::clone(&made) as Rc<dyn Any>;
            let old = self.kept.borrow_mut().insert(TypeId::of::<T>(), kept);
            drop(old);
        }
        made
    }

    /// Lets go of everything. What is asked for from now on is made anew.
    pub(crate) fn clear(&self) {
        let kept = self.kept.take();
        drop(kept);
    }

    /// Lets go of everything, for good.
    pub(crate) fn end(&self) {
        self.ended.set(true);
        self.clear();
    }
}
