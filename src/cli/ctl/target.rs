//! Which instance is meant.

use super::args::Target;
use super::list::table;
use super::trouble::Trouble;
use super::values;
use crate::cli::checks;
use crate::platform::Env;
use crate::protocol::control::{Instance, Mode};

/// Columns of a table in a message.
const MESSAGE_WIDTH: usize = 80;

/// The one instance that fits everything that is given; without anything, the only one there is.
///
/// Panes are unique only within a tmux server: of several that fit, those of our own server go
/// first. Within a pane the screen goes before a one-shot run, and of several screens the one started
/// last: it lies over those that are suspended or wait for it. What is still ambiguous is an error, never a guess.
pub fn choose(all: Vec<Instance>, target: &Target, env: &Env) -> Result<Instance, Trouble> {
    let fits = filter(target, env)?;
    let wanted = in_words(target);
    if all.is_empty() {
        return Err(Trouble::NoneRuns);
    }
    let (mut fitting, others): (Vec<_>, Vec<_>) = all.into_iter().partition(&fits);
    if target.pane.is_some() && fitting.len() > 1 {
        let ours = |instance: &Instance| {
            // "<socket>,<pid of the server>,<session>"
            let server = env.var("TMUX").and_then(|tmux| tmux.rsplitn(3, ',').nth(2));
            server.is_some() && instance.tmux_socket.as_deref() == server
        };
        if fitting.iter().any(ours) {
            fitting.retain(ours);
        }
        on_top(&mut fitting);
    }
    if let Some(session) = &target.session
        && fitting.iter().any(|instance| instance.session == *session)
    {
        fitting.retain(|instance| instance.session == *session);
    }
    let count = fitting.len();
    match (fitting.pop(), count) {
        (Some(only), 1) => Ok(only),
        (None, _) => {
            let table = table(&others, env, Some(MESSAGE_WIDTH));
            Err(Trouble::NoneFits { wanted, table })
        }
        (Some(last), _) => {
            fitting.push(last);
            let wanted = if wanted.is_empty() { wanted } else { format!(" {wanted}") };
            let table = table(&fitting, env, Some(MESSAGE_WIDTH));
            Err(Trouble::Several { count, wanted, table })
        }
    }
}

/// Of those in one pane of one server, the oldest first, keeps the one that is seen there.
fn on_top(fitting: &mut Vec<Instance>) {
    let server = fitting.first().and_then(|instance| instance.tmux_socket.clone());
    let here = |instance: &Instance| instance.tmux_socket == server;
    let screens = fitting.iter().filter(|instance| instance.mode == Mode::Tui).count();
    if screens > 0 && fitting.iter().all(here) {
        fitting.retain(|instance| instance.mode == Mode::Tui);
        fitting.drain(..screens - 1);
    }
}

fn filter(target: &Target, env: &Env) -> Result<impl Fn(&Instance) -> bool + use<>, Trouble> {
    // `3` is what is left of `%3` when a shell or a tmux format has eaten the sign.
    let pane = target.pane.as_ref().map(|pane| format!("%{}", pane.trim_start_matches('%')));
    let pid = target.pid.as_ref().map(|pid| values::number("--pid", pid)).transpose()?;
    let session = target.session.clone();
    let dirs = target.cwd.as_ref().map(|dir| {
        let whole = checks::absolute(dir, env);
        [whole.canonicalize().unwrap_or_else(|_| whole.clone()), whole]
    });
    Ok(move |instance: &Instance| {
        pane.as_ref().is_none_or(|pane| instance.tmux_pane.as_ref() == Some(pane))
            && pid.is_none_or(|pid| u64::from(instance.pid) == pid)
            && session.as_ref().is_none_or(|front| instance.session.starts_with(front))
            && dirs
                .as_ref()
                .is_none_or(|dirs| dirs.iter().any(|dir| dir.as_os_str() == &*instance.cwd))
    })
}

/// `in pane %3 with pid 4`.
fn in_words(target: &Target) -> String {
    let cwd = target.cwd.as_ref().map(|dir| dir.display().to_string());
    let parts = [
        ("in pane", &target.pane),
        ("with pid", &target.pid),
        ("with session", &target.session),
        ("in directory", &cwd),
    ];
    let given =
        parts.iter().filter_map(|(word, value)| Some(format!("{word} {}", value.as_ref()?)));
    given.collect::<Vec<_>>().join(" ")
}
