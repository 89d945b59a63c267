//! The question beside the conversation, and the skills that the menu offers.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent};

use super::App;
use crate::customize::skills::Skills;
use crate::front::tui::cells::Severity;
use crate::front::tui::commands::{self, Resolved};
use crate::front::tui::composer::{SlashArgs, SlashCommand};
use crate::front::tui::side_panel::{SidePanel, SideReply};
use crate::protocol::{Event, Op};

impl App {
    /// Asks something beside the conversation and opens the panel for the answer.
    pub(super) fn ask_beside(&mut self, question: &str) {
        if question.is_empty() {
            return self.say(Severity::Info, "Usage: /btw question", "");
        }
        let id: String = self.env.ids.uuid().chars().filter(|c| *c != '-').take(12).collect();
        self.side = Some(SidePanel::new(id.clone(), question, self.now()));
        // Whoever hears of an idle instance must be able to believe it.
        self.tell();
        self.session.submit(Op::SideQuestion { id, question: question.to_owned() });
    }

    /// Closes the panel; a question that is still being answered is given up.
    pub(super) fn close_side(&mut self) {
        if let Some(panel) = self.side.take() {
            if panel.answering().is_some() {
                self.session.submit(Op::CancelSideQuestion {});
            }
            self.dirty = true;
        }
    }

    /// Whether a question beside the conversation is being answered.
    pub(super) fn answering_beside(&self) -> bool {
        self.side.as_ref().is_some_and(|panel| panel.answering().is_some())
    }

    /// Gives a key to the panel. True when it is done with; otherwise it belongs to the composer, which
    /// is shown again as soon as there is something in it.
    pub(super) fn side_key(&mut self, key: KeyEvent) -> bool {
        let writing = !self.composer.is_empty();
        let Some(panel) = &mut self.side else { return false };
        // A message that is being written goes on, whatever has been answered meanwhile.
        if writing
            && matches!(key.code, KeyCode::Enter | KeyCode::Char(_))
            && key.modifiers.is_empty()
        {
            return false;
        }
        match panel.key(key) {
            SideReply::Close => self.close_side(),
            SideReply::Redraw => {}
            SideReply::Ignored => return false,
        }
        true
    }

    /// Takes what is told of the question.
    pub(super) fn on_side_event(&mut self, event: &Event) {
        let now = self.now();
        if let Some(panel) = &mut self.side {
            panel.event(event, now);
        }
    }

    /// Looks for skills on another thread.
    pub(super) fn look_for_skills(&self) {
        self.jobs.find_skills(self.host.places());
    }

    /// The menu offers these skills from now on.
    pub(super) fn on_skills(&mut self, skills: Skills) {
        if *self.skills == skills {
            return;
        }
        match skills.problems.len() {
            0 => {}
            1 => self.toast("skills", "a skill has a problem: /skills says which"),
            n => self.toast("skills", &format!("{n} problems with skills: /skills tells them")),
        }
        self.skills = Arc::new(skills);
        self.composer.set_commands(self.all_commands());
        self.dirty |= !self.composer.is_empty();
    }

    /// The commands of the screen, of the agent, of the skills and of the MCP servers.
    pub(super) fn all_commands(&self) -> Vec<SlashCommand> {
        let mut all = super::commands::menu();
        all.extend(entries(&self.skills));
        all.extend(self.prompt_commands());
        all
    }

    /// Who carries out a line; a skill's own name is a command when no other has it.
    pub(super) fn resolve<'a>(&self, line: &'a str) -> Option<(Resolved<'a>, &'a str)> {
        match commands::resolve_line(line) {
            Some((Resolved::Unknown { name, .. }, arguments))
                if self.skills.find(name).is_some() =>
            {
                Some((Resolved::Agent, arguments))
            }
            resolved => resolved,
        }
    }

    /// The panel's rows.
    pub(super) fn side_panel_rows(
        &mut self,
        columns: u16,
        room: usize,
    ) -> Vec<ratatui::text::Line<'static>> {
        let now = self.now();
        match &mut self.side {
            Some(panel) => panel.draw(columns, room, now, &self.theme),
            None => Vec::new(),
        }
    }

    /// A turn has begun or ended that a program looks for: the answered question is in its way.
    pub(super) fn clear_side(&mut self, by_program: bool) {
        if (by_program || self.orchestrated()) && !self.answering_beside() {
            self.close_side();
        }
    }
}

/// What the menu offers of the skills.
fn entries(skills: &Skills) -> Vec<SlashCommand> {
    let mut entries = Vec::new();
    for skill in &skills.list {
        let free = !matches!(
            commands::resolve_line(&format!("/{}", skill.command)),
            Some((Resolved::Screen(_) | Resolved::Agent, _))
        );
        let entry = |kind: &str, aliases| SlashCommand {
            name: format!("{kind}:{}", skill.command),
            aliases,
            description: skill.description.clone(),
            args: Some(SlashArgs::Free("[request]".to_owned())),
        };
        let aliases = if free { vec![skill.command.clone()] } else { Vec::new() };
        entries.push(entry("skill", aliases));
        if skill.flow.is_some() {
            entries.push(entry("flow", Vec::new()));
        }
    }
    entries
}
