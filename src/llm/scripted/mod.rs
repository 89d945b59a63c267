//! Models that say what a script says, for tests and for clients that test themselves against this
//! program (providers.md section 10).
//!
//! `_echo` takes the text of the last message as its script. `_scripted_echo` takes one script per
//! call from `KIMI_SCRIPTED_ECHO_SCRIPTS`.

mod dsl;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use futures_util::stream;
use tokio::sync::Mutex;

use super::oneline::one_line;
use super::{ChatRequest, DeltaStream, LlmError, ModelSpec, Provider, Role};
use crate::platform::Env;

/// Names the scripts: a file, a JSON array of strings, or the text itself.
const SCRIPTS: &str = "KIMI_SCRIPTED_ECHO_SCRIPTS";
/// Whether each script is written to the log.
const TRACE: &str = "KIMI_SCRIPTED_ECHO_TRACE";
/// Bytes of a script file.
const LARGEST_FILE: u64 = 64 * 1024 * 1024;

/// `_echo`.
pub(super) struct Echo;

#[async_trait]
impl Provider for Echo {
    async fn stream(&self, request: ChatRequest<'_>) -> Result<DeltaStream, LlmError> {
        match request.messages.last() {
            Some(message) if message.role == Role::User => play(&message.text()),
            _ => Err(LlmError::Other(
                "the echo model answers user messages only; the last message is none".to_owned(),
            )),
        }
    }
}

/// `_scripted_echo`. All clones of its model take from one queue.
pub(super) struct ScriptedEcho {
    source: Option<String>,
    cwd: PathBuf,
    trace: bool,
    /// None until the first call, which reads the source.
    queue: Mutex<Option<VecDeque<String>>>,
}

impl ScriptedEcho {
    /// The provider's own environment goes before that of the process.
    pub(super) fn new(spec: &ModelSpec, env: &Env) -> Self {
        let own =
            |name| spec.env.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let truthy = |value: &str| {
            matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "t" | "yes" | "y")
        };
        Self {
            source: own(SCRIPTS).or_else(|| env.var(SCRIPTS)).map(str::to_owned),
            cwd: env.cwd.clone(),
            trace: own(TRACE).map_or_else(|| env.truthy(TRACE), truthy),
            queue: Mutex::new(None),
        }
    }

    async fn next(&self) -> Result<String, LlmError> {
        let mut queue = self.queue.lock().await;
        if queue.is_none() {
            let source = self.source.clone().ok_or_else(|| {
                LlmError::Other(format!("the scripted model has no scripts; set {SCRIPTS}"))
            })?;
            let cwd = self.cwd.clone();
            let scripts = tokio::task::spawn_blocking(move || load(&source, &cwd))
                .await
                .map_err(|_| LlmError::Other("the scripts could not be read".to_owned()))??;
            *queue = Some(scripts);
        }
        queue.as_mut().and_then(VecDeque::pop_front).ok_or_else(|| {
            LlmError::Other(format!("the scripted model has no script left; add one to {SCRIPTS}"))
        })
    }
}

#[async_trait]
impl Provider for ScriptedEcho {
    async fn stream(&self, _: ChatRequest<'_>) -> Result<DeltaStream, LlmError> {
        let script = self.next().await?;
        if self.trace {
            tracing::info!(target: "kimi_tui::scripted", %script, "next script");
        }
        play(&script)
    }
}

fn play(script: &str) -> Result<DeltaStream, LlmError> {
    let deltas = dsl::parse(script)?;
    Ok(Box::pin(stream::iter(deltas.into_iter().map(Ok))))
}

/// The scripts of a source: a JSON array, a file, or the text itself.
fn load(source: &str, cwd: &Path) -> Result<VecDeque<String>, LlmError> {
    let trimmed = source.trim();
    if trimmed.starts_with('[') || trimmed.contains('\n') {
        return split(source);
    }
    let path = cwd.join(trimmed);
    let failed = |why: &dyn std::fmt::Display| {
        LlmError::Other(format!(
            "the scripts in {} cannot be read: {}; check {SCRIPTS}",
            one_line(&path.to_string_lossy(), 300),
            one_line(&why.to_string(), 200)
        ))
    };
    match std::fs::metadata(&path) {
        Ok(data) if !data.is_file() => Err(failed(&"it is not a file")),
        Ok(data) if data.len() > LARGEST_FILE => Err(failed(&"it is larger than 64 MiB")),
        Ok(_) => {
            let bytes = std::fs::read(&path).map_err(|error| failed(&error))?;
            split(&String::from_utf8_lossy(&bytes))
        }
        // A script of one line.
        Err(_) if dsl::is_directive(trimmed) => split(source),
        Err(error) => Err(failed(&error)),
    }
}

/// Scripts in one text: a JSON array of strings, or texts with lines `---` between them.
fn split(text: &str) -> Result<VecDeque<String>, LlmError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text).map_err(|error| {
            LlmError::Other(format!(
                "the scripts are not a JSON array of strings (line {}); check {SCRIPTS}",
                error.line()
            ))
        });
    }
    let text = text.replace("\r\n", "\n");
    let scripts = text.split("\n---\n").filter(|script| !script.trim().is_empty());
    Ok(scripts.map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::{Delta, Message, ProviderKind, Secret, connect};
    use crate::platform::env::fixed;
    use futures_util::StreamExt;

    fn spec(kind: ProviderKind, env: &[(&str, &str)]) -> ModelSpec {
        ModelSpec {
            name: "scripted".into(),
            display_name: None,
            kind,
            base_url: String::new(),
            api_key: Secret::default(),
            model: String::new(),
            max_context: 1000,
            capabilities: Default::default(),
            prices: None,
            custom_headers: Vec::new(),
            reasoning_key: None,
            env: env.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
        }
    }

    async fn ask(llm: &crate::llm::Llm, messages: &[Message]) -> Result<String, LlmError> {
        let request = ChatRequest { system: "", tools: &[], messages, context_tokens: 0 };
        let mut stream = llm.provider.stream(request).await?;
        let mut text = String::new();
        while let Some(delta) = stream.next().await {
            if let Delta::Text(piece) = delta? {
                text.push_str(&piece);
            }
        }
        Ok(text)
    }

    #[tokio::test]
    async fn one_script_per_call_and_clones_share() {
        let env = fixed::env("/nowhere", &[(SCRIPTS, "text: a\n---\n\n \n---\ntext: b")]);
        let llm = connect(&spec(ProviderKind::ScriptedEcho, &[]), false, "s", None, &env).unwrap();
        assert_eq!(ask(&llm, &[]).await.unwrap(), "a");
        assert_eq!(ask(&llm.clone(), &[]).await.unwrap(), "b");
        let error = ask(&llm, &[]).await.unwrap_err();
        assert!(matches!(&error, LlmError::Other(text) if text.contains("no script left")));
    }

    #[tokio::test]
    async fn sources() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("s.json"), r#"["text: file"]"#).unwrap();
        let env = fixed::env(dir.path(), &[(SCRIPTS, "text: process")]);
        for (source, said) in [
            ("s.json", "file"),
            (r#"["text: json"]"#, "json"),
            ("text: one line", "one line"),
            ("# x\r\ntext: crlf\r\n---\r\ntext: y", "crlf"),
        ] {
            let spec = spec(ProviderKind::ScriptedEcho, &[(SCRIPTS, source)]);
            let llm = connect(&spec, false, "s", None, &env).unwrap();
            assert_eq!(ask(&llm, &[]).await.unwrap(), said);
        }
        for (source, why) in [
            ("missing.txt", "cannot be read"),
            (".", "not a file"),
            ("[1]", "not a JSON array of strings (line 1)"),
        ] {
            let spec = spec(ProviderKind::ScriptedEcho, &[(SCRIPTS, source)]);
            let llm = connect(&spec, false, "s", None, &env).unwrap();
            let error = ask(&llm, &[]).await.unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        let llm = connect(&spec(ProviderKind::ScriptedEcho, &[]), false, "s", None, &env).unwrap();
        assert_eq!(ask(&llm, &[]).await.unwrap(), "process");
    }

    #[tokio::test]
    async fn echo_plays_the_last_user_message() {
        let env = fixed::env("/nowhere", &[]);
        let llm = connect(&spec(ProviderKind::Echo, &[]), false, "s", None, &env).unwrap();
        assert_eq!(ask(&llm, &[Message::user_text("text: hi")]).await.unwrap(), "hi");
        let answered = [Message::user_text("text: hi"), Message::assistant(vec![], vec![])];
        assert!(ask(&llm, &answered).await.is_err());
        assert!(ask(&llm, &[Message::user_text("hello there")]).await.is_err());
    }
}
