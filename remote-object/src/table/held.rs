use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use remote_protocol::id::LentId;

/// What is held of the peer's: one `T` for all references to the same thing that arrive while it lives.
#[derive(Debug)]
pub(crate) struct Held<T> {
    by_id: HashMap<LentId, Weak<T>>,
}

/// How many references one `T` stands for; all are given back when it drops.
#[derive(Debug, Default)]
pub(crate) struct Arrivals(AtomicU32);

impl Arrivals {
    pub(crate) fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

impl<T: AsRef<Arrivals>> Held<T> {
    /// Counts a reference that arrived; gives what stands for it, made by `make` if there is none.
    pub(crate) fn arrive(&mut self, id: LentId, make: impl FnOnce() -> T) -> Arc<T> {
        let held = match self.by_id.entry(id) {
            Entry::Vacant(place) => {
                let made = Arc::new(make());
                place.insert(Arc::downgrade(&made));
                made
            }
            // One that is being dropped at this moment gives back only what it counted itself.
            Entry::Occupied(mut place) => place.get().upgrade().unwrap_or_else(|| {
                let made = Arc::new(make());
                place.insert(Arc::downgrade(&made));
                made
            }),
        };
        (*held).as_ref().0.fetch_add(1, Ordering::Relaxed);
        held
    }

    /// What stands for `id` is being dropped, unless a new one does already.
    pub(crate) fn remove(&mut self, id: LentId) {
        if let Entry::Occupied(place) = self.by_id.entry(id)
            && place.get().strong_count() == 0
        {
            place.remove();
        }
    }

    /// What stands for `id`. Not to be dropped where its destructor would come back to the table.
    pub(crate) fn get(&self, id: LentId) -> Option<Arc<T>> {
        self.by_id.get(&id).and_then(Weak::upgrade)
    }

    /// How many references there are to each thing that is held.
    #[cfg(any(test, feature = "__fuzz"))]
    pub(crate) fn counts(&self) -> std::collections::BTreeMap<LentId, u32> {
        let held = self.by_id.iter().filter_map(|(id, held)| Some((*id, held.upgrade()?)));
        held.map(|(id, held)| (id, (*held).as_ref().count())).collect()
    }

    /// All that there is. Not to be dropped where a destructor would come back to the table.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Arc<T>> {
        self.by_id.values().filter_map(Weak::upgrade)
    }

    pub(crate) fn contains(&self, id: LentId) -> bool {
        self.by_id.contains_key(&id)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }
}

impl<T> Default for Held<T> {
    fn default() -> Self {
        Self { by_id: HashMap::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default)]
    struct Thing(Arrivals);

    impl AsRef<Arrivals> for Thing {
        fn as_ref(&self) -> &Arrivals {
            &self.0
        }
    }

    const ID: LentId = LentId { slot: 1, generation: 2 };

    #[test]
    fn all_references_that_arrive_share_one_thing_and_are_counted() {
        let mut held = Held::default();
        let first = held.arrive(ID, Thing::default);
        let second = held.arrive(ID, Thing::default);
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(first.0.count(), 2);
        assert_eq!(held.len(), 1);
    }

    #[test]
    fn one_that_arrives_while_the_last_is_dropped_counts_anew() {
        let mut held = Held::default();
        let first: Arc<Thing> = held.arrive(ID, Thing::default);
        let weak = Arc::downgrade(&first);
        drop(first);
        assert!(weak.upgrade().is_none());
        // Its destructor has not come to `remove` yet.
        let second = held.arrive(ID, Thing::default);
        held.remove(ID);
        assert_eq!((second.0.count(), held.len()), (1, 1));
        drop(second);
        held.remove(ID);
        assert_eq!(held.len(), 0);
    }
}
