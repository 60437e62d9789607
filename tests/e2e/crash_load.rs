//! Traffic that does not stop for a node that dies: signed posts with copies, edits and unsends, of several workspaces,
//! each noted before it is sent and again when it was acknowledged.
use crate::harness::{
    DAY,
    client::Client,
    facebook::{self, Page},
    ledger::{Element, Fact, Ledger},
    line::{self, Account},
    node::Endpoints,
    now,
    random::Random,
    world::{Workspace, World},
};
use serde_json::Value;
use std::{
    collections::VecDeque,
    sync::{
        Mutex, RwLock,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

/// A workspace that posts come in for.
pub struct Shop {
    pub workspace: Workspace,
    pub account: Account,
    pub page: Page,
}

/// What the posting threads share with the test.
pub struct Load {
    pub shops: Vec<Shop>,
    pub ledger: Mutex<Ledger>,
    /// Where the node listens; none while it is down.
    pub endpoints: RwLock<Option<Endpoints>>,
    /// True while there is no log that could take anything.
    pub log_is_away: AtomicBool,
    /// Posts that were sent and acknowledged all the same while it was away.
    pub acknowledged_without_log: AtomicU64,
    stop: AtomicBool,
    /// Numbers the elements: all have another time, spread over four days.
    number: AtomicI64,
    base: i64,
    pub pause: Duration,
}

/// A post, ready to be sent again.
#[derive(Clone)]
struct Post {
    elements: Vec<Element>,
    /// LINE's account that signs; without one the app does.
    account: Option<usize>,
    body: Vec<u8>,
}

/// Messages that can still be amended.
type Known = VecDeque<(usize, String, String)>;

impl Load {
    /// Three workspaces with an account and a page each.
    pub fn new(world: &World, shops: usize) -> Self {
        let shop = |n: usize| {
            let workspace = world.workspace(&format!("Shop {n}"));
            let (account, page) = (world.line(&workspace, "Account"), world.page(&workspace, "Page"));
            Shop { workspace, account, page }
        };
        Self {
            shops: (0..shops).map(shop).collect(),
            ledger: Mutex::default(),
            endpoints: RwLock::new(Some(world.endpoints().clone())),
            log_is_away: AtomicBool::new(false),
            acknowledged_without_log: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            number: AtomicI64::new(0),
            base: now() - 4 * 3_600_000,
            pause: Duration::from_millis(2),
        }
    }

    pub fn workspaces(&self) -> Vec<Workspace> {
        self.shops.iter().map(|shop| shop.workspace.clone()).collect()
    }

    /// Tells the threads where the node is now, or that it is gone.
    pub fn node_is(&self, endpoints: Option<&Endpoints>) {
        *self.endpoints.write().unwrap() = endpoints.cloned();
    }

    pub fn end(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// After [`Self::end`], for another round.
    pub fn again(&self) {
        self.stop.store(false, Ordering::SeqCst);
    }

    /// A time that no other element has: days apart, so that several partition days are written at once.
    fn time(&self) -> i64 {
        let n = self.number.fetch_add(1, Ordering::SeqCst);
        self.base + n - (n % 4) * DAY
    }

    /// Posts until it is told to stop. Copies of what was sent come again at random, and what failed mostly does.
    pub fn run(&self, seed: u64) {
        let mut random = Random::new(seed);
        let (mut sent, mut known): (VecDeque<Post>, Known) = (VecDeque::new(), VecDeque::new());
        while !self.stop.load(Ordering::SeqCst) {
            let post = match sent.is_empty() || random.chance(80) {
                true => self.make(&mut random, &mut known),
                false => sent[random.below(sent.len())].clone(),
            };
            let accepted = self.send(&post);
            if accepted || random.chance(75) {
                sent.push_back(post);
            }
            if sent.len() > 300 {
                sent.pop_front();
            }
            std::thread::sleep(if accepted { self.pause } else { Duration::from_millis(15) });
        }
    }

    /// One post of a thread of its own, for tests that count.
    pub fn post_once(&self, random: &mut Random) -> bool {
        let post = self.make(random, &mut VecDeque::new());
        self.send(&post)
    }

    fn send(&self, post: &Post) -> bool {
        let Some(endpoints) = self.endpoints.read().unwrap().clone() else { return false };
        self.ledger.lock().unwrap().sending(&post.elements);
        let is_away = || u64::from(self.log_is_away.load(Ordering::SeqCst));
        let was_away = is_away();
        let client: &Client = &endpoints.client;
        let status = match post.account {
            Some(shop) => self.shops[shop].account.post(&endpoints, client, &post.body),
            None => facebook::post(&endpoints, client, &post.body),
        };
        match status {
            Ok(200) => {
                self.acknowledged_without_log.fetch_add(was_away & is_away(), Ordering::SeqCst);
                self.ledger.lock().unwrap().acknowledged(&post.elements);
                true
            }
            // 503 while the node stops or starts; everything else would be a mistake of the node or of this test.
            Ok(503) | Err(_) => false,
            Ok(status) => panic!("a signed post was answered with {status}"),
        }
    }

    fn make(&self, random: &mut Random, known: &mut Known) -> Post {
        let shop = random.below(self.shops.len());
        while known.len() > 200 {
            known.pop_front();
        }
        if random.chance(60) {
            let made: Vec<_> = (0..1 + random.below(5)).map(|_| self.line(shop, random, known)).collect();
            let (elements, mut events): (Vec<_>, Vec<_>) = made.into_iter().unzip();
            if random.chance(10) {
                events.iter_mut().for_each(|event| *event = line::redelivery(event));
            }
            let body = self.shops[shop].account.body(&events);
            return Post { elements, account: Some(shop), body };
        }
        // One post of the app may hold pages of several workspaces.
        let (mut elements, mut entries) = (Vec::new(), Vec::new());
        for shop in [Some(shop), random.chance(30).then_some((shop + 1) % self.shops.len())].into_iter().flatten() {
            let made: Vec<_> = (0..1 + random.below(4)).map(|_| self.messaging(shop, random, known)).collect();
            let (of_page, said): (Vec<_>, Vec<Value>) = made.into_iter().unzip();
            elements.extend(of_page);
            entries.push(self.shops[shop].page.entry(&said));
        }
        Post { elements, account: None, body: facebook::body(&entries) }
    }

    /// A message of this connection that was sent before, if there is one.
    fn earlier(shop: usize, prefix: char, random: &mut Random, known: &Known) -> Option<(String, String)> {
        let of: Vec<_> = known.iter().filter(|(s, id, _)| *s == shop && id.starts_with(prefix)).collect();
        (!of.is_empty()).then(|| random.pick(&of)).map(|(_, id, user)| (id.clone(), user.clone()))
    }

    fn line(&self, shop: usize, random: &mut Random, known: &mut Known) -> (Element, Value) {
        let (at, connection) = (self.time(), self.shops[shop].account.connection.clone());
        let user = line::user(random.below(12) as u64);
        let element = |fact| Element { workspace: shop, connection: connection.clone(), fact };
        let amended = Self::earlier(shop, 'L', random, known);
        match (random.below(20), amended) {
            (0..=1, Some((id, user))) => {
                let text = format!("edited {at}");
                let event = line::edit(&id, &user, &text, at);
                (element(Fact::Edit { message: id, text, order: at, at }), event)
            }
            (2, Some((id, user))) => {
                let event = line::unsend(&id, &user, at);
                (element(Fact::Unsend { message: id, at }), event)
            }
            (3, _) => (element(Fact::Other { kind: "follow", at }), line::event("follow", &user, at)),
            (4, _) => (element(Fact::Dead { at }), line::event("notYetInvented", &user, at)),
            _ => {
                let (id, text) = (format!("L{at}"), format!("words {at} ありがとう"));
                known.push_back((shop, id.clone(), user.clone()));
                let event = line::text(&id, &user, &text, at);
                (element(Fact::Message { id, text }), event)
            }
        }
    }

    fn messaging(&self, shop: usize, random: &mut Random, known: &mut Known) -> (Element, Value) {
        let (at, page) = (self.time(), &self.shops[shop].page);
        let person = format!("70{:02}", random.below(12));
        let element = |fact| Element { workspace: shop, connection: page.connection.clone(), fact };
        let amended = Self::earlier(shop, 'm', random, known);
        match (random.below(20), amended) {
            (0..=1, Some((mid, person))) => {
                let text = format!("edited {at}");
                let said = page.edit(&mid, &person, &text, at, at);
                (element(Fact::Edit { message: mid, text, order: at, at }), said)
            }
            (2, Some((mid, person))) => {
                (element(Fact::Other { kind: "reaction", at }), page.reaction(&mid, &person, at))
            }
            (3, _) => (element(Fact::Other { kind: "read", at }), page.read(&person, at)),
            (kind, _) => {
                let (mid, text) = (format!("m_{at}"), format!("words {at} café"));
                let said = if kind % 3 == 0 {
                    page.echo(&mid, &person, &text, None, at)
                } else {
                    known.push_back((shop, mid.clone(), person.clone()));
                    page.text(&mid, &person, &text, at)
                };
                (element(Fact::Message { id: mid, text }), said)
            }
        }
    }
}

/// Everything as often as a test can wait for.
pub const FAST: &[(&str, &str)] = &[
    ("land.max_age", "100ms"),
    ("jobs.derive_interval", "250ms"),
    ("jobs.compact_interval", "300ms"),
    ("jobs.expire_interval", "300ms"),
    ("jobs.scrub_interval", "1s"),
    ("jobs.fold_after", "1s"),
    ("log.segment_bytes", "1MiB"),
    ("logging.level", "warn"),
];
