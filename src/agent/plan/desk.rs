//! Plan mode as tools and clients use it: whoever switches it, everybody is told.

use std::path::PathBuf;

use crate::agent::approval::ApprovalDesk;
use crate::protocol::{Event, StatusUpdate};
use crate::tools::PlanMode;

impl ApprovalDesk {
    /// Switches for a client, which hears of it however it was (wire.md section 3).
    pub(in crate::agent) fn set_plan_mode(&self, on: bool) {
        self.plan().set(on);
        // What it says tells of an earlier switch too.
        self.plan().take_switched();
        self.tell_plan_mode();
    }

    /// Tells of a switch that nobody was told of: news of a tool or a command come after what it says
    /// itself (wire.md section 6).
    pub(in crate::agent) fn tell_switched(&self) {
        if self.plan().take_switched() {
            self.tell_plan_mode();
        }
    }

    fn tell_plan_mode(&self) {
        let plan_mode = Some(self.plan().is_on());
        self.hub()
            .event(Event::StatusUpdate(StatusUpdate { plan_mode, ..StatusUpdate::default() }));
    }
}

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
        self.plan().switch(on);
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
