//! Themes: the code names what a span *is* (its [`Tone`]), a theme says what that looks like.
//!
//! No colour is named anywhere else in the program. A theme also knows how many colours the terminal
//! has and gives out styles that it can show.

mod color;
mod file;
mod tone;

#[cfg(test)]
mod tests;

use std::path::Path;

use ratatui::style::{Color, Modifier, Style};

pub use color::{ColorSupport, indexed, rgb};
pub use tone::Tone;

use crate::platform::env::Env;
use file::ThemeFile;

/// How far a theme may extend one that extends another.
const MAX_DEPTH: usize = 5;

/// A theme: a style for each tone and the name of the syntax theme for code.
#[derive(Debug, Clone, PartialEq)]
pub struct Theme {
    pub name: String,
    /// A name of the built-in syntax themes; empty for code without colours.
    pub syntax: String,
    support: ColorSupport,
    /// One style for each of [`Tone::ALL`], as the theme has it.
    styles: Vec<Style>,
}

impl Theme {
    /// The built-in dark theme.
    pub fn dark() -> Self {
        Self::load("dark", None).0
    }

    /// The theme of that name from `<user_dir>/<name>.toml` or from those built in, and what was wrong
    /// with it, in words for the user. A theme that does not exist is the dark one; a bad value is
    /// as if it were not there. Reads files.
    pub fn load(name: &str, user_dir: Option<&Path>) -> (Self, Vec<String>) {
        let mut warnings = Vec::new();
        let mut chain: Vec<(String, ThemeFile)> = Vec::new();
        let mut next = Some(name.to_owned());
        while let Some(name) = next.take() {
            // A user's `dark` that extends `dark` means the built-in one.
            let again = chain.iter().any(|(of, _)| *of == name);
            let dir = user_dir.filter(|_| !again);
            if chain.len() >= MAX_DEPTH {
                warnings.push(format!("theme {name}: extends too many others"));
                break;
            }
            match file::source(&name, dir) {
                Ok(text) => {
                    let file = ThemeFile::parse(&name, &text, &mut warnings);
                    next = file.extends.clone();
                    chain.push((name, file));
                }
                Err(why) => warnings.push(why),
            }
        }
        let known = chain.first().map_or("dark", |(name, _)| name).to_owned();
        let dark =
            ThemeFile::parse("dark", file::builtin("dark").unwrap_or_default(), &mut Vec::new());
        chain.push(("dark".to_owned(), dark));
        let mut theme = Self {
            name: known,
            syntax: String::new(),
            support: ColorSupport::default(),
            styles: vec![Style::new(); Tone::ALL.len()],
        };
        for (_, file) in chain.into_iter().rev() {
            if let Some(syntax) = file.syntax {
                theme.syntax = syntax;
            }
            for (tone, style) in file.tones {
                theme.set(tone, style);
            }
        }
        (theme, warnings)
    }

    /// The names of the user's own themes, in order.
    pub fn user_names(user_dir: &Path) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(user_dir) else { return Vec::new() };
        let mut names: Vec<String> = entries
            .flatten()
            .filter_map(|entry| {
                entry.file_name().to_str()?.strip_suffix(".toml").map(str::to_owned)
            })
            .collect();
        names.sort();
        names
    }

    /// The names of the built-in themes, the default first.
    pub fn builtin_names() -> Vec<&'static str> {
        file::BUILTIN.iter().map(|(name, _)| *name).collect()
    }

    /// The names that [`Theme::load`] knows: those built in, then the user's files. Reads a directory.
    pub fn names(user_dir: Option<&Path>) -> Vec<String> {
        let mut names: Vec<String> = Self::builtin_names().into_iter().map(str::to_owned).collect();
        let mut own: Vec<String> = user_dir
            .and_then(|dir| std::fs::read_dir(dir).ok())
            .into_iter()
            .flatten()
            .filter_map(|entry| {
                let name = entry.ok()?.file_name().into_string().ok()?;
                name.strip_suffix(".toml").map(str::to_owned)
            })
            .filter(|name| file::is_plain(name) && !names.contains(name))
            .collect();
        own.sort();
        names.append(&mut own);
        names
    }

    /// The theme for a user who chose none: `ansi` where the terminal has sixteen colours, `light`
    /// where `COLORFGBG` tells of a light background, else `dark`.
    pub fn default_name(env: &Env) -> &'static str {
        let background = env.var("COLORFGBG").and_then(|value| value.rsplit(';').next());
        if ColorSupport::detect(env) == ColorSupport::Ansi16 {
            "ansi"
        } else if matches!(background, Some("7" | "15")) {
            "light"
        } else {
            "dark"
        }
    }

    /// The same theme on a terminal with that many colours.
    #[must_use]
    pub fn with_support(self, support: ColorSupport) -> Self {
        Self { support, ..self }
    }

    /// The same theme with the foreground indices that programs which read the screen through a
    /// multiplexer tell things apart by: thinking 244, user 222, answer after tools 253, spinner 111,
    /// attention 215, selected 116, status 242; none with a background, which would change what is
    /// captured in front of a row. Emphasis is underlined and dim text is 245, because italic and 244
    /// inside an answer would be taken for thinking. The name of a tool is bold 111: that tells the
    /// headline of a tool call from a sentence whatever stands behind the name. Only for runs under an orchestrator, whatever the
    /// theme: there a program reads first. A person in a plain tmux keeps the theme they chose.
    #[must_use]
    pub fn for_multiplexer(mut self) -> Self {
        let contract = [
            (Tone::Thinking, 244),
            (Tone::User, 222),
            (Tone::AnswerAfterTools, 253),
            (Tone::Spinner, 111),
            (Tone::Attention, 215),
            (Tone::Selected, 116),
            (Tone::Status, 242),
        ];
        for (tone, index) in contract {
            self.set(tone, Style::new().fg(Color::Indexed(index)));
        }
        // A multiplexer rounds 24-bit colours on its own terms, or hands them on as they are.
        self.support = self.support.min(ColorSupport::Indexed);
        self.set(Tone::Dim, Style::new().fg(Color::Indexed(245)));
        let tool_name = Style::new().fg(Color::Indexed(111)).add_modifier(Modifier::BOLD);
        self.set(Tone::ToolName, tool_name);
        self.set(Tone::Emphasis, Style::new().add_modifier(Modifier::UNDERLINED));
        self
    }

    /// The style of a tone, in colours that the terminal has.
    pub fn style(&self, tone: Tone) -> Style {
        self.support.adapt(self.styles.get(tone as usize).copied().unwrap_or_default())
    }

    /// A style that comes from elsewhere (a tool's output, a syntax theme), in colours that the
    /// terminal has, and never in one of the indices that tell thinking, user and answer apart.
    pub fn adapt(&self, style: Style) -> Style {
        let mut style = self.support.adapt(style);
        style.fg = style.fg.map(|colour| match colour {
            Color::Indexed(index @ (222 | 244 | 253)) => Color::Indexed(index + 1),
            other => other,
        });
        style
    }

    /// [`Theme::adapt`] for text of another program over one of our own styles: what that program did
    /// not colour stays ours, whatever index it has.
    pub fn adapt_over(&self, own: Style, style: Style) -> Style {
        let adapted = self.adapt(style);
        if style.fg == own.fg { Style { fg: own.fg, ..adapted } } else { adapted }
    }

    /// How many colours the terminal has.
    pub fn support(&self) -> ColorSupport {
        self.support
    }

    fn set(&mut self, tone: Tone, style: Style) {
        if let Some(slot) = self.styles.get_mut(tone as usize) {
            *slot = style;
        }
    }
}
