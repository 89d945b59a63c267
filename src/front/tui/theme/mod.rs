//! Themes: the code names what a span *is* (its [`Tone`]), a theme says what that looks like.
//!
//! No colour is named anywhere else in the program.

use ratatui::style::{Color, Modifier, Style};

/// What a span of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tone {
    /// Plain text in the terminal's own colours.
    Text,
    /// Less important than plain text.
    Dim,
    /// The model's thinking and one-line traces of work. Index 244: programs that read the screen
    /// tell thinking from answer by it.
    Thinking,
    /// The echo of what the user said. Index 222 for the same reason.
    User,
    /// The first bullet of an answer that follows tool calls. Index 253.
    AnswerAfterTools,
    /// Names of commands, tools, keys.
    Accent,
    Success,
    Warning,
    Error,
    Info,
    /// Rules and box edges.
    Border,
    /// The mark of a question that waits for the user. Index 215.
    Attention,
    /// The selected row of a list or dialog. Index 116.
    Selected,
    /// The turning spinner. Index 111.
    Spinner,
    /// The status bar. Index 242.
    Status,
    BadgeYolo,
    BadgeAfk,
    BadgePlan,
    Heading,
    Strong,
    Emphasis,
    InlineCode,
    Link,
    Quote,
    ListMarker,
    /// Code that has no highlighting.
    CodeBlock,
    DiffAdded,
    DiffRemoved,
    /// The changed words inside an added or removed line.
    DiffAddedWord,
    DiffRemovedWord,
    LineNumber,
    TodoDone,
    TodoActive,
    TodoPending,
}

/// A theme: a style for each tone and the name of the syntax theme for code.
#[derive(Debug, Clone)]
pub struct Theme {
    pub name: String,
    /// A name of the built-in syntax themes; empty for code without colours.
    pub syntax: String,
}

impl Theme {
    /// The built-in dark theme.
    pub fn dark() -> Self {
        Self { name: "dark".to_owned(), syntax: "base16-ocean-dark".to_owned() }
    }

    /// The style of a tone.
    pub fn style(&self, tone: Tone) -> Style {
        let indexed = |index| Style::new().fg(Color::Indexed(index));
        match tone {
            Tone::Text => Style::new(),
            Tone::Thinking | Tone::Dim => indexed(244),
            Tone::User => indexed(222),
            Tone::AnswerAfterTools => indexed(253),
            Tone::Attention => indexed(215),
            Tone::Selected => indexed(116),
            Tone::Spinner => indexed(111),
            Tone::Status => indexed(242),
            Tone::Strong | Tone::Heading => Style::new().add_modifier(Modifier::BOLD),
            Tone::Success | Tone::DiffAdded => indexed(114),
            Tone::Error | Tone::DiffRemoved => indexed(203),
            Tone::Warning => indexed(221),
            _ => indexed(110),
        }
    }
}
