//! The MCP servers: their start after the first frame, and what is told of it.

use std::time::{Duration, Instant};

use super::jobs::Done;
use super::{App, TuiError};
use crate::front::tui::cells::Severity;
use crate::mcp::server::Status;
use crate::mcp::servers::ServerView;

/// Changes that come together are shown together.
const SETTLE: Duration = Duration::from_millis(150);
/// While others are still starting, failures are gathered for so long.
const GATHER: Duration = Duration::from_millis(1_500);
/// Servers whose failure is told with its reason; of more the names.
const MOST_TOLD: usize = 3;
/// Names in one line.
const MOST_NAMED: usize = 6;

/// What was told of the servers.
#[derive(Debug, Default)]
pub(super) struct News {
    /// For the status bar while they start for the first time.
    pub starting: Option<String>,
    /// Those whose failure was told.
    told: Vec<String>,
    /// Since when failures wait to be told together.
    gathering: Option<Instant>,
    /// Those of the start have settled.
    started: bool,
}

impl App {
    /// Starts the servers, once the first frame is there, and hears of their changes from then on.
    pub(super) fn start_servers(&mut self) {
        let Some(servers) = self.host.options.mcp.clone() else { return };
        servers.start();
        for warning in servers.warnings() {
            self.say(Severity::Warning, &warning, "");
        }
        self.ask_for_trust();
        if servers.is_empty() && self.dialogs.is_empty() {
            return;
        }
        let (jobs, mut changes) = (self.jobs.clone(), servers.changes());
        // A start that changes nothing any more before the first look is seen all the same.
        changes.mark_changed();
        tokio::spawn(async move {
            while changes.changed().await.is_ok() {
                tokio::time::sleep(SETTLE).await;
                changes.mark_unchanged();
                jobs.report(Done::ServersChanged);
            }
        });
    }

    pub(super) fn servers_view(&self) -> Vec<ServerView> {
        self.host.options.mcp.as_ref().map(|servers| servers.view()).unwrap_or_default()
    }

    /// Tells what is new, and shows the rest in status bar and panel.
    pub(super) fn on_servers_changed(&mut self) -> Result<(), TuiError> {
        self.take_offerings();
        let view = self.servers_view();
        self.tell_start(&view);
        self.tell_failures(&view);
        self.refresh_servers(&view)
    }

    /// How far the start is, and once how it went.
    fn tell_start(&mut self, view: &[ServerView]) {
        let on: Vec<&ServerView> =
            view.iter().filter(|server| server.status != Status::Disabled).collect();
        let settled = on.iter().all(|server| server.status.is_settled());
        let connected = on.iter().filter(|server| server.status == Status::Connected);
        let (count, tools) =
            connected.fold((0, 0), |(count, tools), it| (count + 1, tools + it.tools.len()));
        let starting =
            (!settled && !self.news.started).then(|| format!("MCP {count}/{} connected", on.len()));
        self.dirty |= starting != self.news.starting;
        self.news.starting = starting;
        if settled && !self.news.started && !on.is_empty() {
            self.news.started = true;
            if count > 0 {
                let text =
                    format!("MCP: {count} server{}, {tools} tool{}", plural(count), plural(tools));
                self.toast("mcp", &text);
            }
        }
    }

    /// Tells of servers that have failed since it was last told, those of the start together.
    fn tell_failures(&mut self, view: &[ServerView]) {
        // One that was tried again in vain has nothing new to say; one that came back may.
        self.news.told.retain(|name| {
            !view.iter().any(|server| server.name == *name && server.status == Status::Connected)
        });
        let failed =
            view.iter().filter(|it| matches!(it.status, Status::Failed | Status::Unauthorized));
        let news: Vec<&ServerView> =
            failed.filter(|server| !self.news.told.contains(&server.name)).collect();
        if news.is_empty() {
            return;
        }
        if !self.news.started {
            let now = self.now();
            let Some(since) = self.news.gathering else {
                self.news.gathering = Some(now);
                self.jobs.look_at_servers(GATHER);
                return;
            };
            if now.saturating_duration_since(since) < GATHER {
                return;
            }
        }
        self.news.gathering = None;
        if news.len() > MOST_TOLD {
            let (title, body) = together(&news);
            self.say(Severity::Warning, &title, &body);
        } else {
            for ServerView { name, reason, .. } in &news {
                let reason = reason.as_deref().unwrap_or("it does not say why");
                let title = format!("MCP server {name} is not connected: {reason}.");
                let next = self.login_hint(name);
                self.say(Severity::Warning, &title, &next);
            }
        }
        self.news.told.extend(news.iter().map(|server| server.name.clone()));
    }
}

/// Many failures in a line, and what to do.
fn together(news: &[&ServerView]) -> (String, String) {
    let names = |status: Status| {
        let all: Vec<&str> =
            news.iter().filter(|it| it.status == status).map(|it| it.name.as_str()).collect();
        let named = all.iter().take(MOST_NAMED).copied().collect::<Vec<_>>().join(", ");
        let more = all.len().saturating_sub(MOST_NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        (all.len(), format!("{named}{more}"))
    };
    let title = format!("{} MCP servers are not connected.", news.len());
    let (failed, failed_names) = names(Status::Failed);
    let (asking, asking_names) = names(Status::Unauthorized);
    let mut body = Vec::new();
    if failed > 0 {
        body.push(format!("Failed: {failed_names}."));
    }
    if asking > 0 {
        body.push(format!("Authorization needed: {asking_names}."));
    }
    body.push("/mcp shows why.".to_owned());
    (title, body.join(" "))
}

pub(super) fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_failures_are_one_remark() {
        let view = |n: usize, status| ServerView {
            name: format!("s{n}"),
            status,
            reason: None,
            tools: Vec::new(),
        };
        let all: Vec<ServerView> = (0..25)
            .map(|n| view(n, if n < 20 { Status::Failed } else { Status::Unauthorized }))
            .collect();
        let (title, body) = together(&all.iter().collect::<Vec<_>>());
        assert_eq!(title, "25 MCP servers are not connected.");
        assert_eq!(
            body,
            "Failed: s0, s1, s2, s3, s4, s5 and 14 more. Authorization needed: s20, s21, s22, \
             s23, s24. /mcp shows why."
        );
    }
}
