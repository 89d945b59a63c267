//! Which tools of plugins an agent has.

/// What an agent file says of the tools of plugins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PluginTools {
    /// Those that its list of tools names.
    pub listed: Vec<String>,
    /// Whether it has no others. A list in YAML does not say anything of the tools of plugins: in
    /// kimi-cli they come to those of any agent. A list in Markdown is whole.
    pub only_listed: bool,
    /// Those of `exclude_tools`.
    pub without: Vec<String>,
}

impl PluginTools {
    /// Whether the agent has the tool of this name, if a plugin brings it.
    pub fn has(&self, name: &str) -> bool {
        (!self.only_listed || self.names(name)) && !self.without.iter().any(|it| it == name)
    }

    /// Whether its list of tools names this one.
    pub fn names(&self, name: &str) -> bool {
        self.listed.iter().any(|it| it == name)
    }
}
