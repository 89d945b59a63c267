//! `/mcp`: how the MCP servers stand and what can be done about them, where no panel shows it.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::core::Core;
use crate::mcp::project::ProjectFile;
use crate::mcp::server::{Order, Status, login_wanted};
use crate::mcp::servers::{CORRECT_ENTRY, ServerView, Servers, not_connected};
use crate::mcp::tidy::{name_written_out, one_line};
use crate::protocol::{ContentPart, Event, Failure, FailureKind, Outcome};

/// Servers of one list, and tools named of one server.
const MOST_SERVERS: usize = 100;
const MOST_TOOLS: usize = 20;
/// Characters of a name and of a reason.
const MAX_NAME: usize = 60;
const MAX_REASON: usize = 300;
const USAGE: &str =
    "use /mcp, /mcp reconnect [NAME], /mcp enable NAME, /mcp disable NAME, /mcp login NAME";

/// Carries the command out, and waits for what comes of it; returns what it has to say.
pub(super) async fn run(
    core: &Core,
    arguments: &str,
    cancel: &CancellationToken,
) -> Result<String, Outcome> {
    let Some(servers) = core.dispatch.as_ref().map(|dispatch| dispatch.servers()) else {
        return Err(failed("MCP servers cannot be used here".to_owned(), None));
    };
    let (verb, name) = arguments.split_once(char::is_whitespace).unwrap_or((arguments, ""));
    let (order, name) = match (verb, name.trim()) {
        ("", _) => {
            let servers = Arc::clone(servers);
            // It looks at the disk for logs and logins.
            let list = tokio::task::spawn_blocking(move || list(&servers)).await;
            return list.map_err(|_| failed("The servers could not be listed".to_owned(), None));
        }
        ("reconnect", "") => (Order::Reconnect, None),
        ("reconnect", name) => (Order::Reconnect, Some(name)),
        ("enable", name) if !name.is_empty() => (Order::Enable, Some(name)),
        ("login" | "auth", name) if !name.is_empty() => {
            let login = tokio::select! {
                biased;
                () = cancel.cancelled() => return Err(Outcome::Cancelled),
                login = log_in(core, servers, name) => login,
            };
            (login?, Some(name))
        }
        ("disable", name) if !name.is_empty() => (Order::Disable, Some(name)),
        _ => return Err(failed(format!("/mcp {verb} is no such command"), Some(USAGE))),
    };
    let Some(ordered) = servers.carry_out(name, order) else {
        let (why, next) = match name {
            Some(name) => servers.missing(name),
            None => ("There is no MCP server".to_owned(), "`kimi mcp add` configures one."),
        };
        return Err(failed(why, Some(next)));
    };
    tokio::select! {
        () = ordered.over(servers) => {}
        () = cancel.cancelled() => return Err(Outcome::Cancelled),
    }
    let view = servers.view();
    let meant: HashSet<&str> = ordered.names().collect();
    let meant: Vec<_> = view.iter().filter(|server| meant.contains(server.name.as_str())).collect();
    match meant.as_slice() {
        [server] => carried_out(server, order),
        _ => {
            let connected = meant.iter().filter(|server| server.status == Status::Connected);
            Ok(format!("{} of {} MCP servers are connected.", connected.count(), meant.len()))
        }
    }
}

/// Logs in to a server with the browser: the address is told, the answer comes to a port of this machine.
async fn log_in(core: &Core, servers: &Servers, name: &str) -> Result<Order, Outcome> {
    let shown = name_written_out(name, MAX_NAME);
    // What a login leaves is looked for by the servers of the configuration alone.
    if let Some(given) = servers.get(name).filter(|server| server.config.literal) {
        let why = format!("The MCP server {shown}: {}", login_wanted(&given.config));
        return Err(failed(why, None));
    }
    let login = servers.login(name).map_err(|why| failed(why, None))?;
    // Nothing can be pasted in the middle of a command.
    let (_, mut pasted) = mpsc::unbounded_channel();
    let told = |address: &str| {
        let text = format!("Log in to the MCP server {shown} with the browser: <{address}>\n\n");
        core.hub.event(Event::ContentPart(ContentPart::text(text)));
    };
    login.run(&core.env, told, &mut pasted).await.map_err(|error| {
        failed(format!("The login to the MCP server {shown} failed: {error}"), None)
    })?;
    Ok(Order::Reconnect)
}

/// What came of an order to one server.
fn carried_out(server: &ServerView, order: Order) -> Result<String, Outcome> {
    let name = name_written_out(&server.name, MAX_NAME);
    match server.status {
        Status::Connected => {
            let tools = server.tools.len();
            let s = if tools == 1 { "" } else { "s" };
            Ok(format!("The MCP server {name} is connected: {tools} tool{s}."))
        }
        Status::Disabled if order == Order::Disable => {
            Ok(format!("The MCP server {name} is off for this session."))
        }
        _ => {
            let why = server.reason.as_deref().unwrap_or("it does not say why");
            Err(failed(not_connected(&server.name, why), Some("/mcp shows what to do.")))
        }
    }
}

fn failed(why: String, next: Option<&str>) -> Outcome {
    let sentence = |text: &str| text.trim_end_matches('.').to_owned();
    Outcome::Failed(Failure {
        kind: FailureKind::Command,
        message: sentence(&one_line(&why, MAX_REASON)),
        hint: next.map(sentence),
    })
}

/// All servers, a paragraph each, and what else keeps one from being there.
fn list(servers: &Servers) -> String {
    let view = servers.view();
    let mut out = match view.len() {
        0 => "There are no MCP servers. `kimi mcp add` configures one.\n".to_owned(),
        all => {
            let connected: Vec<_> =
                view.iter().filter(|server| server.status == Status::Connected).collect();
            let tools: usize = connected.iter().map(|server| server.tools.len()).sum();
            let (connected, s) = (connected.len(), if tools == 1 { "" } else { "s" });
            format!("MCP servers: {connected} of {all} connected, {tools} tool{s}.\n\n")
        }
    };
    for server in view.iter().take(MOST_SERVERS) {
        let advice = advice(servers, server);
        let _ = writeln!(out, "{}", entry(server, &advice));
    }
    if view.len() > MOST_SERVERS {
        let _ = writeln!(out, "- and {} more", view.len() - MOST_SERVERS);
    }
    let unasked = servers.unasked();
    let more = servers.faults().into_iter().chain(unasked.iter().map(ProjectFile::unasked_line));
    for line in more {
        let _ = write!(out, "\n{}\n", one_line(&line, MAX_REASON));
    }
    out.truncate(out.trim_end().len());
    out
}

/// `- **name**: failed: why` and what to do.
fn entry(server: &ServerView, advice: &str) -> String {
    let name = name_written_out(&server.name, MAX_NAME).replace(['`', '*'], "");
    let mut entry = match server.status {
        Status::Connected => {
            format!("- **{name}**: connected, {}", tools(&server.tools))
        }
        status => format!("- **{name}**: {}", status.shown()),
    };
    if let Some(reason) = server.reason.as_ref().filter(|reason| !reason.is_empty()) {
        let _ = write!(entry, ": {}", one_line(reason, MAX_REASON));
    }
    if !advice.is_empty() {
        let _ = write!(entry, ". {advice}");
    }
    entry
}

fn tools(names: &[String]) -> String {
    let count = match names.len() {
        0 => return "no tools".to_owned(),
        1 => "1 tool".to_owned(),
        many => format!("{many} tools"),
    };
    let named: Vec<String> = names
        .iter()
        .take(MOST_TOOLS)
        .map(|name| format!("`{}`", one_line(name, MAX_NAME).replace('`', "")))
        .collect();
    let more = match names.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{count}: {}{more}", named.join(", "))
}

/// The one thing to do next, a whole sentence; empty when there is nothing.
fn advice(servers: &Servers, server: &ServerView) -> String {
    let name = name_written_out(&server.name, MAX_NAME);
    match (server.status, servers.get(&server.name)) {
        (Status::Failed, Some(known)) => {
            let log = servers.log_if_any(&server.name);
            let log = log.map(|log| format!("; its error output is in `{}`", log.display()));
            let log = log.unwrap_or_default();
            let place = known.config.place();
            format!("Correct it {place}, or try again with `/mcp reconnect {name}`{log}.")
        }
        (Status::Failed, None) => CORRECT_ENTRY.to_owned(),
        (Status::Unauthorized, known) => {
            let ours = known.is_some_and(|known| !known.config.literal);
            let here = ours && servers.login(&server.name).is_ok();
            let here = if here { format!("Or here: `/mcp login {name}`. ") } else { String::new() };
            format!("{here}Then `/mcp reconnect {name}`.")
        }
        (Status::Disabled, _) => format!("`/mcp enable {name}` switches it on."),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::mcp::config::Source;
    use crate::mcp::connection::Surroundings;
    use crate::mcp::elicit::Person;
    use crate::mcp::limits::Limits;
    use crate::mcp::servers::Sources;
    use crate::platform::env::fixed;

    fn view(name: &str, status: Status, reason: Option<&str>, tools: usize) -> ServerView {
        ServerView {
            name: name.to_owned(),
            status,
            reason: reason.map(str::to_owned),
            tools: (0..tools).map(|n| format!("t{n}")).collect(),
        }
    }

    #[test]
    fn an_entry_says_how_a_server_stands_and_what_to_do() {
        let lab = view("lab", Status::Connected, None, 2);
        assert_eq!(entry(&lab, ""), "- **lab**: connected, 2 tools: `t0`, `t1`");
        let many = entry(&view("lab", Status::Connected, None, 25), "");
        assert!(many.contains("25 tools: ") && many.ends_with("`t19` and 5 more"), "{many}");
        assert_eq!(
            entry(&view("x", Status::Connected, None, 0), ""),
            "- **x**: connected, no tools"
        );
        let bad = view("a\u{1b}[2J\n*b*", Status::Failed, Some("no\nway"), 0);
        assert_eq!(entry(&bad, "Do it."), "- **a<U+001B>[2J<U+000A>b**: failed: no way. Do it.");
    }

    #[tokio::test]
    async fn a_log_is_named_where_there_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let says =
            json!({"command": "/bin/sh", "args": ["-c", "echo no such library >&2; exit 9"]});
        let entries =
            json!({"mcpServers": {"says": says, "no": {"command": "/nonexistent/server"}}});
        let given = vec![Source::read(entries.as_object().unwrap()).unwrap()];
        let around = Surroundings {
            env: fixed::env(dir.path(), &[]),
            work_dir: dir.path().to_path_buf(),
            logs: dir.path().join("logs"),
            person: Person::new(false),
            guard: None,
        };
        let sources = Sources { given, ..Sources::default() };
        let servers = Servers::new(sources, around, Limits::default(), Duration::from_secs(30));
        servers.start();
        servers.settled().await;
        let told = |name: &str| {
            let view = servers.view();
            advice(&servers, view.iter().find(|server| server.name == name).unwrap())
        };
        let log = servers.log_of("says");
        let wanted = format!("`; its error output is in `{}`.", log.display());
        assert!(told("says").ends_with(&wanted), "{}", told("says"));
        assert!(told("no").ends_with("again with `/mcp reconnect no`."), "{}", told("no"));
        assert_eq!(servers.log_if_any("says"), Some(log));
        assert_eq!((servers.log_if_any("no"), servers.log_if_any("other")), (None, None));
        servers.shutdown().await;
    }
}
