//! Parse, run, exit code.

use std::ffi::OsString;
use std::process::ExitCode;

use kimi_tui::cli;
use kimi_tui::platform::Env;
#[cfg(target_os = "linux")]
use kimi_tui::platform::process::guard;

fn main() -> ExitCode {
    let argv: Vec<OsString> = std::env::args_os().collect();
    #[cfg(target_os = "linux")]
    if let Some(role) = guard::role(&argv) {
        return guard::run(role).into();
    }
    cli::main(Env::of_process(), argv).into()
}
