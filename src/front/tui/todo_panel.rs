//! The todo list above the composer.

use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use super::cells::row;
use super::theme::{Theme, Tone};
use crate::front::text::truncate;
use crate::protocol::{TodoItem, TodoStatus};

/// Rows of items before the list is folded.
const FOLDED: usize = 5;

/// The panel: a heading and the items, folded to the five that matter now unless `expanded`.
/// Nothing for an empty list.
pub fn todo_rows(
    items: &[TodoItem],
    expanded: bool,
    columns: u16,
    theme: &Theme,
) -> Vec<Line<'static>> {
    if items.is_empty() {
        return Vec::new();
    }
    let room = usize::from(columns).saturating_sub(1).max(1);
    let done = count(items, TodoStatus::Done);
    let mut rows = vec![row::row([
        Span::styled("Todo", theme.style(Tone::Heading)),
        Span::styled(
            truncate(&format!(" · {done}/{} done", items.len()), room.saturating_sub(4)),
            row::trace(theme),
        ),
    ])];
    let shown = if expanded { vec![true; items.len()] } else { choose(items) };
    for (item, _) in items.iter().zip(&shown).filter(|(_, shown)| **shown) {
        rows.push(item_row(item, room, theme));
    }
    let hidden: Vec<_> = items
        .iter()
        .zip(&shown)
        .filter(|(_, shown)| !**shown)
        .map(|(item, _)| item.clone())
        .collect();
    if !hidden.is_empty() {
        let kinds = [
            (count(&hidden, TodoStatus::Done), "done"),
            (count(&hidden, TodoStatus::InProgress), "in progress"),
            (count(&hidden, TodoStatus::Pending), "pending"),
        ];
        let kinds: Vec<_> =
            kinds.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
        let text = format!("… +{} more ({}) · ctrl-t to expand", hidden.len(), kinds.join(" · "));
        rows.push(row::row([Span::styled(truncate(&text, room), row::trace(theme))]));
    }
    rows
}

fn item_row(item: &TodoItem, room: usize, theme: &Theme) -> Line<'static> {
    let (mark, style) = match item.status {
        TodoStatus::InProgress => {
            ("● ", theme.style(Tone::TodoActive).add_modifier(Modifier::BOLD))
        }
        TodoStatus::Done => ("✓ ", theme.style(Tone::TodoDone).add_modifier(Modifier::CROSSED_OUT)),
        TodoStatus::Pending => ("○ ", theme.style(Tone::TodoPending)),
    };
    let title = truncate(&row::foreign_line(&item.title), room.saturating_sub(2));
    row::row([
        Span::styled(mark, style.remove_modifier(Modifier::CROSSED_OUT)),
        Span::styled(title, style),
    ])
}

fn count(items: &[TodoItem], status: TodoStatus) -> usize {
    items.iter().filter(|item| item.status == status).count()
}

/// Which items to show: those in progress, one slot for the last one done, then the next pending;
/// what is left over goes to the newest of the done ones.
fn choose(items: &[TodoItem]) -> Vec<bool> {
    let mut shown = vec![false; items.len()];
    let mut left = FOLDED;
    let mut take = |indices: &mut dyn Iterator<Item = usize>, at_most: usize| {
        for at in indices.take(at_most.min(left)).collect::<Vec<_>>() {
            if let Some(slot) = shown.get_mut(at).filter(|slot| !**slot) {
                *slot = true;
                left -= 1;
            }
        }
    };
    let of = |status| {
        items.iter().enumerate().filter(move |(_, item)| item.status == status).map(|(at, _)| at)
    };
    take(&mut of(TodoStatus::InProgress), FOLDED);
    take(&mut of(TodoStatus::Done).rev(), 1);
    take(&mut of(TodoStatus::Pending), FOLDED);
    take(&mut of(TodoStatus::Done).rev().skip(1), FOLDED);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::tui::cells::testing::{items, text};

    fn shown(list: &str, expanded: bool, columns: u16) -> String {
        text(&todo_rows(&items(list), expanded, columns, &Theme::dark()))
    }

    #[test]
    fn short_lists_are_whole() {
        insta::assert_snapshot!(shown("x read\n> write 文档 🚀\n- ship", false, 40), @r"
        Todo · 1/3 done
        ✓ read
        ● write 文档 🚀
        ○ ship
        ");
    }

    #[test]
    fn long_lists_show_what_matters() {
        let list = "x a\nx b\nx c\n> d\n- e\n- f\n- g\n- h";
        insta::assert_snapshot!(shown(list, false, 80), @r"
        Todo · 3/8 done
        ✓ c
        ● d
        ○ e
        ○ f
        ○ g
        … +3 more (2 done · 1 pending) · ctrl-t to expand
        ");
        assert_eq!(shown(list, true, 80).lines().count(), 9);
    }

    #[test]
    fn no_list_no_rows() {
        assert!(todo_rows(&[], false, 80, &Theme::dark()).is_empty());
    }

    #[test]
    fn titles_stay_on_their_row() {
        let list = format!("> {}\u{1b}[31m\n- two", "long ".repeat(2_000));
        let rows = todo_rows(&items(&list), false, 40, &Theme::dark());
        assert_eq!(rows.len(), 3);
        assert!(rows.iter().all(|row| row.width() <= 40));
    }
}
