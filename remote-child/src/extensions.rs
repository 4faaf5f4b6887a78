use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Things that other crates keep with ours, one of each type.
#[derive(Default)]
pub(crate) struct Extensions(RefCell<HashMap<TypeId, Rc<dyn Any>>>);

impl Extensions {
    pub(crate) fn get<T: 'static>(&self) -> Option<Rc<T>> {
        let kept = self.0.borrow().get(&TypeId::of::<T>()).cloned();
        kept.and_then(|kept| kept.downcast().ok())
    }

    /// `make` may come back to us: nothing is borrowed while it runs.
    pub(crate) fn get_or_make<T: 'static>(&self, make: impl FnOnce() -> T) -> Rc<T> {
        if let Some(kept) = self.get() {
            return kept;
        }
        let made = Rc::new(make());
        let kept: Rc<dyn Any> = Rc::clone(&made) as Rc<dyn Any>;
        let old = self.0.borrow_mut().insert(TypeId::of::<T>(), kept);
        drop(old);
        made
    }

    pub(crate) fn clear(&self) {
        let kept = self.0.take();
        drop(kept);
    }
}
