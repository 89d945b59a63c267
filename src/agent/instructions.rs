//! Tells that the project's instructions are not all in the prompt.

use std::sync::Arc;

use super::core::Core;
use super::prompt::has_instructions;
use crate::customize;

/// One line for each file of instructions of which the session's prompt has only a part, as they are on
/// the disk now. A prompt that does not have these instructions at all, because its agent is told of none
/// or because they have changed since it was made, is not spoken of.
pub(super) async fn cut_now(core: &Arc<Core>) -> Vec<String> {
    let prompt = core.context.lock().await.system_prompt().to_owned();
    let core = Arc::clone(core);
    let look = move || {
        let found = customize::discover(&core.workspace.work_dir, &core.env);
        if has_instructions(&prompt, &found.text) { found.warnings } else { Vec::new() }
    };
    tokio::task::spawn_blocking(look).await.unwrap_or_default()
}

/// Tells the person what a prompt that was just made has only a part of.
pub(super) fn tell_of_cut(core: &Core, cut: Vec<String>) {
    for line in cut {
        let body = "The model knows the beginning. Shorten the file, or have it name other files.";
        let title = line.trim_end_matches('.').to_owned();
        core.tell("instructions.cut", title, body.to_owned(), "warning", serde_json::json!({}));
    }
}
