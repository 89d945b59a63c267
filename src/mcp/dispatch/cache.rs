//! Results of tools that only read, kept for a while when the user asked for that.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::protocol::ToolReturnValue;

/// Results that are kept at most.
const MOST: usize = 128;

/// The results.
#[derive(Debug, Default)]
pub(super) struct Cache {
    kept: HashMap<Key, (Instant, ToolReturnValue)>,
}

/// What a result belongs to: the tool, its arguments, and the connection that gave it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// The server, and what it calls the tool: the qualified name may be another's after a while.
    tool: [String; 2],
    arguments: String,
    connection: u64,
}

impl Key {
    pub fn new(tool: [&str; 2], arguments: &Map<String, Value>, connection: u64) -> Self {
        let arguments = sorted(&Value::Object(arguments.clone())).to_string();
        Self { tool: tool.map(str::to_owned), arguments, connection }
    }
}

impl Cache {
    /// A result that is not older than `ttl`.
    pub fn get(&self, key: &Key, ttl: Duration, now: Instant) -> Option<ToolReturnValue> {
        let (since, value) = self.kept.get(key)?;
        (now.saturating_duration_since(*since) < ttl).then(|| value.clone())
    }

    /// Keeps a result; the oldest goes when there are too many.
    pub fn keep(&mut self, key: Key, value: ToolReturnValue, now: Instant) {
        if self.kept.len() >= MOST
            && let Some(oldest) =
                self.kept.iter().min_by_key(|(_, (since, _))| *since).map(|(key, _)| key.clone())
        {
            self.kept.remove(&oldest);
        }
        self.kept.insert(key, (now, value));
    }
}

/// The value with the keys of all objects in order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(key, _)| *key);
            fields.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key(arguments: Value, connection: u64) -> Key {
        Key::new(["s", "t"], arguments.as_object().unwrap(), connection)
    }

    #[test]
    fn a_result_is_found_until_it_is_old() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        let value = ToolReturnValue::ok("x", "");
        cache.keep(key(json!({"a": 1, "b": {"c": 1, "d": 2}}), 1), value.clone(), now);
        let ttl = Duration::from_secs(5);
        let same = key(json!({"b": {"d": 2, "c": 1}, "a": 1}), 1);
        assert_eq!(cache.get(&same, ttl, now), Some(value));
        assert_eq!(cache.get(&same, ttl, now + ttl), None);
        assert_eq!(cache.get(&key(json!({"a": 1}), 1), ttl, now), None);
        assert_eq!(cache.get(&key(json!({"b": {"d": 2, "c": 1}, "a": 1}), 2), ttl, now), None);
    }

    #[test]
    fn it_does_not_grow_for_ever() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        for n in 0..1000u64 {
            cache.keep(
                key(json!({"n": n}), 1),
                ToolReturnValue::ok("x", ""),
                now + Duration::from_secs(n),
            );
        }
        assert_eq!(cache.kept.len(), MOST);
        let last = key(json!({"n": 999}), 1);
        assert!(cache.get(&last, Duration::from_secs(1), now + Duration::from_secs(999)).is_some());
    }
}
