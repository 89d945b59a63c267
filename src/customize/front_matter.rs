//! The head of a Markdown file: YAML between two lines of `---`.

use super::yaml::{self, Yaml};

/// The head, if there is one that is closed, and what follows it.
pub(in crate::customize) fn split(text: &str) -> (Option<&str>, &str) {
    let whole = text.trim_start_matches('\u{feff}');
    let Some((_, rest)) = whole.split_once('\n').filter(|(first, _)| first.trim_end() == "---")
    else {
        return (None, whole);
    };
    let mut start = 0;
    for line in rest.split_inclusive('\n') {
        let end = start + line.len();
        if line.trim_end() == "---" {
            return (Some(&rest[..start]), &rest[end..]);
        }
        start = end;
    }
    (None, whole)
}

/// The fields of a head. The error is half a sentence, its lines counted as in the file.
pub(in crate::customize) fn fields(head: &str) -> Result<Vec<(String, Yaml)>, String> {
    // The file's first line is the fence.
    match yaml::parse(&format!("\n{head}"))? {
        Yaml::Map(fields) => Ok(fields),
        Yaml::Null => Ok(Vec::new()),
        other => Err(format!("its front matter is {} instead of a table", other.kind())),
    }
}
