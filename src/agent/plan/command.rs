//! `/plan`.

use super::super::core::Core;

/// Carries the command out; returns what there is to say.
pub(in crate::agent) fn run(core: &Core, argument: &str) -> String {
    let plan = core.desk.plan();
    match argument {
        "" => switch(core, !plan.is_on()),
        "on" => switch(core, true),
        "off" => switch(core, false),
        "view" => match plan.file() {
            None => "Plan mode is off, so there is no plan to show.".to_owned(),
            Some(file) => match plan.read() {
                Ok(Some(text)) if !text.trim().is_empty() => text,
                Ok(_) => {
                    format!("Nothing has been planned yet. The plan goes to {}.", file.display())
                }
                Err(why) => format!("The plan cannot be read: {why}."),
            },
        },
        "clear" => match plan.file().map(|_| plan.clear()) {
            None => "Plan mode is off, so there is no plan to clear.".to_owned(),
            Some(Ok(true)) => "The plan has been cleared.".to_owned(),
            Some(Ok(false)) => "There is no plan to clear.".to_owned(),
            Some(Err(why)) => format!("The plan cannot be cleared: {why}."),
        },
        other => format!("\"{other}\" is not one of on, off, view and clear."),
    }
}

fn switch(core: &Core, on: bool) -> String {
    let plan = core.desk.plan();
    plan.switch(on);
    match plan.file() {
        Some(file) => format!(
            "Plan mode is on: nothing is changed until you approve a plan. The plan goes to {}.",
            file.display()
        ),
        None => "Plan mode is off.".to_owned(),
    }
}
