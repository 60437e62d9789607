//! The verification of the callback (`facebook.md` §2): a GET that shows the verify token and wants its challenge back.
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Longest challenge that is echoed (`security.md` §9.3).
pub const CHALLENGE_MAX: usize = 256;

/// The challenge to answer with, or `None` for 403. `query` holds the decoded pairs of the query string.
pub fn answer<'q>(query: &'q [(String, String)], tokens: &[&str]) -> Option<&'q str> {
    let field = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let challenge = field("hub.challenge")?;
    let shown = Sha256::digest(field("hub.verify_token")?);
    let mut known = subtle::Choice::from(0);
    for token in tokens {
        // Digests have one length: neither it nor the place of the first difference shows in the time.
        known |= Sha256::digest(token).ct_eq(&shown) & subtle::Choice::from(u8::from(!token.is_empty()));
    }
    (bool::from(known) && field("hub.mode") == Some("subscribe") && challenge.len() <= CHALLENGE_MAX)
        .then_some(challenge)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(mode: &str, token: &str, challenge: &str) -> Option<String> {
        let pairs = [("hub.mode", mode), ("hub.challenge", challenge), ("hub.verify_token", token)];
        let query: Vec<_> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        answer(&query, &["old", "new", ""]).map(str::to_owned)
    }

    #[test]
    fn only_a_known_token_gets_its_challenge_back() {
        assert_eq!(ask("subscribe", "new", "1158201444").as_deref(), Some("1158201444"));
        assert_eq!(ask("subscribe", "old", "x").as_deref(), Some("x"));
        assert_eq!(ask("subscribe", "other", "x"), None);
        assert_eq!(ask("subscribe", "", "x"), None);
        assert_eq!(ask("unsubscribe", "new", "x"), None);
        assert_eq!(ask("subscribe", "new", &"x".repeat(257)), None);
        assert_eq!(answer(&[], &["new"]), None);
    }
}
