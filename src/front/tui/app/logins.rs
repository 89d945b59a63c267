//! Logging in to MCP servers, while everything else goes on.

use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::App;
use super::jobs::Done;
use crate::front::tui::cells::Severity;
use crate::mcp::server::{Order, Status};

/// What is told of a login.
pub(super) enum LoginNews {
    /// The address for the browser.
    Address(String),
    /// It is over; the error is half a sentence.
    Over(Result<(), String>),
}

impl App {
    /// Begins a login. One to the same server that is under way ends: its page may be lost.
    pub(super) fn log_in(&mut self, name: &str) {
        let Some(servers) = self.host.options.mcp.clone() else { return };
        let login = match servers.login(name) {
            Ok(login) => login,
            Err(why) => return self.say(Severity::Warning, &why, ""),
        };
        let (jobs, env, server) = (self.jobs.clone(), self.env.clone(), name.to_owned());
        let task = tokio::spawn(async move {
            let tell = |news| jobs.report(Done::Login { server: server.clone(), news });
            // Nothing can be pasted here.
            let (_, mut pasted) = mpsc::unbounded_channel();
            let told = |address: &str| tell(LoginNews::Address(address.to_owned()));
            let done = login.run(&env, told, &mut pasted).await;
            tell(LoginNews::Over(done.map_err(|error| error.to_string())));
        });
        self.logins.retain(|_, login| !login.is_finished());
        self.logins.insert(name.to_owned(), AbortOnDropHandle::new(task));
    }

    pub(super) fn on_login(&mut self, server: &str, news: LoginNews) {
        match news {
            LoginNews::Address(address) => {
                let title = format!("Log in to MCP server {server} with the browser at:");
                // Whoever has the browser on another machine needs all of it.
                self.report(&title, &address);
            }
            LoginNews::Over(Ok(())) => {
                let title = format!("You are logged in to MCP server {server}.");
                self.say(Severity::Info, &title, "");
                if let Some(servers) = &self.host.options.mcp {
                    servers.order(Some(server), Order::Reconnect);
                }
            }
            LoginNews::Over(Err(why)) => {
                let title = format!("The login to MCP server {server} failed: {why}.");
                self.say(Severity::Warning, &title, "");
            }
        }
    }

    /// What to type for a login to the server, if that would help.
    pub(super) fn login_hint(&self, name: &str) -> String {
        let Some(servers) = &self.host.options.mcp else { return String::new() };
        let wanted =
            servers.get(name).is_some_and(|server| server.state().status == Status::Unauthorized);
        if wanted && servers.login(name).is_ok() {
            return format!("Or here: /mcp login {name}");
        }
        String::new()
    }
}
