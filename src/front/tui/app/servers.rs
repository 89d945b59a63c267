//! The MCP servers on the screen: their start, what is told of them, the panel.

use std::time::Duration;

use ratatui::text::{Line, Span};

use super::jobs::Done;
use super::panes::Pane;
use super::{App, TuiError};
use crate::front::tui::cells::Severity;
use crate::front::tui::overlays::{Pager, ServerItem, ServerPicker};
use crate::front::tui::text::clean_line;
use crate::front::tui::theme::Tone;
use crate::mcp::server::{Order, Status};
use crate::mcp::servers::ServerView;

/// Changes that come together are shown together.
const SETTLE: Duration = Duration::from_millis(150);
/// Servers whose failure is told by name; of more only the number.
const MOST_TOLD: usize = 3;

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
        tokio::spawn(async move {
            while changes.changed().await.is_ok() {
                tokio::time::sleep(SETTLE).await;
                changes.mark_unchanged();
                jobs.report(Done::ServersChanged);
            }
        });
    }

    fn servers_view(&self) -> Vec<ServerView> {
        self.host.options.mcp.as_ref().map(|servers| servers.view()).unwrap_or_default()
    }

    /// Tells of servers that have failed since it was last told, and shows the rest in the panel.
    pub(super) fn on_servers_changed(&mut self) -> Result<(), TuiError> {
        let view = self.servers_view();
        // One that was tried again in vain has nothing new to say; one that came back may.
        self.told_servers.retain(|name| {
            !view.iter().any(|server| server.name == *name && server.status == Status::Connected)
        });
        let failed =
            view.iter().filter(|it| matches!(it.status, Status::Failed | Status::Unauthorized));
        let news: Vec<&ServerView> =
            failed.filter(|server| !self.told_servers.contains(&server.name)).collect();
        if news.len() > MOST_TOLD {
            let title = format!("{} MCP servers are not connected.", news.len());
            self.say(Severity::Warning, &title, "/mcp shows why.");
        } else {
            for ServerView { name, reason, .. } in &news {
                let reason = reason.as_deref().unwrap_or("it does not say why");
                let title = format!("MCP server {name} is not connected: {reason}.");
                self.say(Severity::Warning, &title, "");
            }
        }
        self.told_servers.extend(news.iter().map(|server| server.name.clone()));
        if let Some(Pane::Servers(picker)) = &mut self.pane {
            picker.set_items(items(&view), &title(&view));
            self.redraw_pane()?;
        }
        Ok(())
    }

    /// `/mcp`, `/mcp reconnect|enable|disable [name]`.
    pub(super) fn mcp_command(&mut self, arguments: &str) -> Result<(), TuiError> {
        let view = self.servers_view();
        if view.is_empty() {
            self.say(
                Severity::Info,
                "No MCP servers are configured.",
                "Add one with `kimi mcp add`, then start kimi again.",
            );
            return Ok(());
        }
        let (verb, name) = arguments.split_once(char::is_whitespace).unwrap_or((arguments, ""));
        let order = match verb {
            "" => {
                let picker = ServerPicker::new(items(&view), &title(&view));
                return self.open_pane(Pane::Servers(picker));
            }
            "reconnect" => Order::Reconnect,
            "enable" => Order::Enable,
            "disable" => Order::Disable,
            other => {
                let title = format!("\"{other}\" is none of reconnect, enable, disable.");
                self.say(Severity::Warning, &title, "");
                return Ok(());
            }
        };
        let name = Some(name.trim()).filter(|name| !name.is_empty());
        if let Some(servers) = &self.host.options.mcp
            && !servers.order(name, order)
        {
            let title = format!("There is no MCP server \"{}\".", name.unwrap_or_default());
            self.say(Severity::Warning, &title, "");
        }
        Ok(())
    }

    pub(super) fn reconnect_server(&mut self, name: &str) {
        if let Some(servers) = &self.host.options.mcp {
            servers.order(Some(name), Order::Reconnect);
        }
    }

    pub(super) fn toggle_server(&mut self, name: &str) {
        let view = self.servers_view();
        let off = view.iter().any(|it| it.name == name && it.status == Status::Disabled);
        if let Some(servers) = &self.host.options.mcp {
            servers.order(Some(name), if off { Order::Enable } else { Order::Disable });
        }
    }

    /// What one server brings.
    pub(super) fn open_server(&mut self, name: &str) -> Result<(), TuiError> {
        let view = self.servers_view();
        let Some(server) = view.iter().find(|server| server.name == name) else { return Ok(()) };
        let dim = self.theme.style(Tone::Dim);
        let mut lines = vec![Line::from(Span::styled(clean_line(&told(server)), dim))];
        lines.push(Line::default());
        let catalog = self.host.options.mcp.as_ref().map(|servers| servers.catalog());
        for tool in catalog.iter().flat_map(|catalog| catalog.tools()) {
            if tool.server == name {
                lines.push(Line::from(vec![
                    Span::styled(clean_line(tool.name), self.theme.style(Tone::Accent)),
                    Span::raw(format!("  {}", clean_line(tool.description))),
                ]));
            }
        }
        self.open_pane(Pane::other(Pager::new(&clean_line(name), lines)))
    }
}

fn items(view: &[ServerView]) -> Vec<ServerItem> {
    let item = |server: &ServerView| ServerItem { name: server.name.clone(), detail: told(server) };
    view.iter().map(item).collect()
}

fn title(view: &[ServerView]) -> String {
    let connected = view.iter().filter(|server| server.status == Status::Connected);
    let tools: usize = connected.clone().map(|server| server.tools.len()).sum();
    format!("MCP servers: {}/{} connected, {tools} tools", connected.count(), view.len())
}

/// The state in words. Readers of the screen take "connecting" for a program that cannot be typed
/// into yet (tmux-contract.md): it does not stand here.
fn told(server: &ServerView) -> String {
    let word = match server.status {
        Status::Disabled => "off",
        Status::Pending | Status::Connecting => "starting",
        Status::Connected => {
            let count = server.tools.len();
            return format!("connected · {count} tool{}", if count == 1 { "" } else { "s" });
        }
        Status::Failed => "failed",
        Status::Unauthorized => "needs authorization",
    };
    match &server.reason {
        Some(reason) => format!("{word} · {reason}"),
        None => word.to_owned(),
    }
}
