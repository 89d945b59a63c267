//! `kimi login` and `kimi logout`: the account that models are asked with. `--json` tells the same for
//! programs, one object per line (cli.md).

use std::future::Future;
use std::io::Write;

use serde::Serialize;

use super::{ExitCode, complain};
use crate::auth::{AuthError, News, sign_in, sign_out};
use crate::front::text::clean_line;
use crate::platform::Env;
use crate::store::to_spaced_json;

/// What is told, in kimi-cli's words for it.
#[derive(Serialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    Address { verification_url: &'a str, user_code: &'a str },
    Waiting { error: &'a str, error_description: &'a str },
}

/// Signs in, in the browser.
pub(super) fn log_in(as_json: bool, env: &Env) -> ExitCode {
    let mut waits = false;
    let told = move |news: News| {
        // Told once, and no more than looked at from then on.
        match matches!(news, News::Waiting { .. }) && std::mem::replace(&mut waits, true) {
            true => has_reader(),
            false => tell(as_json, &news),
        }
    };
    let work = async { sign_in(env, told).await.map(|()| None) };
    finish("Login", "Logged in successfully.", as_json, work)
}

/// Forgets the sign-in.
pub(super) fn log_out(as_json: bool, env: &Env) -> ExitCode {
    finish("Logout", "Logged out successfully.", as_json, sign_out(env))
}

fn finish(
    what: &str,
    success: &str,
    as_json: bool,
    work: impl Future<Output = Result<Option<String>, AuthError>>,
) -> ExitCode {
    let done = super::run::runtime().map(|runtime| {
        let done = runtime.block_on(async {
            tokio::select! {
                done = work => Some(done),
                _ = tokio::signal::ctrl_c() => None,
            }
        });
        runtime.shutdown_background();
        done
    });
    let (why, code) = match done {
        Ok(Some(Ok(note))) => {
            // It is done, whether somebody reads it or not.
            if let Some(note) = note {
                tell(as_json, &News::Info(note));
            }
            match as_json {
                true => event("success", success, None),
                false => say(&format!("{success}\n")),
            };
            return ExitCode::Success;
        }
        Ok(Some(Err(error))) => (error.to_string(), ExitCode::Failure),
        Ok(None) => ("it was cancelled".to_owned(), ExitCode::Interrupted),
        Err(error) => (error.to_string(), ExitCode::Failure),
    };
    let message = format!("{what} failed: {}.", clean_line(why.trim_end_matches('.')));
    match as_json {
        true => drop(event("error", &message, None)),
        false => complain(&format!("{message}\n")),
    }
    code
}

/// Tells it; false when nobody reads any more.
fn tell(as_json: bool, news: &News) -> bool {
    match news {
        News::Info(message) if as_json => event("info", message, None),
        News::Info(message) => say(&format!("{message}\n")),
        News::Address { page, user_code } if as_json => {
            let data = Data::Address { verification_url: page, user_code };
            event("verification_url", &format!("Verification URL: {page}"), Some(data))
        }
        News::Address { page, user_code } => say(&format!(
            "Verification URL: {page}\nThe page shows this code: {user_code}\n\
             Waiting for you to agree there... (Ctrl-C gives up)\n"
        )),
        News::Waiting { error, description } if as_json => {
            let data = Data::Waiting { error, error_description: description };
            let message = format!("Waiting for user authorization...: {description}");
            event("waiting", &message, Some(data))
        }
        News::Waiting { .. } => true,
    }
}

fn event(kind: &'static str, message: &str, data: Option<Data>) -> bool {
    say(&to_spaced_json(&Event { kind, message, data }))
}

fn say(text: &str) -> bool {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_ok()
}

/// Whether somebody may still read what we say; nothing is written for that.
#[cfg(unix)]
fn has_reader() -> bool {
    use rustix::event::PollFlags;
    let gone = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
    !crate::platform::ends::reports(std::io::stdout(), gone)
}

#[cfg(not(unix))]
fn has_reader() -> bool {
    true
}
