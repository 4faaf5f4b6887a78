//! What one process has been lent, and what is held of it.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use remote_protocol::call::Release;
use remote_protocol::id::LentId;
use remote_protocol::limits::Limits;
use remote_protocol::payload::Location;
use remote_protocol::service::Abuse;

use super::HeldCallback;
use crate::leaks::{Census, Place, Via};
use crate::object::{Key, Object};
use crate::table::{Held, Keyed, LentError, Unique};

pub(super) struct Tables {
    objects: Unique<LentObject>,
    /// By what `objects` were lent, counted: one for each, and `last_via` is kept.
    vias: Unique<Via>,
    /// By what the last of them was lent; the next one will be, too.
    last_via: Option<LentId>,
    /// What `objects` weigh together.
    weight: usize,
    /// What they may.
    most_weight: usize,
    /// When there was nothing yet.
    began: Instant,
    pub(super) callbacks: Held<HeldCallback>,
    /// What the process had when its link was closed, until it is dropped where that may run code of the application.
    gone: Vec<LentObject>,
    /// Where the callbacks of `callbacks` were made.
    pub(super) places: HashMap<Location<'static>, Arc<Place>>,
}

/// An object, and what is known of how the child got it. Small, for there may be a million.
pub(super) struct LentObject {
    pub(super) object: Arc<dyn Object>,
    /// Its slot in `vias`.
    via: u32,
    since: Tenths,
}

impl Tables {
    /// Tables for as much as a process may have.
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            objects: Unique::new(limits.max_references()),
            vias: Unique::new(usize::MAX),
            last_via: None,
            weight: 0,
            most_weight: limits.max_buffer_bytes(),
            began: Instant::now(),
            callbacks: Held::default(),
            gone: Vec::new(),
            places: HashMap::new(),
        }
    }

    /// Counts an object as lent: the same object, the same id.
    pub(super) fn lend(&mut self, object: Arc<dyn Object>, via: &Via) -> Result<LentId, String> {
        if let Some(id) = self.objects.find(&object.key()) {
            self.objects.lend(id).map_err(|error| error.to_string())?;
            return Ok(id);
        }
        let (added, weight, most) = (object.weight(), self.weight, self.most_weight);
        if added > most.saturating_sub(weight) {
            return Err(format!(
                "a buffer of {added} bytes, with {weight} bytes of buffers lent to the process: at most {most} may be"
            ));
        }
        self.objects.room().map_err(|error| error.to_string())?;
        let via = self.lend_via(via).map_err(|error| error.to_string())?;
        let lent = LentObject { object, via: via.slot, since: Tenths::between(self.began, Instant::now()) };
        let id = self.objects.insert(lent).and_then(|id| self.objects.lend(id).map(|()| id));
        let id = id.map_err(|error| error.to_string())?;
        self.weight += added;
        // Only the child can reach it by this id.
        drop(self.objects.unkeep(id));
        Ok(id)
    }

    /// The object of this id.
    pub(super) fn object(&self, id: LentId) -> Option<&Arc<dyn Object>> {
        self.objects.get(id).map(|lent| &lent.object)
    }

    /// All objects.
    pub(super) fn objects(&self) -> impl Iterator<Item = &dyn Object> {
        self.objects.iter().map(|lent| &*lent.object)
    }

    /// How many objects there are.
    pub(super) const fn len(&self) -> usize {
        self.objects.len()
    }

    /// What all objects weigh together.
    pub(super) const fn weight(&self) -> usize {
        self.weight
    }

    /// Takes references back; gives the object, to be dropped elsewhere, when they were the last.
    pub(super) fn release(&mut self, Release { id, count }: Release) -> Result<Option<LentObject>, Abuse> {
        let gone = self.objects.release(id, count).map_err(|error| {
            let lent = if let LentError::TooMany { lent } = error { lent } else { 0 };
            Abuse::Release { id, count, lent }
        })?;
        if let Some(gone) = &gone {
            self.weight -= gone.object.weight();
            if let Some((via, _)) = self.vias.at(gone.via) {
                // It counts one for each object.
                let _ = self.vias.release(via, 1);
            }
        }
        Ok(gone)
    }

    /// Empties the tables of objects.
    pub(super) fn let_go(&mut self) {
        self.weight = 0;
        self.last_via = None;
        drop(self.vias.drain());
        self.gone.append(&mut self.objects.drain());
    }

    /// What was let go of, to be dropped elsewhere.
    pub(super) fn take_gone(&mut self) -> Vec<LentObject> {
        mem::take(&mut self.gone)
    }

    pub(super) fn add_objects(&self, census: &mut Census) {
        for lent in self.objects.iter() {
            if let Some((_, via)) = self.vias.at(lent.via) {
                census.add_object(lent.object.interface(), via, lent.since.after(self.began));
            }
        }
    }

    /// The objects, and how many references the child has to each.
    #[cfg(test)]
    pub(super) fn lent(&self) -> std::collections::BTreeMap<LentId, (Arc<dyn Object>, u32)> {
        let vias: u32 = self.vias.entries().map(|(_, _, count, _)| count).sum();
        assert_eq!(vias as usize, self.objects.len());
        self.objects.entries().map(|(id, lent, count, _)| (id, (Arc::clone(&lent.object), count))).collect()
    }

    /// Counts one more object that was lent so.
    fn lend_via(&mut self, via: &Via) -> Result<LentId, LentError> {
        let last = self.last_via.filter(|last| self.vias.get(*last) == Some(via));
        let id = match last {
            Some(id) => id,
            None => {
                let id = match self.vias.find(&via) {
                    Some(id) => id,
                    None => self.vias.insert(via.clone())?,
                };
                if let Some(old) = self.last_via.replace(id) {
                    self.vias.unkeep(old);
                }
                id
            }
        };
        self.vias.lend(id)?;
        Ok(id)
    }
}

impl Keyed for LentObject {
    type Key<'a> = Key;

    fn key(&self) -> Key {
        self.object.key()
    }
}

impl Keyed for Via {
    type Key<'a> = &'a Self;

    fn key(&self) -> &Self {
        self
    }
}

/// A time, in tenths of a second: enough for ages, and thirteen years of them take four bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tenths(u32);

impl Tenths {
    fn between(began: Instant, now: Instant) -> Self {
        Self(u32::try_from(now.saturating_duration_since(began).as_millis() / 100).unwrap_or(u32::MAX))
    }

    fn after(self, began: Instant) -> Instant {
        began + Duration::from_millis(u64::from(self.0) * 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_takes_little_beside_itself() {
        assert_eq!(size_of::<Option<LentObject>>(), 24);
    }

    #[test]
    fn ages_are_kept_for_years_to_a_tenth_of_a_second() {
        let began = Instant::now();
        let year = Duration::from_millis(365 * 24 * 3_600_000 + 250);
        let since = Tenths::between(began, began + year);
        assert_eq!(since.after(began), began + year - Duration::from_millis(50));
        assert_eq!(Tenths::between(began + year, began), Tenths(0));
        assert_eq!(Tenths::between(began, began + year * 20), Tenths(u32::MAX));
    }
}
