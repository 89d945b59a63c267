//! `kimi doctor`: whether everything is as it has to be.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::json;

use super::{ExitCode, checks, complain, print, refuse};
use crate::config::ConfigSource;
use crate::doctor::{self, Finding, Health};
use crate::front::text::clean_line;
use crate::front::tui::theme::ColorSupport;
use crate::platform::{Env, underway};

/// How far to look, and how to tell.
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {
    /// Also ask the model's server whether it is there and takes the key.
    #[arg(long, help_heading = "Options")]
    online: bool,
    /// As one line of JSON.
    #[arg(long, help_heading = "Options")]
    json: bool,
}

/// Runs the command with the configuration of `--config-file` or of `--config`, else the usual one.
pub(super) fn run(
    args: &DoctorArgs,
    file: Option<&Path>,
    text: Option<&str>,
    env: &Env,
) -> ExitCode {
    let source = match (text, file) {
        (Some(text), _) => match checks::config_text(text.to_owned()) {
            Ok(text) => ConfigSource::Text(text),
            Err(error) => return refuse(&error),
        },
        (None, Some(file)) => match checks::file("'--config-file'", file, env) {
            Ok(file) => ConfigSource::File(file),
            Err(error) => return refuse(&error),
        },
        (None, None) => ConfigSource::Default,
    };
    let mut findings = doctor::examine(env, &source, None, ColorSupport::detect(env).words());
    if args.online {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => {
                let (found, _settled) = runtime.block_on(async {
                    (doctor::reach(env, &source).await, underway::settle().await)
                });
                findings.push(found);
            }
            Err(error) => {
                complain(&format!("{error}\n"));
                return ExitCode::Failure;
            }
        }
    }
    let verdict = doctor::verdict(&findings);
    let told = match args.json {
        true => json!({"ok": verdict != Health::Fault, "checks": findings}).to_string() + "\n",
        false => lines(&findings),
    };
    match (print(&told), verdict) {
        (ExitCode::Success, Health::Fault) => ExitCode::Failure,
        (code, _) => code,
    }
}

fn lines(findings: &[Finding]) -> String {
    let mut out = String::new();
    for finding in findings {
        let mark = match finding.health {
            Health::Ok => "ok  ",
            Health::Warning => "warn",
            Health::Fault => "FAIL",
        };
        let _ = writeln!(out, "{mark}  {:<9} {}", finding.name, clean_line(&finding.told));
        if let Some(advice) = &finding.advice {
            let _ = writeln!(out, "{:16} {}", "", clean_line(advice));
        }
    }
    out
}
