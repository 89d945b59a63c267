//! The sessions that there are, a page at a time.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::rpc::RpcError;
use crate::store::{SessionStore, SessionSummary};

/// Sessions of a page.
const PAGE: usize = 100;

/// The sessions of a directory, or all, newest first. `cursor` is the last of the page before.
pub(super) fn page(
    store: &SessionStore,
    cwd: Option<PathBuf>,
    cursor: Option<&str>,
) -> Result<Value, RpcError> {
    let all = match cwd {
        // Without the slash at its end: sessions are found by the text of their directory.
        Some(cwd) => store.list(&cwd.components().collect::<PathBuf>()),
        None => store.list_all(),
    };
    let from = match cursor {
        None => 0,
        Some(last) => match all.iter().position(|it| it.session.id == last) {
            Some(at) => at + 1,
            None => return Err(RpcError::params("cursor: no session is known by it")),
        },
    };
    let rest = all.get(from..).unwrap_or_default();
    let shown = rest.get(..PAGE).unwrap_or(rest);
    let mut page = json!({"sessions": shown.iter().map(entry).collect::<Vec<_>>()});
    if shown.len() < rest.len()
        && let Some(last) = shown.last()
    {
        page["nextCursor"] = json!(last.session.id);
    }
    Ok(page)
}

fn entry(summary: &SessionSummary) -> Value {
    let SessionSummary { session, title, updated, .. } = summary;
    let mut entry = json!({
        "sessionId": session.id,
        "cwd": session.work_dir.to_string_lossy(),
        "title": title,
    });
    if let Ok(time) = jiff::Timestamp::try_from(*updated) {
        entry["updatedAt"] = json!(time.round(jiff::Unit::Second).unwrap_or(time).to_string());
    }
    entry
}
