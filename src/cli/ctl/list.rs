//! `kimi ctl list`, and the same table in messages about which instance is meant.

use super::caller::Caller;
use super::table::{Column, draw};
use super::trouble::Trouble;
use super::words::age;
use crate::cli::ExitCode;
use crate::platform::Env;
use crate::protocol::control::Instance;

const COLUMNS: [Column; 10] = [
    Column::new("PANE"),
    Column { right: true, ..Column::new("PID") },
    Column::new("STATE"),
    Column { right: true, ..Column::new("TURN") },
    Column { least: Some(5), ..Column::new("PHASE") },
    Column { right: true, ..Column::new("FOR") },
    Column { least: Some(8), ..Column::new("MODEL") },
    Column { right: true, ..Column::new("CTX") },
    Column { least: Some(8), ..Column::new("SESSION") },
    Column { least: Some(12), keep_ends: true, ..Column::new("CWD") },
];

/// How many characters of a session's id are shown at least.
const SESSION_PREFIX: usize = 8;

pub(super) fn run(caller: &mut Caller<'_>, json: bool) -> Result<ExitCode, Trouble> {
    let instances = caller.instances()?;
    if json {
        let array = serde_json::to_string(&instances).unwrap_or_default();
        caller.line(array.as_bytes())?;
    } else if instances.is_empty() {
        caller.remark("no running instance");
    } else {
        let table = table(&instances, caller.env, caller.columns);
        caller.write(table.as_bytes())?;
    }
    Ok(ExitCode::Success)
}

/// The instances, a line each, below their titles.
pub(super) fn table(instances: &[Instance], env: &Env, limit: Option<usize>) -> String {
    let now = env.unix_now();
    let prefix = session_prefix(instances);
    let rows: Vec<Vec<String>> = instances
        .iter()
        .map(|instance| {
            let session = instance.session.chars();
            vec![
                instance.tmux_pane.clone().unwrap_or_default(),
                instance.pid.to_string(),
                instance.state.word().to_owned(),
                instance.turn.to_string(),
                instance.phase.clone().unwrap_or_default(),
                age(now - instance.since),
                instance.model.clone().unwrap_or_default(),
                format!("{:.0}%", instance.context * 100.0),
                session.take(if limit.is_some() { prefix } else { usize::MAX }).collect(),
                env.tilde(&instance.cwd),
            ]
        })
        .collect();
    draw(&COLUMNS, &rows, limit)
}

/// How much of the sessions' ids tells them apart.
fn session_prefix(instances: &[Instance]) -> usize {
    let longest = instances.iter().map(|instance| instance.session.chars().count()).max();
    let tells_apart = |length: &usize| {
        let mut fronts: Vec<String> = instances
            .iter()
            .map(|instance| instance.session.chars().take(*length).collect())
            .collect();
        fronts.sort();
        fronts.windows(2).all(|pair| pair[0] != pair[1])
    };
    // The same session cannot be open twice, but a file may say so.
    (SESSION_PREFIX..=longest.unwrap_or(0)).find(tells_apart).unwrap_or(SESSION_PREFIX)
}
