//! Edits and unsends, before and after what they amend, across restarts and merges of files.
use crate::harness::{api::Api, compare::settle, line, metrics, now, wait_until, world::World};
use serde_json::Value;

/// Everything an API key can read, as text.
fn everything(api: &Api) -> String {
    let conversations = api.conversations();
    let ids = conversations.iter().map(|c| c["id"].as_str().unwrap());
    let messages: Vec<Value> = ids.flat_map(|id| api.messages(id, "newest")).collect();
    format!("{conversations:?}{messages:?}{:?}", api.events())
}

/// The message has this text, everywhere, and none of the old ones is anywhere.
fn check(api: &Api, id: &str, text: Option<&str>, gone: &[&str]) {
    let found = api.find(id);
    assert_eq!(found.len(), 1, "message {id}");
    assert_eq!(found[0]["text"].as_str(), text, "message {id}");
    let all = everything(api);
    for old in gone {
        let near = all.find(old).map(|at| all[..at].chars().rev().take(400).collect::<Vec<_>>());
        let near: Option<String> = near.map(|near| near.into_iter().rev().collect());
        assert!(near.is_none(), "`{old}` can still be read, behind {}", near.unwrap_or_default());
    }
}

#[test]
fn an_edit_and_an_unsend_act_at_once_and_stay_across_restarts_and_folding() {
    let mut world = World::start(&[("land.max_age", "100ms")]);
    let shop = world.workspace("Shop");
    let account = world.line(&shop, "Account");
    let (user, at) = (line::user(5), now() - 3_600_000);
    let send = |world: &World, event: Value| account.send(world.endpoints(), &[event]);
    send(&world, line::text("1", &user, "first-words", at));
    send(&world, line::text("2", &user, "regretted-words", at + 1000));
    let api = world.api(&shop);
    wait_until("both messages", || api.find("1").len() + api.find("2").len() == 2);
    send(&world, line::edit("1", &user, "second-words", at + 2000));
    // An older edit that comes later changes nothing.
    send(&world, line::edit("1", &user, "stale-words", at + 1500));
    send(&world, line::unsend("2", &user, at + 3000));
    wait_until("the unsend", || api.find("2")[0]["text"].is_null());
    wait_until("the edit", || api.find("1")[0]["text"] == "second-words");
    let gone = ["first-words", "stale-words", "regretted-words"];
    check(&api, "1", Some("second-words"), &gone);
    check(&api, "2", None, &gone);
    let unsent = &api.find("2")[0];
    assert!(unsent["unsent_at"].is_string());
    assert_eq!(unsent["attachments"], serde_json::json!([]));

    settle(&mut world);
    check(&world.api(&shop), "1", Some("second-words"), &gone);
    check(&world.api(&shop), "2", None, &gone);
    world.node.kill9();
    // Folded into the rows as soon as the job looks.
    for (name, value) in
        [("jobs.fold_after", "0s"), ("jobs.compact_interval", "100ms"), ("jobs.derive_interval", "100ms")]
    {
        world.node.set(name, value);
    }
    world.node.start();
    let runs = |world: &World| metrics::labelled(world.endpoints(), "chatmai_job_runs", "compact");
    wait_until("three runs of compact", || runs(&world) >= 3.0);
    check(&world.api(&shop), "1", Some("second-words"), &gone);
    check(&world.api(&shop), "2", None, &gone);
    // A later edit still acts on the folded row.
    send(&world, line::edit("1", &user, "third-words", at + 9000));
    let api = world.api(&shop);
    wait_until("the edit after the fold", || api.find("1")[0]["text"] == "third-words");
    settle(&mut world);
    check(&world.api(&shop), "1", Some("third-words"), &["first-words", "stale-words"]);
    check(&world.api(&shop), "2", None, &["regretted-words"]);
}

#[test]
fn an_edit_that_comes_after_the_fold_of_what_overrides_it_is_shown_nowhere() {
    let mut world = World::start(&[("land.max_age", "100ms")]);
    let shop = world.workspace("Shop");
    let account = world.line(&shop, "Account");
    let (user, at) = (line::user(5), now() - 3_600_000);
    let folded = [
        line::text("2", &user, "words", at),
        line::unsend("2", &user, at + 3000),
        line::text("3", &user, "other words", at + 1),
        line::edit("3", &user, "newest-words", at + 8000),
    ];
    account.send(world.endpoints(), &folded);
    world.node.term();
    for (name, value) in
        [("jobs.fold_after", "0s"), ("jobs.compact_interval", "100ms"), ("jobs.derive_interval", "100ms")]
    {
        world.node.set(name, value);
    }
    world.node.start();
    let runs = |job: &str| metrics::labelled(world.endpoints(), "chatmai_job_runs", job);
    wait_until("three runs of compact and derive", || runs("compact").min(runs("derive")) >= 3.0);
    world.node.term();
    world.node.unset("jobs.fold_after");
    world.node.start();
    let late = [
        line::edit("2", &user, "late-words", at + 1000),
        line::edit("2", &user, "undead-words", at + 9001),
        line::edit("3", &user, "stale-words", at + 1001),
    ];
    account.send(world.endpoints(), &late);
    let api = world.api(&shop);
    wait_until("the edits", || api.events().iter().filter(|event| event["kind"] == "edit").count() == 4);
    let gone = ["other words", "late-words", "undead-words", "stale-words"];
    check(&api, "2", None, &gone);
    check(&api, "3", Some("newest-words"), &gone);
    settle(&mut world);
    check(&world.api(&shop), "2", None, &gone);
}

#[test]
fn amendments_that_come_before_their_message_act_when_it_comes() {
    let mut world = World::start(&[("land.max_age", "100ms"), ("jobs.derive_interval", "200ms")]);
    let shop = world.workspace("Shop");
    let (account, page) = (world.line(&shop, "Account"), world.page(&shop, "Page"));
    let (user, at) = (line::user(5), now() - 3_600_000);
    account.send(world.endpoints(), &[line::unsend("1", &user, at + 5000), line::edit("2", &user, "newer", at + 5001)]);
    page.send(
        world.endpoints(),
        &[page.edit("m_1", "9", "fb-second", 2, at + 20), page.edit("m_1", "9", "fb-first", 1, at + 10)],
    );
    settle(&mut world);
    world.node.kill9();
    world.node.start();
    account
        .send(world.endpoints(), &[line::text("1", &user, "never-seen", at), line::text("2", &user, "older", at + 1)]);
    page.send(world.endpoints(), &[page.text("m_1", "9", "fb-zero", at)]);
    for landed in [false, true] {
        if landed {
            settle(&mut world);
        }
        let api = world.api(&shop);
        wait_until("all three messages", || api.events().iter().filter(|e| e["kind"] == "message").count() == 3);
        check(&api, "1", None, &["never-seen"]);
        check(&api, "2", Some("newer"), &["older"]);
        check(&api, "m_1", Some("fb-second"), &["fb-zero", "fb-first"]);
        let last = api.conversations();
        let last = last.iter().find(|c| c["platform"] == "line").unwrap();
        assert_eq!(last["last_message"]["text"], "newer");
    }
}
