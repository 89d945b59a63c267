//! `kimi completions`: what a shell offers after `kimi`, made from the parser's own tables.
//!
//! | file | subject |
//! |---|---|
//! | `tree` | commands and options, without the parser |
//! | `bash`, `zsh`, `fish` | the script of each shell |
//!
//! A script walks over the words before the cursor to know which command they are in, passing over the
//! values of options.

mod bash;
mod fish;
mod tree;
mod zsh;

use clap::{CommandFactory, ValueEnum};

use super::{Args, ExitCode, print};
use tree::Node;

/// A shell that completions can be had for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Prints the script.
pub(super) fn run(shell: Shell) -> ExitCode {
    print(&script(shell))
}

fn script(shell: Shell) -> String {
    let nodes = Node::all(Args::command());
    match shell {
        Shell::Bash => bash::script(&nodes),
        Shell::Zsh => zsh::script(&nodes),
        Shell::Fish => fish::script(&nodes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_hears_of_everything_that_the_help_lists() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = script(shell);
            for word in ["export", "plugin", "install", "reset-auth", "completions"] {
                assert!(script.contains(word), "{shell:?} lacks {word}");
            }
            for long in ["work-dir", "auto-approve", "resume", "mcp-config-file", "output", "ralph"]
            {
                assert!(script.contains(long), "{shell:?} lacks --{long}");
            }
            for hidden in ["__web-worker", "--auto "] {
                assert!(!script.contains(hidden), "{shell:?} tells of {hidden}");
            }
            assert!(script.is_ascii() || shell != Shell::Bash);
            assert!(!script.contains('\t') && script.ends_with('\n'));
        }
    }
}
