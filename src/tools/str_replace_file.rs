//! `StrReplaceFile`: replaces text in a file.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use super::blocking::on_file;
use super::edit::{Edit, apply_edits};
use super::file_access::{Change, Deed, Editor, FileAccess, read_anywhere};
use super::path_guard::GuardedPath;
use super::{CallContext, Effect, Tool, ToolReturn, arguments, schema};
use crate::llm::code_edit;
use crate::protocol::ToolReturnValue;

/// Replaces text in a file.
pub struct StrReplaceFile {
    files: Arc<FileAccess>,
}

#[derive(Deserialize)]
struct Arguments {
    path: String,
    edit: OneOrMore,
}

/// One edit as kimi-code has it, whose tool is called Edit.
#[derive(Deserialize)]
struct CodeArguments {
    path: String,
    old_string: String,
    new_string: String,
    #[serde(default)]
    replace_all: bool,
}

impl CodeArguments {
    /// Whether these are meant.
    fn are(arguments: &Value) -> bool {
        let has = |key| arguments.get(key).is_some();
        !has("edit") && (has("old_string") || has("new_string"))
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(Edit),
    More(Vec<Edit>),
}

impl StrReplaceFile {
    /// The tool; `files` is shared by the file tools of a session.
    pub fn new(files: Arc<FileAccess>) -> Self {
        Self { files }
    }
}

#[async_trait]
impl Tool for StrReplaceFile {
    fn name(&self) -> &'static str {
        "StrReplaceFile"
    }

    fn description(&self) -> &str {
        include_str!("../../assets/tools/str_replace_file.md").trim_end()
    }

    fn parameters(&self) -> Value {
        let edit = schema::object(
            &[
                ("old", schema::string("Text to replace, exactly as in the file.")),
                ("new", schema::string("Text to put there.")),
                ("replace_all", schema::boolean("Replace every match.", false)),
            ],
            &["old", "new"],
        );
        schema::object(
            &[
                ("path", schema::string("File to edit. Absolute when outside the workspace.")),
                (
                    "edit",
                    json!({
                        "anyOf": [edit, {"type": "array", "items": edit}],
                        "description": "One edit, or several that are applied in order."
                    }),
                ),
            ],
            &["path", "edit"],
        )
    }

    fn check(&self, arguments: Value) -> Result<Value, String> {
        match CodeArguments::are(&arguments) {
            true => schema::check(&code_edit::parameters(), arguments),
            false => schema::check(&self.parameters(), arguments),
        }
    }

    fn effect(&self, _: &Value) -> Effect {
        Effect::Write
    }

    async fn call(&self, arguments: Value, cx: &CallContext) -> ToolReturn {
        if CodeArguments::are(&arguments) {
            return arguments::with(arguments, async |theirs: CodeArguments| {
                let CodeArguments { path, old_string: old, new_string: new, replace_all } = theirs;
                self.edit(path, vec![Edit { old, new, replace_all }], cx).await
            })
            .await;
        }
        arguments::with(arguments, async |Arguments { path, edit }| {
            let edits = match edit {
                OneOrMore::One(edit) => vec![edit],
                OneOrMore::More(edits) => edits,
            };
            self.edit(path, edits, cx).await
        })
        .await
    }
}

impl StrReplaceFile {
    async fn edit(
        &self,
        path: String,
        edits: Vec<Edit>,
        cx: &CallContext,
    ) -> Result<ToolReturn, ToolReturnValue> {
        let count = edits.len();
        let editor = cx.workspace.editor();
        let prepared =
            on_file(cx, path, "edit", move |target| prepare(&edits, editor.as_deref(), target));
        let (change, total) = prepared.await?;
        let told = |_| {
            format!(
                "File successfully edited. Applied {count} edit(s) with {total} total replacement(s)."
            )
        };
        Ok(self.files.apply(cx, self.name(), "Edit", change, told).await)
    }
}

/// The change that the edits make, and how many replacements that are.
fn prepare(
    edits: &[Edit],
    editor: Option<&dyn Editor>,
    target: GuardedPath,
) -> Result<(Change, usize), ToolReturnValue> {
    let shown = target.path.display().to_string();
    if target.real.exists() && !target.real.is_file() {
        return Err(ToolReturnValue::error(
            format!("`{shown}` is not a file. Give the path of a file."),
            "Invalid path",
        ));
    }
    let missing = || {
        ToolReturnValue::error(
            format!("`{shown}` does not exist. Create it with WriteFile."),
            "File not found",
        )
    };
    let before = match read_anywhere(editor, &target.path, &target.real) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Err(missing()),
        // A file in the place of a directory: nothing can be behind it.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Err(missing()),
        Err(error) => {
            return Err(ToolReturnValue::error(
                format!("Failed to edit file `{shown}`: {error}."),
                "Failed to edit file",
            ));
        }
    };
    match apply_edits(&before, edits) {
        Ok((after, total)) if total > 0 => {
            Ok((Change { target, deed: Deed::Replace { before: Some(before), after } }, total))
        }
        Ok(_) => Err(ToolReturnValue::error(
            "No replacements were made: `edit` is an empty list.",
            "No replacements made",
        )),
        Err(error) => Err(ToolReturnValue::error(error, "No replacements made")),
    }
}
