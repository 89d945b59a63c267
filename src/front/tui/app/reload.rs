//! `/reload`: the configuration read anew, the same session going on with it.

use std::sync::Arc;

use super::{App, SHORT_END, TuiError};
use crate::config::{self, Config};
use crate::customize::hooks::HookSet;
use crate::front::host::{Host, Opened, Which};
use crate::front::tui::cells::Severity;
use crate::tasks::Counts;

impl App {
    /// Asks for it. What would be lost on the way keeps it from happening.
    pub(super) fn reload(&mut self) {
        if self.host.loaded.path.is_none() {
            let why =
                "The configuration was given on the command line: there is nothing to read anew.";
            return self.say(Severity::Info, why, "");
        }
        if self.session.tasks().counts() != Counts::default() {
            let why = "Background tasks run, and they would end. Stop them with /task first.";
            return self.say(Severity::Warning, why, "");
        }
        self.pending_reload = true;
    }

    /// Opens the session once more, with the configuration as it is now. One that cannot be used
    /// changes nothing.
    pub(super) async fn carry_out_reload(&mut self) -> Result<(), TuiError> {
        let host = match self.host_anew() {
            Ok(host) => host,
            Err(why) => {
                self.say(Severity::Error, "The configuration stays as it was.", &why);
                return Ok(());
            }
        };
        // The session first lets go: who opens it beside another cannot undo turns.
        let id = self.session.session().id.clone();
        self.session.end(Some(SHORT_END)).await;
        let Opened { handle, tour, warnings, .. } = host.open(&Which::Id(id))?;
        self.host = host;
        self.messages = handle.subscribe();
        self.session = handle;
        self.info = self.session.info();
        self.tour = tour;
        self.context = (self.session.context_tokens().await, self.info.max_context_tokens);
        self.transcript.show_thinking(self.host.config().show_thinking_stream);
        self.clear_dialogs();
        self.side = None;
        self.watch_tasks();
        self.take_goal_of_session();
        self.look_for_skills();
        let theme = self.host.config().theme.clone();
        self.set_theme(&theme);
        let path = self.host.loaded.path.as_ref().map(|path| path.display().to_string());
        let title = format!("Read anew: {}", self.tilde(&path.unwrap_or_default()));
        self.say(Severity::Info, &title, "");
        for warning in self.host.loaded.warnings.clone().iter().chain(&warnings) {
            self.say(Severity::Warning, warning, "");
        }
        Ok(())
    }

    fn host_anew(&self) -> Result<Host, String> {
        let mut loaded =
            Config::load(&self.host.loaded.source, &self.env).map_err(|error| error.to_string())?;
        loaded.warnings.extend(loaded.config.unused_warning());
        // The session is closed only when it can be opened again.
        config::select(&loaded.config, self.host.options.model.as_deref(), &self.env)
            .map_err(|error| error.to_string())?;
        let hooks = HookSet::new(&loaded.config.hooks);
        loaded.warnings.extend(hooks.warnings.iter().cloned());
        let mut options = (*self.host.options).clone();
        options.hooks = Arc::new(hooks);
        Ok(Host { options: Arc::new(options), loaded: Arc::new(loaded), ..self.host.clone() })
    }
}
