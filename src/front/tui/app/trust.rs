//! Questions of the program itself, which belong to no turn: may a project's MCP servers start?

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::App;
use crate::front::tui::cells::Severity;
use crate::front::tui::dialogs::TrustDialog;
use crate::front::tui::side_panel::SidePanel;
use crate::mcp::project::ProjectFile;
use crate::protocol::{Op, Response};

/// The questions that belong to no turn.
pub(super) struct Asking {
    /// Whether somebody sits there.
    can_ask: bool,
    /// The files that are asked about, by the id of their question.
    open: Vec<(String, PathBuf)>,
    /// When the first of the questions came.
    since: Option<Instant>,
}

impl Asking {
    pub fn new(can_ask: bool) -> Self {
        Self { can_ask, open: Vec::new(), since: None }
    }

    fn is_open(&self, path: &Path) -> bool {
        self.open.iter().any(|(_, open)| open == path)
    }

    fn is_about(&self, id: &str) -> bool {
        self.open.iter().any(|(open, _)| open == id)
    }
}

impl App {
    /// Asks about the files that wait, once more about those that were put off. A program that drives us
    /// could not know what it agrees to: it is told instead. False when none waits.
    pub(super) fn ask_for_trust(&mut self) -> bool {
        let Some(servers) = self.host.options.mcp.clone() else { return false };
        let now = self.now();
        let unasked = servers.unasked();
        let any = !unasked.is_empty();
        for file in unasked {
            if self.asking.is_open(&file.path) {
                continue;
            }
            if !self.asking.can_ask || self.orchestrated() {
                self.say(Severity::Info, &file.unasked_line(), "");
                continue;
            }
            let id = format!("trust-{}", self.env.ids.uuid());
            self.dialogs.push_back(Box::new(TrustDialog::new(&id, &file, now)));
            let ProjectFile { path, .. } = file;
            self.asking.open.push((id, path));
            self.asking.since.get_or_insert(now);
            self.dirty = true;
        }
        any
    }

    /// Takes the answer to a question, whosever it is.
    pub(super) fn answered(&mut self, response: Response) {
        let about = match &response {
            Response::Question(answer) => {
                let id = &answer.request_id;
                let at = self.asking.open.iter().position(|(open, _)| open == id);
                at.map(|at| (self.asking.open.remove(at).1, TrustDialog::verdict(answer)))
            }
            _ => None,
        };
        let Some((path, verdict)) = about else {
            self.session.submit(Op::Answer { response });
            return;
        };
        if let Some(servers) = self.host.options.mcp.clone() {
            self.jobs.decide(servers, path, verdict);
        }
        if self.asking.open.is_empty() {
            self.asking.since = None;
        }
    }

    /// What a turn or a session has asked is void; what the program has asked is not.
    pub(super) fn clear_dialogs(&mut self) {
        let asking = &self.asking;
        self.dialogs.retain(|dialog| asking.is_about(dialog.request_id()));
    }

    /// Since when the spinner turns: with a turn, and with a question, also without one.
    pub(super) fn spinning_since(&self) -> Option<Instant> {
        let asked = self.dialogs.front().and(self.asking.since);
        let beside = self.side.as_ref().and_then(SidePanel::answering);
        self.turn.as_ref().map(|turn| turn.since).or(asked).or(beside)
    }
}
