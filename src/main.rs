//! Parse, run, exit code.

use std::ffi::OsString;
use std::process::ExitCode;

use kimi_tui::cli;
use kimi_tui::platform::Env;
#[cfg(target_os = "linux")]
use kimi_tui::platform::process::guard;

fn main() -> ExitCode {
    let argv: Vec<OsString> = std::env::args_os().collect();
    // The surroundings are those of a server then, and none of ours.
    #[cfg(target_os = "linux")]
    if let Some((report, command)) = guard::role(&argv) {
        return guard::run(report, command).into();
    }
    cli::main(Env::of_process(), argv).into()
}
