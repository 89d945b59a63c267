//! `WriteFile`: creates, replaces or extends a file.

use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use super::file_access::{Change, FileAccess, read_if_exists};
use super::{
    CallContext, Effect, Tool, ToolReturn, arguments,
    path_guard::{self, GuardedPath},
    schema,
};
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
    arguments: Arguments,
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
    if arguments.mode == Mode::Overwrite && files.changed_since_seen(&target.real) {
        return Err(failed(
            "it was changed since it was last read. Read it again before replacing it".into(),
        ));
    }
    let before = read_if_exists(&target.real).map_err(|error| failed(error.to_string()))?;
    let after = match (arguments.mode, &before) {
        (Mode::Append, Some(before)) => {
            let mut whole = before.clone();
            whole.extend_from_slice(arguments.content.as_bytes());
            whole
        }
        _ => arguments.content.into_bytes(),
    };
    Ok(Change { target, before, after })
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
        let arguments: Arguments = match arguments::typed(arguments) {
            Ok(arguments) => arguments,
            Err(error) => return error.into(),
        };
        let guarded =
            path_guard::resolve_public(&arguments.path, &cx.workspace, &cx.env.home, "write");
        let target = match guarded {
            Ok(target) => target,
            Err(refusal) => return ToolReturnValue::from(refusal).into(),
        };
        let mode = arguments.mode;
        let files = Arc::clone(&self.files);
        let prepared =
            tokio::task::spawn_blocking(move || prepare(&files, arguments, target)).await;
        let change = match prepared {
            Ok(Ok(change)) => change,
            Ok(Err(error)) => return error.into(),
            Err(error) => {
                let brief = "Failed to write file";
                return ToolReturnValue::error(format!("{brief}: {error}"), brief).into();
            }
        };
        self.files
            .apply(cx, self.name(), "Write", change, |size| {
                let done = match mode {
                    Mode::Overwrite => "overwritten",
                    Mode::Append => "appended to",
                };
                format!("File successfully {done}. Current size: {size} bytes.")
            })
            .await
    }
}
