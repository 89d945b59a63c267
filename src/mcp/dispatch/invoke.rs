//! One call of one tool of a server, whichever way the model asked for it: checked, approved,
//! called, its result made fit for the context.

use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value};

use super::away::away;
use super::cache::{Cache, Key};
use super::lock;
use crate::mcp::bound::{bound_parts, fits};
use crate::mcp::catalog::Tool;
use crate::mcp::connection::CallError;
use crate::mcp::content::Content;
use crate::mcp::elicit::Caller;
use crate::mcp::schema::digest::digest;
use crate::mcp::schema::validate::violations;
use crate::mcp::server::{Server, login_wanted};
use crate::mcp::servers::Servers;
use crate::mcp::tidy::name_written_out;
use crate::protocol::{ContentPart, DisplayBlock, ToolOutput, ToolReturnValue};
use crate::tools::{ApprovalAsk, CallContext, Effect, ToolReturn, only_reads, restricted};

/// Results larger than this, in bytes, are not kept for a second call.
const MAX_CACHED: usize = 1 << 20;

/// Characters of a name that is told.
const MAX_NAME: usize = 512;

/// The tool that is meant.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub qualified: String,
    pub server: String,
    /// What the server calls it.
    pub name: String,
    pub schema: Arc<Value>,
    pub read_only: bool,
}

impl Target {
    pub fn new(tool: &Tool<'_>) -> Self {
        Self {
            qualified: tool.qualified.to_owned(),
            server: tool.server.to_owned(),
            name: tool.name.to_owned(),
            schema: Arc::clone(tool.schema),
            read_only: tool.read_only,
        }
    }

    /// The names of the tool and of its server for people and models.
    fn shown(&self) -> (String, String) {
        (name_written_out(&self.name, MAX_NAME), name_written_out(&self.server, MAX_NAME))
    }

    /// What is allowed with a call of it: this tool of this server, and no other that only looks the same
    /// or comes to the same qualified name at another time. What is before the last colon is the server.
    fn action(&self) -> String {
        let name = name_written_out(&self.name, usize::MAX).replace(':', "<U+003A>");
        format!("mcp:{}:{name}", name_written_out(&self.server, usize::MAX))
    }

    /// What a call may do. The server's word counts for what may run beside it, not for approval.
    pub fn effect(&self) -> Effect {
        if self.read_only { Effect::Read } else { Effect::Write }
    }

    /// In plan mode, and of an agent that is there to look, only what the server says to change nothing
    /// goes on to approval.
    fn refused_as_change(&self, cx: &CallContext) -> Option<ToolReturnValue> {
        if self.read_only {
            return None;
        }
        let reason = format!("`{}` may change something", self.qualified);
        match (cx.plan.is_on(), cx.reads_only) {
            (true, _) => Some(restricted(&self.qualified, &reason)),
            (false, true) => Some(only_reads(&reason)),
            (false, false) => None,
        }
    }
}

/// Runs calls.
pub(super) struct Invoker {
    servers: Arc<Servers>,
    cache: Mutex<Cache>,
}

impl Invoker {
    pub fn new(servers: Arc<Servers>) -> Self {
        Self { servers, cache: Mutex::default() }
    }

    pub fn servers(&self) -> &Arc<Servers> {
        &self.servers
    }

    /// Runs a call to its end.
    pub async fn run(
        &self,
        target: &Target,
        arguments: Map<String, Value>,
        cx: &CallContext,
    ) -> ToolReturn {
        let arguments = Value::Object(arguments);
        let wrong = violations(&target.schema, &arguments);
        if !wrong.is_empty() {
            let wrong: Vec<String> = wrong.iter().map(ToString::to_string).collect();
            return ToolReturnValue::error(
                format!(
                    "Invalid arguments for {}: {}. Its arguments: {}",
                    target.qualified,
                    wrong.join("; "),
                    digest(&target.schema)
                ),
                "Invalid arguments",
            )
            .into();
        }
        if let Some(refused) = target.refused_as_change(cx) {
            return refused.into();
        }
        if let Some(refused) = cx.desk.approve(ask(target, &arguments, cx)).await.refusal() {
            return refused;
        }
        // A person may have switched while they were asked.
        if let Some(refused) = target.refused_as_change(cx) {
            return refused.into();
        }
        let Value::Object(arguments) = arguments else {
            return ToolReturnValue::error("The arguments are no object.", "Invalid arguments")
                .into();
        };
        let Some(server) = self.servers.get(&target.server) else {
            return ToolReturnValue::error("The server is gone.", "No such MCP server").into();
        };
        let limits = *self.servers.limits();
        let key = (target.read_only && !limits.cache_ttl.is_zero())
            .then(|| Key::new([&target.server, &target.name], &arguments, server.state().tries()));
        let now = || cx.env.clock.instant();
        if let Some(key) = &key
            && let Some(mut kept) = lock(&self.cache).get(key, limits.cache_ttl, now())
        {
            kept.message = join(&kept.message, "This is the result of an earlier, equal call.");
            return kept.into();
        }
        let timeout = self.servers.timeout_of(&server);
        let caller = Caller::new(cx);
        let called =
            server.call(&target.name, arguments, timeout, &cx.cancel, &cx.live, caller).await;
        let result = match called {
            Ok(result) => result,
            Err(error) => return failure(target, &server, error).into(),
        };
        let content = match Content::read(&result) {
            Ok(content) => content,
            Err(why) => return malformed(target, &why).into(),
        };
        let value = returned(content, limits.result_chars, cx).await;
        if let Some(key) = key
            && !value.is_error
            && value.output.text().len() <= MAX_CACHED
        {
            lock(&self.cache).keep(key, value.clone(), now());
        }
        value.into()
    }
}

/// The question for a person: server, tool and arguments can be read.
fn ask(target: &Target, arguments: &Value, cx: &CallContext) -> ApprovalAsk {
    let pretty = match arguments {
        Value::Object(fields) if fields.is_empty() => "(no arguments)".to_owned(),
        arguments => serde_json::to_string_pretty(arguments).unwrap_or_default(),
    };
    let (name, of) = target.shown();
    ApprovalAsk {
        call_id: cx.call_id.clone(),
        sender: target.qualified.clone(),
        action: target.action(),
        description: format!("Call MCP tool `{name}` of server `{of}`."),
        display: vec![DisplayBlock::Brief { text: pretty }],
    }
}

/// The result as the model gets it: texts bounded, the whole of them in a file.
async fn returned(mut content: Content, limit: usize, cx: &CallContext) -> ToolReturnValue {
    let mut message = String::new();
    let text = content.text();
    if !fits(&text, limit) {
        let path = cx.spill_dir.join(format!("{}.txt", plain(&cx.call_id)));
        let written = spill(path.clone(), text).await;
        let whole_at = written.is_ok().then(|| path.display().to_string());
        bound_parts(&mut content.parts, limit, whole_at.as_deref());
        message = match whole_at {
            Some(path) => format!(
                "The result is cut; the whole of it is in `{path}`, which ReadFile and Grep can read."
            ),
            None => "The result is cut.".to_owned(),
        };
    }
    let output = match content.parts.as_slice() {
        [] => ToolOutput::Text(String::new()),
        [ContentPart::Text { text }] => ToolOutput::Text(text.clone()),
        _ => ToolOutput::Parts(content.parts),
    };
    if content.is_error {
        let failed = "The tool returned an error; the output says what it is.";
        let value = ToolReturnValue::error(join(failed, &message), "The MCP tool failed");
        return ToolReturnValue { output, ..value };
    }
    ToolReturnValue { output, message, ..ToolReturnValue::default() }
}

fn failure(target: &Target, server: &Server, error: CallError) -> ToolReturnValue {
    let (name, of) = target.shown();
    match error {
        CallError::Timeout(after) => ToolReturnValue::error(
            format!(
                "Timeout: `{name}` of the MCP server `{of}` gave no result within {} s. It may have had \
                 an effect all the same. If it needs longer, the user can raise {}\
                 mcp.client.tool_call_timeout_ms in config.toml.",
                after.as_secs_f64(),
                // What an editor brings has no time of its own.
                match server.config.literal {
                    true => "",
                    false => "`timeout` (milliseconds) of the server in mcp.json, or ",
                }
            ),
            "Timeout",
        ),
        CallError::Cancelled => ToolReturnValue::error("The call was cancelled.", "Cancelled"),
        CallError::Refused(why) => ToolReturnValue::error(
            format!("The MCP server `{of}` refused the call of `{name}`: {why}"),
            "The MCP server refused",
        ),
        CallError::Unauthorized => away(server, &login_wanted(&server.config)),
        CallError::Closed(why) => away(server, &why),
    }
}

fn malformed(target: &Target, why: &str) -> ToolReturnValue {
    let (name, of) = target.shown();
    ToolReturnValue::error(
        format!(
            "The MCP server `{of}` answered the call of `{name}` with what is no result of a tool: \
             {why}. It may have had an effect all the same."
        ),
        "Malformed result",
    )
}

async fn spill(path: std::path::PathBuf, text: String) -> std::io::Result<()> {
    let write = move || {
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        std::fs::write(&path, text)
    };
    tokio::task::spawn_blocking(write).await.map_err(std::io::Error::other)?
}

/// A call's id as the name of a file.
fn plain(call_id: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    call_id.chars().take(64).map(plain).collect()
}

fn join(one: &str, other: &str) -> String {
    match (one.is_empty(), other.is_empty()) {
        (true, _) => other.to_owned(),
        (_, true) => one.to_owned(),
        _ => format!("{one} {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(server: &str, name: &str) -> String {
        let (server, name) = (server.to_owned(), name.to_owned());
        let qualified = crate::mcp::names::qualified(&server, &name);
        Target { qualified, server, name, schema: Arc::default(), read_only: false }.action()
    }

    #[test]
    fn what_is_allowed_holds_for_no_other_tool() {
        assert_eq!(action("my server", "echo"), "mcp:my server:echo");
        assert_eq!(action("a:b", "read/file.v2"), "mcp:a:b:read/file.v2");
        let long = "x".repeat(MAX_NAME);
        let tools = [
            ("git", "push"),
            ("git", "push\u{200b}"),
            ("git", "mcp__git__push"),
            ("git\u{200b}", "push"),
            ("git\u{200c}", "push"),
            ("git<U+200B>", "push"),
            ("git ", "push"),
            ("git", " push"),
            ("git:push", "push"),
            ("git", "push:push"),
            ("git", "push<U+003A>push"),
            ("git", &format!("{long}1")),
            ("git", &format!("{long}2")),
        ];
        let actions: std::collections::HashSet<String> =
            tools.iter().map(|(server, name)| action(server, name)).collect();
        assert_eq!(actions.len(), tools.len(), "{actions:?}");
    }
}
