//! Checks of single option values. Hints in quotes and the wording are those that scripts know
//! from kimi-cli.

use std::fmt::Display;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};

use super::{AgentChoice, UsageError};
use crate::config;
use crate::customize::{Builtin, agent_file};
use crate::front::print::Format;
use crate::platform::Env;
use crate::store::ShareDir;
use crate::tools::path_guard::lexical;

/// The longest file that is read while the command line is checked, in bytes.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// The servers of an MCP option.
pub(super) struct JsonObject(pub Map<String, Value>);

/// An absolute path without `.` and `..`, symlinks not followed.
pub(super) fn absolute(path: &Path, env: &Env) -> PathBuf {
    lexical(&env.cwd.join(path))
}

/// A directory that exists and can be listed.
pub(super) fn directory(hint: &str, path: &Path, env: &Env) -> Result<PathBuf, UsageError> {
    let whole = absolute(path, env);
    let wrong = |what| Err(invalid_path(hint, "Directory", path, what));
    match std::fs::metadata(&whole) {
        Err(_) => wrong("does not exist."),
        Ok(meta) if !meta.is_dir() => wrong("is a file."),
        Ok(_) => match std::fs::read_dir(&whole) {
            Ok(_) => Ok(whole),
            Err(_) => wrong("is not readable."),
        },
    }
}

/// A file that exists. Whether it can be read shows when it is.
pub(super) fn file(hint: &str, path: &Path, env: &Env) -> Result<PathBuf, UsageError> {
    let whole = absolute(path, env);
    match std::fs::metadata(&whole) {
        Err(_) => Err(invalid_path(hint, "File", path, "does not exist.")),
        Ok(meta) if meta.is_dir() => Err(invalid_path(hint, "File", path, "is a directory.")),
        Ok(_) => Ok(whole),
    }
}

fn invalid_path(hint: &str, kind: &str, path: &Path, what: &str) -> UsageError {
    UsageError::invalid(hint, format!("{kind} '{}' {what}", path.display()))
}

/// A session's name, which becomes the name of its directory.
pub(super) fn session_id(id: &str) -> Result<String, UsageError> {
    let id = id.trim();
    let hostile = |c: char| c.is_control() || matches!(c, '/' | '\\' | '\0');
    if id.len() > 200 || id.starts_with('.') || id.contains(hostile) {
        let message = "A session ID is a plain name, without slashes or a dot at the front";
        return Err(UsageError::invalid("--session", message));
    }
    Ok(id.to_owned())
}

/// The real paths of directories, each once, those inside the work directory left out.
pub(super) fn additional_dirs(
    dirs: &[PathBuf],
    work_dir: &Path,
    env: &Env,
) -> Result<Vec<PathBuf>, UsageError> {
    let real = |path: PathBuf| path.canonicalize().unwrap_or(path);
    let work_dir = real(work_dir.to_path_buf());
    let mut found = Vec::new();
    for dir in dirs {
        let dir = real(directory("'--add-dir'", dir, env)?);
        if !dir.starts_with(&work_dir) && !found.contains(&dir) {
            found.push(dir);
        }
    }
    Ok(found)
}

/// The text of a file, bounded.
pub(super) fn read(hint: &str, path: &Path) -> Result<String, UsageError> {
    let mut text = String::new();
    let wrong = |why: &dyn Display| {
        UsageError::invalid(hint, format!("File '{}' cannot be read: {why}.", path.display()))
    };
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text))
        .map_err(|error| wrong(&error))?;
    if text.len() as u64 > MAX_FILE {
        return Err(wrong(&"it is longer than 16 MB"));
    }
    Ok(text)
}

/// A JSON object. The text itself is never shown again: it may hold secrets.
pub(super) fn json(hint: &str, text: &str) -> Result<JsonObject, UsageError> {
    match serde_json::from_str(text.trim_start_matches('\u{feff}')) {
        Ok(Value::Object(object)) => Ok(JsonObject(object)),
        Ok(_) => Err(UsageError::invalid(hint, "Invalid JSON: expected an object of servers")),
        Err(error) => Err(UsageError::invalid(hint, format!("Invalid JSON: {error}"))),
    }
}

/// A configuration, as JSON or TOML. What is wrong with it names the key or the line.
pub(super) fn config_text(text: String) -> Result<String, UsageError> {
    if text.trim().is_empty() {
        return Err(UsageError::invalid("--config", "Config cannot be empty"));
    }
    match config::check_text(&text) {
        Ok(()) => Ok(text),
        Err(error) => Err(UsageError::invalid("--config", error.to_string())),
    }
}

/// An agent that the program brings, or one of the user's or the project's.
pub(super) fn agent(name: &str, work_dir: &Path, env: &Env) -> Result<AgentChoice, UsageError> {
    if let Some(which) = Builtin::named(name) {
        return Ok(AgentChoice::Builtin(which));
    }
    if let Some(file) = agent_file::named(name, ShareDir::from_env(env).root(), work_dir) {
        return Ok(AgentChoice::File(file));
    }
    one_of("'--agent'", name, &Builtin::NAMES)?;
    Ok(AgentChoice::Builtin(Builtin::Default))
}

/// One of the named values.
pub(super) fn one_of(hint: &str, value: &str, names: &[&str]) -> Result<(), UsageError> {
    if names.contains(&value) {
        return Ok(());
    }
    let names: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    Err(UsageError::invalid(hint, format!("'{value}' is not one of {}.", names.join(", "))))
}

/// `text` or `stream-json`.
pub(super) fn format(option: &str, value: &str) -> Result<Format, UsageError> {
    one_of(&format!("'{option}'"), value, &["text", "stream-json"])?;
    Ok(if value == "text" { Format::Text } else { Format::StreamJson })
}

/// A whole number from `least` on.
pub(super) fn at_least(hint: &str, value: &str, least: i64) -> Result<i64, UsageError> {
    match value.trim().parse::<i64>() {
        Ok(number) if number >= least => Ok(number),
        Ok(number) => {
            Err(UsageError::invalid(hint, format!("{number} is not in the range x>={least}.")))
        }
        Err(_) => {
            Err(UsageError::invalid(hint, format!("'{value}' is not a valid integer range.")))
        }
    }
}

/// A whole number from 1 on; a larger one than fits is as good as no limit.
pub(super) fn count(hint: &str, value: Option<String>) -> Result<Option<u32>, UsageError> {
    let Some(value) = value else {
        return Ok(None);
    };
    Ok(Some(u32::try_from(at_least(hint, &value, 1)?).unwrap_or(u32::MAX)))
}

/// A number of tokens, such as 50000 or 50k.
pub(super) fn tokens(hint: &str, value: Option<&str>) -> Result<Option<u64>, UsageError> {
    let Some(text) = value else { return Ok(None) };
    let (number, factor) = match text.trim().char_indices().next_back() {
        Some((at, 'k' | 'K')) => (&text.trim()[..at], 1_000),
        Some((at, 'm' | 'M')) => (&text.trim()[..at], 1_000_000),
        _ => (text.trim(), 1),
    };
    match number.parse::<u64>() {
        Ok(number) if number > 0 => Ok(Some(number.saturating_mul(factor))),
        _ => Err(UsageError::invalid(
            hint,
            format!("'{text}' is not a number of tokens such as 50000, 50k or 2M."),
        )),
    }
}

/// An amount of US dollars.
pub(super) fn dollars(hint: &str, value: Option<&str>) -> Result<Option<f64>, UsageError> {
    let Some(text) = value else { return Ok(None) };
    match text.trim().trim_start_matches('$').parse::<f64>() {
        Ok(amount) if amount.is_finite() && amount > 0.0 => Ok(Some(amount)),
        _ => Err(UsageError::invalid(
            hint,
            format!("'{text}' is not an amount of US dollars such as 1.50."),
        )),
    }
}

/// The seconds of `90`, `1.5h` or `2h30m`; a number without a unit stands alone.
fn seconds(text: &str) -> Option<f64> {
    let (mut sum, mut rest) = (0.0, text);
    loop {
        let end = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        let mut after = after.chars();
        let factor = match after.next() {
            Some('s') => 1.0,
            Some('m') => 60.0,
            Some('h') => 3_600.0,
            None if number.len() == text.len() => 1.0,
            _ => return None,
        };
        sum += number.parse::<f64>().ok().filter(|number| *number >= 0.0)? * factor;
        rest = after.as_str();
        if rest.is_empty() {
            return Some(sum);
        }
    }
}

/// A time: a number with `s`, `m` or `h`, without one in seconds.
pub(super) fn time(hint: &str, value: Option<&str>) -> Result<Option<Duration>, UsageError> {
    /// Ten years: what is longer is a mistake.
    const MOST: f64 = 10.0 * 365.0 * 86_400.0;
    let Some(text) = value else { return Ok(None) };
    match seconds(text.trim()) {
        Some(seconds) if seconds > 0.0 && seconds <= MOST => {
            Ok(Some(Duration::from_secs_f64(seconds)))
        }
        _ => Err(UsageError::invalid(
            hint,
            format!("'{text}' is not a time such as 90s, 15m or 2h30m."),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_may_have_several_parts() {
        let of = |text| time("t", Some(text)).ok().flatten().map(|time| time.as_secs_f64());
        assert_eq!(of("90"), Some(90.0));
        assert_eq!(of("0.5s"), Some(0.5));
        assert_eq!(of("2h30m"), Some(9_000.0));
        assert_eq!(of("1h1m1s"), Some(3_661.0));
        for wrong in ["", "0", "0s", "-5s", "1d", "1e30", "nan", "inf", "h", "2h30", "2h-1m", "11y"]
        {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
