//! Agents that the session's agent starts: each has a context, a record and tools of its own, and
//! shares the model's budget, the work directory and the person who approves (agent-loop.md
//! section 12). They start no agents themselves.
//!
//! | file | subject |
//! |---|---|
//! | `engage` | finding or making the agent that an order is for |
//! | `history` | what an agent forgets when turns were undone |
//! | `run` | an agent at work, to its end |
//! | `source` | who an agent is to the approval desk |
//! | `report` | what an agent does, for people to read |
//! | `record` | an agent's `meta.json` while it works |
//! | `told` | how an agent has ended, in words for the model |
//! | `git_context` | what an explorer is told of the repository |
//! | `agent_tool`, `swarm_tool` | the tools |

#![expect(
    clippy::result_large_err,
    reason = "the error of a call is its result, and an order is carried out a few times in a turn"
)]

mod agent_tool;
mod engage;
mod git_context;
mod history;
mod record;
mod report;
mod run;
mod source;
mod swarm_tool;
mod told;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use super::core::Core;
use super::prompt::MadePrompt;
use super::spending::Exhausted;
use crate::customize::{Agent, Subagent};
use crate::protocol::ToolReturnValue;
use crate::store::SubagentStore;
use crate::tools::{Registry, Tool, WebServices};

use self::agent_tool::AgentTool;
pub use self::source::Source;
use self::swarm_tool::SwarmTool;
pub use self::swarm_tool::task_of;

/// Tools that belong to the session's own agent: they start agents, ask a person, have to do with
/// the session as a whole or with its background tasks.
const NOT_FOR_SUBAGENTS: [&str; 13] = [
    "Agent",
    "AgentSwarm",
    "AskUserQuestion",
    "CreateGoal",
    "EnterPlanMode",
    "ExitPlanMode",
    "GetGoal",
    "SendDMail",
    "SetGoalBudget",
    "TaskList",
    "TaskOutput",
    "TaskStop",
    "UpdateGoal",
];

/// Makes the system prompt of an agent; the directories are those beside the work directory.
pub type PromptOf = Arc<dyn Fn(&Agent, &[PathBuf]) -> MadePrompt + Send + Sync>;

/// The agents that a session's agent may start, and those that are at work.
pub struct Crew {
    types: Vec<Subagent>,
    prompt: PromptOf,
    web: WebServices,
    plugins: Vec<Arc<dyn Tool>>,
    /// The session's own agent, as soon as there is one.
    parent: OnceLock<Weak<Core>>,
    /// The ids of those at work.
    working: Mutex<HashSet<String>>,
    /// What an earlier process left behind is settled.
    settled: tokio::sync::OnceCell<()>,
}

impl Crew {
    /// A crew of agents of these types, of which none is at work.
    /// `web` and `plugins` are what their tools are made of besides what is built in.
    pub fn new(
        types: Vec<Subagent>,
        prompt: PromptOf,
        web: WebServices,
        plugins: Vec<Arc<dyn Tool>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            types,
            prompt,
            web,
            plugins,
            parent: OnceLock::new(),
            working: Mutex::default(),
            settled: tokio::sync::OnceCell::new(),
        })
    }

    /// The tools that start them; none where there are no types.
    pub fn tools(self: &Arc<Self>) -> Vec<Arc<dyn Tool>> {
        if self.types.is_empty() {
            return Vec::new();
        }
        vec![Arc::new(AgentTool::new(Arc::clone(self))), Arc::new(SwarmTool::new(Arc::clone(self)))]
    }

    /// Works for this agent from now on. `alone` when no other process has the session open: then
    /// what seems to be at work on disk is not.
    pub(super) fn attach(self: &Arc<Self>, parent: &Arc<Core>, alone: bool) {
        // A crew belongs to one session.
        let _ = self.parent.set(Arc::downgrade(parent));
        if !alone {
            let _ = self.settled.set(());
            return;
        }
        let crew = Arc::clone(self);
        let core = Arc::clone(parent);
        tokio::spawn(async move { crew.settle(&core).await });
    }

    /// Marks what an earlier process left at work as failed, once.
    async fn settle(&self, core: &Core) {
        let (store, now) = (store_of(core), core.env.unix_now());
        self.settled
            .get_or_init(|| async move {
                let settle = move || store.settle_stale(now);
                if let Err(error) = tokio::task::spawn_blocking(settle).await {
                    tracing::warn!(%error, "the subagents of an earlier run are not settled");
                }
            })
            .await;
    }

    /// Why no agent of it may begin now.
    fn cannot_start(&self) -> Option<Exhausted> {
        self.parent.get()?.upgrade()?.cannot_delegate()
    }

    /// The type of that name.
    fn kind(&self, name: &str) -> Option<&Subagent> {
        self.types.iter().find(|kind| kind.name == name)
    }

    fn names(&self) -> String {
        let names: Vec<&str> = self.types.iter().map(|kind| kind.name.as_str()).collect();
        names.join(", ")
    }

    /// The tools of an agent of this type. Those of plugins that a type does not name only where
    /// it does not say which tools it has: who writes a list means the list.
    fn registry(&self, agent: &Agent) -> Registry {
        let names = agent.tools.iter().map(String::as_str);
        let names = names.filter(|name| !NOT_FOR_SUBAGENTS.contains(name));
        let brought = &agent.plugins;
        let has = |tool: &&Arc<dyn Tool>| {
            brought.has(tool.name()) && (!agent.restricted || brought.names(tool.name()))
        };
        let plugins = self.plugins.iter().filter(has).map(Arc::clone);
        Registry::chosen(names, &self.web).with(plugins)
    }

    /// Why plan mode does not let an agent of this type begin, or of the type that the agent `resume`
    /// is of: it is there to change files. What else it does is judged call by call. A name that
    /// nobody has is somebody else's to tell.
    fn in_plan_mode(&self, kind: &str, resume: Option<&str>) -> Result<(), String> {
        let kind = self.type_of(kind, resume);
        let kind = kind.as_str();
        let writes = |kind: &Subagent| {
            let has = |name: &str| kind.agent.tools.iter().any(|tool| tool == name);
            has("WriteFile") || has("StrReplaceFile")
        };
        if !self.kind(kind).is_some_and(writes) {
            return Ok(());
        }
        let readers = self.types.iter().filter(|kind| !writes(kind));
        let readers: Vec<&str> = readers.map(|kind| kind.name.as_str()).collect();
        Err(match readers.as_slice() {
            [] => format!("a `{kind}` agent changes files"),
            readers => format!(
                "a `{kind}` agent changes files. Types that only read: {}",
                readers.join(", ")
            ),
        })
    }

    /// The type of the agent that a call is about: one that goes on stays what it was.
    fn type_of(&self, kind: &str, resume: Option<&str>) -> String {
        let found = resume.and_then(|id| {
            let parent = self.parent.get()?.upgrade()?;
            store_of(&parent).read(id)
        });
        found.map_or_else(|| kind.to_owned(), |meta| meta.subagent_type)
    }

    /// The types in the description of a tool.
    fn listed(&self) -> String {
        let line = |kind: &Subagent| {
            let Subagent { name, description, agent } = kind;
            let when = agent.when_to_use.as_deref().unwrap_or(description);
            let when = when.split_whitespace().collect::<Vec<_>>().join(" ");
            let tools = if agent.restricted { agent.tools.join(", ") } else { "*".to_owned() };
            let model = agent.model.as_deref().unwrap_or("inherit");
            format!("- {name} (tools: {tools}; model: {model}): {when}")
        };
        self.types.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn working(&self) -> MutexGuard<'_, HashSet<String>> {
        self.working.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn store_of(core: &Core) -> SubagentStore {
    SubagentStore::new(&core.session.dir)
}

/// The result of a call that starts no agent.
fn failure(message: impl Into<String>, brief: &str) -> ToolReturnValue {
    ToolReturnValue::error(message, brief)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::customize::Builtin;
    use serde_json::{Value, json};

    /// A crew of the built-in types, changed like this, with a plugin.
    fn crew(change: impl FnOnce(&mut Vec<Subagent>)) -> Arc<Crew> {
        let mut types = Agent::builtin(Builtin::Default).unwrap().subagents;
        change(&mut types);
        let plugin = Registry::all(&WebServices::default()).get("Think").unwrap();
        let prompt: PromptOf = Arc::new(|agent: &Agent, _: &[PathBuf]| agent.name.clone().into());
        Crew::new(types, prompt, WebServices::default(), vec![plugin])
    }

    #[test]
    fn plan_mode_goes_by_what_a_type_may_do() {
        let built_in = crew(|_| {});
        for reads in ["explore", "plan", "nobody"] {
            assert_eq!(built_in.in_plan_mode(reads, None), Ok(()), "{reads}");
        }
        let refused = built_in.in_plan_mode("coder", None).unwrap_err();
        assert_eq!(refused, "a `coder` agent changes files. Types that only read: explore, plan");
        // An id that nobody has says nothing else.
        assert!(built_in.in_plan_mode("coder", Some("a00000001")).is_err());
        let edits = crew(|types| {
            types.retain(|kind| kind.name == "explore");
            types[0].agent.tools.push("StrReplaceFile".to_owned());
        });
        let refused = edits.in_plan_mode("explore", None).unwrap_err();
        assert_eq!(refused, "a `explore` agent changes files");
    }

    #[test]
    fn nobody_has_what_belongs_to_the_sessions_own_agent() {
        let crew = crew(|_| {});
        let mut agent = crew.kind("explore").unwrap().agent.clone();
        agent.tools.extend(NOT_FOR_SUBAGENTS.map(str::to_owned));
        let registry = crew.registry(&agent);
        assert!(registry.get("ReadFile").is_some() && registry.get("WriteFile").is_none());
        for name in NOT_FOR_SUBAGENTS {
            assert!(registry.get(name).is_none(), "{name}");
        }
        assert!(registry.get("Think").is_none(), "a list of tools is the list");
        agent.restricted = false;
        assert!(crew.registry(&agent).get("Think").is_some());
    }
    fn tool(name: &str) -> Arc<dyn Tool> {
        let mut tools = crew(|_| {}).tools().into_iter();
        tools.find(|tool| tool.name() == name).unwrap()
    }

    #[test]
    fn a_call_of_agent_is_completed_and_its_time_has_bounds() {
        let tool = tool("Agent");
        let least = json!({"description": "d", "prompt": "p"});
        let whole = json!({"description": "d", "prompt": "p", "subagent_type": "coder",
            "model": null, "resume": null, "run_in_background": false, "timeout": null});
        let checked = tool.check(least.clone()).unwrap();
        assert_eq!(checked, whole);
        let names =
            |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
        assert_eq!(names(&tool.parameters()["properties"]), names(&whole));
        for (timeout, fits) in [(29, false), (30, true), (3600, true), (3601, false)] {
            let mut arguments = least.clone();
            arguments["timeout"] = json!(timeout);
            assert_eq!(tool.check(arguments).is_ok(), fits, "{timeout}");
        }
        for without in ["description", "prompt"] {
            let mut arguments = least.clone();
            arguments.as_object_mut().unwrap().remove(without);
            let error = tool.check(arguments).unwrap_err();
            assert_eq!(error, format!("`{without}` is required"));
        }
    }

    #[test]
    fn a_call_of_a_swarm_is_completed_and_so_many_at_once_have_bounds() {
        let tool = tool("AgentSwarm");
        let least = json!({"description": "d", "prompt_template": "{{item}}", "items": ["a", "b"]});
        let checked = tool.check(least.clone()).unwrap();
        assert_eq!(
            (&checked["subagent_type"], &checked["concurrency"]),
            (&json!("coder"), &json!(null))
        );
        for (concurrency, fits) in [(0, false), (1, true), (32, true), (33, false)] {
            let mut arguments = least.clone();
            arguments["concurrency"] = json!(concurrency);
            assert_eq!(tool.check(arguments).is_ok(), fits, "{concurrency}");
        }
    }

    #[test]
    fn the_description_lists_every_type_with_its_tools_model_and_use() {
        let crew = crew(|types| {
            types.truncate(2);
            types[0].agent.restricted = false;
            types[0].agent.when_to_use = Some("For  all\n of it.".to_owned());
            types[1].agent.tools = vec!["ReadFile".to_owned(), "Grep".to_owned()];
            types[1].agent.model = Some("fast".to_owned());
            types[1].agent.when_to_use = None;
            types[1].description = "Looks.".to_owned();
        });
        let listed = "\n\nTypes:\n- coder (tools: *; model: inherit): For all of it.\n\
            - explore (tools: ReadFile, Grep; model: fast): Looks.";
        assert!(
            crew.tools()[0].description().ends_with(listed),
            "{}",
            crew.tools()[0].description()
        );
        assert!(crew.tools()[1].description().ends_with(" Types: coder, explore."));
    }
}
