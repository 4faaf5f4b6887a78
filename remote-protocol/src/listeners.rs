//! Tables of listeners by event name; the same on both sides.
//!
//! A listener added while an event is being told is not told of that event; one removed meanwhile is not told any more.
//! So events are told listener by listener, and user code never runs while the table is borrowed or locked:
//!
//! ```
//! use std::rc::Rc;
//!
//! use remote_protocol::listeners::{Listeners, Turn};
//!
//! let mut listeners: Listeners<Rc<dyn Fn(&str)>> = Listeners::default();
//! listeners.add("greeting", false, Rc::new(|text| assert_eq!(text, "hello")));
//! let mut turn = Turn::default();
//! while let Some(listener) = listeners.next("greeting", &mut turn) {
//!     listener("hello");
//! }
//! ```

use std::collections::BTreeMap;

/// Listeners of type `F`, a cheap clone such as `Arc<dyn Fn(…)>`.
#[derive(Debug)]
pub struct Listeners<F> {
    /// Per name, in the order they were added; ids ascend. Names without listeners have no entry. No name is a peer's: those are only
    /// looked up.
    by_name: BTreeMap<Box<str>, Vec<Entry<F>>>,
    /// The id of the listener added last.
    newest: u64,
}

#[derive(Debug)]
struct Entry<F> {
    id: u64,
    once: bool,
    listener: F,
}

impl<F: Clone> Listeners<F> {
    /// Adds a listener; with `once`, it is removed as it is told of its first event.
    pub fn add(&mut self, name: &str, once: bool, listener: F) -> ListenerId {
        self.newest = self.newest.saturating_add(1);
        let entry = Entry { id: self.newest, once, listener };
        match self.by_name.get_mut(name) {
            Some(entries) => entries.push(entry),
            None => drop(self.by_name.insert(name.into(), vec![entry])),
        }
        ListenerId(self.newest)
    }

    /// Removes a listener; gives it back, so that it can be dropped where nothing is borrowed or locked.
    #[must_use]
    pub fn remove(&mut self, id: ListenerId) -> Option<F> {
        let mut places =
            self.by_name.iter().map(|(name, entries)| (name, entries.iter().position(|entry| entry.id == id.0)));
        let (name, index) = places.find_map(|(name, index)| index.map(|index| (name.clone(), index)))?;
        self.remove_from(&name, index)
    }

    /// Begins to tell an event: a turn through the listeners that are there now. A [`Turn::default`] begins with its first listener.
    #[must_use]
    pub const fn turn(&self) -> Turn {
        Turn { told: 0, last: Some(self.newest) }
    }

    /// The next listener of `turn` for the event `name`.
    #[must_use]
    pub fn next(&mut self, name: &str, turn: &mut Turn) -> Option<F> {
        let last = *turn.last.get_or_insert(self.newest);
        let entries = self.by_name.get_mut(name)?;
        let index = entries.partition_point(|entry| entry.id <= turn.told);
        let is_last = entries.get(index + 1).is_none_or(|after| last < after.id);
        let entry = entries.get(index).filter(|entry| entry.id <= last)?;
        turn.told = if is_last { last } else { entry.id };
        if entry.once {
            return self.remove_from(name, index);
        }
        Some(entry.listener.clone())
    }

    /// How many listeners there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.values().map(Vec::len).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Whether anything listens to `name`.
    #[must_use]
    #[cfg(test)]
    fn hears(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// Removes all listeners, and gives them, so that they can be dropped where nothing is borrowed or locked.
    #[must_use]
    pub fn take(&mut self) -> Self {
        Self { by_name: std::mem::take(&mut self.by_name), newest: self.newest }
    }

    fn remove_from(&mut self, name: &str, index: usize) -> Option<F> {
        let entries = self.by_name.get_mut(name)?;
        let removed = entries.remove(index);
        if entries.is_empty() {
            self.by_name.remove(name);
        }
        Some(removed.listener)
    }
}

impl<F> Default for Listeners<F> {
    fn default() -> Self {
        Self { by_name: BTreeMap::new(), newest: 0 }
    }
}

/// A listener, to remove it by. It means something only to the port or list it was added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerId(u64);

/// How far an event has been told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Turn {
    told: u64,
    /// The last listener that may be told; `None` before the first is looked for.
    last: Option<u64>,
}

impl Turn {
    /// Whether there is nobody left to be told, so that the table need not be looked at again.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.last.is_some_and(|last| last <= self.told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(listeners: &mut Listeners<&'static str>, name: &str) -> Vec<&'static str> {
        let mut turn = listeners.turn();
        std::iter::from_fn(|| listeners.next(name, &mut turn)).collect()
    }

    #[test]
    fn listeners_are_told_in_the_order_they_were_added() {
        let mut listeners = Listeners::default();
        listeners.add("a", false, "first");
        listeners.add("b", false, "other");
        listeners.add("a", false, "second");
        assert_eq!(told(&mut listeners, "a"), ["first", "second"]);
        assert!(listeners.hears("b"));
        assert!(!listeners.hears("c"));
    }

    #[test]
    fn a_turn_begins_with_its_first_listener_and_is_over_with_its_last() {
        let mut listeners = Listeners::default();
        let mut turn = Turn::default();
        assert!(!turn.is_over());
        listeners.add("a", false, "first");
        listeners.add("a", false, "second");
        assert_eq!((listeners.next("a", &mut turn), turn.is_over()), (Some("first"), false));
        listeners.add("a", false, "third");
        assert_eq!((listeners.next("a", &mut turn), turn.is_over()), (Some("second"), true));
        assert_eq!(listeners.next("a", &mut turn), None);
    }

    /// A4
    #[test]
    fn a_once_listener_is_gone_when_it_is_told() {
        let mut listeners = Listeners::default();
        listeners.add("a", true, "once");
        let mut turns = [listeners.turn(), listeners.turn()];
        assert_eq!(listeners.next("a", &mut turns[0]), Some("once"));
        assert_eq!(listeners.next("a", &mut turns[1]), None);
        assert!(!listeners.hears("a"));
    }

    #[test]
    fn one_added_during_an_event_is_not_told_and_one_removed_is_not_any_more() {
        let mut listeners = Listeners::default();
        listeners.add("a", false, "first");
        let second = listeners.add("a", false, "second");
        let mut turn = listeners.turn();
        assert_eq!(listeners.next("a", &mut turn), Some("first"));
        listeners.add("a", false, "third");
        assert_eq!(listeners.remove(second), Some("second"));
        assert_eq!(listeners.next("a", &mut turn), None);
        assert_eq!(told(&mut listeners, "a"), ["first", "third"]);
    }

    #[test]
    fn a_listener_is_removed_once() {
        let mut listeners = Listeners::default();
        let id = listeners.add("a", false, "first");
        assert!(listeners.remove(id).is_some());
        assert!(listeners.remove(id).is_none());
    }
}
