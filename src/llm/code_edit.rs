//! The one tool whose arguments are other ones in kimi-code, not only its name (clients.md section 8a):
//! `Edit {path, old_string, new_string, replace_all}`. What is called so is taken by `StrReplaceFile`.

use serde_json::{Value, json};

use super::{ToolNames, ToolSpec};

/// Its name in both.
const NAMES: (&str, &str) = ("StrReplaceFile", "Edit");

/// Tells a tool with kimi-code's arguments, where those differ from ours.
pub(super) fn retold(tool: &mut ToolSpec, names: ToolNames) {
    if tool.name != NAMES.0 || !names.contains(&NAMES) {
        return;
    }
    tool.description = include_str!("../../assets/tools/edit.md").trim_end().to_owned();
    tool.parameters = parameters();
}

/// The schema of the arguments.
pub fn parameters() -> Value {
    json!({
        "type": "object",
        "properties": {
            "path": {
                "type": "string",
                "description": "File to edit. Absolute when outside the workspace.",
            },
            "old_string": {
                "type": "string",
                "description": "Text to replace, exactly as in the file.",
            },
            "new_string": {"type": "string", "description": "Text to put there."},
            "replace_all": {
                "type": "boolean",
                "description": "Replace every match.",
                "default": false,
            },
        },
        "required": ["path", "old_string", "new_string"],
    })
}
