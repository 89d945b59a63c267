//! What the MCP servers bring for the composer's menu. All of it is in memory already: no key waits
//! for a server.

use super::App;
use crate::front::tui::composer::{ResourceRow, SlashArgs, SlashCommand};
use crate::mcp::prompts::Prompt;

impl App {
    /// Puts the prompts of the servers into the menu of commands, and their resources behind the
    /// files in that of mentions.
    pub(super) fn take_offerings(&mut self) {
        let Some(servers) = &self.host.options.mcp else { return };
        self.composer.set_commands(self.all_commands());
        let resources = servers.resources().into_iter();
        let rows =
            resources.map(|it| ResourceRow { mention: it.mention(), title: it.title }).collect();
        self.composer.set_resources(rows);
        // An open menu may have other rows now.
        self.dirty |= self.composer.menu_open();
    }

    /// The commands that the servers bring.
    pub(super) fn prompt_commands(&self) -> Vec<SlashCommand> {
        let prompts = self.host.options.mcp.as_ref().map(|servers| servers.prompts());
        let each = prompts.iter().flat_map(|prompts| prompts.iter());
        each.map(|(name, prompt)| command(name, prompt)).collect()
    }
}

/// A prompt as a row of the menu: its arguments, then what it is.
fn command(name: &str, prompt: &Prompt) -> SlashCommand {
    let usage = prompt.usage();
    let parts = [usage.as_str(), prompt.description.as_str()];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    SlashCommand {
        name: name.to_owned(),
        aliases: Vec::new(),
        description: match parts.as_slice() {
            [] => format!("Prompt of the MCP server {}", prompt.server),
            parts => parts.join(" · "),
        },
        args: (!usage.is_empty()).then_some(SlashArgs::Free(usage)),
    }
}
