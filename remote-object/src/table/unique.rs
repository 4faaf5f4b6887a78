use std::fmt;
use std::hash::{BuildHasher as _, Hash};

use hashbrown::{DefaultHashBuilder, HashTable};
use remote_protocol::id::LentId;

use crate::table::{Lent, LentError};

/// Things lent to one peer, each by one id: the same thing, the same id.
///
/// What finds them again is a table of slots, five bytes each, and not of what they are found by: there may be a million.
pub(crate) struct Unique<T> {
    lent: Lent<T>,
    /// Exactly the slots of `lent` with something in them.
    slots: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

/// What makes two things the same. It must not change, nor run code of the application.
pub(crate) trait Keyed {
    type Key<'a>: Hash + Eq
    where
        Self: 'a;

    fn key(&self) -> Self::Key<'_>;
}

impl<T: Keyed> Unique<T> {
    pub(crate) fn new(limit: usize) -> Self {
        Self { lent: Lent::new(limit), slots: HashTable::new(), hasher: DefaultHashBuilder::default() }
    }

    /// The id of the thing that this is the key of.
    pub(crate) fn find<'a>(&'a self, key: &T::Key<'a>) -> Option<LentId> {
        let same = |slot: &u32| self.lent.at(*slot).is_some_and(|(_, value)| value.key() == *key);
        let slot = self.slots.find(self.hasher.hash_one(key), same)?;
        Some(self.lent.at(*slot)?.0)
    }

    /// Whether there is room for one more.
    pub(crate) const fn room(&self) -> Result<(), LentError> {
        self.lent.room()
    }

    /// Adds something that is not there, as [`Lent::insert`] does.
    pub(crate) fn insert(&mut self, value: T) -> Result<LentId, LentError> {
        let hash = self.hasher.hash_one(value.key());
        let id = self.lent.insert(value)?;
        let Self { lent, slots, hasher } = self;
        slots.insert_unique(hash, id.slot, |slot| match lent.at(*slot) {
            Some((_, value)) => hasher.hash_one(value.key()),
            None => 0,
        });
        Ok(id)
    }

    /// See [`Lent::lend`].
    pub(crate) fn lend(&mut self, id: LentId) -> Result<(), LentError> {
        self.lent.lend(id)
    }

    /// See [`Lent::release`].
    pub(crate) fn release(&mut self, id: LentId, count: u32) -> Result<Option<T>, LentError> {
        let gone = self.lent.release(id, count)?;
        Ok(gone.inspect(|value| self.forget(id, value)))
    }

    /// See [`Lent::unkeep`].
    pub(crate) fn unkeep(&mut self, id: LentId) -> Option<T> {
        let gone = self.lent.unkeep(id);
        gone.inspect(|value| self.forget(id, value))
    }

    pub(crate) fn get(&self, id: LentId) -> Option<&T> {
        self.lent.get(id)
    }

    /// What is in a slot now, and its id.
    pub(crate) fn at(&self, slot: u32) -> Option<(LentId, &T)> {
        self.lent.at(slot)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.lent.iter()
    }

    pub(crate) const fn len(&self) -> usize {
        self.lent.len()
    }

    /// See [`Lent::drain`].
    pub(crate) fn drain(&mut self) -> Vec<T> {
        self.slots = HashTable::new();
        self.lent.drain()
    }

    /// See [`Lent::entries`].
    #[cfg(test)]
    pub(crate) fn entries(&self) -> impl Iterator<Item = (LentId, &T, u32, bool)> {
        let entries = self.lent.entries().inspect(|(id, value, ..)| assert_eq!(self.find(&value.key()), Some(*id)));
        assert_eq!(self.slots.len(), self.lent.len());
        entries
    }

    /// `value` was in the slot of `id`, and is not there any more.
    fn forget(&mut self, id: LentId, value: &T) {
        let hash = self.hasher.hash_one(value.key());
        if let Ok(entry) = self.slots.find_entry(hash, |slot| *slot == id.slot) {
            entry.remove();
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Unique<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lent.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Keyed for &str {
        type Key<'a>
            = &'a str
        where
            Self: 'a;

        fn key(&self) -> &str {
            self
        }
    }

    #[test]
    fn a_thing_is_found_by_its_key_until_it_goes() {
        let mut things = Unique::new(10);
        let id = things.insert("thing").unwrap();
        assert_eq!(things.find(&"thing"), Some(id));
        things.lend(id).unwrap();
        assert_eq!(things.unkeep(id), None);
        assert_eq!(things.release(id, 1), Ok(Some("thing")));
        assert_eq!(things.find(&"thing"), None);
        let again = things.insert("thing").unwrap();
        assert_eq!((things.find(&"thing"), again.slot, again.generation), (Some(again), id.slot, 1));
    }

    #[test]
    fn many_are_found_while_others_come_and_go() {
        let names: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
        let mut things = Unique::new(1000);
        let ids: Vec<_> = names.iter().map(|name| things.insert(name.as_str()).unwrap()).collect();
        for (number, id) in ids.iter().enumerate().filter(|(number, _)| number % 3 == 0) {
            assert_eq!(things.unkeep(*id), Some(names[number].as_str()));
        }
        for (number, name) in names.iter().enumerate() {
            assert_eq!(things.find(&name.as_str()), (number % 3 != 0).then_some(ids[number]));
        }
        assert_eq!(things.entries().count(), things.len());
        assert_eq!((things.drain().len(), things.find(&"1"), things.len()), (666, None, 0));
    }
}
