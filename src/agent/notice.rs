//! What a person is told beside the conversation, as a notification on the wire and on the screen.

use serde_json::Value;

use super::core::Core;
use crate::protocol::{Event, Notification};

/// What is told.
pub(super) struct Notice<'a> {
    /// `mcp`, `session`.
    pub category: &'a str,
    /// `mcp.resource_unread`.
    pub kind: &'a str,
    /// What kind of thing tells it, and which one.
    pub source: (&'a str, &'a str),
    pub title: String,
    pub body: String,
    /// `info`, `warning`.
    pub severity: &'a str,
    pub payload: Value,
}

impl Core {
    /// Tells whoever listens to the session.
    pub fn notify(&self, notice: Notice<'_>) {
        self.hub.event(Event::Notification(Notification {
            id: self.env.ids.uuid(),
            category: notice.category.to_owned(),
            kind: notice.kind.to_owned(),
            source_kind: notice.source.0.to_owned(),
            source_id: notice.source.1.to_owned(),
            title: notice.title,
            body: notice.body,
            severity: notice.severity.to_owned(),
            created_at: self.env.unix_now(),
            payload: notice.payload,
        }));
    }

    /// Tells something about the session itself.
    pub fn tell(&self, kind: &str, title: String, body: String, severity: &str, payload: Value) {
        let source = ("session", self.session.id.as_str());
        self.notify(Notice { category: "session", kind, source, title, body, severity, payload });
    }
}
