//! What each of the agents of one call works on.

use serde::Deserialize;

use crate::agent::task_of;
use crate::front::text::truncate;
use crate::front::tui::cells::row;

/// Columns of an item in the row of its agent.
const MAX_ITEM: usize = 24;

/// The items of a call of `AgentSwarm`; none for other calls.
#[derive(Debug, Clone, Default)]
pub struct Items {
    list: Vec<Item>,
}

#[derive(Debug, Clone)]
struct Item {
    /// What its agent is told.
    task: String,
    /// `2/4 src/main.rs`.
    shown: String,
}

#[derive(Deserialize)]
struct Arguments {
    prompt_template: String,
    items: Vec<String>,
}

impl Items {
    /// Reads the arguments of a call. What cannot be read has no items.
    pub fn of(arguments: &str) -> Self {
        let Ok(Arguments { prompt_template, items }) = serde_json::from_str(arguments) else {
            return Self::default();
        };
        let all = items.len();
        let item = |(n, item): (usize, &String)| Item {
            task: task_of(&prompt_template, item),
            shown: format!("{}/{all} {}", n + 1, truncate(&row::shown_line(item), MAX_ITEM)),
        };
        Self { list: items.iter().enumerate().map(item).collect() }
    }

    /// The item of the agent that was told this; something may stand before its task.
    pub fn told(&self, text: &str) -> Option<&str> {
        let fits = self.list.iter().filter(|item| text.ends_with(&item.task));
        fits.max_by_key(|item| item.task.len()).map(|item| item.shown.as_str())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_known_by_what_it_was_told() {
        let items = Items::of(
            r#"{"prompt_template":"{{item}}, look at {{item}}","items":["b","a b","c\u001b[2J"]}"#,
        );
        assert_eq!(items.len(), 3);
        assert_eq!(items.told("b, look at b"), Some("1/3 b"));
        assert_eq!(items.told("<git/>\n\na b, look at a b"), Some("2/3 a b"));
        assert_eq!(items.told("something else"), None);
        let shown = items.told("c\u{1b}[2J, look at c\u{1b}[2J").unwrap_or_default();
        assert!(shown.starts_with("3/3 c") && !shown.contains(char::is_control), "{shown:?}");
        for other in ["", "{", r#"{"items":[]}"#, r#"{"prompt":"x"}"#] {
            assert_eq!(Items::of(other).len(), 0, "{other}");
        }
    }
}
