//! The system prompt of a new session.

use std::path::PathBuf;

use super::listing;
use crate::customize::Agent;
use crate::platform::Env;

/// A system prompt as it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MadePrompt {
    pub text: String,
    /// One line for each file of instructions of which it has only a part, or nothing.
    pub cut: Vec<String>,
}

/// A prompt with nothing left out.
impl From<String> for MadePrompt {
    fn from(text: String) -> Self {
        Self { text, cut: Vec::new() }
    }
}

/// What the prompt says about the surroundings.
pub struct PromptFacts {
    pub work_dir: PathBuf,
    pub additional_dirs: Vec<PathBuf>,
    /// The merged AGENTS.md files.
    pub agents_md: String,
    /// What of those files is not in it, a line each.
    pub cut: Vec<String>,
    /// The skills that the model may read; empty when the agent is told of none.
    pub skills: String,
    /// The shell that runs commands, for example ``bash (`/bin/bash`)``.
    pub shell: String,
}

impl PromptFacts {
    /// The agent's prompt. It is made once per session and stored with it, so that every request of
    /// the session begins with the same bytes.
    pub fn render(&self, agent: &Agent, env: &Env) -> MadePrompt {
        let values = self.values(env);
        let value = |name: &str| {
            let args = agent.args.iter().map(|(name, value)| (name.as_str(), value));
            let facts = values.iter().map(|(name, value)| (*name, value));
            args.chain(facts).find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
        };
        let text = agent.prompt.render(&value);
        let cut = match has_instructions(&text, &self.agents_md) {
            true => self.cut.clone(),
            // An agent that is told of no instructions misses nothing.
            false => Vec::new(),
        };
        MadePrompt { text, cut }
    }

    /// The [`VARIABLES`](crate::customize::agent_file::VARIABLES) and their values.
    fn values(&self, env: &Env) -> [(&'static str, String); 8] {
        let now = jiff::Timestamp::try_from(env.clock.now()).map_or_else(
            |_| String::new(),
            |time| time.to_zoned(jiff::tz::TimeZone::system()).strftime("%FT%T%:z").to_string(),
        );
        let os = match std::env::consts::OS {
            "macos" => "macOS",
            "windows" => "Windows",
            _ => "Linux",
        };
        let additional: Vec<String> = self
            .additional_dirs
            .iter()
            .map(|dir| format!("## `{}`\n\n```\n{}\n```", dir.display(), listing::tree(dir)))
            .collect();
        [
            ("KIMI_NOW", now),
            ("KIMI_OS", os.to_owned()),
            ("KIMI_SHELL", self.shell.clone()),
            ("KIMI_WORK_DIR", self.work_dir.display().to_string()),
            ("KIMI_WORK_DIR_LS", listing::tree(&self.work_dir)),
            ("KIMI_ADDITIONAL_DIRS_INFO", additional.join("\n\n")),
            ("KIMI_AGENTS_MD", self.agents_md.clone()),
            ("KIMI_SKILLS", self.skills.clone()),
        ]
    }
}

/// Whether a prompt has these instructions in it.
pub(super) fn has_instructions(prompt: &str, agents_md: &str) -> bool {
    !agents_md.is_empty() && prompt.contains(agents_md.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::customize::Builtin;
    use crate::customize::agent_file::VARIABLES;
    use crate::platform::env::fixed;

    fn facts() -> PromptFacts {
        PromptFacts {
            work_dir: PathBuf::from("/work"),
            additional_dirs: vec![PathBuf::from("/more")],
            agents_md: "Use tabs. ${KIMI_NOW}".to_owned(),
            cut: vec!["AGENTS.md is too long".to_owned()],
            skills: "### User\n- tidy".to_owned(),
            shell: "bash (`/bin/bash`)".to_owned(),
        }
    }

    #[test]
    fn the_prompt_is_short_and_whole() {
        let env = fixed::env("/home/u", &[]);
        let default = Agent::builtin(Builtin::Default).unwrap();
        let MadePrompt { text: prompt, cut } = facts().render(&default, &env);
        assert_eq!(cut, ["AGENTS.md is too long"]);
        // What comes from a file is not looked at again.
        assert_eq!(prompt.matches("${").count(), 1, "{prompt}");
        assert!(!prompt.contains("{%") && !prompt.contains("\n\n\n"), "{prompt}");
        for part in
            ["`/work`", "## `/more`", "# Skills", "- tidy", "Use tabs. ${KIMI_NOW}", "2026-01-02"]
        {
            assert!(prompt.contains(part), "{part} is missing");
        }
        assert!(prompt.len() < 5_000, "{} bytes", prompt.len());
        let alone = PromptFacts {
            additional_dirs: Vec::new(),
            agents_md: String::new(),
            skills: String::new(),
            ..facts()
        };
        let MadePrompt { text: prompt, cut } = alone.render(&default, &env);
        assert!(cut.is_empty(), "{cut:?}");
        assert!(prompt.ends_with("\n\n(none)"), "{prompt}");
        assert!(!prompt.contains("also has") && !prompt.contains("\n\n\n"), "{prompt}");
    }

    #[test]
    fn every_variable_has_a_value() {
        let values = facts().values(&fixed::env("/home/u", &[]));
        for name in VARIABLES {
            assert!(values.iter().any(|(known, _)| *known == name), "{name}");
        }
    }
}
