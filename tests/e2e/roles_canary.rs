//! Nothing that came from a person lies in clear with any of the services: canaries are planted wherever people write,
//! and every byte of Kafka's logs, of the bucket, of PostgreSQL with its write-ahead log, of the processes' directories
//! and of their log output is searched for them.
use crate::{
    cluster::{Cluster, INGEST, QUERY, Services, TRANSFORM},
    harness::{
        LONG_PATIENCE,
        api::Api,
        bytes::{self, Search},
        cli, facebook,
        line::{self, Account},
        metrics, now, rfc3339, wait_within,
        world::Workspace,
    },
};
use serde_json::json;
use std::path::PathBuf;

/// What every canary begins and ends with. PostgreSQL brings the Canary Islands along, so it is another word.
const WORD: &str = "Kanarie";
const MARK: &str = "QzVr81Xw";
const CONTROL: &str = "this text is in clear";

fn canary(what: &str) -> String {
    format!("{WORD}{what}{MARK}")
}

/// What people write, in its many places.
fn plant(cluster: &Cluster, shop: &Workspace, account: &Account, page: &facebook::Page, round: i64) {
    let endpoints = cluster.nodes[INGEST[usize::from(round % 2 == 1)]].endpoints();
    let (at, user, id) =
        (now() - 2 * 86_400_000 + round * 1000, canary("User"), |what: &str| format!("{}{round}", canary(what)));
    let mut unknown = line::event("unheardOf", &user, at + 4);
    unknown["said"] = canary("DeadLetter").into();
    let events = [
        line::text(&id("Message"), &user, &canary("Text"), at),
        line::edit(&id("Message"), &user, &canary("Edited"), at + 1),
        line::text(&id("Other"), &user, &canary("Unsent"), at + 2),
        unknown,
        line::unsend(&id("Other"), &user, at + 5),
    ];
    account.send(endpoints, &events);
    let text = page.text(&id("Mid"), &canary("Person"), &canary("Messenger"), at);
    page.send(endpoints, &[text, page.echo(&id("EchoMid"), &canary("Person"), &canary("Echo"), None, at + 1)]);
    let not_json = format!("{} is no JSON {round}", canary("NotJson"));
    assert_eq!(account.post(endpoints, &endpoints.client, not_json.as_bytes()).unwrap(), 200);
    let forger = Account { secret: canary("Wrong"), ..account.clone() };
    let forged = forger.body(&[line::text("x", &user, &canary("Forged"), at)]);
    assert_eq!(forger.post(endpoints, &endpoints.client, &forged).unwrap(), 401);
    let api = Api::new(cluster.nodes[QUERY[0]].endpoints(), &shop.key);
    for path in ["/v1/conversations?assignee=", "/v1/conversations?cursor=", "/v1/", "/v1/conversations/"] {
        api.get(&format!("{path}{}", canary("Question")));
    }
    let lines = [
        json!({"id": id("ImportId"), "kind": "message", "connection": {"platform": "line", "name": canary("OldInbox")},
            "conversation": canary("Thread"), "contact": {"id": canary("ContactId"), "name": canary("ContactName")},
            "author": {"kind": "agent", "member": canary("Member"), "name": canary("MemberName")},
            "event_at": rfc3339(at), "text": canary("Imported")}),
        json!({"id": id("TagId"), "kind": "tag", "connection": account.connection, "conversation": user,
            "author": {"kind": "agent", "member": canary("Member")}, "event_at": rfc3339(at + 8), "add": [canary("Tag")]}),
    ];
    let (node, input) = (&cluster.world.node, lines.map(|line| line.to_string()).join("\n"));
    let import = ["import", "--workspace", &shop.id, "-", "--json"];
    let outcome = cli::run_with(node.dir(), node.settings(), &import, Some(input.as_bytes()));
    assert_eq!((outcome.code, outcome.json()["appended"].as_u64()), (Some(0), Some(2)), "{outcome:?}");
}

/// Waits until all is landed, and derived, compacted and folded after that.
fn worked_on(cluster: &Cluster) {
    cluster.landed();
    for job in ["derive", "compact"] {
        let runs = || TRANSFORM.map(|n| metrics::labelled(cluster.nodes[n].endpoints(), "chatmai_job_runs", job));
        let before: f64 = runs().iter().sum();
        let enough = || (runs().iter().sum::<f64>() >= before + 3.0).then_some(());
        wait_within(LONG_PATIENCE, "runs of the jobs", enough);
    }
}

/// Every place, and what must be found there, or nothing was searched.
fn places(cluster: &Cluster) -> Vec<(PathBuf, &'static str)> {
    let postgres = cluster.services.postgres.data_directory();
    let mut places = vec![
        (cluster.services.kafka.log_directory(), "chatmai-land"),
        (cluster.services.kafka.log_directory().join("events-0"), "u-ws"),
        (cluster.services.s3.directory().join("objects"), "PARE"),
        (postgres.join("cluster/base"), CONTROL),
        (postgres.join("cluster/pg_wal"), CONTROL),
        (postgres, "PostgreSQL"),
    ];
    let nodes = cluster.nodes.iter().chain([&cluster.world.node]);
    let of_nodes = nodes.map(|node| (node.dir().to_owned(), "BEGIN CERTIFICATE"));
    places.extend(of_nodes);
    places
}

fn search(cluster: &Cluster, when: &str) {
    cluster.services.postgres.sql("CHECKPOINT;");
    let mut search = Search::new(&[MARK, WORD]);
    for (place, control) in places(cluster) {
        assert!(bytes::is_in(&place, control), "{when}: {control} is not found in {}", place.display());
        search.look_into(&place);
    }
    for node in cluster.nodes.iter().chain([&cluster.world.node]) {
        let log = node.log();
        assert!(log.contains("min.insync.replicas"), "{when}: a log without what every process says");
        search.look("the log output", log.as_bytes());
    }
    println!("canary: {when}, {} MB searched, {} found", search.searched >> 20, search.found.len());
    assert!(search.found.is_empty(), "{when}: {:#?}", search.found);
}

#[test]
#[ignore = "needs PostgreSQL, Kafka and S3"]
fn on_postgres_kafka_and_s3_no_canary_is_with_any_service_or_in_any_directory_or_log_output() {
    let Some(mut services) = Services::start("roles_canary", 1) else { return };
    services.set("jobs.fold_after", "0s");
    services.set("logging.level", "debug");
    let mut cluster = Cluster::start(services);
    let world = &cluster.world;
    let shop = world.workspace(&canary("Workspace"));
    let account = world.line_with(&shop, &canary("Account"), &canary("Secret"), &line::user(0xca));
    let page = world.page(&shop, &canary("Page"));
    let rotated = world.secret_file(&canary("Rotated"));
    world.ask(&["connection", "rotate-secret", &account.connection, "--secret-file", rotated.to_str().unwrap()]);
    cluster.world.node.term();
    cluster.nodes.iter_mut().for_each(crate::harness::node::Node::start);
    cluster.services.catalog(&format!("CREATE TABLE control AS SELECT '{CONTROL}'::text AS said;"));
    plant(&cluster, &shop, &account, &page, 0);
    worked_on(&cluster);
    plant(&cluster, &shop, &account, &page, 1);
    cluster.nodes[TRANSFORM[0]].kill9();
    cluster.nodes[TRANSFORM[0]].start();
    plant(&cluster, &shop, &account, &page, 2);
    worked_on(&cluster);
    // They can be read, so they were there to be found; and a search finds them where they are in clear.
    let api = Api::new(cluster.nodes[QUERY[1]].endpoints(), &shop.key);
    let readable = format!("{:?}{:?}", api.conversations(), api.events());
    for what in ["Edited", "Messenger", "Echo", "Imported", "ContactName", "Member", "Tag"] {
        assert!(readable.contains(&canary(what)), "{what}");
    }
    let mut control = Search::new(&[MARK, WORD]);
    control.look_into(rotated.parent().unwrap());
    assert!(control.found.iter().any(|found| found.contains("secret-")), "{:?}", control.found);
    search(&cluster, "while all runs");
    cluster.nodes.iter_mut().for_each(crate::harness::node::Node::kill9);
    search(&cluster, "after the end of all processes");
}
