use remote_protocol::id::LentId;

/// Things lent to one peer, by slot and generation.
#[derive(Debug)]
pub(crate) struct Lent<T> {
    slots: Vec<Slot<T>>,
    /// Slots without an entry, and with generations left.
    free: Vec<u32>,
    /// How many entries there are.
    len: usize,
    /// To how many of them the peer has references, or they are on their way.
    lent: usize,
    limit: usize,
    /// The generation that slots begin with: no slot had it, or a later one, before the table was emptied.
    first: u32,
}

/// Small, for there may be a million.
#[derive(Debug)]
struct Slot<T> {
    /// Present while `count` says that somebody can still reach it.
    value: Option<T>,
    generation: u32,
    count: Count,
}

/// References that the peer has, or that are on their way to it; and, in the highest bit, whether this side can still send it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count(u32);

impl Count {
    /// None, of something that this side keeps.
    const KEPT: Self = Self(1 << 31);

    const fn lent(self) -> u32 {
        self.0 & !Self::KEPT.0
    }

    #[cfg(any(test, feature = "__fuzz"))]
    const fn is_kept(self) -> bool {
        self.0 >= Self::KEPT.0
    }

    const fn unkept(self) -> Self {
        Self(self.lent())
    }

    /// One more; `None` when no more can be counted.
    const fn more(self) -> Option<Self> {
        if self.lent() < Self::KEPT.0 - 1 { Some(Self(self.0 + 1)) } else { None }
    }

    /// So many less; `None` when there are not so many.
    const fn less(self, count: u32) -> Option<Self> {
        if count <= self.lent() { Some(Self(self.0 - count)) } else { None }
    }
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
        Self { slots: Vec::new(), free: Vec::new(), len: 0, lent: 0, limit, first: 0 }
    }

    /// Whether there is room for one more.
    pub(crate) const fn room(&self) -> Result<(), LentError> {
        if self.len >= self.limit { Err(LentError::Full { limit: self.limit }) } else { Ok(()) }
    }

    /// Adds something that this side keeps until [`unkeep`](Self::unkeep); nothing of it is lent yet.
    pub(crate) fn insert(&mut self, value: T) -> Result<LentId, LentError> {
        self.room()?;
        self.len += 1;
        if let Some(number) = self.free.pop()
            && let Some(slot) = self.slots.get_mut(number as usize)
        {
            (slot.value, slot.count) = (Some(value), Count::KEPT);
            return Ok(LentId { slot: number, generation: slot.generation });
        }
        let slot = u32::try_from(self.slots.len()).map_err(|_| LentError::Full { limit: self.limit })?;
        let generation = self.first;
        self.slots.push(Slot { value: Some(value), generation, count: Count::KEPT });
        Ok(LentId { slot, generation })
    }

    /// Counts one reference that is about to be sent.
    pub(crate) fn lend(&mut self, id: LentId) -> Result<(), LentError> {
        let slot = self.slot(id)?;
        let lent = slot.count.lent();
        slot.count = slot.count.more().ok_or(LentError::TooMany { lent })?;
        self.lent += usize::from(lent == 0);
        Ok(())
    }

    /// Takes `count` references back; gives the value when nobody can reach it any more.
    pub(crate) fn release(&mut self, id: LentId, count: u32) -> Result<Option<T>, LentError> {
        let slot = self.slot(id)?;
        let lent = slot.count.lent();
        slot.count = slot.count.less(count).ok_or(LentError::TooMany { lent })?;
        self.lent -= usize::from(0 < lent && lent == count);
        Ok(self.collect(id))
    }

    /// This side cannot send it any more; gives the value when nobody can reach it any more.
    pub(crate) fn unkeep(&mut self, id: LentId) -> Option<T> {
        let slot = self.slot(id).ok()?;
        slot.count = slot.count.unkept();
        self.collect(id)
    }

    pub(crate) fn get(&self, id: LentId) -> Option<&T> {
        self.slots.get(id.slot as usize).filter(|slot| slot.generation == id.generation)?.value.as_ref()
    }

    /// What is in a slot now, and its id.
    pub(crate) fn at(&self, number: u32) -> Option<(LentId, &T)> {
        let slot = self.slots.get(number as usize)?;
        Some((LentId { slot: number, generation: slot.generation }, slot.value.as_ref()?))
    }

    /// Whether the peer has references to it, or they are on their way.
    pub(crate) fn is_lent(&self, id: LentId) -> bool {
        let slot = self.slots.get(id.slot as usize).filter(|slot| slot.generation == id.generation);
        slot.is_some_and(|slot| slot.value.is_some() && slot.count.lent() > 0)
    }

    /// What is lent, or kept to be.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| slot.value.as_ref())
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// To how many the peer has references, or they are on their way.
    pub(crate) const fn lent(&self) -> usize {
        self.lent
    }

    /// What is lent, how many references there are to it, and whether this side can still send it.
    #[cfg(any(test, feature = "__fuzz"))]
    pub(crate) fn entries(&self) -> impl Iterator<Item = (LentId, &T, u32, bool)> {
        (0..).zip(&self.slots).filter_map(|(number, slot)| {
            let id = LentId { slot: number, generation: slot.generation };
            Some((id, slot.value.as_ref()?, slot.count.lent(), slot.count.is_kept()))
        })
    }

    /// Empties the table; nothing that was lent is valid any more, nor will it be.
    pub(crate) fn drain(&mut self) -> Vec<T> {
        (self.len, self.lent) = (0, 0);
        self.free = Vec::new();
        let slots = std::mem::take(&mut self.slots);
        let last = slots.iter().map(|slot| slot.generation).max();
        match last.map_or(Some(self.first), |last| last.checked_add(1)) {
            Some(first) => self.first = first,
            // All generations are used up.
            None => self.limit = 0,
        }
        slots.into_iter().filter_map(|slot| slot.value).collect()
    }

    fn slot(&mut self, id: LentId) -> Result<&mut Slot<T>, LentError> {
        let slot = self.slots.get_mut(id.slot as usize);
        slot.filter(|slot| slot.generation == id.generation && slot.value.is_some()).ok_or(LentError::Unknown)
    }

    fn collect(&mut self, id: LentId) -> Option<T> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        let value = slot.value.take_if(|_| slot.count == Count::default())?;
        self.len -= 1;
        // A slot whose generations are used up stays empty: an old id must never name something new.
        if let Some(generation) = slot.generation.checked_add(1) {
            slot.generation = generation;
            self.free.push(id.slot);
        }
        Some(value)
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
    fn no_id_of_an_emptied_table_names_anything_again() {
        let mut lent = Lent::new(10);
        let old: Vec<_> = ["one", "two"].map(|value| lent.insert(value).unwrap()).into();
        lent.unkeep(old[1]);
        let newer = lent.insert("two again").unwrap();
        assert_eq!(lent.drain(), ["one", "two again"]);
        let new: Vec<_> = (0..3).map(|_| lent.insert("new").unwrap()).collect();
        assert!(old.iter().chain([&newer]).all(|id| lent.get(*id).is_none() && !new.contains(id)));
        assert!(new.iter().all(|id| lent.get(*id).is_some()));
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

    #[test]
    fn counting_ends_before_it_says_something_else() {
        let most = Count(Count::KEPT.0 - 1);
        assert_eq!((most.more(), Count(u32::MAX).more()), (None, None));
        assert_eq!((most.lent(), most.is_kept()), (i32::MAX.unsigned_abs(), false));
        assert_eq!(Count(u32::MAX).less(most.lent()), Some(Count::KEPT));
        assert_eq!((Count::KEPT.less(1), Count::KEPT.unkept()), (None, Count::default()));
    }

    #[test]
    fn a_slot_is_no_larger_than_it_has_to_be() {
        assert_eq!(size_of::<Slot<(Box<dyn Send>, u32, u32)>>(), 32);
    }
}
