//! Whoever listens in an installation of separate processes, theirs and the services' as our scripts start them, refuses
//! a client that offers TLS 1.2 and no better.
use crate::{
    cluster::{Cluster, INGEST, QUERY, Services},
    harness::{node::Node, raw::address},
};
use std::process::{Command, Stdio};

/// What OpenSSL's client says after its hello.
fn hello(at: &str, version: &str, options: &[&str]) -> String {
    let mut client = Command::new("openssl");
    client.args(["s_client", version, "-connect", at]).args(options).stdin(Stdio::null());
    let output = client.output().unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
#[ignore = "needs PostgreSQL, Kafka and S3"]
fn on_postgres_kafka_and_s3_whoever_listens_refuses_tls_1_2() {
    let Some(services) = Services::start("roles_tls", 1) else { return };
    let mut cluster = Cluster::start(services);
    cluster.world.node.term();
    cluster.nodes.iter_mut().for_each(Node::start);
    let mut listeners: Vec<(String, String, &[&str])> = Vec::new();
    for n in INGEST {
        listeners.push((format!("ingest {n}"), address(&cluster.nodes[n].endpoints().ingest).to_owned(), &[]));
    }
    for n in QUERY {
        listeners.push((format!("API {n}"), address(&cluster.nodes[n].endpoints().api).to_owned(), &[]));
    }
    let services = &cluster.services;
    listeners.push(("S3".into(), address(services.s3.value("ENDPOINT")).to_owned(), &[]));
    listeners.push(("PostgreSQL".into(), services.postgres.address(), &["-starttls", "postgres"]));
    let old = services.kafka.value("TLS12");
    for listener in services.kafka.property(1, "listeners").split(',') {
        let (name, at) = listener.split_once("://").unwrap();
        // One of them speaks 1.2 on purpose, for the tests of the client.
        if at != old {
            listeners.push((format!("Kafka {name}"), at.to_owned(), &[]));
        }
    }
    assert!(listeners.len() >= 9, "{listeners:?}");
    for (name, at, options) in &listeners {
        let refused = hello(at, "-tls1_2", options);
        assert!(refused.contains("alert protocol version"), "{name} at {at} does not refuse TLS 1.2: {refused}");
        assert!(!refused.contains("New, TLSv1.2"), "{name} at {at} speaks TLS 1.2: {refused}");
        let taken = hello(at, "-tls1_3", options);
        assert!(taken.contains("New, TLSv1.3"), "{name} at {at} does not speak TLS 1.3: {taken}");
        println!("tls: {name} refuses 1.2 and speaks 1.3");
    }
    // The same hello is taken where 1.2 is spoken.
    let control = hello(old, "-tls1_2", &[]);
    assert!(control.contains("New, TLSv1.2"), "{control}");
}
