//! A word to a person who looks elsewhere.

use crate::front::text::truncate;
use crate::platform::env::Env;

use super::title::visible;

/// How this terminal can be made to notify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// OSC 9: iTerm2, WezTerm, Ghostty, kitty, Warp.
    Osc9,
    /// OSC 777: urxvt, foot.
    Osc777,
    /// BEL alone. Also inside tmux, which passes it on by its own rules.
    Bell,
}

/// Longest notification, in columns.
const LENGTH: usize = 240;

impl Channel {
    /// Chooses by `TMUX`, `TERM_PROGRAM` and `TERM`.
    pub fn detect(env: &Env) -> Self {
        if env.var("TMUX").is_some() || env.var("STY").is_some() || env.var("ZELLIJ").is_some() {
            return Self::Bell;
        }
        let program = env.var("TERM_PROGRAM").unwrap_or_default();
        let term = env.var("TERM").unwrap_or_default();
        if matches!(program, "iTerm.app" | "WezTerm" | "ghostty" | "WarpTerminal")
            || matches!(term, "xterm-kitty" | "xterm-ghostty")
        {
            Self::Osc9
        } else if term.starts_with("rxvt-unicode") || term.starts_with("foot") {
            Self::Osc777
        } else {
            Self::Bell
        }
    }

    /// The bytes that show `text`. They end in ST: a stray BEL rings elsewhere.
    pub fn bytes(self, text: &str) -> Vec<u8> {
        let text = truncate(&visible(text), LENGTH);
        match self {
            Self::Osc9 => format!("\x1b]9;{}\x1b\\", not_progress(&text)).into_bytes(),
            // A semicolon would begin another field.
            Self::Osc777 => {
                format!("\x1b]777;notify;kimi;{}\x1b\\", text.replace(';', ",")).into_bytes()
            }
            Self::Bell => vec![0x07],
        }
    }
}

/// `4;…` and other numbers are commands of OSC 9, not text.
fn not_progress(text: &str) -> String {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        format!("kimi: {text}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::env::fixed;

    #[test]
    fn the_channel_follows_the_terminal() {
        let channel = |vars: &[(&str, &str)]| Channel::detect(&fixed::env("/", vars));
        assert_eq!(channel(&[("TERM_PROGRAM", "ghostty")]), Channel::Osc9);
        assert_eq!(channel(&[("TERM_PROGRAM", "ghostty"), ("TMUX", "x")]), Channel::Bell);
        assert_eq!(channel(&[("TERM", "foot")]), Channel::Osc777);
        assert_eq!(channel(&[("TERM", "xterm-256color")]), Channel::Bell);
    }

    #[test]
    fn foreign_text_stays_text() {
        let text = |channel: Channel, text| String::from_utf8(channel.bytes(text)).expect("UTF-8");
        assert_eq!(text(Channel::Osc9, "done\x1b\\\x07\n"), "\x1b]9;done\x1b\\");
        assert_eq!(text(Channel::Osc9, "4;1;50"), "\x1b]9;kimi: 4;1;50\x1b\\");
        assert_eq!(text(Channel::Osc777, "a;b"), "\x1b]777;notify;kimi;a,b\x1b\\");
        assert_eq!(text(Channel::Bell, "x"), "\x07");
        assert!(Channel::Osc9.bytes(&"x".repeat(9_999)).len() < 300);
    }
}
