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
        }
    }
}

impl Default for Capability {
    /// A terminal as tmux is one.
    fn default() -> Self {
        Self { tmux: true, synchronized: true, reflow: true, keyboard: false, focus: false }
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
    fn terminals_that_cut_rows_are_known() {
        assert!(!Capability::detect(&fixed::env("/", &[("TERM", "linux")])).reflow);
        let xterm = fixed::env("/", &[("TERM", "xterm-256color"), ("XTERM_VERSION", "XTerm(390)")]);
        assert!(!Capability::detect(&xterm).reflow);
        let other = Capability::detect(&fixed::env("/", &[("TERM", "xterm-256color")]));
        assert!(other.reflow && !other.keyboard && other.focus);
        assert!(Capability::detect(&fixed::env("/", &[("TERM", "xterm-kitty")])).keyboard);
    }
}
