use std::collections::BTreeMap;
use std::ops::Range;

use proptest::prelude::*;
use remote_protocol::link::PlaceId;

use super::{GRAIN_BYTES, Places, Taken};

type Place = (PlaceId, Range<u64>);

/// Takes room, vacating what has to be; gives also how much was.
fn take(places: &mut Places, bytes: u64) -> (Option<Place>, Vec<Range<u64>>) {
    let mut vacated = Vec::new();
    loop {
        match places.take(bytes) {
            Taken::Placed(id, range) => return (Some((id, range)), vacated),
            Taken::Full => return (None, vacated),
            Taken::Vacate(range) => {
                places.vacated(&range);
                vacated.push(range);
            }
        }
    }
}

fn placed(places: &mut Places, grains: u64) -> Place {
    take(places, grains * GRAIN_BYTES).0.unwrap()
}

fn give_back(places: &mut Places, id: PlaceId) -> usize {
    let vacated = places.give_back(id);
    vacated.iter().for_each(|range| places.vacated(range));
    vacated.len()
}

/// One grain.
fn grain(index: u64) -> Range<u64> {
    index * GRAIN_BYTES..(index + 1) * GRAIN_BYTES
}

/// Gives back all that nobody will lend again.
fn tidy(places: &mut Places) -> Vec<Range<u64>> {
    let mut vacated = Vec::new();
    while let Some(range) = places.tidy() {
        places.vacated(&range);
        vacated.push(range);
    }
    assert!(!places.is_untidy());
    vacated
}

#[test]
fn room_is_reused_when_its_tenant_has_left_and_free_ranges_become_one() {
    let mut places = Places::new(4 * GRAIN_BYTES);
    let tenants: Vec<_> = (0..4).map(|_| placed(&mut places, 1).0).collect();
    assert_eq!(take(&mut places, 1), (None, vec![]));
    // In an order in which a range touches none, one after it, one before it, and both.
    for index in [3, 2, 0, 1] {
        places.remove(tenants[index]);
        assert!(!places.is_untidy());
        give_back(&mut places, tenants[index]);
        assert_eq!(tidy(&mut places), [grain(index as u64)]);
    }
    assert_eq!(placed(&mut places, 4).1, 0..4 * GRAIN_BYTES);
}

#[test]
fn one_byte_takes_a_grain_and_what_is_larger_than_all_finds_no_room() {
    let mut places = Places::new(2 * GRAIN_BYTES);
    assert_eq!(take(&mut places, 2 * GRAIN_BYTES + 1).0, None);
    assert_eq!(take(&mut places, u64::MAX).0, None);
    assert_eq!(take(&mut places, 0).0.unwrap().1, 0..GRAIN_BYTES);
    assert_eq!(take(&mut places, 1).0.unwrap().1, GRAIN_BYTES..2 * GRAIN_BYTES);
    assert_eq!(take(&mut Places::new(GRAIN_BYTES - 1), 1).0, None);
}

#[test]
fn what_is_free_in_pieces_is_no_room_for_what_is_longer_than_each() {
    let mut places = Places::new(4 * GRAIN_BYTES);
    let tenants: Vec<_> = (0..4).map(|_| placed(&mut places, 1).0).collect();
    for index in [0, 2] {
        places.remove(tenants[index]);
        give_back(&mut places, tenants[index]);
    }
    assert_eq!(take(&mut places, 2 * GRAIN_BYTES).0, None);
    assert_eq!(placed(&mut places, 1).1, 0..GRAIN_BYTES);
}

#[test]
fn what_is_not_lent_stays_where_it_was_until_there_is_no_room() {
    let mut places = Places::new(8 * GRAIN_BYTES);
    let [(first, _), (second, range)] = [placed(&mut places, 1), placed(&mut places, 1)];
    for _ in 0..2 {
        assert_eq!(give_back(&mut places, second), 0);
        assert_eq!(places.lend(second), Some(range.start));
    }
    assert_eq!((give_back(&mut places, second), give_back(&mut places, first)), (0, 0));

    // The one that has not been lent for the longest time goes, and no other.
    let (large, vacated) = take(&mut places, 7 * GRAIN_BYTES);

    assert_eq!((large.unwrap().1, vacated), (GRAIN_BYTES..8 * GRAIN_BYTES, vec![range]));
    assert_eq!((places.lend(first), places.lend(second)), (Some(0), None));
}

#[test]
fn no_more_than_a_quarter_stays_without_being_lent() {
    let mut places = Places::new(8 * GRAIN_BYTES);
    let tenants: Vec<_> = (0..4).map(|_| placed(&mut places, 1).0).collect();
    let vacated: Vec<_> = tenants.iter().map(|id| give_back(&mut places, *id)).collect();
    assert_eq!(vacated, [0, 0, 1, 1]);
    let lent: Vec<_> = tenants.iter().map(|id| places.lend(*id).is_some()).collect();
    assert_eq!(lent, [false, false, true, true]);
}

#[test]
fn what_is_lent_twice_is_spare_when_both_have_given_it_back() {
    let mut places = Places::new(GRAIN_BYTES);
    let (id, _) = placed(&mut places, 1);
    assert!(places.lend(id).is_some());
    assert_eq!(give_back(&mut places, id), 0);
    assert_eq!(take(&mut places, 1).0, None);
    places.remove(id);
    assert_eq!(places.lend(id), None);
    assert_eq!(give_back(&mut places, id), 1);
    // Once too often, and of what is gone.
    assert_eq!(give_back(&mut places, id), 0);
    places.remove(id);
    assert!(!places.is_untidy());
    assert!(take(&mut places, 1).0.is_some());
}

#[test]
fn what_is_as_large_comes_where_something_was() {
    let mut places = Places::new(16 * GRAIN_BYTES);
    let [(first, _), (second, range), _] = [1, 2, 1].map(|grains| placed(&mut places, grains));
    for id in [first, second] {
        places.remove(id);
        assert_eq!(give_back(&mut places, id), 0);
    }

    let (third, again) = placed(&mut places, 2);

    assert_eq!(again, range);
    assert_eq!((places.lend(second), places.lend(third)), (None, Some(range.start)));
    // What is of another size does not.
    assert_eq!(placed(&mut places, 2).1.start, 4 * GRAIN_BYTES);
    assert_eq!(tidy(&mut places), [grain(0)]);
}

#[derive(Clone, Debug)]
enum Step {
    Take(u64),
    Lend(usize),
    GiveBack(usize),
    Remove(usize),
    Tidy,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..6 * GRAIN_BYTES).prop_map(Step::Take),
        any::<usize>().prop_map(Step::Lend),
        any::<usize>().prop_map(Step::GiveBack),
        any::<usize>().prop_map(Step::Remove),
        Just(Step::Tidy),
    ]
}

proptest! {
    /// Nothing that is lent is ever vacated or given to somebody else, and everything that has been given back becomes free again.
    #[test]
    fn what_is_lent_is_nobody_elses(steps in proptest::collection::vec(step(), 1..120)) {
        const GRAINS: u64 = 16;
        let mut places = Places::new(GRAINS * GRAIN_BYTES);
        // Those that were ever placed: where, how often they are lent, and whether they can be lent again.
        let mut model: BTreeMap<PlaceId, (Range<u64>, u32, bool)> = BTreeMap::new();
        for step in steps {
            let nth = |index: usize| model.keys().nth(index % model.len().max(1)).copied();
            // Before anything is placed, what has to go goes.
            let (vacated, placed) = match step {
                Step::Take(bytes) => {
                    let (placed, vacated) = take(&mut places, bytes);
                    (vacated, placed.map(|placed| (bytes, placed)))
                }
                Step::Lend(index) => {
                    let Some(id) = nth(index) else { continue };
                    let (range, leases, lendable) = model.get_mut(&id).unwrap();
                    match places.lend(id) {
                        Some(offset) => {
                            prop_assert!(*lendable && offset == range.start);
                            *leases += 1;
                        }
                        // What is lent can be lent again.
                        None => prop_assert!(!*lendable || *leases == 0),
                    }
                    (vec![], None)
                }
                Step::GiveBack(index) => {
                    let Some(id) = nth(index) else { continue };
                    let (_, leases, _) = model.get_mut(&id).unwrap();
                    *leases = leases.saturating_sub(1);
                    let vacated = places.give_back(id);
                    vacated.iter().for_each(|range| places.vacated(range));
                    (vacated, None)
                }
                Step::Remove(index) => {
                    let Some(id) = nth(index) else { continue };
                    model.get_mut(&id).unwrap().2 = false;
                    places.remove(id);
                    (vec![], None)
                }
                Step::Tidy => (tidy(&mut places), None),
            };
            for range in vacated {
                for (other, leases, lendable) in model.values_mut() {
                    let apart = range.end <= other.start || other.end <= range.start;
                    prop_assert!(*leases == 0 || apart, "{:?} is lent in {:?}", other, range);
                    *lendable &= *other != range;
                }
            }
            if let Some((bytes, (id, range))) = placed {
                prop_assert!(range.end - range.start >= bytes && range.end <= GRAINS * GRAIN_BYTES);
                for (other, leases, _) in model.values() {
                    let apart = range.end <= other.start || other.end <= range.start;
                    prop_assert!(*leases == 0 || apart, "{range:?} is lent as {other:?}");
                }
                prop_assert!(model.insert(id, (range, 1, true)).is_none());
            }
            let spare: u64 = places.spare.values().map(|id| places.tenants[id].grains).sum();
            prop_assert!(spare == places.spare_grains && spare <= places.spare_limit);
        }
        for (id, (_, leases, _)) in &model {
            places.remove(*id);
            for _ in 0..*leases {
                give_back(&mut places, *id);
            }
        }
        tidy(&mut places);
        prop_assert_eq!(places.free, BTreeMap::from([(0, GRAINS)]));
        prop_assert!(places.tenants.is_empty() && places.spare.is_empty());
    }
}
