//! The status bar: one row, never wrapped, that gives up fields from the right when it gets narrow.
//!
//! Programs that read the screen know it by `agent (MODEL ●)` and `context: N%`, so those two go
//! last. The time in it is that of the last change of state: a running clock would repaint an idle
//! screen.

use ratatui::text::{Line, Span};

use crate::front::text::{clean_line, truncate, width};
use crate::front::tui::theme::{Theme, Tone};

/// What the status bar shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Status {
    /// Wall clock time of the last change of state, `12:01`.
    pub clock: String,
    pub yolo: bool,
    pub afk: bool,
    pub plan: bool,
    /// `agent` or `shell`.
    pub mode: String,
    pub model: String,
    pub thinking: bool,
    /// The working directory as it is to be shown.
    pub directory: String,
    /// The git branch with its marks, `main ± ↑2↓1`.
    pub branch: Option<String>,
    /// Running background commands.
    pub commands: usize,
    /// Running background agents.
    pub agents: usize,
    pub goal: Option<String>,
    pub context: Context,
    /// Takes the place of directory and counts.
    pub toast_left: Option<String>,
    /// Takes the place of the token counts.
    pub toast_right: Option<String>,
}

/// How full the context window is, in tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Context {
    pub used: u64,
    /// 0 when not known.
    pub limit: u64,
}

/// Widest directory, in columns.
const DIRECTORY: usize = 30;
/// Widest branch, in columns.
const BRANCH: usize = 22;

/// The status bar as one row of less than `columns` columns.
pub fn line(status: &Status, columns: u16, theme: &Theme) -> Line<'static> {
    let room = usize::from(columns).saturating_sub(1);
    if room == 0 {
        return Line::default();
    }
    let mut shape = Shape::new(status);
    while shape.width() > room && shape.drop_one() {}
    shape.into_line(room, theme)
}

/// Share of the context window in use, `0.5%`.
pub fn percent(context: Context) -> String {
    if context.limit == 0 {
        return "0.0%".to_owned();
    }
    let share = context.used as f64 * 100.0 / context.limit as f64;
    format!("{share:.1}%")
}

/// A number of tokens: `950`, `1.3k`, `262.1k`, `1m`: one decimal, never `.0`.
pub fn tokens(count: u64) -> String {
    let scaled = |unit: u64, letter: char| {
        // Rounded to tenths in whole numbers, which are exact.
        let tenths = (count / unit) * 10 + ((count % unit) * 10 + unit / 2) / unit;
        match tenths % 10 {
            0 => format!("{}{letter}", tenths / 10),
            rest => format!("{}.{rest}{letter}", tenths / 10),
        }
    };
    match count {
        0..1_000 => count.to_string(),
        1_000..999_950 => scaled(1_000, 'k'),
        _ => scaled(1_000_000, 'm'),
    }
}

struct Field {
    text: String,
    tone: Tone,
    /// Shorter forms, the shortest first.
    shorter: Vec<String>,
    /// The field that goes first has the lowest number.
    keep: u8,
}

struct Shape {
    left: Vec<Field>,
    right: Vec<Field>,
}

impl Shape {
    fn new(status: &Status) -> Self {
        let field = |text: &str, tone, keep| Field {
            text: clean_line(text),
            tone,
            shorter: Vec::new(),
            keep,
        };
        let mut left = vec![field(&status.clock, Tone::Status, 7)];
        for (on, text, tone, keep) in [
            (status.yolo, "yolo", Tone::BadgeYolo, 12),
            (status.afk, "afk", Tone::BadgeAfk, 11),
            (status.plan, "plan", Tone::BadgePlan, 10),
        ] {
            if on {
                left.push(field(text, tone, keep));
            }
        }
        let mode = if status.mode.is_empty() { "agent" } else { &status.mode };
        let glyph = if status.thinking { '●' } else { '○' };
        let mut agent = field(&format!("{mode} ({} {glyph})", status.model), Tone::Status, 13);
        agent.shorter = vec![mode.to_owned(), format!("{mode} {glyph}")];
        left.push(agent);
        if let Some(toast) = &status.toast_left {
            // What somebody has just asked for goes before the time of day and the counts.
            left.push(field(toast, Tone::Info, 9));
        } else {
            if !status.directory.is_empty() {
                let full = clean_line(&status.directory);
                let text = cut_left(&full, DIRECTORY);
                let shorter = [10, 20]
                    .into_iter()
                    .filter(|columns| width(&text) > *columns)
                    .map(|columns| cut_left(&full, columns))
                    .collect();
                left.push(Field { text, tone: Tone::Status, shorter, keep: 6 });
            }
            if let Some(branch) = &status.branch {
                let branch = truncate(&clean_line(branch), BRANCH);
                left.push(field(&format!("[{branch}]"), Tone::Status, 5));
            }
            for (count, name, keep) in [(status.commands, "bash", 3), (status.agents, "agent", 2)] {
                if count > 0 {
                    left.push(field(&format!("⚙ {name}: {count}"), Tone::Status, keep));
                }
            }
            if let Some(goal) = &status.goal {
                left.push(field(goal, Tone::Accent, 1));
            }
        }
        let context = field(&format!("context: {}", percent(status.context)), Tone::Status, 14);
        let mut right = vec![context];
        if let Some(toast) = &status.toast_right {
            right.insert(0, field(toast, Tone::Info, 8));
        } else if status.context.limit > 0 {
            let Context { used, limit } = status.context;
            let counts = format!("({}/{})", tokens(used), tokens(limit));
            right.push(field(&counts, Tone::Status, 8));
        }
        left.retain(|field| !field.text.is_empty());
        Self { left, right }
    }

    /// Columns with one blank in front, one between fields and two between the sides.
    fn width(&self) -> usize {
        let side = |fields: &[Field]| -> usize {
            fields.iter().map(|field| width(&field.text) + 1).sum::<usize>()
        };
        side(&self.left) + side(&self.right) + 1
    }

    /// Makes the least important field shorter or drops it. `false` when nothing is left to drop.
    fn drop_one(&mut self) -> bool {
        let all = self.left.iter_mut().chain(&mut self.right);
        let Some(field) = all.min_by_key(|field| field.keep) else { return false };
        // The mode outlives the badges in its shortest form; the percentage has only one.
        if let Some(shorter) = field.shorter.pop() {
            field.text = shorter;
            return true;
        }
        let keep = field.keep;
        if self.left.len() + self.right.len() == 1 {
            return false;
        }
        self.left.retain(|field| field.keep != keep);
        self.right.retain(|field| field.keep != keep);
        true
    }

    fn into_line(mut self, room: usize, theme: &Theme) -> Line<'static> {
        if self.width() > room {
            for field in self.left.iter_mut().chain(&mut self.right) {
                field.text = truncate(&field.text, room.saturating_sub(1));
            }
        }
        let gap = room.saturating_sub(self.width()) + 2;
        let mut spans = Vec::new();
        let push = |text: String, tone, spans: &mut Vec<Span<'static>>| {
            spans.push(Span::styled(text, theme.style(tone)));
        };
        if self.left.is_empty() {
            push(" ".repeat(gap.saturating_sub(1)), Tone::Status, &mut spans);
        }
        for field in self.left {
            push(" ".to_owned(), Tone::Status, &mut spans);
            push(field.text, field.tone, &mut spans);
        }
        for (index, field) in self.right.into_iter().enumerate() {
            let before = if index > 0 {
                1
            } else if spans.len() < 2 {
                0
            } else {
                gap
            };
            push(" ".repeat(before), Tone::Status, &mut spans);
            push(field.text, field.tone, &mut spans);
        }
        Line::from(spans)
    }
}

/// The end of `text` in at most `columns`, with `…` for what was cut off in front.
fn cut_left(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut rest = text;
    while width(rest) + 1 > columns {
        let mut chars = rest.chars();
        if chars.next().is_none() {
            break;
        }
        rest = chars.as_str();
    }
    format!("…{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> Status {
        Status {
            clock: "12:01".into(),
            yolo: true,
            mode: "agent".into(),
            model: "kimi-k2".into(),
            thinking: true,
            directory: "aa59085a".into(),
            branch: Some("main ±".into()),
            context: Context { used: 1_311, limit: 262_144 },
            ..Status::default()
        }
    }

    fn text(status: &Status, columns: u16) -> String {
        let line = line(status, columns, &Theme::dark());
        let text: String = line.spans.iter().map(|span| span.content.as_ref()).collect();
        assert!(width(&text) < usize::from(columns), "{columns}: {text:?}");
        text
    }

    #[test]
    fn token_counts_have_one_decimal_and_no_trailing_zero() {
        for (count, shown) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1k"),
            (1_049, "1k"),
            (1_311, "1.3k"),
            (262_144, "262.1k"),
            (999_949, "999.9k"),
            (999_950, "1m"),
            (1_048_576, "1m"),
            (1_250_000, "1.3m"),
        ] {
            assert_eq!(tokens(count), shown, "{count}");
        }
        assert!(!tokens(u64::MAX).is_empty());
    }

    #[test]
    fn a_full_row_has_the_context_at_its_right_end() {
        let shown = text(&status(), 90);
        assert!(
            shown.starts_with(" 12:01 yolo agent (kimi-k2 ●) aa59085a [main ±]     "),
            "{shown}"
        );
        assert!(shown.ends_with("     context: 0.5% (1.3k/262.1k)"), "{shown}");
        assert_eq!(width(&shown), 89);
    }

    #[test]
    fn fields_go_in_order_when_it_gets_narrow() {
        let full = Status { commands: 1, agents: 2, goal: Some("goal 1/3".into()), ..status() };
        let order = [
            "goal 1/3",
            "⚙ agent: 2",
            "⚙ bash: 1",
            "[main ±]",
            "aa59085a",
            "12:01",
            "(1.3k",
            "yolo",
            "kimi-k2",
            "●",
            "agent",
            "context: 0.5%",
        ];
        let mut last = usize::MAX;
        for columns in (16..120).rev() {
            let text = text(&full, columns);
            let left = order.iter().filter(|field| text.contains(**field)).count();
            assert!(left <= last);
            last = left;
            // What is gone is always a beginning of the list.
            assert!(order[order.len() - left..].iter().all(|field| text.contains(field)), "{text}");
        }
        assert_eq!(last, 1);
    }

    #[test]
    fn thinking_off_and_hostile_names() {
        let plain = Status { thinking: false, model: "a\x1b[2Jb\nc".into(), ..status() };
        let text = text(&plain, 100);
        assert!(text.contains(" ○) "), "{text}");
        assert!(!text.chars().any(char::is_control), "{text}");
    }

    #[test]
    fn a_toast_leaves_mode_and_context_alone() {
        let toast = Status { toast_left: Some("copied".into()), ..status() };
        let text = text(&toast, 80);
        assert!(text.starts_with(" 12:01 yolo agent (kimi-k2 ●) copied "), "{text}");
        assert!(text.ends_with("context: 0.5% (1.3k/262.1k)"), "{text}");
    }

    #[test]
    fn a_long_directory_keeps_its_end() {
        assert_eq!(cut_left("~/very/long/path", 8), "…ng/path");
        assert_eq!(cut_left("你好吗", 4), "…吗");
        assert_eq!(cut_left("", 0), "");
    }

    #[test]
    fn every_width_is_kept() {
        for columns in 1..60 {
            let line = line(&status(), columns, &Theme::dark());
            let width: usize = line.spans.iter().map(|span| width(&span.content)).sum();
            assert!(width < usize::from(columns), "{columns}: {width}");
        }
    }
}
