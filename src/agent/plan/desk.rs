//! Plan mode as tools and clients use it: whoever switches it, everybody is told.

use std::path::PathBuf;

use crate::agent::approval::ApprovalDesk;
use crate::protocol::{Event, StatusUpdate};
use crate::tools::PlanMode;

impl PlanMode for ApprovalDesk {
    fn is_on(&self) -> bool {
        self.plan().is_on()
    }

    fn is_entered_unasked(&self) -> bool {
        self.modes().auto_approve()
    }

    fn is_left_unasked(&self) -> bool {
        self.modes().unattended()
    }

    fn switch(&self, on: bool) {
        if self.plan().set(on) {
            let status = StatusUpdate { plan_mode: Some(on), ..StatusUpdate::default() };
            self.hub().event(Event::StatusUpdate(status));
        }
    }

    fn file(&self) -> Option<PathBuf> {
        self.plan().file()
    }

    fn read(&self) -> Result<Option<String>, String> {
        self.plan().read()
    }

    fn show(&self, content: &str) {
        self.hub().event(Event::PlanDisplay {
            content: content.to_owned(),
            file_path: self.file().map(|file| file.display().to_string()).unwrap_or_default(),
        });
    }
}
