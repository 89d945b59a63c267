//! `WriteFile`: creates, replaces or extends a file.

use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use super::blocking::on_file;
use super::file_access::{Change, Deed, Editor, End, FileAccess, read_anywhere};
use super::{CallContext, Effect, Tool, ToolReturn, arguments, path_guard::GuardedPath, schema};
use crate::protocol::ToolReturnValue;

/// Creates, replaces or extends a file.
pub struct WriteFile {
    files: Arc<FileAccess>,
}

#[derive(Deserialize)]
struct Arguments {
    path: String,
    content: String,
    mode: Mode,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Overwrite,
    Append,
}

impl WriteFile {
    /// The tool; `files` is shared by the file tools of a session.
    pub fn new(files: Arc<FileAccess>) -> Self {
        Self { files }
    }
}

fn prepare(
    files: &FileAccess,
    editor: Option<&dyn Editor>,
    mode: Mode,
    content: String,
    target: GuardedPath,
) -> Result<Change, ToolReturnValue> {
    let failed = |why: String| {
        ToolReturnValue::error(
            format!("Failed to write file `{}`: {why}.", target.path.display()),
            "Failed to write file",
        )
    };
    let metadata = std::fs::metadata(&target.real).ok();
    if metadata.as_ref().is_some_and(|metadata| !metadata.is_file()) {
        return Err(ToolReturnValue::error(
            format!("`{}` is not a file. Give the path of a file.", target.path.display()),
            "Invalid path",
        ));
    }
    let parent_exists = target.real.parent().is_some_and(std::path::Path::is_dir);
    if !target.inside && !parent_exists {
        return Err(ToolReturnValue::error(
            format!(
                "The directory of `{}` does not exist. Create it first.",
                target.path.display()
            ),
            "Parent directory not found",
        ));
    }
    if mode == Mode::Overwrite && files.changed_since_seen(&target.real) {
        return Err(failed(
            "it was changed since it was last read. Read it again before replacing it".into(),
        ));
    }
    let content = content.into_bytes();
    let deed = || {
        if mode == Mode::Append
            && editor.is_none()
            && let Some(to) = End::of(&target.real)?
        {
            return Ok(Deed::Append { to, content });
        }
        let before = read_anywhere(editor, &target.path, &target.real)?;
        let after = match &before {
            Some(before) if mode == Mode::Append => [before.as_slice(), &content].concat(),
            _ => content,
        };
        Ok(Deed::Replace { before, after })
    };
    let deed = deed().map_err(|error: std::io::Error| failed(error.to_string()))?;
    Ok(Change { target, deed })
}

#[async_trait]
impl Tool for WriteFile {
    fn name(&self) -> &'static str {
        "WriteFile"
    }

    fn description(&self) -> &str {
        include_str!("../../assets/tools/write_file.md").trim_end()
    }

    fn parameters(&self) -> Value {
        schema::object(
            &[
                ("path", schema::string("File to write. Absolute when outside the workspace.")),
                ("content", schema::string("The text to write, taken as it is.")),
                (
                    "mode",
                    json!({
                        "type": "string",
                        "enum": ["overwrite", "append"],
                        "default": "overwrite",
                        "description": "Replace the whole file, or add at its end."
                    }),
                ),
            ],
            &["path", "content"],
        )
    }

    fn effect(&self, _: &Value) -> Effect {
        Effect::Write
    }

    async fn call(&self, arguments: Value, cx: &CallContext) -> ToolReturn {
        arguments::with(arguments, async |Arguments { path, content, mode }| {
            let (files, editor) = (Arc::clone(&self.files), cx.workspace.editor());
            let change = on_file(cx, path, "write", move |target| {
                prepare(&files, editor.as_deref(), mode, content, target)
            });
            let told = |size| {
                let done = match mode {
                    Mode::Overwrite => "overwritten",
                    Mode::Append => "appended to",
                };
                format!("File successfully {done}. Current size: {size} bytes.")
            };
            Ok(self.files.apply(cx, self.name(), "Write", change.await?, told).await)
        })
        .await
    }
}
