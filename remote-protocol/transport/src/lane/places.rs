//! Which parts of the memory for buffers are taken.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use remote_protocol::link::PlaceId;

/// Where copies of buffers lie, in bytes of their file. It knows nothing of the file: what is taken is to be written by whoever takes
/// it, and what is vacated is to be given back to the system, before it is free again.
///
/// A copy that is not lent any more stays as long as there is room, for it may be lent again; the longer it has not been, the sooner
/// it goes. One that will not be lent again stays until [`tidy`](Places::tidy): its pages serve the next copy of the same size, for
/// fresh ones cost more than copying.
#[derive(Debug)]
pub(super) struct Places {
    /// Free grains, by the first of them. No two ranges overlap or touch.
    free: BTreeMap<u64, u64>,
    tenants: BTreeMap<PlaceId, Tenant>,
    /// Tenants that are not lent, in the order in which they were given back.
    spare: BTreeMap<u64, PlaceId>,
    /// Those of `spare` that nobody will lend again: their grains, and their key there.
    vacant: BTreeSet<(u64, u64)>,
    /// The grains of all of `spare`, and how many there may be.
    spare_grains: u64,
    spare_limit: u64,
    /// What the next tenant and the next to be spare are numbered by.
    next: u64,
}

#[derive(Debug)]
struct Tenant {
    first: u64,
    grains: u64,
    /// How often it is lent.
    leases: u32,
    /// Its key in `spare`, exactly when it is not lent.
    spare: Option<u64>,
    /// Nobody will lend it again.
    is_removed: bool,
}

/// What comes of asking for room.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is lent once, and lies here.
    Placed(PlaceId, Range<u64>),
    /// There may be room when this has been vacated.
    Vacate(Range<u64>),
    /// There is none.
    Full,
}

impl Places {
    /// In a file of so many bytes.
    pub(super) fn new(bytes: u64) -> Self {
        let grains = bytes / GRAIN_BYTES;
        let free = (grains > 0).then_some((0, grains));
        Self {
            free: free.into_iter().collect(),
            tenants: BTreeMap::new(),
            spare: BTreeMap::new(),
            vacant: BTreeSet::new(),
            spare_grains: 0,
            spare_limit: grains / 4,
            next: 0,
        }
    }

    /// Room for so many bytes.
    pub(super) fn take(&mut self, bytes: u64) -> Taken {
        let grains = bytes.div_ceil(GRAIN_BYTES).max(1);
        if let Some(first) = self.reuse(grains) {
            return self.place(first, grains);
        }
        let fitting = self.free.iter().find(|(_, length)| **length >= grains);
        if let Some((&first, &length)) = fitting {
            self.free.remove(&first);
            if length > grains {
                self.free.insert(first + grains, length - grains);
            }
            return self.place(first, grains);
        }
        let free: u64 = self.free.values().sum();
        if free + self.spare_grains < grains {
            return Taken::Full;
        }
        self.evict().map_or(Taken::Full, Taken::Vacate)
    }

    fn place(&mut self, first: u64, grains: u64) -> Taken {
        let id = PlaceId(self.number());
        self.tenants.insert(id, Tenant { first, grains, leases: 1, spare: None, is_removed: false });
        Taken::Placed(id, range(first, grains))
    }

    /// Takes the place of one that nobody will lend again, the last to be given back.
    fn reuse(&mut self, grains: u64) -> Option<u64> {
        let &(_, number) = self.vacant.range((grains, 0)..=(grains, u64::MAX)).next_back()?;
        let id = *self.spare.get(&number)?;
        Some(self.leave(id)?.start / GRAIN_BYTES)
    }

    /// Lends again what was placed, and gives where it begins, unless it has gone.
    pub(super) fn lend(&mut self, id: PlaceId) -> Option<u64> {
        let tenant = self.tenants.get_mut(&id).filter(|tenant| !tenant.is_removed)?;
        tenant.leases = tenant.leases.checked_add(1)?;
        if let Some(number) = tenant.spare.take() {
            self.spare.remove(&number);
            self.spare_grains -= tenant.grains;
        }
        Some(tenant.first * GRAIN_BYTES)
    }

    /// It is lent once less. Gives what has to be vacated.
    pub(super) fn give_back(&mut self, id: PlaceId) -> Vec<Range<u64>> {
        let number = self.number();
        let Some(tenant) = self.tenants.get_mut(&id).filter(|tenant| tenant.leases > 0) else { return Vec::new() };
        tenant.leases -= 1;
        if tenant.leases > 0 {
            return Vec::new();
        }
        tenant.spare = Some(number);
        self.spare_grains += tenant.grains;
        self.spare.insert(number, id);
        if tenant.is_removed {
            self.vacant.insert((tenant.grains, number));
        }
        let mut vacated = Vec::new();
        while self.spare_grains > self.spare_limit {
            vacated.extend(self.evict());
        }
        vacated
    }

    /// Nobody will lend it again.
    pub(super) fn remove(&mut self, id: PlaceId) {
        let Some(tenant) = self.tenants.get_mut(&id) else { return };
        tenant.is_removed = true;
        if let Some(number) = tenant.spare {
            self.vacant.insert((tenant.grains, number));
        }
    }

    /// Whether there is something to tidy up.
    pub(super) fn is_untidy(&self) -> bool {
        !self.vacant.is_empty()
    }

    /// Gives what nobody will lend again, to be vacated.
    pub(super) fn tidy(&mut self) -> Option<Range<u64>> {
        let (_, number) = self.vacant.first()?;
        let id = *self.spare.get(number)?;
        self.leave(id)
    }

    /// What a tenant had is free.
    pub(super) fn vacated(&mut self, range: &Range<u64>) {
        let mut first = range.start / GRAIN_BYTES;
        let mut end = range.end / GRAIN_BYTES;
        if let Some((&before, &length)) = self.free.range(..first).next_back()
            && before + length == first
        {
            self.free.remove(&before);
            first = before;
        }
        if let Some(length) = self.free.remove(&end) {
            end += length;
        }
        self.free.insert(first, end - first);
    }

    /// The one that has been spare for the longest time leaves.
    fn evict(&mut self) -> Option<Range<u64>> {
        let (_, &id) = self.spare.first_key_value()?;
        self.leave(id)
    }

    fn leave(&mut self, id: PlaceId) -> Option<Range<u64>> {
        let Tenant { first, grains, spare, .. } = self.tenants.remove(&id)?;
        if let Some(number) = spare {
            self.spare.remove(&number);
            self.vacant.remove(&(grains, number));
            self.spare_grains -= grains;
        }
        Some(range(first, grains))
    }

    fn number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }
}

fn range(first: u64, grains: u64) -> Range<u64> {
    first * GRAIN_BYTES..(first + grains) * GRAIN_BYTES
}

/// What room is given out by: a multiple of the pages of every system, so that a page belongs to one buffer. Only pages that are
/// written take memory, so this costs nothing but numbers.
pub(super) const GRAIN_BYTES: u64 = 64 * 1024;

#[cfg(test)]
mod tests;
