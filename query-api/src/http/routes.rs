//! The table of routes: path, method and who may come in, in one place. What is not in it is not served, and an entry
//! without a policy does not compile.
use super::{Shared, events, inbox, messages, openapi, read, stream};
use axum::{
    http::Method,
    routing::{MethodRouter, get, post},
};
use warehouse::registry::Scope;

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Whoever has a key with this scope.
    Key(Scope),
}

/// What is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// The inbox.
    Conversations,
    /// Its counts.
    Counts,
    /// One conversation.
    Conversation,
    /// Its messages.
    Messages,
    /// Marks it read.
    Read,
    /// Every event.
    Events,
    /// What happens now.
    Stream,
    /// This API's description.
    OpenApi,
}

impl Endpoint {
    /// Everything that is served.
    pub const ALL: &'static [Self] = &[
        Self::Conversations,
        Self::Counts,
        Self::Conversation,
        Self::Messages,
        Self::Read,
        Self::Events,
        Self::Stream,
        Self::OpenApi,
    ];

    /// The template of its path.
    pub fn path(self) -> &'static str {
        match self {
            Self::Conversations => "/v1/conversations",
            Self::Counts => "/v1/conversations/counts",
            Self::Conversation => "/v1/conversations/{id}",
            Self::Messages => "/v1/conversations/{id}/messages",
            Self::Read => "/v1/conversations/{id}/read",
            Self::Events => "/v1/events",
            Self::Stream => "/v1/events/stream",
            Self::OpenApi => "/openapi.json",
        }
    }

    /// Its method. `GET` takes `HEAD` too.
    pub fn method(self) -> Method {
        match self {
            Self::Read => Method::POST,
            _ => Method::GET,
        }
    }

    /// Who may ask.
    pub fn access(self) -> Access {
        match self {
            Self::Conversations | Self::Counts | Self::Conversation | Self::Messages | Self::Events | Self::Stream => {
                Access::Key(Scope::Read)
            }
            Self::Read => Access::Key(Scope::Write),
            Self::OpenApi => Access::Public,
        }
    }

    pub(super) fn handler(self) -> MethodRouter<Shared> {
        match self {
            Self::Conversations => get(inbox::conversations),
            Self::Counts => get(inbox::counts),
            Self::Conversation => get(inbox::conversation),
            Self::Messages => get(messages::messages),
            Self::Read => post(read::read),
            Self::Events => get(events::events),
            Self::Stream => get(stream::stream),
            Self::OpenApi => get(openapi::openapi),
        }
    }

    /// What serves this method of this template.
    pub(super) fn of(template: &str, method: &Method) -> Option<Self> {
        let method = if *method == Method::HEAD { &Method::GET } else { method };
        Self::ALL.iter().copied().find(|endpoint| endpoint.path() == template && endpoint.method() == *method)
    }

    /// The template itself, for labels.
    pub(super) fn template(template: &str) -> Option<&'static str> {
        Self::ALL.iter().map(|endpoint| endpoint.path()).find(|path| *path == template)
    }

    /// The header `Allow` of a template.
    pub(super) fn allow(template: &str) -> String {
        let mut methods = Vec::new();
        for endpoint in Self::ALL.iter().filter(|endpoint| endpoint.path() == template) {
            match endpoint.method() {
                Method::GET => methods.extend(["GET", "HEAD"]),
                _ => methods.push("POST"),
            }
        }
        methods.push("OPTIONS");
        methods.join(", ")
    }
}
