//! What a server reports of itself by the protocol (`notifications/message`), on its way to its log
//! file.

use serde_json::Value;
use tokio::sync::mpsc;

use super::tidy::one_line;
use super::transport::ServerLog;

/// Lines that wait for the disk; what comes then is left out.
const WAITING: usize = 256;
/// Characters of a report in the file, and of the name of who made it.
const MAX_REPORT: usize = 2_000;
const MAX_LOGGER: usize = 64;
/// Characters of a line on the screen.
const MAX_SHOWN: usize = 200;
/// The levels that are worth a look while a call runs.
const GRAVE: [&str; 5] = ["warning", "error", "critical", "alert", "emergency"];

/// Takes reports, until it is dropped.
pub(super) struct Journal(mpsc::Sender<String>);

impl Journal {
    /// Writes to the log of a server. Call it inside the runtime.
    pub fn keep(log: ServerLog) -> Self {
        let (lines, mut waiting) = mpsc::channel::<String>(WAITING);
        tokio::spawn(async move {
            while let Some(line) = waiting.recv().await {
                log.write(line.as_bytes()).await;
            }
        });
        Self(lines)
    }

    /// Keeps a report, the parameters of `notifications/message`; returns the line for the screen, if
    /// it is grave enough for one.
    pub fn take(&self, report: &Value) -> Option<String> {
        let line = line(report, MAX_REPORT);
        // A disk that does not keep up loses lines, not memory.
        let _ = self.0.try_send(line);
        let level = report.get("level").and_then(Value::as_str).unwrap_or_default();
        GRAVE.contains(&level).then(|| one_line(&self::line(report, MAX_REPORT), MAX_SHOWN))
    }
}

/// `[warning] db.pool: no connection is left`
fn line(report: &Value, limit: usize) -> String {
    let text = |key: &str| report.get(key).and_then(Value::as_str);
    let level = one_line(text("level").unwrap_or("info"), MAX_LOGGER);
    let logger = one_line(text("logger").unwrap_or_default(), MAX_LOGGER);
    let said = match report.get("data") {
        Some(Value::String(said)) => one_line(said, limit),
        Some(data) => one_line(&data.to_string(), limit),
        None => String::new(),
    };
    let from = if logger.is_empty() { String::new() } else { format!("{logger}: ") };
    format!("[{level}] {from}{said}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    #[test]
    fn a_report_is_one_clean_line() {
        let hostile = json!({"level": "error", "logger": "a\nb", "data": "x\u{1b}[2J\r\n[info] y"});
        assert_eq!(line(&hostile, 100), "[error] a b: x [info] y");
        assert_eq!(line(&json!({"level": "info", "data": {"n": 1}}), 100), "[info] {\"n\":1}");
        assert_eq!(line(&json!({"data": "x".repeat(9_000)}), 100).chars().count(), 107);
    }

    #[tokio::test]
    async fn all_of_it_is_in_the_file_and_what_is_grave_on_the_screen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mcp/s.log");
        let journal = Journal::keep(ServerLog::new(path.clone()));
        assert_eq!(journal.take(&json!({"level": "debug", "data": "quiet"})), None);
        let shown = journal.take(&json!({"level": "warning", "logger": "l", "data": "loud"}));
        assert_eq!(shown.unwrap(), "[warning] l: loud");
        let expected = "[debug] quiet\n[warning] l: loud\n";
        let written = async {
            while std::fs::read_to_string(&path).unwrap_or_default() != expected {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), written).await.unwrap();
    }
}
