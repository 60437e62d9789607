//! Cursors only lead back to where they came from.
use crate::world::{World, id};
use schemas::{
    ids::LogEpoch,
    log::{Offset, Slot},
};

async fn cursor_of(world: &World, path: &str) -> String {
    let page = world.get(&world.ours.read, path).await.ok();
    page["next_cursor"].as_str().expect("a cursor").to_owned()
}

#[tokio::test]
async fn one_that_was_edited_anywhere_is_refused() {
    let world = World::new().await;
    let messages = format!("/v1/conversations/{}/messages?limit=2", id(1));
    for (path, name) in
        [("/v1/conversations?limit=2", "cursor"), (messages.as_str(), "cursor"), ("/v1/events?limit=2", "after")]
    {
        let cursor = cursor_of(&world, path).await;
        world.get(&world.ours.read, &format!("{path}&{name}={cursor}")).await.ok();
        for at in 0..cursor.len() {
            for other in *b"A_z9" {
                let mut edited = cursor.clone().into_bytes();
                if edited[at] == other {
                    continue;
                }
                edited[at] = other;
                let edited = String::from_utf8(edited).expect("ascii");
                world.get(&world.ours.read, &format!("{path}&{name}={edited}")).await.is(400, "bad_cursor");
            }
        }
        for edited in ["", "x", "AAAA", "%00", "====", &cursor[1..], &cursor[..cursor.len() - 1], &format!("{cursor}A")]
        {
            world.get(&world.ours.read, &format!("{path}&{name}={edited}")).await.is(400, "bad_cursor");
        }
    }
}

#[tokio::test]
async fn one_of_another_question_route_or_workspace_is_refused() {
    let world = World::new().await;
    let messages = format!("/v1/conversations/{}/messages", id(1));
    let of_another = format!("/v1/conversations/{}/messages", id(2));
    let inbox = cursor_of(&world, "/v1/conversations?limit=2").await;
    let open = cursor_of(&world, "/v1/conversations?limit=2&status=open").await;
    let newest = cursor_of(&world, &format!("{messages}?limit=2")).await;
    let events = cursor_of(&world, "/v1/events?limit=2").await;
    let ours = &world.ours.read;
    for (cursor, path) in [
        (&inbox, "/v1/conversations?status=open&cursor=".to_owned()),
        (&inbox, "/v1/conversations?unread=false&cursor=".to_owned()),
        (&inbox, "/v1/conversations?assignee=none&cursor=".to_owned()),
        (&open, "/v1/conversations?cursor=".to_owned()),
        (&open, "/v1/conversations?status=closed&cursor=".to_owned()),
        (&inbox, format!("{messages}?cursor=")),
        (&newest, "/v1/conversations?cursor=".to_owned()),
        (&newest, format!("{messages}?order=oldest&cursor=")),
        (&newest, format!("{of_another}?cursor=")),
        (&newest, "/v1/events?after=".to_owned()),
        (&events, "/v1/conversations?cursor=".to_owned()),
    ] {
        world.get(ours, &format!("{path}{cursor}")).await.is(400, "bad_cursor");
    }
    // The order that is asked by default is the same question, and so is another page size.
    world.get(ours, &format!("{messages}?order=newest&limit=3&cursor={newest}")).await.ok();
    let theirs = &world.theirs.read;
    world.get(theirs, &format!("/v1/conversations?cursor={inbox}")).await.is(400, "bad_cursor");
    world.get(theirs, &format!("/v1/events?after={events}")).await.is(400, "bad_cursor");
}

#[tokio::test]
async fn a_position_is_no_cursor() {
    let world = World::new().await;
    let position = records::Position { epoch: LogEpoch([7; 16]), slot: Slot(0), next: Offset(1) };
    world.get(&world.ours.read, &format!("/v1/events?after={position}")).await.is(400, "bad_cursor");
}
