//! A model that knows tools by other names than we do.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt;

use super::code_edit;
use super::{
    ChatRequest, Delta, DeltaStream, Llm, LlmError, Message, Provider, ToolSpec, UploadedFile,
};

/// Our names of tools, each with the one that the model is told.
pub type ToolNames = &'static [(&'static str, &'static str)];

impl Llm {
    /// The same model, told other names: in the list of tools, in their descriptions, in the calls of
    /// the conversation. Its calls come back by our names, so that nothing else hears of the others.
    #[must_use]
    pub fn with_tool_names(self, names: ToolNames) -> Self {
        Self { provider: Arc::new(Renamed { inner: self.provider, names }), ..self }
    }
}

struct Renamed {
    inner: Arc<dyn Provider>,
    names: ToolNames,
}

#[async_trait]
impl Provider for Renamed {
    async fn stream(&self, request: ChatRequest<'_>) -> Result<DeltaStream, LlmError> {
        // Of two with the same name the one that is ours counts: it is what the calls come back to.
        let taken = |name: &str| {
            let ours = self.names.iter().find(|(_, theirs)| *theirs == name).map(|(ours, _)| *ours);
            ours.is_some_and(|ours| request.tools.iter().any(|tool| tool.name == ours))
        };
        let tools = request.tools.iter().filter(|tool| !taken(&tool.name));
        let tools: Vec<ToolSpec> = tools.map(|tool| self.told(tool)).collect();
        let messages: Vec<Message> =
            request.messages.iter().map(|message| self.said(message)).collect();
        let request = ChatRequest { tools: &tools, messages: &messages, ..request };
        let names = self.names;
        let deltas = self.inner.stream(request).await?;
        Ok(Box::pin(deltas.map(move |delta| delta.map(|delta| ours(delta, names)))))
    }

    async fn upload_video(&self, file: &UploadedFile) -> Option<Result<String, LlmError>> {
        self.inner.upload_video(file).await
    }
}

impl Renamed {
    /// A tool as the model is told of it. A description that is not ours is left as it is.
    fn told(&self, tool: &ToolSpec) -> ToolSpec {
        let mut tool = tool.clone();
        code_edit::retold(&mut tool, self.names);
        if !tool.name.contains("__") {
            tool.description = renamed_words(&tool.description, self.names);
        }
        tool.name = theirs(&tool.name, self.names).unwrap_or(&tool.name).to_owned();
        tool
    }

    fn said(&self, message: &Message) -> Message {
        let mut message = message.clone();
        for call in &mut message.tool_calls {
            if let Some(name) = theirs(&call.function.name, self.names) {
                name.clone_into(&mut call.function.name);
            }
        }
        message
    }
}

fn theirs(name: &str, names: ToolNames) -> Option<&'static str> {
    names.iter().find(|(ours, _)| *ours == name).map(|(_, theirs)| *theirs)
}

fn ours(delta: Delta, names: ToolNames) -> Delta {
    match delta {
        Delta::ToolCall { index, id, name, arguments } => {
            let name = name.map(|name| match names.iter().find(|(_, theirs)| *theirs == name) {
                Some((ours, _)) => (*ours).to_owned(),
                None => name,
            });
            Delta::ToolCall { index, id, name, arguments }
        }
        delta => delta,
    }
}

/// A text in which our names of tools, where they stand as words, are the others.
pub fn renamed_words(text: &str, names: ToolNames) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_word) {
        let (before, word) = rest.split_at(start);
        let end = word.find(|c| !is_word(c)).unwrap_or(word.len());
        let (word, after) = word.split_at(end);
        out.push_str(before);
        out.push_str(theirs(word, names).unwrap_or(word));
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ToolCall;
    use std::sync::Mutex;

    const NAMES: ToolNames = &[("Shell", "Bash"), ("ReadFile", "Read")];

    /// Keeps what it is asked, and calls a tool.
    #[derive(Default)]
    struct Model(Mutex<Vec<(Vec<ToolSpec>, Vec<Message>)>>);

    #[async_trait]
    impl Provider for Model {
        async fn stream(&self, request: ChatRequest<'_>) -> Result<DeltaStream, LlmError> {
            self.0.lock().unwrap().push((request.tools.to_vec(), request.messages.to_vec()));
            let call = |name: Option<&str>| Delta::ToolCall {
                index: 0,
                id: None,
                name: name.map(str::to_owned),
                arguments: "Bash".to_owned(),
            };
            let said = [Some("Bash"), Some("Shell"), Some("Grep"), None].map(call).map(Ok);
            Ok(Box::pin(futures_util::stream::iter(said)))
        }
    }

    #[tokio::test]
    async fn the_model_hears_other_names_and_we_hear_ours() {
        let model = Arc::new(Model::default());
        let renamed = Renamed { inner: Arc::<Model>::clone(&model), names: NAMES };
        let spec = |name: &str, description: &str| ToolSpec {
            name: name.to_owned(),
            description: description.to_owned(),
            parameters: serde_json::Value::Null,
        };
        let tools = [
            spec("Shell", "Not for files: ReadFile, ReadFiles."),
            spec("mcp__x__ReadFile", "ReadFile"),
            spec("Bash", "Somebody else's."),
            spec("Read", "There is no other."),
        ];
        let calls = vec![ToolCall::new("c", "ReadFile", "{}"), ToolCall::new("d", "Glob", "{}")];
        let messages = [Message::user_text("Shell"), Message::assistant(vec![], calls)];
        let request =
            ChatRequest { system: "", tools: &tools, messages: &messages, context_tokens: 0 };
        let deltas: Vec<_> = renamed.stream(request).await.unwrap().collect().await;
        let names = deltas.into_iter().map(|delta| match delta {
            Ok(Delta::ToolCall { name, arguments, .. }) if arguments == "Bash" => name,
            other => panic!("{other:?}"),
        });
        let names: Vec<_> = names.collect();
        assert_eq!(
            names,
            [Some("Shell"), Some("Shell"), Some("Grep"), None].map(|name| name.map(str::to_owned))
        );
        let (tools, said) = model.0.lock().unwrap().remove(0);
        assert_eq!(tools[0], spec("Bash", "Not for files: Read, ReadFiles."));
        assert_eq!(tools[1], spec("mcp__x__ReadFile", "ReadFile"));
        assert_eq!(tools[2..], [spec("Read", "There is no other.")]);
        assert_eq!(said[0], messages[0]);
        let calls: Vec<&str> =
            said[1].tool_calls.iter().map(|call| call.function.name.as_str()).collect();
        assert_eq!(calls, ["Read", "Glob"]);
    }

    #[test]
    fn an_edit_has_the_arguments_that_go_with_its_name() {
        let names: ToolNames = &[("StrReplaceFile", "Edit")];
        let renamed = Renamed { inner: Arc::new(Model::default()), names };
        let tool = ToolSpec {
            name: "StrReplaceFile".to_owned(),
            description: "ours".to_owned(),
            parameters: serde_json::json!({"properties": {"edit": {}}}),
        };
        let told = renamed.told(&tool);
        assert_eq!(told.name, "Edit");
        assert!(told.description.contains("`old_string`"), "{}", told.description);
        let properties = told.parameters["properties"].as_object().unwrap();
        let keys: Vec<&String> = properties.keys().collect();
        assert_eq!(keys, ["path", "old_string", "new_string", "replace_all"]);
        let kept = Renamed { inner: Arc::new(Model::default()), names: NAMES }.told(&tool);
        assert_eq!(kept, tool);
    }

    #[test]
    fn only_whole_words_are_renamed() {
        for (text, renamed) in [
            ("", ""),
            ("Shell", "Bash"),
            ("a Shell, `Shell`.", "a Bash, `Bash`."),
            ("Shells MyShell my_Shell Shell_ shell", "Shells MyShell my_Shell Shell_ shell"),
            ("é Shell é", "é Bash é"),
        ] {
            assert_eq!(renamed_words(text, NAMES), renamed);
        }
    }
}
