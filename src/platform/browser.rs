//! The user's browser.

use std::process::{Command, Stdio};

use super::Env;

/// Opens an address in the browser, if there is one: `$BROWSER` (a command, `%s` stands for the
/// address), else what the system has for that. Returns whether something was started.
pub fn open(url: &str, env: &Env) -> bool {
    let Some(words) = command(url, env) else { return false };
    let Some((program, arguments)) = words.split_first() else { return false };
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(env.child_vars());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        // SAFETY: setsid is async-signal-safe and touches no memory of the parent. A browser for
        // terminals must not take ours.
        unsafe {
            command.pre_exec(|| rustix::process::setsid().map(drop).map_err(std::io::Error::from));
        }
    }
    match command.spawn() {
        Ok(mut child) => {
            // So that nothing is left of it when it ends before us.
            std::thread::spawn(move || child.wait());
            true
        }
        Err(error) => {
            tracing::info!("no browser: {error}");
            false
        }
    }
}

fn command(url: &str, env: &Env) -> Option<Vec<String>> {
    if let Some(browsers) = env.var("BROWSER") {
        let first = browsers.split(':').find(|words| !words.trim().is_empty())?;
        let mut words: Vec<String> = first.split_whitespace().map(str::to_owned).collect();
        if first.contains("%s") {
            words.iter_mut().for_each(|word| *word = word.replace("%s", url));
        } else {
            words.push(url.to_owned());
        }
        return Some(words);
    }
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else {
        // Without a screen it would find at most a browser for terminals.
        env.var("WAYLAND_DISPLAY").or(env.var("DISPLAY"))?;
        "xdg-open"
    };
    Some(vec![opener.to_owned(), url.to_owned()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::env::fixed;

    #[test]
    fn the_users_browser_comes_first() {
        let command = |vars: &[(&str, &str)]| command("https://h/?a=1", &fixed::env("/h", vars));
        let words = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
        assert_eq!(command(&[("BROWSER", "ff:chrome")]), words(&["ff", "https://h/?a=1"]));
        assert_eq!(
            command(&[("BROWSER", "ff -u=%s -n")]),
            words(&["ff", "-u=https://h/?a=1", "-n"])
        );
    }

    #[test]
    #[cfg(not(target_os = "macos"))]
    fn without_a_screen_there_is_no_browser() {
        assert_eq!(command("https://h", &fixed::env("/h", &[])), None);
        let words = command("https://h", &fixed::env("/h", &[("DISPLAY", ":0")])).unwrap();
        assert_eq!(words, ["xdg-open", "https://h"]);
    }
}
