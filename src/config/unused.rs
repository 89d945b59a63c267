//! Keys that are read, checked and kept, but that nothing in this version acts on.

use super::{Config, LoopControl};

/// Hooks that can forbid what the agent is about to do.
const GUARDS: [&str; 2] = ["PreToolUse", "UserPromptSubmit"];

impl Config {
    /// The event of a hook that may be there to forbid something; hooks are not run.
    pub fn guard(&self) -> Option<&str> {
        let mut events = self.hooks.iter().map(|hook| hook.event.as_str());
        events.find(|event| GUARDS.contains(event))
    }

    /// One line about the keys that are set and have no effect, if there are any.
    pub fn unused_warning(&self) -> Option<String> {
        let keys = self.unused_keys();
        let has = if keys.len() == 1 { "has" } else { "have" };
        (!keys.is_empty()).then(|| {
            format!(
                "Set in the configuration, but {has} no effect in this version: {}",
                keys.join(", ")
            )
        })
    }

    /// The keys that differ from their defaults and have no effect.
    fn unused_keys(&self) -> Vec<&'static str> {
        let fallback = Self::default();
        let ralph = LoopControl::default().max_ralph_iterations;
        [
            ("hooks", !self.hooks.is_empty()),
            ("default_plan_mode", self.default_plan_mode != fallback.default_plan_mode),
            (
                "skip_afk_prompt_injection",
                self.skip_afk_prompt_injection != fallback.skip_afk_prompt_injection,
            ),
            ("show_thinking_stream", self.show_thinking_stream != fallback.show_thinking_stream),
            (
                "merge_all_available_skills",
                self.merge_all_available_skills != fallback.merge_all_available_skills,
            ),
            ("extra_skill_dirs", !self.extra_skill_dirs.is_empty()),
            ("loop_control.max_ralph_iterations", self.loop_control.max_ralph_iterations != ralph),
            ("services.moonshot_search", self.services.moonshot_search.is_some()),
            ("services.moonshot_fetch", self.services.moonshot_fetch.is_some()),
        ]
        .into_iter()
        .filter_map(|(key, set)| set.then_some(key))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ConfigSource;
    use crate::platform::env::fixed;

    fn config(text: &str) -> Config {
        let source = ConfigSource::Text(text.to_owned());
        Config::load(&source, &fixed::env("/h", &[])).unwrap().config
    }

    #[test]
    fn only_what_differs_from_the_default_is_named() {
        assert_eq!(Config::default().unused_warning(), None);
        assert_eq!(config(include_str!("default.toml")).unused_warning(), None);
        let warning = config(
            "default_plan_mode = true\nextra_skill_dirs = [\"a\"]\nshow_thinking_stream = true\n\
             [[hooks]]\nevent = \"Stop\"\ncommand = \"x\"\n",
        )
        .unused_warning()
        .unwrap();
        assert_eq!(
            warning,
            "Set in the configuration, but have no effect in this version: hooks, \
             default_plan_mode, extra_skill_dirs"
        );
        let one = config("default_plan_mode = true\n").unused_warning().unwrap();
        assert!(one.ends_with("has no effect in this version: default_plan_mode"), "{one}");
        // Orchestrators raise it in everybody's file.
        assert_eq!(config("[mcp.client]\ntool_call_timeout_ms = 600000\n").unused_warning(), None);
    }

    #[test]
    fn guards_are_hooks_that_can_forbid() {
        let hook = |event: &str| format!("[[hooks]]\nevent = \"{event}\"\ncommand = \"x\"\n");
        assert_eq!(config(&(hook("Stop") + &hook("PostToolUse"))).guard(), None);
        assert_eq!(config(&(hook("Stop") + &hook("PreToolUse"))).guard(), Some("PreToolUse"));
        assert_eq!(config(&hook("UserPromptSubmit")).guard(), Some("UserPromptSubmit"));
    }
}
