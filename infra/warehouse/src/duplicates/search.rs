//! Finds an id among the sorted ids of a file.
use schemas::ids::EventId;

/// What lies evenly among others of its kind.
pub(super) trait Even: Copy + Ord {
    /// A number that has the order of these.
    fn number(self) -> u64;
}

impl Even for EventId {
    fn number(self) -> u64 {
        self.0.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

/// The first four bytes of an id, which nearly no other of a file has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Front(pub u32);

impl Front {
    /// Of an id.
    pub fn of(id: EventId) -> Self {
        Self((id.number() >> 32) as u32)
    }
}

impl Even for Front {
    fn number(self) -> u64 {
        u64::from(self.0) << 32
    }
}

/// True when it is among them.
pub(super) fn has(sorted: &[Front], front: Front) -> bool {
    sorted.get(place_of(sorted, front, |one| *one)) == Some(&front)
}

/// Guesses before halving takes over. Ids from a keyed hash need three or four of them.
const GUESSES: usize = 24;

/// Where the first id (or front of one) lies that is not less than `id`; all are, at the end. Halving a long list misses the cache at nearly
/// every step. Ids lie evenly, so that an id tells about where it is: the list is cut where the id would be if all
/// between its ends lay evenly. Ids that do not lie so cost time, never the answer.
pub(super) fn place_of<T, K: Even>(sorted: &[T], id: K, id_of: impl Fn(&T) -> K) -> usize {
    // All before `low` are less, all from `high` on are not; `least` and `most` stand for their ids.
    let (mut low, mut high) = (0, sorted.len());
    let (mut least, mut most) = (0, u64::MAX);
    let wanted = id.number();
    for _ in 0..GUESSES {
        if low == high || least == most {
            break;
        }
        let share = (wanted - least) as f64 / (most - least) as f64;
        let guess = (low + (share * (high - low) as f64) as usize).min(high - 1);
        let there = id_of(&sorted[guess]);
        if there < id {
            (low, least) = (guess + 1, there.number());
        } else {
            (high, most) = (guess, there.number());
        }
    }
    low + sorted[low..high].partition_point(|one| id_of(one) < id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::Cell;

    fn halved(sorted: &[EventId], id: EventId) -> usize {
        sorted.partition_point(|one| *one < id)
    }

    proptest! {
        /// Ids of few different bytes, so that many are equal, share a front, or lie at an end.
        #[test]
        fn it_finds_what_halving_finds(
            mut ids in prop::collection::vec(prop::array::uniform16(prop::sample::select(vec![0u8, 1, 255])), 0..200),
            even in prop::collection::vec(any::<[u8; 16]>(), 0..200),
            other in any::<[u8; 16]>(),
        ) {
            ids.extend(even);
            ids.extend([[0; 16], [255; 16]]);
            let mut sorted: Vec<EventId> = ids.iter().copied().map(EventId).collect();
            sorted.sort_unstable();
            for part in [&sorted[..], &sorted[1..], &sorted[..sorted.len() - 1], &[]] {
                for id in ids.iter().copied().chain([other]).map(EventId) {
                    prop_assert_eq!(place_of(part, id, |one| *one), halved(part, id));
                    let fronts: Vec<Front> = part.iter().copied().map(Front::of).collect();
                    prop_assert!(has(&fronts, Front::of(id)) == fronts.contains(&Front::of(id)));
                }
            }
        }
    }

    #[test]
    fn an_id_among_many_even_ones_takes_few_looks() {
        // The digits of an irrational number's multiples lie evenly, and not in order.
        let id = |n: u64| EventId((u128::from(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 64).to_be_bytes());
        let mut sorted: Vec<EventId> = (0..100_000).map(id).collect();
        sorted.sort_unstable();
        let looks = Cell::new(0);
        for n in 50_000..150_000 {
            let counted = |one: &EventId| {
                looks.set(looks.get() + 1);
                *one
            };
            assert_eq!(place_of(&sorted, id(n), counted), halved(&sorted, id(n)));
        }
        assert!(looks.get() < 6 * 100_000, "{} looks", looks.get());
    }
}
