//! Syntax colours for code, line by line.
//!
//! The grammars and colour themes are those of bat (crate `two-face`). They are loaded at the first
//! use, never for the first frame; [`warm`] does it ahead of time on a thread of its own.

use std::sync::{Arc, OnceLock};

use ratatui::style::{Modifier, Style};
use ratatui::text::Span;
use syntect::highlighting::{
    FontStyle, HighlightIterator, HighlightState, Highlighter as SyntaxColors, Theme as SyntaxTheme,
};
use syntect::parsing::{ParseState, ScopeStack, SyntaxReference, SyntaxSet};
use two_face::theme::{EmbeddedLazyThemeSet, EmbeddedThemeName};

use super::theme::{ColorSupport, Theme, Tone, indexed, rgb};

/// A longer line, in bytes, is data rather than code.
const MAX_LINE: usize = 4_000;

/// After so many bytes the rest of a block stays plain.
const MAX_BLOCK: usize = 512 * 1024;

static SYNTAXES: OnceLock<SyntaxSet> = OnceLock::new();
static THEMES: OnceLock<EmbeddedLazyThemeSet> = OnceLock::new();

fn syntaxes() -> &'static SyntaxSet {
    SYNTAXES.get_or_init(two_face::syntax::extra_newlines)
}

fn themes() -> &'static EmbeddedLazyThemeSet {
    THEMES.get_or_init(two_face::theme::extra)
}

/// Loads grammars and colour themes now. Takes some milliseconds: call it off the screen's thread.
pub fn warm() {
    syntaxes();
    themes();
}

/// The colours of one block of code, fed line by line.
#[derive(Clone)]
pub struct Highlighter {
    state: Option<State>,
    theme: Theme,
    bytes: usize,
}

#[derive(Clone)]
struct State {
    parse: ParseState,
    colors: Arc<SyntaxColors<'static>>,
    stack: HighlightState,
}

impl Highlighter {
    /// For the info string of a fence (`rust`, `{.python}`, `ts title=x`) or a file extension. An
    /// unknown language stays plain.
    pub fn new(language: &str, theme: &Theme) -> Self {
        let plain = Self { state: None, theme: theme.clone(), bytes: 0 };
        if theme.support() == ColorSupport::None || theme.syntax.is_empty() {
            return plain;
        }
        let Some(colors) = syntax_theme(&theme.syntax) else { return plain };
        let state = syntax(language).map(|syntax| {
            let colors = Arc::new(SyntaxColors::new(colors));
            let stack = HighlightState::new(&colors, ScopeStack::new());
            State { parse: ParseState::new(syntax), colors, stack }
        });
        Self { state, ..plain }
    }

    /// For a file, by its name.
    pub fn for_path(path: &str, theme: &Theme) -> Self {
        let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
        let language = name.rsplit_once('.').map_or(name, |(_, extension)| extension);
        Self::new(language, theme)
    }

    /// The spans of the next line, which has no newline and is [cleaned](super::text::clean).
    pub fn line(&mut self, line: &str) -> Vec<Span<'static>> {
        self.bytes = self.bytes.saturating_add(line.len());
        if self.bytes > MAX_BLOCK {
            self.state = None;
        }
        let plain = self.theme.style(Tone::CodeBlock);
        let Some(state) = self.state.as_mut().filter(|_| line.len() <= MAX_LINE) else {
            return vec![Span::styled(line.to_owned(), plain)];
        };
        let text = format!("{line}\n");
        let Ok(ops) = state.parse.parse_line(&text, syntaxes()) else {
            self.state = None;
            return vec![Span::styled(line.to_owned(), plain)];
        };
        HighlightIterator::new(&mut state.stack, &ops, &text, &state.colors)
            .map(|(style, piece)| (style, piece.trim_end_matches('\n')))
            .filter(|(_, piece)| !piece.is_empty())
            .map(|(style, piece)| {
                Span::styled(piece.to_owned(), plain.patch(self.theme.adapt(of_syntect(style))))
            })
            .collect()
    }
}

/// A syntax style in our terms. The terminal's background stays. There is no italic: programs that
/// read the screen take italic text for thinking.
fn of_syntect(style: syntect::highlighting::Style) -> Style {
    let color = style.foreground;
    // Themes for terminals carry palette numbers: alpha 0 means the number in red, 1 the default.
    let fg = match color.a {
        0 => Some(indexed(color.r)),
        1 => None,
        _ => Some(rgb(color.r, color.g, color.b)),
    };
    let mut out = Style { fg, ..Style::new() };
    if style.font_style.contains(FontStyle::BOLD) {
        out = out.add_modifier(Modifier::BOLD);
    }
    if style.font_style.contains(FontStyle::UNDERLINE) {
        out = out.add_modifier(Modifier::UNDERLINED);
    }
    out
}

/// The grammar for a fence's info string or an extension.
fn syntax(info: &str) -> Option<&'static SyntaxReference> {
    let word = info
        .trim_start_matches(['{', '.', ' '])
        .split([' ', ',', '}', '{', ':'])
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let token = match word.as_str() {
        "" | "text" | "txt" | "plain" | "plaintext" | "output" => return None,
        "shell" | "zsh" | "console" | "shell-session" | "shellscript" => "bash",
        "golang" => "go",
        "csharp" | "c#" => "cs",
        "jsonc" | "json5" | "jsonl" => "json",
        "py3" | "python3" => "python",
        "make" => "makefile",
        "patch" => "diff",
        other => other,
    };
    syntaxes().find_syntax_by_token(token)
}

/// The syntax theme of that name; case and punctuation do not count.
fn syntax_theme(name: &str) -> Option<&'static SyntaxTheme> {
    let plain = |name: &str| -> String {
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
    };
    let wanted = plain(name);
    EmbeddedLazyThemeSet::theme_names()
        .iter()
        .find(|candidate| plain(EmbeddedThemeName::as_name(**candidate)) == wanted)
        .map(|found| themes().get(*found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::Color;

    fn text(spans: &[Span<'_>]) -> String {
        spans.iter().map(|span| span.content.as_ref()).collect()
    }

    #[test]
    fn code_has_colours_and_keeps_its_text() {
        let mut rust = Highlighter::new("rust title=x", &Theme::dark());
        let spans = rust.line("fn main() { /* begins");
        assert_eq!(text(&spans), "fn main() { /* begins");
        assert!(spans.len() > 3);
        assert_ne!(spans[0].style.fg, spans[1].style.fg);
        // The comment goes on in the next line.
        assert_eq!(rust.line("let x = 1;").len(), 1);
        for language in ["py", "ts", "tsx", "toml", "bash", "shell", "c++", "Dockerfile", "csharp"]
        {
            assert!(Highlighter::new(language, &Theme::dark()).state.is_some(), "{language}");
        }
        assert!(Highlighter::for_path("/a/b.c/main.rs", &Theme::dark()).state.is_some());
        assert!(Highlighter::for_path("/a/Makefile", &Theme::dark()).state.is_some());
    }

    #[test]
    fn every_built_in_theme_names_a_syntax_theme() {
        for name in Theme::builtin_names() {
            let theme = Theme::load(name, None).0;
            assert!(syntax_theme(&theme.syntax).is_some(), "{name}: {}", theme.syntax);
        }
    }

    #[test]
    fn what_is_unknown_or_huge_stays_plain() {
        let dark = Theme::dark();
        let plain = dark.style(Tone::CodeBlock);
        for language in ["", "text", "no-such-language", "{}", "\u{0}"] {
            let spans = Highlighter::new(language, &dark).line("let x = 1;");
            assert_eq!(spans, [Span::styled("let x = 1;", plain)]);
        }
        let mut rust = Highlighter::new("rust", &dark);
        assert_eq!(rust.line(&"x=1;".repeat(2_000)).len(), 1);
        assert!(rust.line("let x = 1;").len() > 1);
        rust.bytes = MAX_BLOCK;
        assert_eq!(rust.line("let x = 1;").len(), 1);
        let bare = dark.with_support(ColorSupport::None);
        assert_eq!(Highlighter::new("rust", &bare).line("let x = 1;").len(), 1);
    }

    #[test]
    fn the_ansi_theme_uses_palette_colours_only() {
        let theme = Theme::load("ansi", None).0.with_support(ColorSupport::Ansi16);
        let mut rust = Highlighter::new("rust", &theme);
        for span in rust.line("fn main() { let x = \"text\"; } // note") {
            assert!(!matches!(span.style.fg, Some(Color::Rgb(..) | Color::Indexed(_))), "{span:?}");
        }
    }
}
