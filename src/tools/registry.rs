//! The tools of a session, by name.

use std::sync::Arc;

use serde_json::Value;

use super::file_access::FileAccess;
use super::{Tool, arguments};
use super::{
    ask_user::AskUserQuestion, fetch_url::FetchUrl, glob::Glob, grep::Grep, read_file::ReadFile,
    shell::Shell, str_replace_file::StrReplaceFile, task_list::TaskList, task_output::TaskOutput,
    task_stop::TaskStop, think::Think, todo::SetTodoList, write_file::WriteFile,
};
use crate::llm::ToolSpec;
use crate::protocol::ToolReturnValue;

/// The tools that a model is offered, in the order it is told of them.
#[derive(Clone)]
pub struct Registry {
    tools: Vec<Arc<dyn Tool>>,
}

impl Registry {
    /// A registry of these tools, in this order. Of two with the same name the first counts.
    pub fn new(tools: Vec<Arc<dyn Tool>>) -> Self {
        Self { tools }
    }

    /// The built-in tools, with state of their own: one registry for each session.
    pub fn builtin() -> Self {
        let files = Arc::new(FileAccess::default());
        Self::new(vec![
            Arc::new(AskUserQuestion),
            Arc::new(SetTodoList),
            Arc::new(Shell),
            Arc::new(TaskList),
            Arc::new(TaskOutput),
            Arc::new(TaskStop),
            Arc::new(ReadFile::new(Arc::clone(&files))),
            Arc::new(Glob),
            Arc::new(Grep),
            Arc::new(WriteFile::new(Arc::clone(&files))),
            Arc::new(StrReplaceFile::new(files)),
            Arc::new(FetchUrl),
        ])
    }

    /// The built-in tools and `Think`, which only some agents have.
    pub fn builtin_with_think() -> Self {
        let mut registry = Self::builtin();
        registry.tools.push(Arc::new(Think));
        registry
    }

    /// The tools of these names, in their order, with state of their own: one registry for each
    /// session. Names of tools that there are not are passed over.
    pub fn chosen<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self::chosen_among(names, Vec::new())
    }

    /// The same where there are more tools than the built-in ones.
    pub fn chosen_among<'a>(
        names: impl IntoIterator<Item = &'a str>,
        more: Vec<Arc<dyn Tool>>,
    ) -> Self {
        let mut all = Self::builtin_with_think();
        all.tools.extend(more);
        Self::new(names.into_iter().filter_map(|name| all.get(name)).collect())
    }

    /// What the model is told; the same bytes at every call.
    pub fn specs(&self) -> Vec<ToolSpec> {
        self.tools.iter().map(|tool| spec(&**tool)).collect()
    }

    /// The tool of that name.
    pub fn get(&self, name: &str) -> Option<Arc<dyn Tool>> {
        self.tools.iter().find(|tool| tool.name() == name).map(Arc::clone)
    }

    /// Finds the tool of a call and checks the arguments the model wrote for it, see [`prepared`].
    pub fn prepare(
        &self,
        name: &str,
        raw_arguments: &str,
    ) -> Result<(Arc<dyn Tool>, Value), ToolReturnValue> {
        match self.get(name) {
            Some(tool) => prepared(tool, raw_arguments),
            None => Err(not_found(name)),
        }
    }
}

/// What the model is told of a tool.
pub fn spec(tool: &dyn Tool) -> ToolSpec {
    ToolSpec {
        name: tool.name().to_owned(),
        description: tool.description().to_owned(),
        parameters: tool.parameters(),
    }
}

/// The result of a call to a tool that is not there.
pub fn not_found(name: &str) -> ToolReturnValue {
    let message = format!("Tool `{name}` not found");
    ToolReturnValue::error(message.clone(), message)
}

/// Reads the arguments that the model wrote for a tool and checks them: what is returned fits the
/// tool's schema, with all defaults filled in. The error is the result of the call.
pub fn prepared(
    tool: Arc<dyn Tool>,
    raw_arguments: &str,
) -> Result<(Arc<dyn Tool>, Value), ToolReturnValue> {
    let arguments = arguments::parse(raw_arguments)?;
    match tool.check(arguments) {
        Ok(arguments) => Ok((tool, arguments)),
        Err(detail) => Err(arguments::invalid(&detail)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::brief;
    use serde_json::json;

    fn size(specs: &[ToolSpec]) -> usize {
        specs
            .iter()
            .map(|spec| {
                json!({"type": "function", "function": {
                    "name": spec.name, "description": spec.description, "parameters": spec.parameters
                }})
                .to_string()
                .len()
            })
            .sum()
    }

    #[test]
    fn the_model_is_told_little_and_always_the_same() {
        let registry = Registry::builtin_with_think();
        let specs = registry.specs();
        assert_eq!(specs, Registry::builtin_with_think().specs());
        let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "AskUserQuestion",
                "SetTodoList",
                "Shell",
                "TaskList",
                "TaskOutput",
                "TaskStop",
                "ReadFile",
                "Glob",
                "Grep",
                "WriteFile",
                "StrReplaceFile",
                "FetchURL",
                "Think"
            ]
        );
        assert!(size(&specs) < 12 * 1024, "{} bytes", size(&specs));
    }

    #[test]
    fn schemas_are_plain() {
        fn check(value: &Value) {
            if let Some(fields) = value.as_object() {
                for banned in ["title", "$ref", "$defs", "additionalProperties"] {
                    // A property may be called so; a keyword would hold something else.
                    assert!(
                        fields.get(banned).is_none_or(|inner| inner["type"] == "string"),
                        "{value}"
                    );
                }
                fields.values().for_each(check);
            }
            value.as_array().into_iter().flatten().for_each(check);
        }
        for spec in Registry::builtin_with_think().specs() {
            assert_eq!(spec.parameters["type"], "object");
            assert!(!spec.description.is_empty());
            check(&spec.parameters);
        }
    }

    #[test]
    fn calls_are_prepared() {
        let registry = Registry::builtin();
        let (tool, arguments) =
            registry.prepare("ReadFile", r#"{"path": "a", "n_lines": "7", "x": 1}"#).unwrap();
        assert_eq!(tool.name(), "ReadFile");
        assert_eq!(arguments, json!({"path": "a", "line_offset": 1, "n_lines": 7}));
        let error = |name: &str, raw: &str| match registry.prepare(name, raw) {
            Err(error) => error,
            Ok(_) => panic!("accepted"),
        };
        let unknown = error("NoSuchTool", "{");
        assert_eq!(unknown.message, "Tool `NoSuchTool` not found");
        assert_eq!(brief(&unknown), unknown.message);
        let torn = error("ReadFile", r#"{"path": "#);
        assert!(torn.message.starts_with("Error parsing JSON arguments: "));
        let invalid = error("ReadFile", "");
        assert_eq!(invalid.message, "Error validating JSON arguments: `path` is required");
        assert_eq!(brief(&invalid), "Invalid arguments");
    }

    #[test]
    fn an_agent_chooses() {
        let names = |registry: Registry| -> Vec<String> {
            registry.specs().into_iter().map(|spec| spec.name).collect()
        };
        let chosen = Registry::chosen(["Think", "Agent", "Shell", "nothing"]);
        assert_eq!(names(chosen), ["Think", "Shell"]);
        assert!(names(Registry::chosen([])).is_empty());
    }

    #[test]
    fn think_is_offered_only_on_request() {
        assert!(Registry::builtin().get("Think").is_none());
    }
}
