//! Nothing that came from a person is on the disk in clear: canaries are planted wherever people write, and every byte
//! of the data directory and of the log output is searched for them.
use crate::harness::{bytes::Search, compare::settle, facebook, line, now, rfc3339, world::World};
use serde_json::json;

#[test]
fn no_canary_is_in_any_file_or_in_the_log_output() {
    let mut world = World::start(&[
        ("land.max_age", "100ms"),
        ("jobs.derive_interval", "200ms"),
        ("jobs.compact_interval", "200ms"),
        ("jobs.fold_after", "0s"),
        ("logging.level", "debug"),
    ]);
    // Long enough to be no accident, and to survive the cutting of base64.
    let canary = |what: &str| format!("Canary{what}QzVr81Xw");
    let shop = world.workspace(&canary("Workspace"));
    let account = world.line_with(&shop, &canary("Account"), &canary("Secret"), &line::user(0xca));
    let page = world.page(&shop, &canary("Page"));
    let rotated = world.secret_file(&canary("Rotated"));
    world.ask(&["connection", "rotate-secret", &account.connection, "--secret-file", rotated.to_str().unwrap()]);
    let (at, user) = (now() - 2 * 86_400_000, canary("User"));
    let plant = |world: &World, round: i64| {
        let at = at + round * 1000;
        let id = |what: &str| format!("{}{round}", canary(what));
        let mut sticker = line::event("message", &user, at + 3);
        sticker["message"] = json!({"type": "file", "id": id("FileId"), "fileName": canary("FileName")});
        let mut unknown = line::event("unheardOf", &user, at + 4);
        unknown["said"] = canary("DeadLetter").into();
        account.send(
            world.endpoints(),
            &[
                line::text(&id("Message"), &user, &canary("Text"), at),
                line::edit(&id("Message"), &user, &canary("Edited"), at + 1),
                line::text(&id("Other"), &user, &canary("Unsent"), at + 2),
                sticker,
                unknown,
                line::unsend(&id("Other"), &user, at + 5),
            ],
        );
        page.send(
            world.endpoints(),
            &[
                page.text(&id("Mid"), &canary("Person"), &canary("Messenger"), at),
                page.echo(&id("EchoMid"), &canary("Person"), &canary("Echo"), None, at + 1),
                page.reaction(&id("Mid"), &canary("Person"), at + 2),
            ],
        );
        let not_json = format!("{} is no JSON {round}", canary("NotJson"));
        assert_eq!(account.post(world.endpoints(), &world.endpoints().client, not_json.as_bytes()).unwrap(), 200);
        assert_eq!(facebook::post(world.endpoints(), &world.endpoints().client, not_json.as_bytes()).unwrap(), 200);
        // Refused posts and questions leave nothing behind either.
        let wrong = line::Account { secret: "wrong".into(), ..account.clone() };
        let body = wrong.body(&[line::text("x", &user, &canary("Forged"), at)]);
        assert_eq!(wrong.post(world.endpoints(), &world.endpoints().client, &body).unwrap(), 401);
        let api = world.api(&shop);
        for path in ["/v1/conversations?assignee=", "/v1/conversations?cursor=", "/v1/", "/v1/conversations/"] {
            api.get(&format!("{path}{}", canary("Question")));
        }
        let lines = [
            json!({"id": id("ImportId"), "kind": "message", "connection": {"platform": "line", "name": canary("OldInbox")},
                "conversation": canary("Thread"), "contact": {"id": canary("ContactId"), "name": canary("ContactName")},
                "author": {"kind": "agent", "member": canary("Member"), "name": canary("MemberName")},
                "event_at": rfc3339(at), "text": canary("Imported")}),
            json!({"id": id("NoteId"), "kind": "note", "connection": account.connection, "conversation": user,
                "author": {"kind": "agent", "member": canary("Member")}, "event_at": rfc3339(at + 9), "text": canary("Note")}),
            json!({"id": id("TagId"), "kind": "tag", "connection": account.connection, "conversation": user,
                "author": {"kind": "agent", "member": canary("Member")}, "event_at": rfc3339(at + 8), "add": [canary("Tag")]}),
            json!({"id": "bad", "kind": "note", "odd": canary("BadLine")}),
        ];
        let input = lines.map(|line| line.to_string()).join("\n");
        let import = ["import", "--workspace", &shop.id, "-", "--json"];
        let outcome =
            crate::harness::cli::run_with(world.node.dir(), world.node.settings(), &import, Some(input.as_bytes()));
        assert_eq!((outcome.code, outcome.json()["appended"].as_u64()), (Some(1), Some(3)), "{outcome:?}");
    };
    plant(&world, 0);
    settle(&mut world);
    plant(&world, 1);
    world.node.kill9();
    world.node.start();
    plant(&world, 2);
    settle(&mut world);
    // The canaries can be read, so that they were there to be found.
    let api = world.api(&shop);
    let readable = format!("{:?}{:?}", api.conversations(), api.events());
    for what in ["Text", "Edited", "Messenger", "Echo", "Imported", "ContactName", "Member", "Tag"] {
        let shown = readable.contains(&canary(what));
        assert_eq!(shown, what != "Text", "{what}");
    }
    world.dead_letters(&shop.id);
    search(&world);
    world.node.kill9();
    search(&world);
}

fn search(world: &World) {
    let mut search = Search::new(&["QzVr81Xw", "Canary"]);
    search.look_into(&world.dir());
    search.look("the log output", world.node.log().as_bytes());
    assert!(search.searched > 100_000, "only {} bytes were searched", search.searched);
    assert!(search.found.is_empty(), "{:#?}", search.found);
}
