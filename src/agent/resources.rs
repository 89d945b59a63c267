//! Resources of MCP servers that a message names: read, and added to it.
//!
//! A message is never lost to a resource. One that cannot be read is told to the person, and the
//! message goes out with a line in its place: the model then knows that something is missing, and
//! asks, or looks for it in another way.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::core::Core;
use super::notice::Notice;
use super::turn::lacking;
use crate::mcp::connection::CallError;
use crate::mcp::resources::mentions::{Mention, mentions};
use crate::mcp::resources::{attached_parts, unread};
use crate::mcp::server::login_wanted;
use crate::mcp::servers::Servers;
use crate::mcp::tidy::one_line;
use crate::protocol::{ContentPart, UserInput};

/// For reading one resource, its server's start included.
const PATIENCE: Duration = Duration::from_secs(30);
/// Who has waited for so long is told what for.
const SILENCE: Duration = Duration::from_secs(2);
/// Resources named in one line.
const MOST_NAMED: usize = 3;
/// All resources of one message together may have so many times what one of them may have.
const SHARES: usize = 4;

/// The message with the resources that it names behind it.
pub(super) async fn attached(
    core: &Arc<Core>,
    input: UserInput,
    cancel: &CancellationToken,
) -> UserInput {
    let Some(servers) = core.dispatch.as_ref().map(|dispatch| dispatch.servers()) else {
        return input;
    };
    let found = named(core, servers, &input).await;
    if found.is_empty() {
        return input;
    }
    let limit = servers.limits().attached_chars;
    let limit = limit.min(limit * SHARES / found.len());
    let mut reading = pin!(join_all(found.iter().map(|mention| read(servers, mention, cancel))));
    let read = tokio::select! {
        read = &mut reading => read,
        () = tokio::time::sleep(SILENCE) => {
            tell_waiting(core, &found);
            reading.await
        }
    };
    let mut parts = input.into_parts();
    for (mention, read) in found.iter().zip(read) {
        let server = mention.server.as_deref().unwrap_or_default();
        match read.and_then(|result| attached_parts(server, &mention.uri, &result, limit)) {
            Ok(new) => parts.extend(new.into_iter().map(|part| fitting(core, mention, part))),
            Err(why) => {
                tell_unread(core, mention, &why);
                parts.push(unread(&mention.written, &why));
            }
        }
    }
    UserInput::Parts(parts)
}

/// The resources in a message; a file of that name goes before.
async fn named(core: &Core, servers: &Servers, input: &UserInput) -> Vec<Mention> {
    let text = input.text();
    if !text.contains('@') {
        return Vec::new();
    }
    let names = servers.names();
    let resources = servers.resources();
    let is_listed = |server: &str, uri: &str| {
        resources.iter().any(|resource| resource.server == server && resource.uri == uri)
    };
    let mut found =
        mentions(&text, &names.iter().map(String::as_str).collect::<Vec<_>>(), is_listed);
    let mut files = Vec::new();
    for mention in &found {
        let path = core.workspace.work_dir.join(&mention.written);
        files.push(tokio::fs::symlink_metadata(path).await.is_ok());
    }
    let mut files = files.into_iter();
    found.retain(|_| !files.next().unwrap_or(false));
    found
}

/// The error is half a sentence.
async fn read(
    servers: &Servers,
    mention: &Mention,
    cancel: &CancellationToken,
) -> Result<Value, String> {
    let server = mention.server.as_deref().and_then(|name| servers.get(name));
    let Some(server) = server else { return Err("there is no such MCP server".to_owned()) };
    let patience = servers.timeout_of(&server).min(PATIENCE);
    let late = || format!("the server gave no answer within {} s", patience.as_secs_f64());
    let read = server.read(&mention.uri, patience, cancel);
    match tokio::time::timeout(PATIENCE, read).await {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(CallError::Timeout(_))) | Err(_) => Err(late()),
        Ok(Err(CallError::Unauthorized)) => Err(login_wanted(&server.config)),
        Ok(Err(CallError::Cancelled)) => Err("the turn was interrupted".to_owned()),
        Ok(Err(CallError::Closed(why))) => Err(format!("the server is not connected, {why}")),
        Ok(Err(CallError::Refused(why))) => Err(why),
    }
}

/// A part, or a line for a picture that the model does not take.
fn fitting(core: &Core, mention: &Mention, part: ContentPart) -> ContentPart {
    match core.llm() {
        Some(llm) if lacking(&llm, &part).is_some() => {
            let why = format!("the model {} does not take pictures or films", llm.display_name);
            unread(&mention.written, &why)
        }
        _ => part,
    }
}

fn tell_unread(core: &Core, mention: &Mention, why: &str) {
    let title = format!("@{} could not be read: {}", shown(mention), one_line(why, 200));
    let body = "The message went out without it.";
    tell(core, "mcp.resource_unread", mention.server.as_deref(), "warning", title, body);
}

fn tell_waiting(core: &Core, found: &[Mention]) {
    let named: Vec<String> =
        found.iter().take(MOST_NAMED).map(|it| format!("@{}", shown(it))).collect();
    let more = if found.len() > MOST_NAMED { ", …" } else { "" };
    let server = found.first().and_then(|mention| mention.server.as_deref());
    let title = format!("Waiting for the answer of a server to {}{more}", named.join(", "));
    let body = "The message goes out without it when the server's time is up.";
    tell(core, "mcp.resource_waiting", server, "info", title, body);
}

fn shown(mention: &Mention) -> String {
    one_line(&mention.written, 100)
}

fn tell(core: &Core, kind: &str, server: Option<&str>, severity: &str, title: String, body: &str) {
    core.notify(Notice {
        category: "mcp",
        kind,
        source: ("mcp_server", server.unwrap_or_default()),
        title,
        body: body.to_owned(),
        severity,
        payload: Value::Object(serde_json::Map::new()),
    });
}
