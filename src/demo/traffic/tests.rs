//! The player is repeatable, signs correctly, and sends what it was asked to send.
use super::*;
use crate::demo::payload::sign;
use schemas::time::Millis;
use std::collections::{HashMap, HashSet};

const NOW: Millis = Millis(1_795_335_330_123);

fn all(seed: u64, shops: usize, events: usize) -> (Cast, Vec<Post>) {
    let cast = Cast::new(seed, shops);
    let posts = played(&cast, seed, Times::before(NOW), events);
    (cast, posts)
}

fn played(cast: &Cast, seed: u64, times: Times, events: usize) -> Vec<Post> {
    let mut traffic = Traffic::new(seed, cast.clone(), times, events);
    let mut posts = Vec::new();
    while let Some(mut wave) = traffic.next_wave() {
        posts.append(&mut wave);
    }
    posts
}

/// The times in the bodies: near `NOW`, in milliseconds, they have 13 digits and begin alike.
fn times_in(body: &str) -> Vec<i64> {
    let numbers = body.split(|c: char| !c.is_ascii_digit()).filter(|digits| digits.len() == 13);
    numbers.filter(|digits| digits.starts_with("179")).filter_map(|digits| digits.parse().ok()).collect()
}

/// At the highest rate for a workspace: what waits for later waves does not grow.
#[test]
fn live_traffic_of_any_length_takes_the_same_memory() {
    let times = Times::Live { from: NOW.0, rate: 5000 };
    let mut traffic = Traffic::new(4, Cast::new(4, 1), times, 200_000);
    let mut carried = Vec::new();
    while traffic.next_wave().is_some() {
        carried.push(traffic.carried.len());
    }
    assert_eq!(carried.len(), 20);
    let (early, late) = (carried[2..8].iter().max().unwrap(), carried[14..].iter().max().unwrap());
    assert!(*late < early + early / 2, "{carried:?}");
    assert!(traffic.instants.len() < 20_000, "{} instants", traffic.instants.len());
}

#[test]
fn live_traffic_happens_as_it_is_sent_by_customers_who_come_back() {
    let (rate, events) = (5000, 60_000);
    let cast = Cast::new(2, 3);
    let posts = played(&cast, 2, Times::Live { from: NOW.0, rate }, events);
    assert_eq!(posts.iter().map(|post| post.sent.len()).sum::<usize>(), events);
    let (mut sent, mut near, mut all) = (0, 0, 0);
    for post in &posts {
        let due = NOW.0 + i64::from(sent) * 1000 / i64::from(rate);
        for at in times_in(&post.body) {
            all += 1;
            near += u32::from((at - due).abs() < 2500);
        }
        sent += u32::try_from(post.sent.len()).unwrap();
    }
    assert!(all > sent / 2 && near * 100 > all * 97, "{near} of {all} times are near");
    let people: HashSet<&str> =
        posts.iter().flat_map(|post| post.body.split('"')).filter(|s| s.len() == 33 && s.starts_with('U')).collect();
    // Every one of them has talked, and who sends what nobody understands is new each time.
    assert!((3000..3 * 4000).contains(&people.len()), "{} people", people.len());
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let bodies = |seed| all(seed, 3, 2000).1.into_iter().map(|post| (post.body, post.signature.1)).collect::<Vec<_>>();
    assert_eq!(bodies(7), bodies(7));
    assert_ne!(bodies(7), bodies(8));
}

#[test]
fn exactly_as_many_elements_are_sent_as_were_asked_for() {
    for events in [1, 2, 3, 10, 99, 1000, 25_000] {
        let (_, posts) = all(1, 2, events);
        assert_eq!(posts.iter().map(|post| post.sent.len()).sum::<usize>(), events);
    }
}

#[test]
fn signatures_hold_but_for_the_forged_ones() {
    let (cast, posts) = all(3, 3, 2000);
    for post in &posts {
        let (_, right) = match post.target {
            Target::Line(shop) => sign::line(&cast.shops[shop].channel_secret, post.body.as_bytes()),
            Target::Facebook => sign::facebook(&cast.app_secret, post.body.as_bytes()),
        };
        assert_eq!(right == post.signature.1, !post.forged);
    }
    assert_eq!(posts.iter().filter(|post| post.forged).count(), 3);
}

#[test]
fn everything_that_happens_on_the_platforms_is_in_it() {
    let (_, posts) = all(5, 3, 5000);
    let facts: Vec<&Sent> = posts.iter().flat_map(|post| &post.sent).collect();
    let count = |wanted: fn(&Fact) -> bool| facts.iter().filter(|sent| wanted(&sent.fact)).count();
    assert!(count(|f| matches!(f, Fact::Message { text: Some(_), .. })) > 2000);
    assert!(count(|f| matches!(f, Fact::Message { text: None, .. })) > 100);
    assert!(count(|f| matches!(f, Fact::Edit { .. })) > 20);
    assert!(count(|f| matches!(f, Fact::Unsend { .. })) > 10);
    assert!(count(|f| matches!(f, Fact::Dead { .. })) >= 20);
    assert!(count(|f| matches!(f, Fact::Ignored)) > 10);
    let kinds: HashSet<_> = facts
        .iter()
        .filter_map(|sent| match &sent.fact {
            Fact::Other { kind, .. } => Some(kind.as_str()),
            _ => None,
        })
        .collect();
    for kind in ["follow", "join", "member_joined", "rich_menu_switch", "read", "delivery", "reaction", "referral"] {
        assert!(kinds.contains(kind), "{kind}");
    }
    // Copies are among them, and they say the same.
    let mut seen: HashMap<String, usize> = HashMap::new();
    for sent in &facts {
        *seen.entry(format!("{sent:?}")).or_default() += 1;
    }
    let copies = seen.iter().filter(|(what, _)| !what.contains("Ignored")).map(|(_, n)| n - 1).sum::<usize>();
    assert_eq!(copies, 150);
}

#[test]
fn bodies_that_should_read_do_read() {
    let (_, posts) = all(9, 3, 3000);
    for post in posts.iter().filter(|post| !post.forged) {
        let whole_dead = post.sent.iter().any(|s| matches!(&s.fact, Fact::Dead { bytes, .. } if *bytes == post.body));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&post.body).is_ok(), !whole_dead, "{}", post.body);
    }
}
