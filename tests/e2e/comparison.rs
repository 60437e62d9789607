//! The comparison that the crash tests lean on sees what it is there to see.
use crate::harness::{
    compare::compare,
    ledger::{Element, Fact, Ledger},
    line, now, wait_until,
    world::World,
};

#[test]
fn what_is_lost_foreign_or_shown_wrongly_is_found() {
    let world = World::start(&[("land.max_age", "100ms"), ("jobs.compact_interval", "100ms")]);
    let shop = world.workspace("Shop");
    let account = world.line(&shop, "Account");
    let (user, at) = (line::user(1), now() - 60_000);
    let message = |id: &str, text: &str| Element {
        workspace: 0,
        connection: account.connection.clone(),
        fact: Fact::Message { id: id.into(), text: text.into() },
    };
    let events = [line::text("1", &user, "one", at), line::text("2", &user, "two", at + 1)];
    account.send(world.endpoints(), &events);
    let api = world.api(&shop);
    wait_until("both messages", || api.events().len() == 2);
    wait_until("both in files", || crate::harness::metrics::Totals::read(world.endpoints()).committed == 2);
    let found = |elements: &[Element]| {
        let mut ledger = Ledger::default();
        ledger.sending(elements);
        ledger.acknowledged(elements);
        let difference = compare(&world, std::slice::from_ref(&shop), &ledger);
        (difference.lost.len(), difference.doubled.len(), difference.wrong.len())
    };
    let (one, two) = (message("1", "one"), message("2", "two"));
    assert_eq!(found(&[one.clone(), two.clone()]), (0, 0, 0));
    // The lost one is missing from the totals as well.
    assert_eq!(found(&[one.clone(), two.clone(), message("3", "three")]), (1, 0, 1), "lost");
    assert_eq!(found(std::slice::from_ref(&one)), (0, 0, 1), "never sent");
    assert_eq!(found(&[one.clone(), message("2", "another text")]), (0, 0, 1), "another text");
    let unsent = Element { fact: Fact::Unsend { message: "2".into(), at: at + 5 }, ..one.clone() };
    let (lost, _, wrong) = found(&[one, two, unsent]);
    assert!(lost == 1 && wrong >= 2, "an unsend that was lost: its event, the text in the message and in the event");
}
