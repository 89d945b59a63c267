//! Reads the layout as an orchestrator does: by what is on the screen.

const SPINNER: &str = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";

/// Idle: a row ends in the prompt mark and no spinner turns.
pub fn is_idle(rows: &[String]) -> bool {
    !has_spinner(rows) && rows.iter().any(|row| ends_in_prompt(row)) && has_status(rows)
}

/// Busy: a spinner row among the last eighteen written rows, and no prompt mark below the last echo.
pub fn is_busy(rows: &[String]) -> bool {
    has_spinner(rows) && !rows.iter().any(|row| ends_in_prompt(row))
}

fn ends_in_prompt(row: &str) -> bool {
    let row = row.trim_end();
    row.starts_with("── input") && row.contains('@') && (row.ends_with('💫') || row.ends_with('✨'))
}

fn has_status(rows: &[String]) -> bool {
    rows.iter().any(|row| row.contains("agent (") || row.contains("context: "))
}

fn has_spinner(rows: &[String]) -> bool {
    rows.iter()
        .rev()
        .filter(|row| !row.trim().is_empty())
        .take(18)
        .any(|row| row.trim_start().starts_with(|glyph| SPINNER.contains(glyph)))
}
