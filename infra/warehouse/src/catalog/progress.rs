//! The arithmetic of offsets: may a batch be committed where a slot ends?
//!
//! A batch is the half-open interval `from..to` of one slot; the slot continues at `next`.
//!
//! | case | name | outcome |
//! | --- | --- | --- |
//! | `to < from` | [`Placement::Inverted`] | refused: no such interval |
//! | `from == next` | [`Placement::Contiguous`] | accepted, the slot continues at `to`; `to == next` changes nothing |
//! | `from > next` | [`Placement::Gap`] | refused: `next..from` would be lost |
//! | `from < next`, `to <= next` | [`Placement::Stale`] | refused: all of it is committed already |
//! | `from < next < to` | [`Placement::Overlap`] | refused: `from..next` would be there twice |
//!
//! The first line that fits counts. A refused batch changes nothing. Offsets need not hold records: an interval
//! without any moves the slot like every other.
//!
//! No SQL and no log here; the SQL layer asks this module which error a statement that hit no row stands for.
use schemas::log::Offset;

/// How a batch lies against the place where its slot continues.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Placement {
    /// It begins exactly there.
    Contiguous,
    /// It begins later.
    Gap,
    /// It begins earlier and ends later.
    Overlap,
    /// It ends at or before it.
    Stale,
    /// It ends before it begins.
    Inverted,
}

impl Placement {
    /// True for the one case in which a commit may go on.
    pub fn is_accepted(self) -> bool {
        self == Self::Contiguous
    }
}

/// Decides by the table above.
pub fn place(next: Offset, from: Offset, to: Offset) -> Placement {
    if to < from {
        Placement::Inverted
    } else if from == next {
        Placement::Contiguous
    } else if from > next {
        Placement::Gap
    } else if to <= next {
        Placement::Stale
    } else {
        Placement::Overlap
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_table_as_written() {
        for (next, from, to, want) in [
            (5, 5, 9, Placement::Contiguous),
            (5, 5, 5, Placement::Contiguous),
            (5, 6, 9, Placement::Gap),
            (5, 6, 6, Placement::Gap),
            (5, 4, 9, Placement::Overlap),
            (5, 2, 5, Placement::Stale),
            (5, 2, 3, Placement::Stale),
            (5, 5, 4, Placement::Inverted),
            (5, 9, 4, Placement::Inverted),
        ] {
            assert_eq!(place(Offset(next), Offset(from), Offset(to)), want, "{next} {from} {to}");
        }
    }

    proptest! {
        /// Whatever is offered, in whatever order and however often: what was accepted covers 0..next, each once.
        #[test]
        fn accepted_batches_tile_the_slot(batches in prop::collection::vec((0u64..30, 0u64..8), 0..200)) {
            let mut next = Offset(0);
            let mut seen = Vec::new();
            for (from, length) in batches {
                let (from, to) = (Offset(from), Offset(from + length));
                if place(next, from, to).is_accepted() {
                    seen.extend(from.0..to.0);
                    next = to;
                }
            }
            prop_assert_eq!(seen, (0..next.0).collect::<Vec<_>>());
        }

        /// Each refusal means what its name says.
        #[test]
        fn names_tell_what_would_go_wrong(next in 0u64..20, from in 0u64..20, to in 0u64..20) {
            let committed = |o: &u64| *o < next;
            match place(Offset(next), Offset(from), Offset(to)) {
                Placement::Inverted => prop_assert!(to < from),
                Placement::Contiguous => prop_assert!(!(from..to).any(|o| committed(&o)) && from == next),
                Placement::Gap => prop_assert!((next..from).count() > 0),
                Placement::Stale => prop_assert!((from..to).all(|o| committed(&o))),
                Placement::Overlap => {
                    prop_assert!((from..to).any(|o| committed(&o)) && (from..to).any(|o| !committed(&o)));
                }
            }
        }
    }
}
