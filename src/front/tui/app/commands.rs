//! The slash commands that the screen carries out.

use crossterm::event::KeyCode;
use ratatui::text::{Line, Span};

use super::panes::Pane;
use super::{App, TuiError};
use crate::config::set_key;
use crate::front::host::Which;
use crate::front::text::{clean_line, wrap_line};
use crate::front::tui::cells::{Severity, count};
use crate::front::tui::commands::{self, Command};
use crate::front::tui::composer::{SlashArgs, SlashCommand};
use crate::front::tui::overlays::{Overlay, Pager};
use crate::front::tui::theme::{Theme, Tone};
use crate::protocol::Op;

/// The commands as the composer's menu offers them.
pub(super) fn menu() -> Vec<SlashCommand> {
    let screen = commands::COMMANDS
        .iter()
        .map(|entry| slash(entry.name, entry.aliases, entry.description, entry.arguments));
    let agent = commands::agent_commands().map(|command| {
        slash(command.name, command.aliases, command.description, command.arguments)
    });
    let mut all: Vec<_> = screen.chain(agent).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

fn slash(name: &str, aliases: &[&str], description: &str, arguments: &str) -> SlashCommand {
    let args = match arguments {
        "" => None,
        "[on|off]" | "[on|off|view|clear]" => {
            let words = arguments.trim_matches(['[', ']']).split('|');
            Some(SlashArgs::Choice(words.map(str::to_owned).collect()))
        }
        free => Some(SlashArgs::Free(free.to_owned())),
    };
    SlashCommand {
        name: name.to_owned(),
        aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
        description: description.to_owned(),
        args,
    }
}

impl App {
    pub(super) fn run_command(
        &mut self,
        command: Command,
        arguments: &str,
    ) -> Result<(), TuiError> {
        match command {
            Command::Exit => self.leaving = true,
            Command::Debug => self.dump_context(),
            Command::Login => self.sign_in(),
            Command::Logout => self.sign_out(),
            Command::Doctor => self.examine(),
            Command::Reload => self.reload(),
            Command::Undo => self.undo(arguments),
            Command::Redo => self.redo(),
            Command::Help => return self.open_help(),
            Command::Hooks => return self.open_hooks(),
            Command::Version => {
                let line = format!("kimi, version {}", env!("CARGO_PKG_VERSION"));
                self.say(Severity::Info, &line, "");
            }
            Command::Fork => self.fork(arguments),
            Command::New => self.jobs.switch(Which::New),
            Command::Sessions if arguments.is_empty() => return self.open_session_picker(false),
            Command::Sessions => self.go_to_session(arguments),
            Command::Model if arguments.is_empty() => return self.open_model_picker(),
            Command::Model => self.choose_model(arguments, None),
            Command::Task => return self.task_command(arguments),
            Command::Theme if arguments.is_empty() => return self.open_theme_picker(),
            Command::Theme => self.choose_theme(arguments),
            Command::Btw => self.ask_beside(arguments),
            Command::Mcp => return self.mcp_command(arguments),
            Command::Yolo => self.toggle_mode(Command::Yolo, arguments),
            Command::Plan => return self.plan_command(arguments),
            Command::Afk => self.toggle_mode(Command::Afk, arguments),
            Command::Title => self.title(arguments),
            Command::Copy => self.copy_last_answer(),
            Command::Usage => self.show_usage(),
            Command::Status => self.show_status(),
            Command::Transcript => return self.open_transcript(),
        }
        Ok(())
    }

    fn toggle_mode(&mut self, command: Command, argument: &str) {
        let is_yolo = command == Command::Yolo;
        let now = if is_yolo { self.info.yolo } else { self.info.afk };
        let wanted = match argument {
            "" => !now,
            "on" => true,
            "off" => false,
            other => {
                let title = format!("\"{other}\" is neither on nor off.");
                return self.say(Severity::Warning, &title, "");
            }
        };
        let (yolo, afk) = if is_yolo { (Some(wanted), None) } else { (None, Some(wanted)) };
        self.session.submit(Op::SetApproval { yolo, afk });
        let words = match (is_yolo, wanted) {
            (true, true) => "Yolo is on: every action is approved without asking.",
            (true, false) if self.info.afk => {
                "Yolo is off, but unattended mode still approves everything. Use /afk off."
            }
            (true, false) => "Yolo is off: actions need your approval.",
            (false, true) => {
                "Unattended mode is on: every action is approved and no question is asked."
            }
            (false, false) if self.info.yolo => {
                "Unattended mode is off: questions are asked again. Yolo still approves everything."
            }
            (false, false) => "Unattended mode is off: you are asked again.",
        };
        self.say(Severity::Info, words, "");
    }

    /// Switches plan mode. The screen need not wait for the agent to say so.
    pub(super) fn set_plan_mode(&mut self, on: bool) {
        self.session.submit(Op::SetPlanMode { enabled: on });
        self.plan_mode_is(on);
    }

    /// Takes note of plan mode, whoever switched it.
    pub(super) fn plan_mode_is(&mut self, on: bool) {
        if self.info.plan_mode != on {
            self.info.plan_mode = on;
            self.toast("plan", if on { "plan mode ON" } else { "plan mode OFF" });
        }
    }

    fn plan_command(&mut self, argument: &str) -> Result<(), TuiError> {
        match argument {
            "" => self.set_plan_mode(!self.info.plan_mode),
            "on" => self.set_plan_mode(true),
            "off" => self.set_plan_mode(false),
            // The plan is the agent's.
            _ => {
                let queued = self.take_in_text(&format!("/plan {argument}"));
                if !self.busy() {
                    return self.start_turn(queued);
                }
                self.queue.push_back(queued);
            }
        }
        Ok(())
    }

    fn title(&mut self, text: &str) {
        if text.is_empty() {
            let title = self.info.title.clone().unwrap_or_else(|| "Untitled".to_owned());
            return self.say(Severity::Info, &format!("Title: {title}"), "");
        }
        let title: String = clean_line(text).chars().take(200).collect();
        self.session.submit(Op::SetTitle { title: title.clone() });
        self.say(Severity::Info, &format!("Title: {title}"), "");
    }

    fn copy_last_answer(&mut self) {
        match self.transcript.past().last_answer() {
            Some(text) => self.jobs.copy(text.to_owned()),
            None => self.say(Severity::Info, "There is no answer to copy yet.", ""),
        }
    }

    fn go_to_session(&mut self, wanted: &str) {
        let sessions = self.host.sessions(false);
        let hits: Vec<_> = sessions
            .iter()
            .filter(|session| {
                session.session.id.starts_with(wanted)
                    || session.title.to_lowercase().contains(&wanted.to_lowercase())
            })
            .collect();
        match hits.as_slice() {
            [one] => self.jobs.switch(Which::Id(one.session.id.clone())),
            [] => self.say(
                Severity::Warning,
                &format!("No session of this directory matches \"{wanted}\"."),
                "Use /sessions to choose from a list.",
            ),
            several => {
                let title = format!("{} sessions match \"{wanted}\".", several.len());
                self.say(Severity::Warning, &title, "Use /sessions to choose from a list.");
            }
        }
    }

    /// Uses another model, and makes it the default when the configuration is the user's own file.
    pub(super) fn choose_model(&mut self, name: &str, thinking: Option<bool>) {
        if !self.host.config().models.contains_key(name) {
            let known: Vec<_> = self.host.config().models.keys().cloned().collect();
            let body = if known.is_empty() {
                "No models are configured.".to_owned()
            } else {
                format!("Configured: {}", known.join(", "))
            };
            return self.say(Severity::Warning, &format!("There is no model \"{name}\"."), &body);
        }
        self.session.submit(Op::SetModel { model: Some(name.to_owned()), thinking });
        if let Err(error) = self.host.keep_model(name, thinking) {
            self.say(
                Severity::Warning,
                "The choice holds, but could not be saved.",
                &error.to_string(),
            );
        }
        self.tour = false;
        self.say(
            Severity::Info,
            &format!("Model: {name}"),
            "The provider's prompt cache starts afresh.",
        );
    }

    /// Uses another theme from now on.
    pub(super) fn choose_theme(&mut self, name: &str) {
        let (theme, warnings) =
            Theme::load(name, Some(&self.host.store.share().root().join("themes")));
        if theme.name != name {
            let body = format!("Built in: {}", Theme::builtin_names().join(", "));
            let title =
                warnings.first().cloned().unwrap_or_else(|| format!("No theme \"{name}\"."));
            return self.say(Severity::Warning, &title, &body);
        }
        self.set_theme(name);
        if let Some(path) = self.host.own_config()
            && let Err(error) = set_key(&path, &["theme"], name)
        {
            self.say(Severity::Warning, "The theme could not be saved.", &error.to_string());
        }
    }

    fn show_usage(&mut self) {
        let usage = self.usage;
        let cached = if usage.input() == 0 {
            String::new()
        } else {
            format!(" ({}% from cache)", usage.input_cache_read * 100 / usage.input())
        };
        let (tokens, max) = self.context;
        self.facts(
            "Usage",
            &[
                ("Input", format!("{} tokens{cached}", count(usage.input()))),
                ("Output", format!("{} tokens", count(usage.output))),
                ("Context", format!("{} of {} tokens", count(tokens), count(max))),
            ],
        );
    }

    fn show_status(&mut self) {
        let info = self.info.clone();
        let mode = match (info.yolo, info.afk) {
            (_, true) => "unattended: approves everything, asks nothing",
            (true, false) => "yolo: approves everything",
            (false, false) => "asks before it acts",
        };
        let thinking = if info.thinking { "thinking" } else { "not thinking" };
        let model = info
            .model
            .clone()
            .map_or_else(|| "none".to_owned(), |name| format!("{name} ({thinking})"));
        let config = self.host.loaded.path.as_ref().map_or_else(
            || "given on the command line".to_owned(),
            |path| path.display().to_string(),
        );
        self.facts(
            "Status",
            &[
                ("Version", env!("CARGO_PKG_VERSION").to_owned()),
                ("Model", model),
                ("Directory", info.work_dir.clone()),
                ("Approvals", mode.to_owned()),
                ("Session", info.session_id.clone()),
                ("Title", info.title.unwrap_or_else(|| "Untitled".to_owned())),
                ("Records", info.session_dir.clone()),
                ("Config", config),
                ("Theme", self.theme.name.clone()),
            ],
        );
    }

    /// Rows `name  value` under a heading in the transcript. Nothing is cut: these are for copying.
    pub(super) fn facts(&mut self, heading: &'static str, facts: &[(&str, String)]) {
        let columns = usize::from(self.columns());
        let heading = Span::styled(heading, self.theme.style(Tone::Heading));
        let mut rows: Vec<Line<'static>> = vec![Line::from(vec![Span::raw(" "), heading])];
        for (name, value) in facts {
            let row = Line::from(vec![
                Span::raw(" "),
                Span::styled(format!("{name:<11}"), self.theme.style(Tone::Dim)),
                Span::raw(clean_line(value)),
            ]);
            rows.extend(wrap_line(&row, columns, 12.min(columns / 2)));
        }
        rows.push(Line::default());
        self.screen.docked().commit(rows);
        self.dirty = true;
    }

    fn open_help(&mut self) -> Result<(), TuiError> {
        let mut lines = vec![self.heading("Keys")];
        let mut context = None;
        for row in self.composer.keymap().sheet() {
            if context.replace(row.context) != Some(row.context) {
                lines.push(Line::default());
                lines.push(self.heading(row.context.title()));
            }
            lines.push(self.help_row(&row.keys, row.description));
        }
        lines.push(Line::default());
        lines.push(self.heading("Commands"));
        for command in self.all_commands() {
            let arguments = match &command.args {
                None => String::new(),
                Some(SlashArgs::Free(hint)) => format!(" {hint}"),
                Some(SlashArgs::Choice(words)) => format!(" [{}]", words.join("|")),
            };
            lines.push(
                self.help_row(&format!("/{}{arguments}", command.name), &command.description),
            );
        }
        self.open_pane(Pane::other(Pager::new("Help", lines)))
    }

    pub(super) fn heading(&self, text: &str) -> Line<'static> {
        Line::from(Span::styled(text.to_owned(), self.theme.style(Tone::Heading)))
    }

    fn help_row(&self, left: &str, right: &str) -> Line<'static> {
        Line::from(vec![
            Span::raw("  "),
            Span::styled(format!("{left:<28}"), self.theme.style(Tone::Accent)),
            Span::raw(format!(" {right}")),
        ])
    }

    fn open_transcript(&mut self) -> Result<(), TuiError> {
        if self.transcript.past().is_empty() {
            self.say(Severity::Info, "Nothing has been said yet.", "");
            return Ok(());
        }
        let lines = self.transcript.past().lines(&self.theme);
        let mut pager = Pager::new("Transcript", lines);
        pager.key(KeyCode::End.into(), self.pane_size());
        self.open_pane(Pane::other(pager))
    }
}
