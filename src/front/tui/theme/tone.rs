//! What a span of text can be.

/// Declares [`Tone`] with its list and the names that theme files use.
macro_rules! tones {
    ($($(#[$doc:meta])* $tone:ident = $name:literal,)*) => {
        /// What a span of text is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Tone {
            $($(#[$doc])* $tone,)*
        }

        impl Tone {
            /// Every tone, in the order of the enum.
            pub const ALL: &'static [Tone] = &[$(Tone::$tone,)*];

            /// The name in theme files.
            pub fn name(self) -> &'static str {
                match self {
                    $(Tone::$tone => $name,)*
                }
            }
        }
    };
}

tones! {
    /// Plain text in the terminal's own colours.
    Text = "text",
    /// Less important than plain text.
    Dim = "dim",
    /// The model's thinking and one-line traces of work. Index 244: programs that read the screen
    /// tell thinking from answer by it.
    Thinking = "thinking",
    /// The echo of what the user said. Index 222 for the same reason.
    User = "user",
    /// The first bullet of an answer that follows tool calls. Index 253.
    AnswerAfterTools = "answer_after_tools",
    /// Names of commands, keys.
    Accent = "accent",
    /// The name in the headline of a tool call.
    ToolName = "tool_name",
    Success = "success",
    Warning = "warning",
    Error = "error",
    Info = "info",
    /// Rules and box edges.
    Border = "border",
    /// The mark of a question that waits for the user. Index 215.
    Attention = "attention",
    /// The selected row of a list or dialog. Index 116.
    Selected = "selected",
    /// The turning spinner. Index 111.
    Spinner = "spinner",
    /// The status bar. Index 242.
    Status = "status",
    BadgeYolo = "badge_yolo",
    BadgeAfk = "badge_afk",
    BadgePlan = "badge_plan",
    Heading = "heading",
    Strong = "strong",
    Emphasis = "emphasis",
    InlineCode = "inline_code",
    Link = "link",
    Quote = "quote",
    ListMarker = "list_marker",
    /// Code that has no highlighting.
    CodeBlock = "code_block",
    DiffAdded = "diff_added",
    DiffRemoved = "diff_removed",
    /// The changed words inside an added or removed line.
    DiffAddedWord = "diff_added_word",
    DiffRemovedWord = "diff_removed_word",
    LineNumber = "line_number",
    TodoDone = "todo_done",
    TodoActive = "todo_active",
    TodoPending = "todo_pending",
}
