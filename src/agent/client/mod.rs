//! The program on the other side, where a front end serves one instead of a person: what it can show,
//! the tools it brings, the hooks it has subscribed to (wire.md, `initialize`).
//!
//! | file | subject |
//! |---|---|
//! | `asking` | requests that only such a program answers |
//! | `tool` | a tool that it runs |
//! | `schema` | what is wrong with the schema of such a tool |

mod asking;
mod schema;
mod tool;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use self::asking::Asking;
use self::tool::ExternalTool;
use super::core::Core;
use super::hub::Hub;
use super::{AGENT_COMMANDS, skills};
use crate::customize::hooks::Subscription;
use crate::llm::{Thinking, ToolSpec};
use crate::mcp::tidy::one_line;
use crate::protocol::{HookEvent, Response};
use crate::tools::{Editor, Terminals, Tool, spec};

/// Tools that put questions.
const ASKING: [&str; 1] = ["AskUserQuestion"];
/// Tools that belong to plan mode.
const PLANNING: [&str; 2] = ["EnterPlanMode", "ExitPlanMode"];
/// Longest name of a tool; model servers take no more.
const MAX_NAME: usize = 64;

/// What a program says of itself.
#[derive(Debug, Clone, Default)]
pub struct Introduction {
    /// Name and version, for the provider's logs.
    pub name: Option<String>,
    /// `None` leaves what was said before.
    pub shows: Option<Shows>,
    pub tools: Vec<BroughtTool>,
    pub hooks: Vec<WantedHook>,
}

/// What a program can show to its user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shows {
    pub questions: bool,
    /// Answers to questions in words of the user's own.
    pub words: bool,
    /// Several questions as one form with fields of their own kinds.
    pub forms: bool,
    pub plans: bool,
}

/// A tool that a program brings.
#[derive(Debug, Clone)]
pub struct BroughtTool {
    pub name: String,
    pub description: String,
    /// The JSON schema of its arguments.
    pub parameters: Value,
}

/// An event that a program wants to be asked about.
#[derive(Debug, Clone)]
pub struct WantedHook {
    /// The program's own name for it.
    pub id: String,
    /// One that there is not is passed over.
    pub event: String,
    pub matcher: String,
    /// Seconds.
    pub timeout: u64,
}

/// What has become of the tools of an [`Introduction`], by name; with the reason for those that were
/// not taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Introduced {
    pub accepted: Vec<String>,
    pub rejected: Vec<(String, String)>,
}

/// A slash command as programs are told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedCommand {
    pub name: String,
    pub description: String,
    pub aliases: Vec<String>,
    /// What may follow the name; empty for nothing.
    pub arguments: String,
}

/// The program's part of a session; empty where there is none.
pub(super) struct Client {
    asking: Arc<Asking>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    shows: Shows,
    /// Tools of the session that the program has no use for.
    hidden: Vec<&'static str>,
    tools: Vec<Arc<ExternalTool>>,
    terminals: Option<Arc<dyn Terminals>>,
}

impl Client {
    /// No program yet.
    pub fn new(hub: &Arc<Hub>) -> Self {
        Self { asking: Arc::new(Asking::new(Arc::clone(hub))), state: Mutex::default() }
    }

    /// The specs of the session's own tools, as the program leaves and completes them.
    pub fn specs(&self, mut own: Vec<ToolSpec>) -> Vec<ToolSpec> {
        let state = self.lock();
        own.retain(|spec| !state.hidden.contains(&spec.name.as_str()));
        own.extend(state.tools.iter().map(|tool| spec(&**tool)));
        own
    }

    /// Whether the model has nothing of this tool of the session.
    pub fn hides(&self, name: &str) -> bool {
        // A tool that asks says itself that nobody can be asked.
        !ASKING.contains(&name) && self.lock().hidden.contains(&name)
    }

    /// The program's tool of that name.
    pub fn tool(&self, name: &str) -> Option<Arc<dyn Tool>> {
        let state = self.lock();
        let tool = state.tools.iter().find(|tool| tool.name() == name)?;
        Some(Arc::clone(tool) as Arc<dyn Tool>)
    }

    /// The program's terminals, if commands run there.
    pub fn terminals(&self) -> Option<Arc<dyn Terminals>> {
        self.lock().terminals.clone()
    }

    /// Takes the answer to a request of the program's own kinds. One that nobody waits for changes
    /// nothing.
    pub fn answer(&self, response: Response) {
        self.asking.answer(response);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a front end that serves a program does with a session, beside sending ops.
#[derive(Clone)]
pub struct ClientView(Arc<Core>);

impl ClientView {
    /// A program is served here. Until it says so, it shows no questions.
    pub(super) fn new(core: &Arc<Core>) -> Self {
        core.desk.set_can_ask(false);
        Self(Arc::clone(core))
    }

    /// Takes in what the program says of itself; it may do so again. Only between turns: what the model
    /// is offered changes.
    pub fn introduce(&self, introduction: Introduction) -> Introduced {
        let Self(core) = self;
        let Introduction { name, shows, tools, hooks } = introduction;
        if let Some(name) = name {
            self.reconnect(&name);
        }
        self.show(shows);
        let mut introduced = Introduced::default();
        for tool in tools {
            match self.take(&tool) {
                Ok(()) => introduced.accepted.push(tool.name),
                Err(reason) => introduced.rejected.push((tool.name, reason)),
            }
        }
        core.hooks.subscribe(hooks.into_iter().filter_map(|hook| {
            let known = HookEvent::WIRE.into_iter();
            let event = known.into_iter().find(|event| event.name() == hook.event)?;
            let WantedHook { id, matcher, timeout, .. } = hook;
            let client = Arc::clone(&core.client.asking) as _;
            Some(Subscription { id, event, matcher, timeout, client })
        }));
        introduced
    }

    /// The program has the session's files open, and reads and writes them for the file tools.
    pub fn open_files_in(&self, editor: Arc<dyn Editor>) {
        self.0.workspace.open_in(editor);
    }

    /// The program has terminals, in which commands run from now on; those of subagents do not.
    pub fn run_commands_in(&self, terminals: Arc<dyn Terminals>) {
        self.0.client.lock().terminals = Some(terminals);
    }

    /// Every command that a prompt may begin with: the agent's own, then the skills, then those of them
    /// that are flowcharts, then the prompts of MCP servers. Looks for files.
    pub async fn commands(&self) -> Vec<OfferedCommand> {
        let own = AGENT_COMMANDS.iter().map(|command| OfferedCommand {
            name: command.name.to_owned(),
            description: command.description.to_owned(),
            aliases: command.aliases.iter().map(|alias| (*alias).to_owned()).collect(),
            arguments: command.arguments.to_owned(),
        });
        let skills = skills::look(&self.0).await;
        let of_skills = |kind: &str, only_flows: bool| {
            let skills = skills.list.iter().filter(|skill| !only_flows || skill.flow.is_some());
            let offered = skills.map(|skill| OfferedCommand {
                name: format!("{kind}:{}", skill.command),
                description: skill.description.clone(),
                aliases: Vec::new(),
                arguments: "[text]".to_owned(),
            });
            offered.collect::<Vec<_>>()
        };
        let skills = of_skills("skill", false).into_iter().chain(of_skills("flow", true));
        own.chain(skills).chain(self.prompts()).collect()
    }

    /// The prompts of MCP servers, as far as they have told them.
    pub fn prompts(&self) -> Vec<OfferedCommand> {
        let Some(dispatch) = &self.0.dispatch else { return Vec::new() };
        let prompts = dispatch.servers().prompts();
        let offered = prompts.iter().map(|(name, prompt)| OfferedCommand {
            name: name.to_owned(),
            description: match prompt.description.as_str() {
                "" => format!("A prompt of the MCP server {}", one_line(&prompt.server, MAX_NAME)),
                description => description.to_owned(),
            },
            aliases: Vec::new(),
            arguments: prompt.usage(),
        });
        offered.collect()
    }

    /// How many hooks each event of the protocol has.
    pub fn hook_counts(&self) -> Vec<(HookEvent, usize)> {
        let mut counts = self.0.hooks.configured();
        counts.retain(|(event, _)| HookEvent::WIRE.contains(event));
        counts
    }

    /// From the next request on, the provider hears which program drives us.
    fn reconnect(&self, name: &str) {
        let Self(core) = self;
        if !core.models.introduce(name) {
            return;
        }
        let Some(llm) = core.llm() else { return };
        match core.models.connect(Some(&llm.name), Some(llm.thinking == Thinking::On)) {
            Ok(llm) => core.set_llm(llm),
            // The one there is works as well.
            Err(error) => tracing::warn!(%error, "the provider is not told who drives us"),
        }
    }

    fn show(&self, shows: Option<Shows>) {
        let Self(core) = self;
        let mut state = core.client.lock();
        state.shows = shows.unwrap_or(state.shows);
        let Shows { questions, words, forms, plans } = state.shows;
        core.desk.set_can_ask(questions);
        core.desk.set_takes_words(words);
        core.desk.set_takes_forms(forms);
        if let Some(dispatch) = &core.dispatch {
            dispatch.servers().person().set(questions);
        }
        state.hidden = [(questions, &ASKING[..]), (plans, &PLANNING[..])]
            .into_iter()
            .filter(|(shown, _)| !shown)
            .flat_map(|(_, tools)| tools.iter().copied())
            .collect();
    }

    /// Takes a tool, in the place of the program's own one of that name. The error says why not.
    fn take(&self, brought: &BroughtTool) -> Result<(), String> {
        let Self(core) = self;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let name = brought.name.as_str();
        if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(plain) {
            return Err("a name has 1 to 64 letters, digits, `_` or `-`".to_owned());
        }
        let of_servers = || core.dispatch.as_ref().is_some_and(|all| all.tool(name).is_some());
        if core.registry.get(name).is_some() || of_servers() {
            return Err("conflicts with builtin tool".to_owned());
        }
        schema::check(&brought.parameters)?;
        let tool = Arc::new(ExternalTool::new(brought.clone(), Arc::clone(&core.client.asking)));
        let mut state = core.client.lock();
        match state.tools.iter_mut().find(|known| known.name() == name) {
            Some(known) => *known = tool,
            None => state.tools.push(tool),
        }
        Ok(())
    }
}
