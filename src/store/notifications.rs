//! What a session's model and its front ends are to be told: `<session>/notifications/<id>/`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::atomic::write_atomic;
use super::lines::read_regular;
use crate::protocol::Notification;

const MAX_RECORD: u64 = 1 << 20;

/// `event.json`: what happened. Written once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NotificationRecord {
    #[serde(default = "one")]
    pub version: u32,
    #[serde(flatten)]
    pub event: Notification,
    /// Names of the sinks.
    #[serde(default)]
    pub targets: Vec<String>,
    /// The same thing is told once.
    #[serde(default)]
    pub dedupe_key: Option<String>,
}

fn one() -> u32 {
    1
}

/// Whether a sink has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    #[default]
    Pending,
    /// Somebody is at it.
    Claimed,
    Acked,
}

/// One sink of a notification. Times are Unix seconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sink {
    pub status: DeliveryStatus,
    pub claimed_at: Option<f64>,
    pub acked_at: Option<f64>,
}

impl Sink {
    /// Whether it waits: nobody has it, or whoever was at it has been so for too long.
    pub fn is_due(&self, now: f64, stale_s: f64) -> bool {
        match self.status {
            DeliveryStatus::Pending => true,
            DeliveryStatus::Claimed => self.claimed_at.is_none_or(|at| now - at > stale_s),
            DeliveryStatus::Acked => false,
        }
    }

    /// It has it now.
    pub fn ack(&mut self, now: f64) {
        self.status = DeliveryStatus::Acked;
        self.acked_at = Some(now);
    }
}

/// `delivery.json`: who has been told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Delivery {
    pub sinks: Sinks,
}

/// The sinks: the model, other programs, the screen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sinks {
    pub llm: Sink,
    pub wire: Sink,
    pub shell: Sink,
}

/// The notifications of a session on disk.
#[derive(Debug, Clone)]
pub struct NotificationStore {
    dir: PathBuf,
}

impl NotificationStore {
    /// Those of the session with this directory.
    pub fn new(session_dir: &Path) -> Self {
        Self { dir: session_dir.join("notifications") }
    }

    /// All that can be read, oldest first. One without a whole `delivery.json` counts as untold.
    pub fn load(&self) -> Vec<(NotificationRecord, Delivery)> {
        let Ok(entries) = fs::read_dir(&self.dir) else { return Vec::new() };
        let mut all: Vec<_> = entries
            .flatten()
            .filter(|entry| entry.file_name().to_str().is_some_and(is_id))
            .filter_map(|entry| {
                let dir = entry.path();
                let record: NotificationRecord = read(&dir.join("event.json"))?;
                let named = entry.file_name() == record.event.id.as_str();
                named.then(|| (record, read(&dir.join("delivery.json")).unwrap_or_default()))
            })
            .collect();
        all.sort_by(|(a, _), (b, _)| a.event.created_at.total_cmp(&b.event.created_at));
        all
    }

    /// Keeps a new one. False when there is one of that id already.
    pub fn add(&self, record: &NotificationRecord, delivery: &Delivery) -> io::Result<bool> {
        fs::create_dir_all(&self.dir)?;
        let dir = self.dir.join(&record.event.id);
        match fs::create_dir(&dir) {
            Ok(()) => {}
            // One that was interrupted before it was whole is told after all.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if read::<NotificationRecord>(&dir.join("event.json")).is_some() {
                    return Ok(false);
                }
            }
            Err(error) => return Err(error),
        }
        write_atomic(&dir.join("event.json"), &serde_json::to_vec_pretty(record)?, 0o600)?;
        self.write_delivery(&record.event.id, delivery)?;
        Ok(true)
    }

    /// Keeps who has been told.
    pub fn write_delivery(&self, id: &str, delivery: &Delivery) -> io::Result<()> {
        let path = self.dir.join(id).join("delivery.json");
        write_atomic(&path, &serde_json::to_vec_pretty(delivery)?, 0o600)
    }
}

fn is_id(name: &str) -> bool {
    (2..=20).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    let bytes = read_regular(path, MAX_RECORD).ok()??;
    serde_json::from_slice(&bytes)
        .inspect_err(|error| tracing::warn!(%error, "{} is damaged", path.display()))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(id: &str) -> NotificationRecord {
        serde_json::from_value(json!({
            "id": id, "category": "task", "type": "task.completed", "source_kind": "background_task",
            "source_id": "bash-1", "title": "t", "body": "b", "severity": "success",
            "created_at": 1.5, "dedupe_key": "k", "targets": ["llm"], "of_another_version": 1
        }))
        .unwrap()
    }

    #[test]
    fn what_is_kept_is_kept_once_and_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let store = NotificationStore::new(dir.path());
        assert!(store.load().is_empty());
        let mut delivery = Delivery::default();
        delivery.sinks.wire.ack(2.0);
        assert!(store.add(&record("n1"), &delivery).unwrap());
        assert!(!store.add(&record("n1"), &Delivery::default()).unwrap());
        assert_eq!(store.load(), [(record("n1"), delivery)]);
        let text = fs::read_to_string(dir.path().join("notifications/n1/delivery.json")).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let pending = json!({"status": "pending", "claimed_at": null, "acked_at": null});
        assert_eq!(value["sinks"]["llm"], pending);
        assert_eq!(value["sinks"]["wire"]["status"], "acked");
    }

    #[test]
    fn damage_loses_one_and_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let store = NotificationStore::new(dir.path());
        for id in ["n1", "n2", "n3"] {
            store.add(&record(id), &Delivery::default()).unwrap();
        }
        let at = |name: &str| dir.path().join("notifications").join(name);
        fs::write(at("n1/event.json"), "{").unwrap();
        fs::write(at("n2/delivery.json"), "\0").unwrap();
        fs::rename(at("n3"), at("n4")).unwrap();
        fs::create_dir(at("n5")).unwrap();
        fs::write(at("n6"), "x").unwrap();
        let loaded = store.load();
        assert_eq!(loaded, [(record("n2"), Delivery::default())]);
        assert!(store.add(&record("n5"), &Delivery::default()).unwrap(), "it was never whole");
    }

    #[test]
    fn a_claim_does_not_last() {
        let mut sink = Sink::default();
        assert!(sink.is_due(0.0, 15.0));
        sink = Sink { status: DeliveryStatus::Claimed, claimed_at: Some(100.0), acked_at: None };
        assert!(!sink.is_due(110.0, 15.0) && sink.is_due(116.0, 15.0));
        sink.ack(117.0);
        assert!(!sink.is_due(1e9, 15.0));
    }
}
