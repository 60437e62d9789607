//! Finds an id among the sorted ids of a file.
use schemas::ids::EventId;

/// Guesses before halving takes over. Ids from a keyed hash need three or four of them.
const GUESSES: usize = 24;

/// Where the first id lies that is not less than `id`; all are, at the end. Halving a long list misses the cache at nearly
/// every step. Ids lie evenly, so that an id tells about where it is: the list is cut where the id would be if all
/// between its ends lay evenly. Ids that do not lie so cost time, never the answer.
pub(super) fn place_of<T>(sorted: &[T], id: EventId, id_of: impl Fn(&T) -> EventId) -> usize {
    // All before `low` are less, all from `high` on are not; `least` and `most` stand for their ids.
    let (mut low, mut high) = (0, sorted.len());
    let (mut least, mut most) = (0, u64::MAX);
    let wanted = front(id);
    for _ in 0..GUESSES {
        if low == high || least == most {
            break;
        }
        let share = (wanted - least) as f64 / (most - least) as f64;
        let guess = (low + (share * (high - low) as f64) as usize).min(high - 1);
        let there = id_of(&sorted[guess]);
        if there < id {
            (low, least) = (guess + 1, front(there));
        } else {
            (high, most) = (guess, front(there));
        }
    }
    low + sorted[low..high].partition_point(|one| id_of(one) < id)
}

/// The first bytes as a number, which has the order of the ids.
fn front(id: EventId) -> u64 {
    id.0.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
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
