//! The MCP servers: their start after the first frame, and what is told of it.

use std::time::{Duration, Instant};

use super::jobs::Done;
use super::{App, TuiError};
use crate::front::tui::cells::Severity;
use crate::mcp::server::Status;
use crate::mcp::servers::{Ordered, ServerView, not_connected};
use crate::mcp::tidy::name_written_out;

/// Changes that come together are shown together.
const SETTLE: Duration = Duration::from_millis(150);
/// While others are still starting, failures are gathered for so long.
const GATHER: Duration = Duration::from_millis(1_500);
/// Servers whose failure is told with its reason; of more the names.
const MOST_TOLD: usize = 3;
/// Names in one line.
const MOST_NAMED: usize = 6;
/// Characters of a name in it.
const MAX_NAME: usize = 60;
/// A server that comes and goes is told of once: again when it had held for so long, or when so much
/// later it fails for another reason.
const STEADY: Duration = Duration::from_secs(60);

/// What was told of the servers.
#[derive(Debug, Default)]
pub(super) struct News {
    /// For the status bar while they start for the first time.
    pub starting: Option<String>,
    /// Those whose failure was told.
    told: Vec<Told>,
    /// Since when failures wait to be told together.
    gathering: Option<Instant>,
    /// Those of the start have settled.
    started: bool,
    /// Orders of the person whose outcome is not known yet.
    pub ordered: Vec<Ordered>,
}

impl News {
    /// Notes that the failure of this server was told.
    pub fn is_told(&mut self, server: &ServerView, now: Instant) {
        self.told.retain(|told| told.name != server.name);
        self.told.push(Told::new(server, now));
    }
}

/// A failure that was told.
#[derive(Debug)]
struct Told {
    name: String,
    reason: Option<String>,
    at: Instant,
    /// Since when it has been connected again.
    connected: Option<Instant>,
    /// It has held for a while since.
    held: bool,
}

impl Told {
    fn new(server: &ServerView, now: Instant) -> Self {
        let (name, reason) = (server.name.clone(), server.reason.clone());
        Self { name, reason, at: now, connected: None, held: false }
    }

    /// Notes how the server is now.
    fn look(&mut self, server: &ServerView, now: Instant) {
        if server.status == Status::Connected {
            self.connected.get_or_insert(now);
        } else if let Some(since) = self.connected.take() {
            self.held |= now.saturating_duration_since(since) >= STEADY;
        }
    }

    /// Whether its failure is worth telling once more.
    fn is_over(&self, server: &ServerView, now: Instant) -> bool {
        let later = now.saturating_duration_since(self.at) >= STEADY;
        self.held || (later && self.reason != server.reason)
    }
}

impl App {
    /// Starts the servers, once the first frame is there, and hears of their changes from then on.
    pub(super) fn start_servers(&mut self) {
        let Some(servers) = self.host.options.mcp.clone() else { return };
        servers.start();
        // Entries that cannot be used are told with the servers that fail, where there are any.
        let warnings = if servers.is_empty() { servers.warnings() } else { servers.faults() };
        for warning in warnings {
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
        self.tell_ordered(&view);
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
        let now = self.now();
        // One that was tried again in vain has nothing new to say; one that came back for good may.
        self.news.told.retain_mut(|told| {
            let server = view.iter().find(|server| server.name == told.name);
            server.into_iter().for_each(|server| told.look(server, now));
            server.is_some()
        });
        let failed =
            view.iter().filter(|it| matches!(it.status, Status::Failed | Status::Unauthorized));
        let is_news = |server: &&ServerView| {
            let told = self.news.told.iter().find(|told| told.name == server.name);
            told.is_none_or(|told| told.is_over(server, now))
        };
        let news: Vec<&ServerView> = failed.filter(is_news).collect();
        if news.is_empty() {
            return;
        }
        if !self.news.started {
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
            for server in &news {
                let next = self.login_hint(&server.name);
                self.say(Severity::Warning, &news_of(server), &next);
            }
        }
        for server in news {
            self.news.is_told(server, now);
        }
    }
}

/// The failure of one server in a line.
pub(super) fn news_of(server: &ServerView) -> String {
    let reason = server.reason.as_deref().unwrap_or("it does not say why");
    not_connected(&server.name, reason)
}

/// Many failures in a line, and what to do.
fn together(news: &[&ServerView]) -> (String, String) {
    let names = |status: Status| {
        let all: Vec<String> = news
            .iter()
            .filter(|it| it.status == status)
            .map(|it| name_written_out(&it.name, MAX_NAME))
            .collect();
        let named = all.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>().join(", ");
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
    fn a_server_that_comes_and_goes_is_told_of_once() {
        let view = |status, reason: &str| ServerView {
            name: "s".to_owned(),
            status,
            reason: Some(reason.to_owned()),
            tools: Vec::new(),
        };
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut told = Told::new(&view(Status::Failed, "gone"), start);
        let mut is_over_after = |up: u64, down: u64, reason: &str| {
            told.look(&view(Status::Connected, ""), at(up));
            let failed = view(Status::Failed, reason);
            told.look(&failed, at(down));
            told.is_over(&failed, at(down))
        };
        assert!(!is_over_after(4, 8, "gone"));
        assert!(!is_over_after(10, 20, "something else"));
        assert!(!is_over_after(61, 100, "gone"));
        assert!(is_over_after(101, 110, "something else"));
        assert!(is_over_after(120, 180, "gone"));
    }

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
