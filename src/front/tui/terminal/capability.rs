//! What the terminal around us can do, read from the environment alone: nothing is asked of the
//! terminal, because an answer that never comes would hold up the start.

use crate::platform::env::Env;

/// Properties of the terminal that decide which bytes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capability {
    /// Inside tmux. Told by `TMUX`, never by `TERM`, which others set inside tmux as they like.
    pub tmux: bool,
    /// Frames are wrapped in synchronized update (mode 2026). A terminal that does not know it
    /// ignores it.
    pub synchronized: bool,
    /// Rows too long for a narrower window are wrapped anew by the terminal instead of being cut.
    pub reflow: bool,
    /// The terminal speaks the kitty keyboard protocol.
    pub keyboard: bool,
    /// Focus changes are reported.
    pub focus: bool,
    /// Semantic marks (OSC 133) are written into the transcript.
    pub marks: bool,
    /// Progress (OSC 9;4) is shown, and not taken for a notification.
    pub progress: bool,
}

impl Capability {
    /// Reads `TMUX`, `TERM`, `TERM_PROGRAM` and the marks that single terminals leave.
    pub fn detect(env: &Env) -> Self {
        let tmux = env.var("TMUX").is_some();
        let term = env.var("TERM").unwrap_or_default();
        let dumb = term == "dumb" || term.starts_with("linux") || term.starts_with("vt");
        let program = env.var("TERM_PROGRAM").unwrap_or_default();
        let keyboard = !tmux
            && (matches!(program, "ghostty" | "WezTerm" | "iTerm.app" | "kitty" | "rio")
                || matches!(term, "xterm-kitty" | "xterm-ghostty" | "foot" | "alacritty")
                || env.var("KITTY_WINDOW_ID").is_some());
        Self {
            tmux,
            synchronized: !dumb,
            reflow: tmux || !(dumb || env.var("XTERM_VERSION").is_some()),
            keyboard,
            focus: !tmux && !dumb,
            marks: !dumb,
            progress: tmux || !dumb && shows_progress(env),
        }
    }
}

/// Whether the terminal is one that shows OSC 9;4 as progress. Others pop up a notification, `4;3`.
/// tmux is not asked here: it keeps the sequence for itself. kitty does not tell its version.
fn shows_progress(env: &Env) -> bool {
    let version = env.var("TERM_PROGRAM_VERSION").unwrap_or_default();
    match env.var("TERM_PROGRAM").unwrap_or_default() {
        "ghostty" => true,
        "iTerm.app" => at_least(version, &[3, 6, 6]),
        // The version is the date of the release, `20250209-182623-44866cc1`.
        "WezTerm" => at_least(version, &[20_250_209]),
        _ => {
            env.var("WT_SESSION").is_some()
                || env.var("ConEmuANSI") == Some("ON")
                || env.var("TERM") == Some("xterm-ghostty")
        }
    }
}

/// Compares the leading numbers of a version; what is no number counts as 0.
fn at_least(version: &str, wanted: &[u64]) -> bool {
    let numbers = version.split(['.', '-']).map(|part| {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        part.get(..digits).and_then(|digits| digits.parse::<u64>().ok()).unwrap_or(0)
    });
    numbers.chain(std::iter::repeat(0)).take(wanted.len()).ge(wanted.iter().copied())
}

impl Default for Capability {
    /// A terminal as tmux is one.
    fn default() -> Self {
        Self {
            tmux: true,
            synchronized: true,
            reflow: true,
            keyboard: false,
            focus: false,
            marks: true,
            progress: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::env::fixed;

    #[test]
    fn tmux_is_told_by_its_own_variable() {
        let tmux = fixed::env("/", &[("TMUX", "/tmp/x,1,0"), ("TERM", "xterm-kitty")]);
        assert_eq!(Capability::detect(&tmux), Capability::default());
        assert!(!Capability::detect(&fixed::env("/", &[("TERM", "tmux-256color")])).tmux);
    }

    #[test]
    fn progress_goes_only_where_it_is_no_notification() {
        let shown = |vars: &[(&str, &str)]| Capability::detect(&fixed::env("/", vars)).progress;
        let term = ("TERM", "xterm-256color");
        let program = |name, version| {
            shown(&[term, ("TERM_PROGRAM", name), ("TERM_PROGRAM_VERSION", version)])
        };
        assert!(shown(&[("TMUX", "x")]) && shown(&[term, ("WT_SESSION", "x")]));
        assert!(shown(&[term, ("ConEmuANSI", "ON")]) && !shown(&[term, ("ConEmuANSI", "OFF")]));
        assert!(shown(&[("TERM", "xterm-ghostty")]) && program("ghostty", "1.2.0"));
        assert!(program("iTerm.app", "3.6.6") && program("iTerm.app", "3.7.0beta1"));
        assert!(program("iTerm.app", "4") && program("iTerm.app", "3.10"));
        assert!(!program("iTerm.app", "3.6.5") && !program("iTerm.app", ""));
        assert!(program("WezTerm", "20250209-182623-44866cc1"));
        assert!(!program("WezTerm", "20240203-110809-5046fc22"));
        assert!(!shown(&[term]) && !shown(&[("TERM", "xterm-kitty")]));
        assert!(!shown(&[("TERM", "linux"), ("WT_SESSION", "x")]));
    }

    #[test]
    fn terminals_that_cut_rows_are_known() {
        assert!(!Capability::detect(&fixed::env("/", &[("TERM", "linux")])).reflow);
        let xterm = fixed::env("/", &[("TERM", "xterm-256color"), ("XTERM_VERSION", "XTerm(390)")]);
        assert!(!Capability::detect(&xterm).reflow);
        let other = Capability::detect(&fixed::env("/", &[("TERM", "xterm-256color")]));
        assert!(other.reflow && !other.keyboard && other.focus);
        assert!(Capability::detect(&fixed::env("/", &[("TERM", "xterm-kitty")])).keyboard);
    }
}
