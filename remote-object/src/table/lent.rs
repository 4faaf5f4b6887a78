use remote_protocol::id::LentId;

/// Things lent to one peer, by slot and generation.
#[derive(Debug)]
pub(crate) struct Lent<T> {
    slots: Vec<Slot<T>>,
    /// Slots without an entry, and with generations left.
    free: Vec<u32>,
    /// How many entries there are.
    len: usize,
    limit: usize,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    entry: Option<Entry<T>>,
}

/// Present while `count` or `kept` says that somebody can still reach it.
#[derive(Debug)]
struct Entry<T> {
    value: T,
    /// References that the peer has, or that are on their way to it.
    count: u32,
    /// Whether this side can still send it.
    kept: bool,
}

/// Why something cannot be lent, or an id is not a reference to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LentError {
    #[error("more than {limit} references to one process")]
    Full { limit: usize },
    #[error("no such reference")]
    Unknown,
    #[error("{lent} references were lent")]
    TooMany { lent: u32 },
}

impl<T> Lent<T> {
    pub(crate) const fn new(limit: usize) -> Self {
        Self { slots: Vec::new(), free: Vec::new(), len: 0, limit }
    }

    /// Adds something that this side keeps until [`unkeep`](Self::unkeep); nothing of it is lent yet.
    pub(crate) fn insert(&mut self, value: T) -> Result<LentId, LentError> {
        if self.len >= self.limit {
            return Err(LentError::Full { limit: self.limit });
        }
        let entry = Some(Entry { value, count: 0, kept: true });
        self.len += 1;
        if let Some(slot) = self.free.pop()
            && let Some(vacant) = self.slots.get_mut(slot as usize)
        {
            vacant.entry = entry;
            return Ok(LentId { slot, generation: vacant.generation });
        }
        let slot = u32::try_from(self.slots.len()).map_err(|_| LentError::Full { limit: self.limit })?;
        self.slots.push(Slot { generation: 0, entry });
        Ok(LentId { slot, generation: 0 })
    }

    /// Counts one reference that is about to be sent.
    pub(crate) fn lend(&mut self, id: LentId) -> Result<(), LentError> {
        let entry = self.entry(id)?;
        entry.count = entry.count.checked_add(1).ok_or(LentError::TooMany { lent: entry.count })?;
        Ok(())
    }

    /// Takes `count` references back; gives the value when nobody can reach it any more.
    pub(crate) fn release(&mut self, id: LentId, count: u32) -> Result<Option<T>, LentError> {
        let entry = self.entry(id)?;
        let lent = entry.count;
        entry.count = lent.checked_sub(count).ok_or(LentError::TooMany { lent })?;
        Ok(self.collect(id))
    }

    /// This side cannot send it any more; gives the value when nobody can reach it any more.
    pub(crate) fn unkeep(&mut self, id: LentId) -> Option<T> {
        self.entry(id).ok()?.kept = false;
        self.collect(id)
    }

    pub(crate) fn get(&self, id: LentId) -> Option<&T> {
        let slot = self.slots.get(id.slot as usize).filter(|slot| slot.generation == id.generation)?;
        slot.entry.as_ref().map(|entry| &entry.value)
    }

    /// Whether the peer has references to it, or they are on their way.
    pub(crate) fn is_lent(&self, id: LentId) -> bool {
        let slot = self.slots.get(id.slot as usize).filter(|slot| slot.generation == id.generation);
        slot.and_then(|slot| slot.entry.as_ref()).is_some_and(|entry| entry.count > 0)
    }

    /// What is lent, or kept to be.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| slot.entry.as_ref()).map(|entry| &entry.value)
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// What is lent, how many references there are to it, and whether this side can still send it.
    #[cfg(test)]
    pub(crate) fn entries(&self) -> impl Iterator<Item = (LentId, &T, u32, bool)> {
        let id = |slot: usize, generation| LentId { slot: u32::try_from(slot).unwrap(), generation };
        self.slots.iter().enumerate().filter_map(move |(number, slot)| {
            let entry = slot.entry.as_ref()?;
            Some((id(number, slot.generation), &entry.value, entry.count, entry.kept))
        })
    }

    /// Empties the table; nothing that was lent is valid any more.
    pub(crate) fn drain(&mut self) -> Vec<T> {
        self.len = 0;
        self.free.clear();
        let slots = std::mem::take(&mut self.slots);
        slots.into_iter().filter_map(|slot| slot.entry).map(|entry| entry.value).collect()
    }

    fn entry(&mut self, id: LentId) -> Result<&mut Entry<T>, LentError> {
        let slot = self.slots.get_mut(id.slot as usize).filter(|slot| slot.generation == id.generation);
        slot.and_then(|slot| slot.entry.as_mut()).ok_or(LentError::Unknown)
    }

    fn collect(&mut self, id: LentId) -> Option<T> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        let entry = slot.entry.take_if(|entry| entry.count == 0 && !entry.kept)?;
        self.len -= 1;
        // A slot whose generations are used up stays empty: an old id must never name something new.
        if let Some(generation) = slot.generation.checked_add(1) {
            slot.generation = generation;
            self.free.push(id.slot);
        }
        Some(entry.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_goes_when_neither_side_can_reach_it() {
        let mut lent = Lent::new(10);
        let id = lent.insert("value").unwrap();
        lent.lend(id).unwrap();
        lent.lend(id).unwrap();
        assert_eq!(lent.unkeep(id), None);
        assert_eq!(lent.release(id, 1), Ok(None));
        assert_eq!(lent.get(id), Some(&"value"));
        assert_eq!(lent.release(id, 1), Ok(Some("value")));
        assert_eq!((lent.get(id), lent.len()), (None, 0));
    }

    /// B7
    #[test]
    fn a_release_that_crosses_a_new_sending_takes_nothing_away() {
        let mut lent = Lent::new(10);
        let id = lent.insert("value").unwrap();
        lent.unkeep(id);
        let id = lent.insert("value").unwrap();
        lent.lend(id).unwrap();
        assert_eq!(lent.unkeep(id), None);
        lent.lend(id).unwrap();
        assert_eq!(lent.release(id, 1), Ok(None));
        assert_eq!(lent.release(id, 1), Ok(Some("value")));
    }

    #[test]
    fn an_old_id_does_not_name_the_slots_next_tenant() {
        let mut lent = Lent::new(10);
        let old = lent.insert("old").unwrap();
        assert_eq!(lent.unkeep(old), Some("old"));
        let new = lent.insert("new").unwrap();
        assert_eq!(old.slot, new.slot);
        assert_eq!(lent.get(old), None);
        assert_eq!(lent.release(old, 0), Err(LentError::Unknown));
        assert_eq!(lent.get(new), Some(&"new"));
    }

    #[test]
    fn more_cannot_be_given_back_than_was_lent_nor_lent_than_the_limit() {
        let mut lent = Lent::new(1);
        let id = lent.insert("value").unwrap();
        lent.lend(id).unwrap();
        assert_eq!(lent.release(id, 2), Err(LentError::TooMany { lent: 1 }));
        assert_eq!(lent.insert("other"), Err(LentError::Full { limit: 1 }));
        assert_eq!(lent.release(LentId { slot: 9, generation: 0 }, 1), Err(LentError::Unknown));
    }
}
