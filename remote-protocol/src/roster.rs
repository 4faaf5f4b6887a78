//! Rosters: lists of items that come and go, and who is told of it; the same on both sides.
//!
//! Both rules that callers depend on are decided here, in one step each: a listener for every item is told once of each,
//! also when one attaches meanwhile; and `detach` is told once.

use std::collections::BTreeMap;

use crate::listeners::{ListenerId, Listeners, Turn};

/// Items of type `T`, a cheap clone such as an `Arc`, by key, and listeners of type `F` for those that come and of type `G`
/// for those that go.
#[derive(Debug)]
pub struct Roster<K, T, F, G> {
    items: BTreeMap<K, T>,
    /// Told under [`ATTACH`] alone: a table of one name has the rules we need.
    attach: Listeners<F>,
    detach: Listeners<G>,
}

impl<K: Ord + Copy, T: Clone, F: Clone, G: Clone> Roster<K, T, F, G> {
    /// Adds an item and begins to tell of it; see [`attach_listener`](Self::attach_listener). `None` if the key is taken.
    pub fn attach(&mut self, key: K, item: T) -> Option<Turn> {
        if self.items.contains_key(&key) {
            return None;
        }
        self.items.insert(key, item);
        Some(self.attach.turn())
    }

    /// Removes an item and begins to tell of it; see [`detach_listener`](Self::detach_listener). `None` if there is none.
    pub fn detach(&mut self, key: K) -> Option<(T, Turn)> {
        let item = self.items.remove(&key)?;
        Some((item, self.detach.turn()))
    }

    /// The next listener to tell that an item came.
    pub fn attach_listener(&mut self, turn: &mut Turn) -> Option<F> {
        self.attach.next(ATTACH, turn)
    }

    /// The next listener to tell that an item went.
    pub fn detach_listener(&mut self, turn: &mut Turn) -> Option<G> {
        self.detach.next(DETACH, turn)
    }

    /// Adds a listener for items that come from now on.
    pub fn on_attach(&mut self, listener: F) -> ListenerId {
        self.attach.add(ATTACH, false, listener)
    }

    /// Adds a listener for items that go from now on.
    pub fn on_detach(&mut self, listener: G) -> ListenerId {
        self.detach.add(DETACH, false, listener)
    }

    /// Adds a listener for items that come from now on, and gives those it has to be told of at once.
    pub fn for_every(&mut self, listener: F) -> (ListenerId, Vec<T>) {
        (self.on_attach(listener), self.items())
    }

    /// Removes a listener that [`on_attach`](Self::on_attach) or [`for_every`](Self::for_every) added.
    pub fn off_attach(&mut self, id: ListenerId) -> Option<F> {
        self.attach.remove(id)
    }

    /// Removes a listener that [`on_detach`](Self::on_detach) added.
    pub fn off_detach(&mut self, id: ListenerId) -> Option<G> {
        self.detach.remove(id)
    }

    /// The item of this key.
    #[must_use]
    pub fn get(&self, key: K) -> Option<T> {
        self.items.get(&key).cloned()
    }

    /// All items, by ascending key.
    #[must_use]
    pub fn items(&self) -> Vec<T> {
        self.items.values().cloned().collect()
    }

    /// How many items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

impl<K, T, F, G> Default for Roster<K, T, F, G> {
    fn default() -> Self {
        Self { items: BTreeMap::new(), attach: Listeners::default(), detach: Listeners::default() }
    }
}

const ATTACH: &str = "attach";
const DETACH: &str = "detach";

#[cfg(test)]
mod tests {
    use super::*;

    type Names = Roster<u32, &'static str, &'static str, &'static str>;

    fn told(roster: &mut Names, mut turn: Turn) -> Vec<&'static str> {
        std::iter::from_fn(|| roster.attach_listener(&mut turn)).collect()
    }

    /// A7
    #[test]
    fn for_every_is_told_once_of_each_item_also_when_one_attaches_meanwhile() {
        let mut roster = Names::default();
        let early = roster.attach(1, "early").unwrap();
        let (listener, present) = roster.for_every("every");
        assert_eq!(present, ["early"]);
        assert!(told(&mut roster, early).is_empty());
        let late = roster.attach(2, "late").unwrap();
        assert_eq!(told(&mut roster, late), ["every"]);
        assert!(roster.off_attach(listener).is_some());
        let later = roster.attach(3, "later").unwrap();
        assert!(told(&mut roster, later).is_empty());
    }

    /// A8
    #[test]
    fn detach_is_told_once() {
        let mut roster = Names::default();
        roster.attach(1, "item").unwrap();
        roster.on_detach("gone");
        let (item, mut turn) = roster.detach(1).unwrap();
        assert_eq!((item, roster.detach_listener(&mut turn)), ("item", Some("gone")));
        assert_eq!(roster.detach_listener(&mut turn), None);
        assert!(roster.detach(1).is_none());
    }

    #[test]
    fn a_key_is_used_by_one_item() {
        let mut roster = Names::default();
        assert!(roster.attach(1, "first").is_some());
        assert!(roster.attach(1, "second").is_none());
        assert_eq!((roster.get(1), roster.len(), roster.items()), (Some("first"), 1, vec!["first"]));
    }
}
