//! The system prompt of a new session.

use std::path::PathBuf;

use super::listing;
use crate::platform::Env;

const TEMPLATE: &str = include_str!("../../assets/prompts/system.md");

/// What the prompt says about the surroundings.
pub struct PromptFacts {
    pub work_dir: PathBuf,
    pub additional_dirs: Vec<PathBuf>,
    /// The merged AGENTS.md files.
    pub agents_md: String,
    /// The shell that runs commands, for example ``bash (`/bin/bash`)``.
    pub shell: String,
}

impl PromptFacts {
    /// The prompt. It is made once per session and stored with it, so that every request of the
    /// session begins with the same bytes.
    pub fn render(&self, env: &Env) -> String {
        let now = jiff::Timestamp::try_from(env.clock.now()).map_or_else(
            |_| String::new(),
            |time| time.to_zoned(jiff::tz::TimeZone::system()).strftime("%FT%T%:z").to_string(),
        );
        let os = match std::env::consts::OS {
            "macos" => "macOS",
            "windows" => "Windows",
            _ => "Linux",
        };
        let additional = if self.additional_dirs.is_empty() {
            String::new()
        } else {
            let dirs: Vec<_> =
                self.additional_dirs.iter().map(|dir| format!("`{}`", dir.display())).collect();
            format!("- The workspace also has: {}\n", dirs.join(", "))
        };
        let agents = if self.agents_md.is_empty() { "(none)" } else { &self.agents_md };
        let values = [
            ("KIMI_NOW", now.as_str()),
            ("KIMI_OS", os),
            ("KIMI_SHELL", &self.shell),
            ("KIMI_WORK_DIR", &self.work_dir.display().to_string()),
            ("KIMI_WORK_DIR_LS", &listing::tree(&self.work_dir)),
            ("KIMI_ADDITIONAL_DIRS_INFO", &additional),
            ("KIMI_AGENTS_MD", agents),
            ("ROLE_ADDITIONAL", ""),
        ];
        fill(TEMPLATE, &values)
    }
}

/// Puts values in place of `${NAME}`, in one pass: a value is never looked at again.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some(start) = rest.find("${") {
        let (before, from) = rest.split_at(start);
        out.push_str(before);
        let value = from.find('}').and_then(|end| {
            let name = &from[2..end];
            values.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value, end))
        });
        match value {
            Some((value, end)) => {
                out.push_str(value);
                rest = &from[end + 1..];
            }
            None => {
                out.push_str("${");
                rest = &from[2..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::env::fixed;

    #[test]
    fn values_are_not_filled_again() {
        assert_eq!(fill("a ${A} ${B} ${C", &[("A", "${B}"), ("B", "x")]), "a ${B} x ${C");
    }

    #[test]
    fn the_prompt_is_short_and_whole() {
        let facts = PromptFacts {
            work_dir: PathBuf::from("/work"),
            additional_dirs: vec![PathBuf::from("/more")],
            agents_md: "Use tabs.".to_owned(),
            shell: "bash (`/bin/bash`)".to_owned(),
        };
        let prompt = facts.render(&fixed::env("/home/u", &[]));
        assert!(!prompt.contains("${"), "{prompt}");
        for part in ["`/work`", "`/more`", "Use tabs.", "2026-01-02"] {
            assert!(prompt.contains(part), "{part} is missing");
        }
        assert!(prompt.len() < 5_000, "{} bytes", prompt.len());
    }
}
