//! Two multisets compared.
use super::{Digest, DigestState};
use std::collections::HashMap;

/// The difference of two multisets.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Verdict {
    /// How often something was sent and not found.
    pub lost: u64,
    /// How often something was found beyond what was sent.
    pub doubled: u64,
}

impl Verdict {
    /// Compares.
    pub fn of(wanted: impl IntoIterator<Item = Digest>, found: &[Digest]) -> Self {
        let mut balance: HashMap<Digest, i64, DigestState> = HashMap::default();
        for one in wanted {
            *balance.entry(one).or_default() += 1;
        }
        for one in found {
            *balance.entry(*one).or_default() -= 1;
        }
        let mut verdict = Self::default();
        for missing in balance.into_values() {
            match missing {
                0 => {}
                n if n > 0 => verdict.lost += n.unsigned_abs(),
                n => verdict.doubled += n.unsigned_abs(),
            }
        }
        verdict
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { lost: self.lost + other.lost, doubled: self.doubled + other.doubled }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::{
        check::Expectation,
        traffic::{Fact, Sent},
    };
    use schemas::kind::Kind;

    fn sent(fact: Fact) -> Sent {
        Sent { shop: 0, line: true, fact }
    }

    fn message(id: &str, text: &str) -> Fact {
        Fact::Message { id: id.into(), text: Some(text.into()) }
    }

    fn shown(id: &str, text: Option<&str>) -> Digest {
        Digest::message((0, true), id, text)
    }

    fn expectation() -> Expectation {
        let mut expectation = Expectation::default();
        for fact in [
            message("a", "one"),
            Fact::Edit { message: "a".into(), text: "three".into(), order: 3, at: 13 },
            Fact::Edit { message: "a".into(), text: "two".into(), order: 2, at: 12 },
            Fact::Unsend { message: "b".into(), at: 14 },
            message("b", "gone"),
            message("b", "gone"),
            message("c", "stays"),
            Fact::Edit { message: "never came".into(), text: "x".into(), order: 1, at: 15 },
            Fact::Other { kind: Kind::Follow, at: 10 },
            Fact::Other { kind: Kind::Follow, at: 10 },
            Fact::Dead { bytes: "{".into(), system: true },
            Fact::Dead { bytes: "{".into(), system: true },
            Fact::Ignored,
        ] {
            expectation.add(&sent(fact));
        }
        expectation
    }

    #[test]
    fn edits_unsends_and_copies_are_taken_into_account() {
        let expectation = expectation();
        let right = [shown("a", Some("three")), shown("b", None), shown("c", Some("stays"))];
        assert_eq!(Verdict::of(expectation.messages(), &right), Verdict::default());
        assert_eq!(expectation.events().count(), 3 + 5);
        assert_eq!(expectation.dead_letters().count(), 1);
        assert_eq!(expectation.sent(), 13);
    }

    #[test]
    fn a_planted_loss_and_a_planted_double_are_found() {
        let wanted: Vec<Digest> = expectation().events().collect();
        let of = |found: &[Digest]| Verdict::of(wanted.iter().copied(), found);
        assert_eq!(of(&wanted), Verdict::default());
        assert_eq!(of(&wanted[1..]), Verdict { lost: 1, doubled: 0 });
        assert_eq!(of(&[&wanted[..], &wanted[..2]].concat()), Verdict { lost: 0, doubled: 2 });
        // Old words, or words that were taken back, are a loss and a double.
        let mut old = wanted.clone();
        let at = old.iter().position(|f| *f == shown("b", None)).unwrap();
        old[at] = shown("b", Some("gone"));
        assert_eq!(of(&old), Verdict { lost: 1, doubled: 1 });
        assert_eq!(Verdict::of([], &[Digest::foreign("x")]), Verdict { lost: 0, doubled: 1 });
        assert_eq!(of(&[]).and(Verdict::of([], &wanted)).lost, wanted.len() as u64);
    }
}
