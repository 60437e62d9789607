//! LINE Official Accounts: every channel signs with its own secret and posts to its own path.
mod envelope;
mod events;
mod messages;
mod signature;

use super::{Body, Connector, Context, Element, Entrance, Parsed, Part, read_or_keep};
use schemas::kind::{DeadLetterReason, Platform};

/// The vault's word for the channel secret.
pub const CHANNEL_SECRET: &str = "channel_secret";

/// See the module's documentation.
#[derive(Debug, Clone, Copy, Default)]
pub struct Line;

impl Connector for Line {
    fn platform(&self) -> Platform {
        Platform::Line
    }

    fn entrance(&self) -> Entrance {
        Entrance::Connection { secret: CHANNEL_SECRET }
    }

    fn signature_header(&self) -> &'static str {
        "x-line-signature"
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
        read_or_keep(self, element, context, || events::read(element, context))
    }

    fn raw_key(&self, bytes: &[u8]) -> Vec<u8> {
        envelope::raw_key(bytes)
    }
}
