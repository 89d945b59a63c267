//! How a subagent has ended, in words for the model.

use std::path::Path;

use super::engage::Identity;
use super::run::{Ended, Fault};
use crate::protocol::{DisplayBlock, ToolReturnValue};

/// The longest report that the caller gets whole, in bytes.
pub const MAX_REPORT: usize = 50_000;

/// The result of a call whose agent has ended. `dir` is the agent's directory.
pub fn result(
    identity: &Identity,
    ended: &Ended,
    timeout_s: Option<u64>,
    dir: &Path,
) -> ToolReturnValue {
    let brief = |words: &str| format!("{} {words}", identity.kind);
    match ended {
        Ended::Completed(text) => {
            let head = lines(identity, "completed");
            let text = shortened(text, MAX_REPORT, dir);
            let mut value = ToolReturnValue::ok(format!("{head}\n\n[summary]\n{text}"), "");
            value.display = vec![DisplayBlock::Brief { text: brief("has reported") }];
            value
        }
        Ended::Failed(Fault { message, brief }) => {
            ToolReturnValue::error(message, brief.as_str()).with_output(lines(identity, "failed"))
        }
        Ended::Stopped => ToolReturnValue::error(
            "The agent was stopped. What it has done until then stays.",
            "Agent stopped",
        )
        .with_output(lines(identity, "killed")),
        Ended::TimedOut => {
            let seconds = timeout_s.unwrap_or_default();
            ToolReturnValue::error(
                format!(
                    "Agent timed out ({seconds}s). What it has done until then stays; resume it to let \
                     it go on."
                ),
                format!("Agent timed out ({seconds}s)"),
            )
            .with_output(lines(identity, "failed"))
        }
    }
}

/// Who the agent is and where it stands.
pub fn lines(identity: &Identity, status: &str) -> String {
    let Identity { id, resumed, requested, kind } = identity;
    let requested = requested
        .as_ref()
        .map_or_else(String::new, |requested| format!("requested_subagent_type: {requested}\n"));
    format!(
        "agent_id: {id}\nresumed: {resumed}\n{requested}actual_subagent_type: {kind}\nstatus: {status}"
    )
}

/// A report that is no longer than `most` bytes; where it is cut the file with the whole is named.
pub fn shortened(text: &str, most: usize, dir: &Path) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let mut end = most;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let path = dir.join("last_message.md");
    format!(
        "{}\n[cut after {most} bytes; ReadFile `{}` has the whole]",
        text.get(..end).unwrap_or_default(),
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity {
            id: "a00000001".into(),
            resumed: true,
            requested: Some("plan".into()),
            kind: "coder".into(),
        }
    }

    #[test]
    fn a_report_stands_below_who_wrote_it() {
        let ended = Ended::Completed("All done.".into());
        let value = result(&identity(), &ended, None, Path::new("/s"));
        assert_eq!(
            value.output.text(),
            "agent_id: a00000001\nresumed: true\nrequested_subagent_type: plan\n\
             actual_subagent_type: coder\nstatus: completed\n\n[summary]\nAll done."
        );
        assert!(!value.is_error);
    }

    #[test]
    fn who_failed_can_be_resumed() {
        let value = result(&identity(), &Ended::TimedOut, Some(30), Path::new("/s"));
        assert!(value.is_error && value.message.starts_with("Agent timed out (30s)."));
        assert!(value.output.text().contains("agent_id: a00000001\n"));
        assert!(value.output.text().ends_with("status: failed"));
    }

    #[test]
    fn every_end_has_its_brief_and_says_who_it_was() {
        let failed =
            Ended::Failed(Fault { message: "No.".into(), brief: "Max steps reached".into() });
        for (ended, is_error, brief, status) in [
            (Ended::Completed("x".into()), false, "coder has reported", "completed"),
            (failed, true, "Max steps reached", "failed"),
            (Ended::Stopped, true, "Agent stopped", "killed"),
            (Ended::TimedOut, true, "Agent timed out (30s)", "failed"),
        ] {
            let value = result(&identity(), &ended, Some(30), Path::new("/s"));
            assert_eq!(value.is_error, is_error, "{ended:?}");
            assert_eq!(value.display, [DisplayBlock::Brief { text: brief.into() }]);
            let head = format!(
                "agent_id: a00000001\nresumed: true\nrequested_subagent_type: plan\n\
                 actual_subagent_type: coder\nstatus: {status}"
            );
            assert!(value.output.text().starts_with(&head), "{}", value.output.text());
        }
    }

    #[test]
    fn a_flood_is_cut_between_letters_and_the_whole_is_named() {
        let text = "é".repeat(MAX_REPORT);
        let cut = shortened(&text, 1001, Path::new("/s/a1"));
        assert!(cut.starts_with(&"é".repeat(500)) && !cut.starts_with(&"é".repeat(501)));
        assert!(cut.ends_with("`/s/a1/last_message.md` has the whole]"), "{cut}");
    }
}
