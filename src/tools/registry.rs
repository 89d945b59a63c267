//! The tools of a session, by name.

use std::sync::Arc;

use serde_json::Value;

use super::file_access::FileAccess;
use super::{SendDMail, Tool, WebServices, arguments};
use super::{
    ask_user::AskUserQuestion,
    fetch_url::FetchUrl,
    glob::Glob,
    goal::{CreateGoal, GetGoal, SetGoalBudget, UpdateGoal},
    grep::Grep,
    plan::{EnterPlanMode, ExitPlanMode},
    read_file::ReadFile,
    read_media::ReadMediaFile,
    search_web::SearchWeb,
    shell::Shell,
    str_replace_file::StrReplaceFile,
    task_list::TaskList,
    task_output::TaskOutput,
    task_stop::TaskStop,
    think::Think,
    todo::SetTodoList,
    write_file::WriteFile,
};
use crate::llm::{Capabilities, ToolSpec};
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

    /// Every tool there is, with state of its own: one registry for each session. Without a search
    /// service there is no `SearchWeb`.
    pub fn all(web: &WebServices) -> Self {
        let files = Arc::new(FileAccess::default());
        let mut tools: Vec<Arc<dyn Tool>> = vec![
            Arc::new(AskUserQuestion),
            Arc::new(SetTodoList),
            Arc::new(Shell),
            Arc::new(TaskList),
            Arc::new(TaskOutput),
            Arc::new(TaskStop),
            Arc::new(ReadFile::new(Arc::clone(&files))),
            Arc::new(ReadMediaFile::default()),
            Arc::new(Glob),
            Arc::new(Grep),
            Arc::new(WriteFile::new(Arc::clone(&files))),
            Arc::new(StrReplaceFile::new(files)),
        ];
        if let Some(search) = &web.search {
            tools.push(Arc::new(SearchWeb::new(Arc::clone(search))));
        }
        tools.push(Arc::new(FetchUrl::new(web.fetch.clone())));
        let more: [Arc<dyn Tool>; 6] = [
            Arc::new(ExitPlanMode),
            Arc::new(EnterPlanMode),
            Arc::new(CreateGoal),
            Arc::new(GetGoal),
            Arc::new(SetGoalBudget),
            Arc::new(UpdateGoal),
        ];
        tools.extend(more);
        tools.push(Arc::new(Think));
        tools.push(Arc::new(SendDMail));
        Self::new(tools)
    }

    /// The tools of these names, in their order, with state of their own: one registry for each
    /// session. Names of tools that there are not are passed over.
    pub fn chosen<'a>(names: impl IntoIterator<Item = &'a str>, web: &WebServices) -> Self {
        Self::chosen_among(names, web, Vec::new())
    }

    /// The same where there are more tools than the built-in ones.
    pub fn chosen_among<'a>(
        names: impl IntoIterator<Item = &'a str>,
        web: &WebServices,
        more: Vec<Arc<dyn Tool>>,
    ) -> Self {
        let mut all = Self::all(web);
        all.tools.extend(more);
        Self::new(names.into_iter().filter_map(|name| all.get(name)).collect())
    }

    /// The same with more tools at the end.
    pub fn with(mut self, more: impl IntoIterator<Item = Arc<dyn Tool>>) -> Self {
        self.tools.extend(more);
        self
    }

    /// What a model with these capabilities is told; the same bytes at every call.
    pub fn specs(&self, model: Capabilities) -> Vec<ToolSpec> {
        let told = |tool: &Arc<dyn Tool>| {
            let description = tool.described_for(model)?;
            Some(ToolSpec { description, ..spec(&**tool) })
        };
        self.tools.iter().filter_map(told).collect()
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
    use crate::llm::{Secret, Service};
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

    const BLIND: Capabilities =
        Capabilities { thinking: true, always_thinking: false, image_in: false, video_in: false };

    fn web() -> WebServices {
        let clock = crate::platform::env::fixed::env("/h", &[]).clock;
        let url = "http://127.0.0.1:9/search";
        let service = Service::new(url, &Secret::default(), &[], None, clock).unwrap();
        WebServices { search: Some(Arc::new(service)), fetch: None }
    }

    fn names(specs: &[ToolSpec]) -> Vec<&str> {
        specs.iter().map(|spec| spec.name.as_str()).collect()
    }

    #[test]
    fn the_model_is_told_little_and_always_the_same() {
        let specs = Registry::all(&web()).specs(BLIND);
        assert_eq!(specs, Registry::all(&web()).specs(BLIND));
        assert_eq!(
            names(&specs),
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
                "SearchWeb",
                "FetchURL",
                "ExitPlanMode",
                "EnterPlanMode",
                "CreateGoal",
                "GetGoal",
                "SetGoalBudget",
                "UpdateGoal",
                "Think",
                "SendDMail"
            ]
        );
        assert!(size(&specs) < 15 * 1024, "{} bytes", size(&specs));
    }

    #[test]
    fn tools_that_are_of_no_use_are_not_offered() {
        let has = |registry: &Registry, model, name: &str| {
            registry.specs(model).iter().any(|spec| spec.name == name)
        };
        let all = Registry::all(&WebServices::default());
        assert!(!has(&all, BLIND, "SearchWeb") && all.get("SearchWeb").is_none());
        assert!(!has(&all, BLIND, "ReadMediaFile") && all.get("ReadMediaFile").is_some());
        for seeing in
            [Capabilities { image_in: true, ..BLIND }, Capabilities { video_in: true, ..BLIND }]
        {
            assert!(has(&all, seeing, "ReadMediaFile"));
        }
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
        let seeing = Capabilities { image_in: true, video_in: true, ..BLIND };
        for spec in Registry::all(&web()).specs(seeing) {
            assert_eq!(spec.parameters["type"], "object");
            assert!(!spec.description.is_empty());
            check(&spec.parameters);
        }
    }

    /// To the letter: in the order in which they are declared, with their defaults.
    #[test]
    fn the_model_reads_what_may_be_left_out_and_what_it_is_then() {
        let specs = Registry::all(&web()).specs(BLIND);
        let of = |name: &str| {
            let spec = specs.iter().find(|spec| spec.name == name).unwrap();
            let mut parameters = spec.parameters.clone();
            for property in parameters["properties"].as_object_mut().unwrap().values_mut() {
                property.as_object_mut().unwrap().shift_remove("description");
            }
            parameters.to_string()
        };
        for (name, parameters) in [
            (
                "ReadFile",
                r#"{"type":"object","properties":{"path":{"type":"string"},"line_offset":{"type":"integer","default":1,"minimum":-1000},"n_lines":{"type":"integer","default":1000,"minimum":1}},"required":["path"]}"#,
            ),
            (
                "Glob",
                r#"{"type":"object","properties":{"pattern":{"type":"string"},"directory":{"anyOf":[{"type":"string"},{"type":"null"}],"default":null},"include_dirs":{"type":"boolean","default":true},"include_ignored":{"type":"boolean","default":false}},"required":["pattern"]}"#,
            ),
            (
                "Grep",
                r#"{"type":"object","properties":{"pattern":{"type":"string"},"path":{"type":"string","default":"."},"glob":{"anyOf":[{"type":"string"},{"type":"null"}],"default":null},"output_mode":{"type":"string","enum":["files_with_matches","content","count_matches"],"default":"files_with_matches"},"-B":{"anyOf":[{"type":"integer","minimum":0},{"type":"null"}],"default":null},"-A":{"anyOf":[{"type":"integer","minimum":0},{"type":"null"}],"default":null},"-C":{"anyOf":[{"type":"integer","minimum":0},{"type":"null"}],"default":null},"-n":{"type":"boolean","default":true},"-i":{"type":"boolean","default":false},"type":{"anyOf":[{"type":"string"},{"type":"null"}],"default":null},"head_limit":{"anyOf":[{"type":"integer","minimum":0},{"type":"null"}],"default":250},"offset":{"type":"integer","default":0,"minimum":0},"multiline":{"type":"boolean","default":false},"include_ignored":{"type":"boolean","default":false}},"required":["pattern"]}"#,
            ),
            (
                "WriteFile",
                r#"{"type":"object","properties":{"path":{"type":"string"},"content":{"type":"string"},"mode":{"type":"string","enum":["overwrite","append"],"default":"overwrite"}},"required":["path","content"]}"#,
            ),
            (
                "SearchWeb",
                r#"{"type":"object","properties":{"query":{"type":"string"},"limit":{"type":"integer","default":5,"minimum":1,"maximum":20},"include_content":{"type":"boolean","default":false}},"required":["query"]}"#,
            ),
            (
                "FetchURL",
                r#"{"type":"object","properties":{"url":{"type":"string"}},"required":["url"]}"#,
            ),
            ("EnterPlanMode", r#"{"type":"object","properties":{}}"#),
        ] {
            assert_eq!(of(name), parameters);
        }
        let optional: serde_json::Value = serde_json::from_str(&of("ExitPlanMode")).unwrap();
        assert_eq!(optional.get("required"), None);
    }

    #[test]
    fn of_two_tools_with_one_name_the_first_is_called() {
        let registry = Registry::new(vec![Arc::new(Glob), Arc::new(Grep)]);
        struct Named(&'static str);
        #[async_trait::async_trait]
        impl Tool for Named {
            fn name(&self) -> &str {
                self.0
            }
            fn description(&self) -> &str {
                "of a server"
            }
            fn parameters(&self) -> Value {
                json!({"type": "object"})
            }
            fn effect(&self, _: &Value) -> crate::tools::Effect {
                crate::tools::Effect::Read
            }
            async fn call(
                &self,
                _: Value,
                _: &crate::tools::CallContext,
            ) -> crate::tools::ToolReturn {
                ToolReturnValue::ok("", "").into()
            }
        }
        let more: [Arc<dyn Tool>; 2] = [Arc::new(Named("Grep")), Arc::new(Named("own"))];
        let registry = registry.with(more);
        assert_eq!(registry.get("Grep").unwrap().description(), Grep.description());
        assert_eq!(registry.get("own").unwrap().description(), "of a server");
    }

    #[test]
    fn calls_are_prepared() {
        let registry = Registry::all(&WebServices::default());
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
        let chosen = |names: &[&str]| Registry::chosen(names.iter().copied(), &web());
        let specs = chosen(&["Think", "Agent", "SearchWeb", "Shell", "nothing"]).specs(BLIND);
        assert_eq!(names(&specs), ["Think", "SearchWeb", "Shell"]);
        assert!(chosen(&[]).specs(BLIND).is_empty());
    }
}
