//! Markdown on the screen: whole texts, and texts that are still coming in.
//!
//! The text is cut into blocks line by line by a scanner of our own, which looks at no line twice;
//! only one block of bounded size is ever handed to the Markdown parser. So a stream costs time
//! linear in its length however it is chunked, and a finished row never changes.

mod block;
mod line;
mod source;
mod stream;
mod table;

#[cfg(test)]
mod tests;

use ratatui::text::Line;

use super::theme::Theme;

pub use stream::MarkdownStream;

/// How Markdown is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MarkdownStyle {
    /// Marks become styles, lists and tables are laid out.
    #[default]
    Rendered,
    /// The text as it is, line by line, with its marks styled but present; wrapping only.
    Source,
}

/// The rows of a whole text: the same rows that a [`MarkdownStream`] gives for it.
pub fn render(
    source: &str,
    style: MarkdownStyle,
    columns: usize,
    theme: &Theme,
) -> Vec<Line<'static>> {
    let mut stream = MarkdownStream::new(style);
    stream.push(source);
    stream.finish(columns, theme)
}
