//! Tells that the project's instructions are not all in the prompt.

use std::path::Path;
use std::sync::Arc;

use super::core::Core;
use crate::customize;
use crate::platform::Env;

/// One line for each file of instructions of which a prompt has only a part, as they are on the disk
/// now. A prompt that does not have these instructions at all, because its agent is told of none or
/// because they have changed since it was made, is not spoken of.
pub(super) fn cut(prompt: &str, work_dir: &Path, env: &Env) -> Vec<String> {
    let found = customize::discover(work_dir, env);
    match !found.text.is_empty() && prompt.contains(found.text.trim_end()) {
        true => found.warnings,
        false => Vec::new(),
    }
}

/// The lines of [`cut`] for the prompt of the session, without waiting for a disk meanwhile.
pub(super) async fn cut_now(core: &Arc<Core>) -> Vec<String> {
    let prompt = core.context.lock().await.system_prompt().to_owned();
    let core = Arc::clone(core);
    let look = move || cut(&prompt, &core.workspace.work_dir, &core.env);
    tokio::task::spawn_blocking(look).await.unwrap_or_default()
}

/// Tells the person.
pub(super) async fn tell_of_cut(core: &Arc<Core>) {
    for line in cut_now(core).await {
        let body = "The model knows the beginning. Shorten the file, or have it name other files.";
        let title = line.trim_end_matches('.').to_owned();
        core.tell("instructions.cut", title, body.to_owned(), "warning", serde_json::json!({}));
    }
}
