//! Notices a model that keeps making the same call.

use std::collections::HashSet;

/// What to do about a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Nothing to say.
    Fresh,
    /// Tell the model, the more plainly the longer it goes on: the length of the streak.
    Remind(u32),
    /// Tell the model and end the turn.
    Stop(u32),
}

/// Counts identical consecutive calls within a turn, with kimi-cli's thresholds 3, 5, 8 and 12
/// (agent-loop.md section 3). Calls to unknown tools and calls with broken arguments count too.
#[derive(Debug, Default)]
pub struct RepeatGuard {
    last: Option<String>,
    streak: u32,
    seen: HashSet<String>,
    in_step: HashSet<String>,
}

impl RepeatGuard {
    /// A new message of the model begins. The same call twice in one message counts once: the model
    /// has seen nothing in between that could have kept it from making it.
    pub fn begin_step(&mut self) {
        self.in_step.clear();
    }

    /// Counts a call.
    pub fn note(&mut self, tool: &str, raw_arguments: &str) -> Repeat {
        let key = format!("{tool} {}", canonical(raw_arguments));
        if !self.in_step.insert(key.clone()) {
            return Repeat::Fresh;
        }
        if self.last.as_deref() == Some(&key) {
            self.streak += 1;
        } else {
            self.streak = 1;
            self.last = Some(key.clone());
        }
        let known = !self.seen.insert(key);
        match self.streak {
            streak @ 12.. => Repeat::Stop(streak),
            streak @ 3.. if known => Repeat::Remind(streak),
            _ => Repeat::Fresh,
        }
    }
}

impl Repeat {
    /// What the model is told, appended to the result of the call.
    pub fn reminder(self, tool: &str, raw_arguments: &str) -> Option<String> {
        let (Self::Remind(streak) | Self::Stop(streak)) = self else { return None };
        let words = match streak {
            ..5 => {
                "You have made this very call several times in a row. If the result does not help, \
                    try something else."
                    .to_owned()
            }
            5..8 => {
                let arguments: String = raw_arguments.chars().take(200).collect();
                format!(
                    "This is call {streak} in a row of {tool} with the same arguments ({arguments}). \
                     The result will not change. Choose another way."
                )
            }
            _ => format!(
                "{streak} identical calls of {tool} in a row. Stop calling tools now and tell the user \
                 what you found, what is missing and why you are stuck."
            ),
        };
        Some(format!("\n\n<system-reminder>{words}</system-reminder>"))
    }
}

/// Arguments with their keys sorted, so that order does not hide a repeat.
fn canonical(raw: &str) -> String {
    fn sorted(value: &serde_json::Value) -> serde_json::Value {
        match value {
            serde_json::Value::Object(map) => {
                let mut keys: Vec<_> = map.iter().collect();
                keys.sort_by(|a, b| a.0.cmp(b.0));
                keys.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect()
            }
            serde_json::Value::Array(items) => items.iter().map(sorted).collect(),
            other => other.clone(),
        }
    }
    serde_json::from_str(raw).map_or_else(|_| raw.to_owned(), |value| sorted(&value).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A step with this one call.
    fn step(guard: &mut RepeatGuard, tool: &str, arguments: &str) -> Repeat {
        guard.begin_step();
        guard.note(tool, arguments)
    }

    #[test]
    fn twelve_in_a_row_stop_the_turn() {
        let mut guard = RepeatGuard::default();
        let mut said = Vec::new();
        for _ in 0..12 {
            said.push(step(&mut guard, "Glob", r#"{"b":1,"a":2}"#));
        }
        assert_eq!(said[1], Repeat::Fresh);
        assert_eq!(said[2], Repeat::Remind(3));
        assert_eq!(said[10], Repeat::Remind(11));
        assert_eq!(said[11], Repeat::Stop(12));
    }

    #[test]
    fn however_often_in_one_message_it_is_one() {
        let mut guard = RepeatGuard::default();
        guard.begin_step();
        assert!((0..20).all(|_| guard.note("Glob", "{}") == Repeat::Fresh));
        step(&mut guard, "Glob", "{}");
        guard.begin_step();
        let said: Vec<_> = (0..3).map(|_| guard.note("Glob", "{}")).collect();
        assert_eq!(said, [Repeat::Remind(3), Repeat::Fresh, Repeat::Fresh], "it is told once");
    }

    #[test]
    fn key_order_does_not_hide_a_repeat_and_another_call_breaks_the_streak() {
        let mut guard = RepeatGuard::default();
        step(&mut guard, "Glob", r#"{"b":1,"a":2}"#);
        step(&mut guard, "Glob", r#"{"a":2,"b":1}"#);
        assert_eq!(step(&mut guard, "Glob", r#"{ "a": 2, "b": 1 }"#), Repeat::Remind(3));
        assert_eq!(step(&mut guard, "Grep", "{}"), Repeat::Fresh);
        assert_eq!(step(&mut guard, "Glob", r#"{"a":2,"b":1}"#), Repeat::Fresh);
    }

    #[test]
    fn broken_arguments_count() {
        let mut guard = RepeatGuard::default();
        for _ in 0..2 {
            step(&mut guard, "Nope", "{broken");
        }
        assert_eq!(step(&mut guard, "Nope", "{broken"), Repeat::Remind(3));
    }
}
