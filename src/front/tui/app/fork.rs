//! `/fork`: going on in a copy of the session.

use super::App;
use crate::front::host::Which;
use crate::front::text::clean_line;
use crate::front::tui::cells::Severity;

impl App {
    pub(super) fn fork(&mut self, title: &str) {
        let session = self.session.session();
        if self.host.store.is_empty(session) {
            return self.say(Severity::Info, "There is nothing to fork yet.", "");
        }
        let title = Some(clean_line(title)).filter(|title| !title.trim().is_empty());
        self.jobs.switch(Which::Fork { of: session.clone(), title });
    }
}
