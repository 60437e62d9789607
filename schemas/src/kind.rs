//! Closed vocabularies: kinds of events, platforms, authors, types of messages. Each is written as its snake-case
//! name everywhere (JSON, Parquet, SQL); the binary wire form uses its place in the list, so new ones go to the end.
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A word that is not in the vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a known {0}")]
pub struct UnknownWord(pub &'static str);

macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident, $what:literal, $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)?) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every word, in wire order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word as it is written.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;
            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text { $($word => Ok(Self::$variant),)+ _ => Err(UnknownWord($what)) }
            }
        }
    };
}

vocabulary!(
    /// Where a connection comes from.
    Platform, "platform",
    /// Facebook Messenger (Pages).
    Facebook = "facebook",
    /// LINE Official Accounts.
    Line = "line",
    /// Instagram messaging.
    Instagram = "instagram",
    /// Shopee shops.
    Shopee = "shopee",
    /// Lazada shops.
    Lazada = "lazada",
    /// TikTok Shop and TikTok business messages.
    Tiktok = "tiktok",
    /// Anything else that an import names.
    Other = "other",
);

vocabulary!(
    /// By which way an event came; `complete_through` speaks of each.
    Source, "source",
    /// A platform's webhook.
    Webhooks = "webhooks",
    /// `chatmai import`.
    Import = "import",
    /// A member's act through the API.
    Members = "members",
);

vocabulary!(
    /// What happened. `message` is the only kind that is a message; the others are events of the conversation or of
    /// the connection.
    Kind, "kind of event",
    /// A message from or to the contact.
    Message = "message",
    /// The text of a message was replaced.
    Edit = "edit",
    /// A message was taken back.
    Unsend = "unsend",
    /// A correction of what a message says about its author.
    AuthorAmendment = "author_amendment",
    /// The contact has read what was sent.
    Read = "read",
    /// What was sent has arrived.
    Delivery = "delivery",
    /// A reaction was set or removed.
    Reaction = "reaction",
    /// The contact became a friend of the account.
    Follow = "follow",
    /// The contact blocked the account.
    Unfollow = "unfollow",
    /// The account joined a group.
    Join = "join",
    /// The account left a group.
    Leave = "leave",
    /// People joined a group.
    MemberJoined = "member_joined",
    /// People left a group.
    MemberLeft = "member_left",
    /// A rich menu was switched (LINE's postback with `newRichMenuAliasId`).
    RichMenuSwitch = "rich_menu_switch",
    /// A video was watched to its end.
    VideoPlayComplete = "video_play_complete",
    /// A beacon was met.
    Beacon = "beacon",
    /// An account of the contact was linked or unlinked.
    AccountLink = "account_link",
    /// A membership began, was renewed or ended.
    Membership = "membership",
    /// A LINE module channel changed.
    Module = "module",
    /// The account was suspended by the platform.
    BotSuspended = "bot_suspended",
    /// The account was resumed by the platform.
    BotResumed = "bot_resumed",
    /// A LINE notification message arrived.
    NotificationDelivery = "notification_delivery",
    /// The contact came through a link or an ad.
    Referral = "referral",
    /// The contact opted in or out.
    OptIn = "opt_in",
    /// The contact sent a cart.
    Cart = "cart",
    /// The contact rated an answer.
    ResponseFeedback = "response_feedback",
    /// The thread was passed, taken, requested between apps, or app roles changed.
    Handover = "handover",
    /// The platform warned, blocked or unblocked the connection.
    PolicyEnforcement = "policy_enforcement",
    /// A label was put on or taken off in the platform's inbox.
    InboxLabel = "inbox_label",
    /// The conversation was assigned to an agent, a team or nobody.
    Assign = "assign",
    /// A bot handed over to people.
    Handoff = "handoff",
    /// People gave back to a bot.
    ReturnToBot = "return_to_bot",
    /// The episode was snoozed.
    Snooze = "snooze",
    /// The snooze was ended.
    Unsnooze = "unsnooze",
    /// The episode was closed.
    Close = "close",
    /// The episode was reopened.
    Reopen = "reopen",
    /// A survey was sent.
    SurveySent = "survey_sent",
    /// A survey was rated.
    SurveyRated = "survey_rated",
    /// The conversation came to the front of an agent's screen.
    Focus = "focus",
    /// The agent was active in it.
    Activity = "activity",
    /// It left the front.
    Blur = "blur",
    /// An agent went online, away or offline.
    Presence = "presence",
    /// An internal note.
    Note = "note",
    /// Tags were added or removed.
    Tag = "tag",
    /// A member has read the conversation up to an instant.
    MemberRead = "member_read",
    /// A sent message was delivered, read or failed.
    MessageStatus = "message_status",
    /// The state of a shop order changed.
    Order = "order",
);

impl Kind {
    /// True for what replaces or removes a message's content.
    pub fn is_amendment(self) -> bool {
        matches!(self, Self::Edit | Self::Unsend | Self::AuthorAmendment)
    }

    /// True for a member's action that counts as activity of the conversation (`contract.md`: "the newest message or
    /// member action, not receipts or reactions").
    pub fn is_member_action(self) -> bool {
        matches!(
            self,
            Self::Assign
                | Self::Handoff
                | Self::ReturnToBot
                | Self::Snooze
                | Self::Unsnooze
                | Self::Close
                | Self::Reopen
                | Self::Note
                | Self::Tag
        )
    }

    /// True for what a line of an import may bring (`metrics.md` §1).
    pub fn is_importable(self) -> bool {
        self == Self::Message
            || self.is_member_action()
            || matches!(
                self,
                Self::SurveySent
                    | Self::SurveyRated
                    | Self::Focus
                    | Self::Activity
                    | Self::Blur
                    | Self::Presence
                    | Self::MessageStatus
                    | Self::Edit
                    | Self::Unsend
                    | Self::Reaction
            )
    }
}

vocabulary!(
    /// Who wrote a message (`metrics.md` §1).
    AuthorKind, "author kind",
    /// Any participant who is not the business.
    Customer = "customer",
    /// A known team member, through this product.
    Agent = "agent",
    /// A person at the business through the platform's own app.
    AgentExternal = "agent_external",
    /// An automated conversational answer.
    Bot = "bot",
    /// Greeting, away message, platform's automatic answer.
    Auto = "auto",
    /// A campaign.
    Broadcast = "broadcast",
    /// Notices.
    System = "system",
);

impl AuthorKind {
    /// True when a person of the business wrote it.
    pub fn is_human_reply(self) -> bool {
        matches!(self, Self::Agent | Self::AgentExternal)
    }
}

vocabulary!(
    /// What a message is. Text with attachments is `text`, else the first attachment decides.
    MessageType, "type of message",
    /// Words.
    Text = "text",
    /// A picture.
    Image = "image",
    /// A film.
    Video = "video",
    /// Sound.
    Audio = "audio",
    /// Any other file.
    File = "file",
    /// A sticker.
    Sticker = "sticker",
    /// A place.
    Location = "location",
    /// A contact card.
    Contact = "contact",
    /// A structured card.
    Template = "template",
    /// A shared post, reel, link or story.
    Share = "share",
    /// A button that was tapped.
    Postback = "postback",
    /// Something the platform did not say or that no word is known for.
    Unsupported = "unsupported",
);

vocabulary!(
    /// Why an event was accepted but not stored; only its count remains.
    IgnoredReason, "reason",
    /// Older than its retention.
    TooOld = "too_old",
    /// Its workspace is being deleted.
    WorkspaceDeleted = "workspace_deleted",
    /// Its connection was disabled after the post was accepted.
    Disabled = "disabled",
    /// A page that no workspace has connected.
    UnknownPage = "unknown_page",
    /// The platform's own test post.
    TestPost = "test_post",
);

vocabulary!(
    /// Why something signed lies in `dead_letters`.
    DeadLetterReason, "reason",
    /// The body is not JSON.
    NotJson = "not_json",
    /// The body is deeper than 32 levels.
    TooDeep = "too_deep",
    /// The envelope or an element does not have the platform's shape.
    WrongSchema = "wrong_schema",
    /// An element of a type that is not known yet.
    UnknownEvent = "unknown_event",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip_in_text_and_json() {
        for kind in Kind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(*kind));
            assert_eq!(serde_json::to_string(kind).expect("json"), format!("\"{kind}\""));
        }
        assert_eq!("tea".parse::<Platform>(), Err(UnknownWord("platform")));
    }
}
