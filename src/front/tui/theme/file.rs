//! Theme files: reading them, ours and the user's.

use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use ratatui::style::{Color, Modifier, Style};

use super::Tone;

/// The themes that are always there: name and text.
pub(super) const BUILTIN: [(&str, &str); 5] = [
    ("dark", include_str!("../../../../themes/dark.toml")),
    ("light", include_str!("../../../../themes/light.toml")),
    ("ansi", include_str!("../../../../themes/ansi.toml")),
    ("moonlight", include_str!("../../../../themes/moonlight.toml")),
    ("paper", include_str!("../../../../themes/paper.toml")),
];

/// A theme file is a page; what is larger is none.
const MAX_BYTES: u64 = 64 * 1024;

/// What a theme file says, bad values left out.
#[derive(Default)]
pub(super) struct ThemeFile {
    pub extends: Option<String>,
    pub syntax: Option<String>,
    pub tones: Vec<(Tone, Style)>,
}

/// The text of a theme: the user's file comes before a built-in one of that name.
///
/// # Errors
/// A sentence for the user when there is no such theme or its file cannot be read.
pub(super) fn source(name: &str, user_dir: Option<&Path>) -> Result<String, String> {
    if !is_plain(name) {
        return Err(format!("theme name {name:?} is no plain name; letters, digits, - and _"));
    }
    if let Some(path) = user_dir.map(|dir| dir.join(format!("{name}.toml")))
        && path.is_file()
    {
        let failed =
            |reason: String| format!("theme {name}: cannot read {}: {reason}", path.display());
        let file = std::fs::File::open(&path).map_err(|error| failed(error.to_string()))?;
        let mut text = String::new();
        file.take(MAX_BYTES + 1)
            .read_to_string(&mut text)
            .map_err(|error| failed(error.to_string()))?;
        if text.len() as u64 > MAX_BYTES {
            return Err(failed("larger than 64 KB".to_owned()));
        }
        return Ok(text);
    }
    builtin(name).map(str::to_owned).ok_or_else(|| format!("there is no theme {name:?}"))
}

/// Whether a name can be that of a theme file: it leads out of no directory.
pub(super) fn is_plain(name: &str) -> bool {
    let harmless = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ');
    !name.is_empty() && name.chars().all(harmless)
}

pub(super) fn builtin(name: &str) -> Option<&'static str> {
    BUILTIN.iter().find(|(of, _)| *of == name).map(|(_, text)| *text)
}

impl ThemeFile {
    /// Reads a theme; what is wrong is left out and named in `warnings`.
    pub(super) fn parse(name: &str, text: &str, warnings: &mut Vec<String>) -> Self {
        let mut file = Self::default();
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            Err(error) => {
                warnings.push(format!("theme {name}: not valid TOML: {}", error.message()));
                return file;
            }
        };
        let mut warn = |what: String| warnings.push(format!("theme {name}: {what}"));
        for (key, value) in &table {
            match (key.as_str(), value) {
                ("extends", toml::Value::String(base)) => file.extends = Some(base.clone()),
                ("syntax", toml::Value::String(syntax)) => file.syntax = Some(syntax.clone()),
                ("tones", toml::Value::Table(tones)) => {
                    for (key, value) in tones {
                        let Some(tone) = Tone::ALL.iter().find(|tone| tone.name() == key) else {
                            warn(format!("there is no tone {key:?}"));
                            continue;
                        };
                        match style(value) {
                            Ok(style) => file.tones.push((*tone, style)),
                            Err(why) => warn(format!("{key}: {why}")),
                        }
                    }
                }
                ("extends" | "syntax" | "tones", _) => warn(format!("{key} has the wrong type")),
                _ => warn(format!("there is no setting {key:?}")),
            }
        }
        file
    }
}

/// A style: `"bold 114 on #102030"`, or a number alone.
fn style(value: &toml::Value) -> Result<Style, String> {
    let text = match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Integer(index) => index.to_string(),
        _ => return Err("a style is text such as \"bold 114\"".to_owned()),
    };
    let mut style = Style::new();
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        let modifier = match word {
            "bold" => Modifier::BOLD,
            "dim" => Modifier::DIM,
            "italic" => Modifier::ITALIC,
            "underline" => Modifier::UNDERLINED,
            "reverse" => Modifier::REVERSED,
            "strike" => Modifier::CROSSED_OUT,
            "default" => continue,
            "on" => {
                let word = words.next().unwrap_or_default();
                if word != "default" {
                    style.bg = Some(colour(word)?);
                }
                continue;
            }
            _ => {
                style.fg = Some(colour(word)?);
                continue;
            }
        };
        style = style.add_modifier(modifier);
    }
    Ok(style)
}

fn colour(word: &str) -> Result<Color, String> {
    Color::from_str(word).map_err(|_| format!("{word:?} is no colour"))
}
