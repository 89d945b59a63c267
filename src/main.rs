//! Parse, run, exit code.

use kimi_tui::{cli, platform::Env};

fn main() -> std::process::ExitCode {
    cli::main(Env::of_process(), std::env::args_os().collect()).into()
}
