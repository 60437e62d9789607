//! Only what is signed over exactly these bytes gets in.
use crate::harness::{facebook, line, metrics::samples, now, sign, wait_until, world::World};

/// What is forged, where it is posted, with which headers, and the body.
type Forgery<'a> = (&'a str, &'a str, Vec<(&'a str, String)>, Vec<u8>);

#[test]
fn without_the_right_signature_nothing_is_taken_and_nothing_is_logged() {
    let world = World::start(&[("logging.level", "debug"), ("land.max_age", "100ms")]);
    let shop = world.workspace("Shop");
    let (account, other) = (world.line(&shop, "Account"), world.line(&shop, "Other"));
    let page = world.page(&shop, "Page");
    let (at, endpoints) = (now() - 60_000, world.endpoints());
    let line_body = account.body(&[line::text("1", &line::user(1), "forged-words/é😊", at)]);
    let page_body = facebook::body(&[page.entry(&[page.text("m_1", "7", "forged-words/é😊", at)])]);
    let line_url = format!("{}{}", endpoints.ingest, account.path);
    let page_url = format!("{}/webhooks/facebook", endpoints.ingest);
    let (line_good, page_good) =
        (sign::line(&account.secret, &line_body).1, sign::facebook(facebook::APP_SECRET, &page_body).1);
    // The same value, written by another hand.
    let again =
        |body: &[u8]| serde_json::to_vec_pretty(&serde_json::from_slice::<serde_json::Value>(body).unwrap()).unwrap();
    let compact = serde_json::to_vec(&serde_json::from_slice::<serde_json::Value>(&page_body).unwrap()).unwrap();
    let flipped = |value: &str| {
        let other = if value.as_bytes()[9] == b'0' { "1" } else { "0" };
        [&value[..9], other, &value[10..]].concat()
    };
    let line_name = "x-line-signature";
    let page_name = "x-hub-signature-256";
    let refused: Vec<Forgery<'_>> = vec![
        ("line: none", &line_url, vec![], line_body.clone()),
        ("line: empty", &line_url, vec![(line_name, String::new())], line_body.clone()),
        ("line: no base64", &line_url, vec![(line_name, "***".into())], line_body.clone()),
        ("line: short", &line_url, vec![(line_name, line_good[..20].to_owned())], line_body.clone()),
        ("line: flipped", &line_url, vec![(line_name, flipped(&line_good))], line_body.clone()),
        (
            "line: another account's",
            &line_url,
            vec![(line_name, sign::line(&other.secret, &line_body).1)],
            line_body.clone(),
        ),
        (
            "line: facebook's header",
            &line_url,
            vec![(page_name, sign::facebook(&account.secret, &line_body).1)],
            line_body.clone(),
        ),
        ("line: hex", &line_url, vec![(line_name, sign::facebook(&account.secret, &line_body).1)], line_body.clone()),
        ("line: re-serialised", &line_url, vec![(line_name, line_good.clone())], again(&line_body)),
        ("line: one byte more", &line_url, vec![(line_name, line_good.clone())], [&line_body[..], b" "].concat()),
        (
            "line: two headers",
            &line_url,
            vec![(line_name, line_good.clone()), (line_name, line_good.clone())],
            line_body.clone(),
        ),
        ("line: empty body", &line_url, vec![(line_name, line_good)], vec![]),
        ("facebook: none", &page_url, vec![], page_body.clone()),
        ("facebook: without sha256=", &page_url, vec![(page_name, page_good[7..].to_owned())], page_body.clone()),
        (
            "facebook: sha1",
            &page_url,
            vec![("x-hub-signature", page_good.replace("sha256", "sha1"))],
            page_body.clone(),
        ),
        ("facebook: flipped", &page_url, vec![(page_name, flipped(&page_good))], page_body.clone()),
        (
            "facebook: a LINE secret",
            &page_url,
            vec![(page_name, sign::facebook(&account.secret, &page_body).1)],
            page_body.clone(),
        ),
        ("facebook: re-serialised", &page_url, vec![(page_name, page_good.clone())], again(&page_body)),
        ("facebook: without its escapes", &page_url, vec![(page_name, page_good)], compact),
        (
            "facebook: the verify token",
            &page_url,
            vec![(page_name, sign::facebook(facebook::VERIFY_TOKEN, &page_body).1)],
            page_body.clone(),
        ),
    ];
    let count = refused.len();
    for (what, url, headers, body) in refused {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = endpoints.client.post(url, &headers, &body).unwrap();
        assert_eq!((answer.status, answer.body.len()), (401, 0), "{what}");
    }
    assert_eq!(account.post(endpoints, &endpoints.client, &line_body).unwrap(), 200);
    assert_eq!(facebook::post(endpoints, &endpoints.client, &page_body).unwrap(), 200);
    let api = world.api(&shop);
    wait_until("the two that were signed", || api.events().len() == 2);
    assert!(world.dead_letters(&shop.id).is_empty() && world.dead_letters("system").is_empty());
    let failures = samples(endpoints)
        .iter()
        .filter(|(n, _)| n.starts_with("chatmai_signature_failures"))
        .map(|(_, n)| n)
        .sum::<f64>();
    assert_eq!(failures, count as f64);
    let log = world.node.log();
    for content in ["forged-words", &account.secret, facebook::APP_SECRET, &shop.key, "quoteToken"] {
        assert!(!log.contains(content), "`{content}` is in the log");
    }
}
