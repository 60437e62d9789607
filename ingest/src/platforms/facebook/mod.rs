//! Facebook Messenger: one app signs for all Pages, and a post names the Pages that it is about.
mod attachments;
mod envelope;
mod events;
pub mod handshake;
mod messages;
mod signature;

use super::{Body, Connector, Context, Element, Entrance, Parsed, Part, read_or_keep};
use schemas::kind::{DeadLetterReason, Platform};

/// The page of Facebook's own test posts (`facebook.md` §3.11).
pub(crate) const TEST_PAGE: &str = "0";

/// Which apps are which, for echoes (`facebook.md` §3.3). Ids are compared as text, whether they come as number or
/// string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppIds {
    /// Our own app.
    pub own: Option<String>,
    /// The Page inbox: people of the business.
    pub page_inbox: Vec<String>,
    /// Other apps in which people write.
    pub human: Vec<String>,
}

impl Default for AppIds {
    fn default() -> Self {
        // The documentation disagrees with itself about the Page inbox; both are accepted.
        Self { own: None, page_inbox: vec!["263902037430900".into(), "26390203743090".into()], human: Vec::new() }
    }
}

impl AppIds {
    /// True when a person of the business writes through this app, or nobody says which app it was.
    fn is_human(&self, app: Option<&str>) -> bool {
        let listed = |apps: &[String], app: &str| apps.iter().any(|known| known == app);
        app.is_none_or(|app| {
            self.own.as_deref() == Some(app) || listed(&self.page_inbox, app) || listed(&self.human, app)
        })
    }
}

/// See the module's documentation.
#[derive(Debug, Clone, Default)]
pub struct Facebook {
    apps: AppIds,
}

impl Facebook {
    /// The connector of an app.
    pub fn new(apps: AppIds) -> Self {
        Self { apps }
    }
}

impl Connector for Facebook {
    fn platform(&self) -> Platform {
        Platform::Facebook
    }

    fn entrance(&self) -> Entrance {
        Entrance::App { handshake: Some(handshake::answer) }
    }

    fn signature_header(&self) -> &'static str {
        "x-hub-signature-256"
    }

    fn decode_signature(&self, value: &[u8]) -> Option<super::signature::Signature> {
        signature::decode(value)
    }

    fn split<'b>(&self, body: &'b Body<'_>) -> Result<Vec<Part<'b>>, DeadLetterReason> {
        envelope::split(body)
    }

    fn split_dead_letter<'b>(&self, body: &'b Body<'_>) -> Result<Vec<Part<'b>>, DeadLetterReason> {
        envelope::split(body).or_else(|_| envelope::single(body))
    }

    fn read(&self, element: &Element<'_>, context: &Context<'_>) -> Parsed {
        read_or_keep(self, element, context, || events::read(&self.apps, element, context))
    }

    fn raw_key(&self, bytes: &[u8]) -> Vec<u8> {
        // A redelivery carries no mark: the bytes are the same.
        bytes.to_vec()
    }
}
