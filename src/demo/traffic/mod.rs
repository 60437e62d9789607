//! Realistic traffic, as signed posts. The same seed, cast, instant and number of events give the same bytes.
pub mod cast;
mod facebook;
pub mod fact;
mod item;
mod line;
mod noise;
mod phrases;
mod posts;
pub mod random;
#[cfg(test)]
mod tests;
mod times;

pub use cast::Cast;
pub use fact::{Fact, Sent};
pub use posts::{Post, Target};
pub use times::Times;

use facebook::FacebookTalk;
use item::{Instants, Item};
use line::LineTalk;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use times::Stretch;

/// Most elements that are made at once, so that any number of events takes the same memory.
const WAVE: usize = 10_000;
/// Customers of an account in live traffic: they come back, so that any length of it has as many conversations.
const CUSTOMERS: u64 = 1000;

/// Makes traffic, wave after wave.
pub struct Traffic {
    rng: StdRng,
    cast: Cast,
    times: Times,
    sent: usize,
    left: usize,
    instants: Instants,
    /// What comes after the wave in which its conversation began.
    carried: Vec<Item>,
}

impl Traffic {
    /// Traffic of `events` elements, copies included.
    pub fn new(seed: u64, cast: Cast, times: Times, events: usize) -> Self {
        let rng = StdRng::seed_from_u64(seed);
        Self { rng, cast, times, sent: 0, left: events, instants: Instants::default(), carried: Vec::new() }
    }

    /// The next posts, in the order in which they are sent.
    pub fn next_wave(&mut self) -> Option<Vec<Post>> {
        if self.left == 0 {
            return None;
        }
        let size = self.left.min(WAVE);
        let stretch = self.times.stretch(self.sent, size);
        let mut items = self.items(size, stretch);
        self.shake(&mut items);
        self.copy(&mut items, size);
        let mut posts = posts::gather(&mut self.rng, &self.cast, items);
        if self.sent == 0 {
            self.formalities(&mut posts);
        }
        self.left -= size;
        self.sent += size;
        Some(posts)
    }

    /// How many elements of a wave are copies of others.
    fn copies(size: usize) -> usize {
        size * 3 / 100
    }

    /// A wave without its copies, by time.
    fn items(&mut self, size: usize, stretch: Stretch) -> Vec<Item> {
        // In very little traffic all is readable.
        let (dead, ignored) = (if size < 20 { 0 } else { size.div_ceil(250) }, size / 300);
        let talk = size.saturating_sub(Self::copies(size) + dead + ignored);
        let mut items = self.talk(talk, stretch);
        for _ in 0..dead {
            let at = self.moment(stretch);
            items.push(noise::dead(&mut self.rng, &self.cast, &mut self.instants, at));
        }
        for _ in 0..ignored {
            let at = self.moment(stretch);
            items.push(noise::ignored(&mut self.rng, &self.cast, &mut self.instants, at));
        }
        items.truncate(size - Self::copies(size));
        items.sort_by_key(|item| item.at);
        items
    }

    /// So many elements of conversations.
    fn talk(&mut self, count: usize, stretch: Stretch) -> Vec<Item> {
        let is_in = |item: &Item| item.at <= stretch.to;
        let (mut items, mut later) = std::mem::take(&mut self.carried).into_iter().partition::<Vec<_>, _>(is_in);
        while items.len() < count {
            for item in self.conversation(stretch) {
                if is_in(&item) { items.push(item) } else { later.push(item) }
            }
        }
        if self.times.is_live() {
            items.sort_by_key(|item| item.at);
            later.extend(items.drain(count..));
            self.carried = later;
            self.instants.forget_before(stretch.from);
        }
        // Without a later, what would lie in it has not happened yet.
        items.truncate(count);
        items
    }

    fn moment(&mut self, stretch: Stretch) -> i64 {
        self.rng.random_range(stretch.from..stretch.last_beginning)
    }

    /// One conversation.
    fn conversation(&mut self, stretch: Stretch) -> Vec<Item> {
        let shop = self.rng.random_range(0..self.cast.shops.len());
        let own = self.rng.random_bool(0.6);
        let language = if own { self.cast.shops[shop].language } else { self.rng.random_range(0..phrases::ALL.len()) };
        let phrases = phrases::ALL[language % phrases::ALL.len()];
        let at = self.moment(stretch);
        let person = if self.times.is_live() {
            shop as u64 * CUSTOMERS + self.rng.random_range(0..CUSTOMERS)
        } else {
            self.rng.random()
        };
        let mut people = StdRng::seed_from_u64(person);
        let (rng, instants, hurry) = (&mut self.rng, &mut self.instants, stretch.hurry);
        if rng.random_bool(0.5) {
            LineTalk { rng, instants, people, shop, at, hurry, items: Vec::new() }.play(phrases)
        } else {
            let (of, person) = (&self.cast.shops[shop], random::digits(&mut people, 16));
            FacebookTalk { rng, instants, shop, of, person, at, hurry, items: Vec::new() }.play(phrases)
        }
    }

    /// Some elements come late.
    fn shake(&mut self, items: &mut Vec<Item>) {
        for from in 0..items.len() {
            if self.rng.random_bool(0.04) {
                let to = (from + self.rng.random_range(1..200)).min(items.len() - 1);
                let item = items.remove(from);
                items.insert(to, item);
            }
        }
    }

    /// Some are delivered again, at once or much later, until there are `size`.
    fn copy(&mut self, items: &mut Vec<Item>, size: usize) {
        while items.len() < size && !items.is_empty() {
            let from = self.rng.random_range(0..items.len());
            if items[from].sent.fact == Fact::Ignored {
                // What is not kept cannot be recognised again; it would be counted as ignored twice.
                if items.iter().all(|item| item.sent.fact == Fact::Ignored) {
                    break;
                }
                continue;
            }
            let mut copy = items[from].clone();
            // What is unreadable must be found as it came first, so its copy has no mark.
            if let Some(again) = copy.again.clone().filter(|_| self.rng.random_bool(0.7)) {
                copy.written = again;
            }
            let room = items.len() - from;
            let distance = if self.rng.random_bool(0.5) { room.min(20) } else { room };
            items.insert(from + 1 + self.rng.random_range(0..distance), copy);
        }
    }

    /// What the platforms send when an account is connected, and what strangers try.
    fn formalities(&mut self, posts: &mut Vec<Post>) {
        let forged: Vec<Post> = posts.iter().take(3).cloned().map(Post::forged).collect();
        for shop in 0..self.cast.shops.len() {
            let check = format!("{{\"destination\":\"{}\",\"events\":[]}}", self.cast.shops[shop].destination);
            posts.insert(0, Post::new(&self.cast, Target::Line(shop), check, Vec::new()));
        }
        posts.extend(forged);
    }
}
