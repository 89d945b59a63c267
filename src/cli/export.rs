//! `kimi export`: a session as a ZIP file (cli.md section 7).

use std::io::{BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};

use super::{ExitCode, VERSION, checks, complain, print, refuse};
use crate::front::text::clean_line;
use crate::platform::Env;
use crate::store::{Session, SessionStore, ShareDir, bundle_name};

/// Which session, and where to.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// The session's id. Without it: the last one of the working directory.
    #[arg(value_name = "SESSION_ID")]
    session: Option<String>,
    /// Write to FILE, or into a directory, instead of ./session-ID.zip.
    #[arg(short, long, value_name = "FILE", help_heading = "Options")]
    output: Option<PathBuf>,
    /// Do not ask whether the last session is meant.
    #[arg(short, long, help_heading = "Options")]
    yes: bool,
}

/// Runs the command in `work_dir`, or where the program was started.
pub(super) fn run(args: &ExportArgs, work_dir: Option<&Path>, env: &Env) -> ExitCode {
    let work_dir = match work_dir.map(|dir| checks::directory("'--work-dir' / '-w'", dir, env)) {
        Some(Ok(dir)) => dir,
        Some(Err(error)) => return refuse(&error),
        None => env.cwd.clone(),
    };
    let store = SessionStore::new(ShareDir::from_env(env));
    let session = match &args.session {
        Some(id) => match store.find_files(&work_dir, id) {
            Some(session) => session,
            None => return fail(&format!("session '{id}' not found.")),
        },
        None => match store.latest(&work_dir) {
            None => return fail("no previous session found for the working directory."),
            Some(session) if args.yes || confirmed(&store, &session) => session,
            Some(_) => return print("Export cancelled.\n"),
        },
    };
    let output = match &args.output {
        None => env.cwd.join(bundle_name(&session.id)),
        Some(path) => {
            let path = env.cwd.join(path);
            if path.is_dir() { path.join(bundle_name(&session.id)) } else { path }
        }
    };
    match store.bundle(&session, &output, VERSION, env.clock.now()) {
        Ok(bundle) => {
            if bundle.logs > 0 {
                complain(
                    "Note: log files are in it, which tell of other sessions, too. Look for what is private \
                     before you share it.\n",
                );
            }
            print(&format!("{}\n", bundle.path.display()))
        }
        Err(error) => fail(&error.to_string()),
    }
}

/// Asks on the terminal whether this session is meant. No answer is a no.
fn confirmed(store: &SessionStore, session: &Session) -> bool {
    let title = store.title(session);
    let question =
        format!("Export the last session, {} ({})? [y/N] ", clean_line(&title), session.id);
    complain(&question);
    let mut line = String::new();
    let stdin = std::io::stdin();
    let read = stdin.lock().read_line(&mut line);
    if !stdin.is_terminal() {
        complain("\n");
    }
    read.is_ok() && matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

fn fail(what: &str) -> ExitCode {
    complain(&format!("Error: {}\n", clean_line(what)));
    ExitCode::Failure
}
