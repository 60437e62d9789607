//! Who plays: shops with their accounts at LINE and Facebook. The same seed gives the same cast.
use super::random;
use rand::{RngExt, SeedableRng, rngs::StdRng};

/// A shop, which is one workspace with a LINE account and a Facebook page.
#[derive(Clone, Debug)]
pub struct Shop {
    /// Its name.
    pub name: String,
    /// Its IANA time zone.
    pub time_zone: &'static str,
    /// Which of the languages most of its customers speak.
    pub language: usize,
    /// LINE's user id of the account.
    pub destination: String,
    /// LINE's channel secret. Made up, so it may be printed and cloned.
    pub channel_secret: String,
    /// Facebook's page id.
    pub page: String,
}

/// All shops, and the Facebook app that they share.
#[derive(Clone, Debug)]
pub struct Cast {
    /// The shops.
    pub shops: Vec<Shop>,
    /// The app's secret.
    pub app_secret: String,
    /// The app's verify token.
    pub verify_token: String,
    /// The app's own id.
    pub app_id: String,
}

const SHOPS: [(&str, &str, usize); 7] = [
    ("ร้านริมน้ำ (Riverside Shop)", "Asia/Bangkok", 0),
    ("Toko Sinar Pagi", "Asia/Jakarta", 1),
    ("Cửa hàng Hoa Sen", "Asia/Ho_Chi_Minh", 2),
    ("Lion City Goods", "Asia/Singapore", 3),
    ("茉莉小舖 (Jasmine Store)", "Asia/Taipei", 4),
    ("Kedai Melur", "Asia/Kuala_Lumpur", 5),
    ("Tindahan ni Luz", "Asia/Manila", 6),
];

impl Cast {
    /// The cast of a seed.
    pub fn new(seed: u64, shops: usize) -> Self {
        let mut rng = StdRng::seed_from_u64(seed ^ 0xca57);
        let shops = (0..shops)
            .map(|n| {
                let (name, time_zone, language) = SHOPS[n % SHOPS.len()];
                let round = n / SHOPS.len();
                Shop {
                    name: if round == 0 { name.to_owned() } else { format!("{name} {}", round + 1) },
                    time_zone,
                    language,
                    destination: random::line_id(&mut rng, 'U'),
                    channel_secret: random::hex(&mut rng, 32),
                    // The shop's number keeps the ids of any number of shops apart.
                    page: format!("1{:06}{:08}", n, rng.random_range(0..100_000_000u64)),
                }
            })
            .collect();
        Self {
            shops,
            app_secret: random::hex(&mut rng, 32),
            verify_token: random::hex(&mut rng, 24),
            app_id: "987654321098765".into(),
        }
    }
}
