//! Overlays: what a person opens over the transcript.

use std::time::{SystemTime, UNIX_EPOCH};

use super::{App, TuiError};
use crate::front::host::Which;
use crate::front::tui::cells::{Severity, relative_time};
use crate::front::tui::overlays::{
    GoalPicker, ModelItem, ModelPicker, Overlay, OverlayReply, RewindPicker, ServerPicker,
    ServerSheet, SessionItem, SessionPicker, TaskBrowser, ThemePicker, Thinking,
};
use crate::front::tui::theme::Theme;
use crate::protocol::GoalAct;
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::Size;

/// An open overlay.
pub(super) enum Pane {
    Sessions(SessionPicker),
    Servers(ServerPicker),
    Server(ServerSheet),
    Rewind(Box<RewindPicker>),
    Tasks(TaskBrowser),
    Goals(GoalPicker),
    Other(Box<dyn Overlay>),
}

impl Pane {
    pub fn other(overlay: impl Overlay + 'static) -> Self {
        Self::Other(Box::new(overlay))
    }

    fn overlay(&mut self) -> &mut dyn Overlay {
        match self {
            Self::Sessions(picker) => picker,
            Self::Servers(picker) => picker,
            Self::Server(sheet) => sheet,
            Self::Rewind(picker) => picker.as_mut(),
            Self::Tasks(browser) => browser,
            Self::Goals(picker) => picker,
            Self::Other(overlay) => overlay.as_mut(),
        }
    }
}

impl App {
    pub(super) fn open_pane(&mut self, pane: Pane) -> Result<(), TuiError> {
        self.pane = Some(pane);
        self.screen.cover()?;
        self.redraw_pane()
    }

    /// Closes the overlay; the docked screen is drawn as it is now.
    pub(super) fn close_pane(&mut self) -> Result<(), TuiError> {
        if self.pane.take().is_some() {
            self.screen.uncover()?;
            self.dirty = true;
        }
        Ok(())
    }

    /// Closes the overlay because a turn begins or ends, and a program that has begun it, or reads the
    /// screen, looks for what is below. A choice that was not made counts for nothing. Who reads on
    /// while a turn of their own ends is left alone.
    pub(super) fn make_way(&mut self, by_program: bool) -> Result<(), TuiError> {
        if !by_program && !self.orchestrated() {
            return Ok(());
        }
        let size = self.pane_size();
        let Some(pane) = &mut self.pane else { return Ok(()) };
        let reply = pane.overlay().key(KeyEvent::from(KeyCode::Esc), size);
        if let OverlayReply::RestoreTheme(name) = reply {
            self.set_theme(&name);
        }
        self.picker_at_start = false;
        self.close_pane()
    }

    pub(super) fn redraw_pane(&mut self) -> Result<(), TuiError> {
        let size = self.pane_size();
        if let Some(pane) = &mut self.pane {
            let rows = pane.overlay().rows(size, &self.theme);
            self.screen.draw_overlay(&rows)?;
        }
        Ok(())
    }

    pub(super) fn pane_key(&mut self, key: KeyEvent) -> Result<(), TuiError> {
        let size = self.pane_size();
        let Some(pane) = &mut self.pane else { return Ok(()) };
        let reply = pane.overlay().key(key, size);
        self.pane_reply(reply)
    }

    pub(super) fn pane_paste(&mut self, text: &str) -> Result<(), TuiError> {
        let Some(pane) = &mut self.pane else { return Ok(()) };
        let reply = pane.overlay().paste(text);
        self.pane_reply(reply)
    }

    fn pane_reply(&mut self, reply: OverlayReply) -> Result<(), TuiError> {
        match reply {
            OverlayReply::Ignored => return Ok(()),
            OverlayReply::Redraw => {}
            OverlayReply::Close => {
                self.close_pane()?;
                if self.picker_at_start {
                    self.leaving = true;
                }
            }
            OverlayReply::Picked(_) => self.close_pane()?,
            OverlayReply::Session(id) => {
                self.close_pane()?;
                self.picker_at_start = false;
                if id == self.info.session_id {
                    self.toast("session", "this session is open already");
                } else {
                    self.go_to_picked(id);
                }
            }
            OverlayReply::AllDirectories(all) => self.refill_sessions(all),
            OverlayReply::ArchiveSession(id) => self.archive_session(&id),
            OverlayReply::DeleteSession(id) => self.delete_session(&id),
            OverlayReply::Model { name, thinking } => {
                self.close_pane()?;
                self.choose_model(&name, Some(thinking));
            }
            OverlayReply::Server(name) => return self.open_server(&name),
            OverlayReply::ServerList => return self.open_servers(),
            OverlayReply::KeepServer(name) => self.keep_server(name),
            OverlayReply::LogInToServer(name) => {
                // The address for the browser stands below.
                self.close_pane()?;
                self.log_in(&name);
            }
            OverlayReply::ReconnectServer(name) => self.reconnect_server(&name),
            OverlayReply::ToggleServer(name) => self.toggle_server(&name),
            OverlayReply::RewindPlan(point) => self.want_rewind_plan(point),
            OverlayReply::RewindDiff => {
                if let Some(Pane::Rewind(picker)) = &mut self.pane {
                    picker.show_diff(&self.theme);
                }
            }
            OverlayReply::Rewind(request) => {
                self.close_pane()?;
                return self.rewind(request);
            }
            OverlayReply::LookAtTask(id) => self.look_at_task(id),
            OverlayReply::StopTask(id) => self.stop_task(&id),
            OverlayReply::FirstGoal(id) => self.change_goal(GoalAct::First { id }),
            OverlayReply::UnqueueGoal(id) => self.change_goal(GoalAct::Unqueue { id }),
            OverlayReply::PreviewTheme(name) => self.set_theme(&name),
            OverlayReply::Theme(name) => {
                self.close_pane()?;
                self.choose_theme(&name);
            }
            OverlayReply::RestoreTheme(name) => {
                self.close_pane()?;
                self.set_theme(&name);
            }
        }
        self.redraw_pane()
    }

    /// A session of another directory is not opened here: its files are elsewhere.
    fn go_to_picked(&mut self, id: String) {
        let elsewhere = self
            .host
            .sessions(true)
            .into_iter()
            .find(|known| known.session.id == id)
            .map(|known| known.session.work_dir)
            .filter(|dir| *dir != self.host.options.work_dir);
        match elsewhere {
            None => self.jobs.switch(Which::Id(id)),
            Some(dir) => self.say(
                Severity::Info,
                "That session belongs to another directory. To go on with it:",
                &format!("kimi --work-dir {} --session {id}", dir.display()),
            ),
        }
    }

    pub(super) fn open_session_picker(&mut self, all: bool) -> Result<(), TuiError> {
        let items = self.session_items(all);
        if items.is_empty() {
            self.say(Severity::Info, "No sessions found for the working directory.", "");
            self.leaving |= self.picker_at_start;
            return Ok(());
        }
        self.open_pane(Pane::Sessions(SessionPicker::new(items, all)))
    }

    fn refill_sessions(&mut self, all: bool) {
        let items = self.session_items(all);
        if let Some(Pane::Sessions(picker)) = &mut self.pane {
            picker.set_items(items);
        }
    }

    fn delete_session(&mut self, id: &str) {
        let doomed = self.host.sessions(true).into_iter().find(|known| known.session.id == id);
        if id == self.info.session_id {
            self.toast("session", "the open session cannot be deleted");
        } else if let Some(known) = doomed
            && let Err(error) = self.host.store.delete(&known.session)
        {
            self.toast("session", &error.to_string());
        }
        self.refill_list();
    }

    fn archive_session(&mut self, id: &str) {
        let now = self.env.unix_now();
        let known = self.host.sessions(true).into_iter().find(|known| known.session.id == id);
        if let Some(known) = known
            && let Err(error) = self.host.store.set_archived(&known.session, !known.archived, now)
        {
            self.toast("session", &error.to_string());
        }
        self.refill_list();
    }

    /// Fills the list as it is: of one directory or of all.
    fn refill_list(&mut self) {
        if let Some(Pane::Sessions(picker)) = &self.pane {
            self.refill_sessions(picker.is_of_all());
        }
    }

    fn session_items(&self, all: bool) -> Vec<SessionItem> {
        let now = self.env.unix_now();
        let mut sessions = self.host.sessions(all);
        // Those that were put away come last.
        sessions.sort_by_key(|known| known.archived);
        sessions
            .into_iter()
            .map(|known| SessionItem {
                title: known.title,
                when: relative_time(now, unix(known.updated)),
                directory: all.then(|| self.tilde(&known.session.work_dir.display().to_string())),
                current: known.session.id == self.info.session_id,
                archived: known.archived,
                id: known.session.id,
            })
            .collect()
    }

    pub(super) fn open_model_picker(&mut self) -> Result<(), TuiError> {
        let config = self.host.config();
        let items: Vec<ModelItem> = config
            .models
            .iter()
            .map(|(name, model)| {
                let has = |what: &str| model.capabilities.iter().any(|known| known == what);
                ModelItem {
                    name: name.clone(),
                    display: model.display_name.clone().unwrap_or_default(),
                    detail: format!(
                        "{} · {} tokens",
                        model.provider,
                        crate::front::tui::cells::count(model.max_context_size)
                    ),
                    thinking: match (has("always_thinking"), has("thinking")) {
                        (true, _) => Thinking::Always,
                        (false, true) => Thinking::Optional,
                        (false, false) => Thinking::Never,
                    },
                    current: self.info.model.as_deref() == Some(name),
                }
            })
            .collect();
        if items.is_empty() {
            self.say(
                Severity::Info,
                "No models are configured.",
                "Set KIMI_API_KEY, or add a provider and a model to config.toml (see the README).",
            );
            return Ok(());
        }
        self.open_pane(Pane::other(ModelPicker::new(items, self.info.thinking)))
    }

    pub(super) fn open_theme_picker(&mut self) -> Result<(), TuiError> {
        let mut names: Vec<String> =
            Theme::builtin_names().into_iter().map(str::to_owned).collect();
        names.extend(Theme::user_names(&self.host.store.share().root().join("themes")));
        names.dedup();
        let picker = ThemePicker::new(&names, &self.theme.name);
        self.open_pane(Pane::other(picker))
    }

    pub(super) fn pane_size(&mut self) -> Size {
        let size = self.screen.docked().size();
        Size::new(size.columns, size.rows)
    }
}

fn unix(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
