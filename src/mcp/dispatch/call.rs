//! `mcp_call`: calls a tool of a server by its name.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::LOGIN_PATIENCE;
use super::away::{absent, away, reason, unusable};
use super::invoke::{Invoker, Target};
use crate::mcp::catalog::Resolution;
use crate::mcp::server::Status;
use crate::protocol::ToolReturnValue;
use crate::tools::{CallContext, Effect, Meant, Tool, ToolReturn};

/// How long a call to a tool that is not known waits for servers that are still starting.
const PATIENCE: Duration = Duration::from_secs(20);

/// The tool.
pub(super) struct McpCall {
    invoker: Arc<Invoker>,
}

impl McpCall {
    pub fn new(invoker: Arc<Invoker>) -> Self {
        Self { invoker }
    }

    fn target(&self, name: &str) -> Result<Target, String> {
        let catalog = self.invoker.servers().catalog();
        let resolution = catalog.resolve(name);
        match (&resolution, resolution.fault(name)) {
            (Resolution::Found(tool), _) => Ok(Target::new(tool)),
            (_, fault) => Err(fault.unwrap_or_default()),
        }
    }

    /// The tool of that name; servers that are still starting are waited for, and one that has failed
    /// before it told its tools is tried once more.
    async fn find(
        &self,
        name: &str,
        cancel: &CancellationToken,
    ) -> Result<Target, ToolReturnValue> {
        let servers = self.invoker.servers();
        let mut target = self.target(name);
        let owner = servers.owner(name);
        // Nobody has to wait for one that will never be there.
        if target.is_err()
            && owner.is_none()
            && let Some(bad) = servers.bad_owner(name)
        {
            return Err(unusable(&bad));
        }
        if target.is_err() {
            tokio::select! {
                () = servers.woken(LOGIN_PATIENCE) => {}
                () = cancel.cancelled() => {}
            }
            target = self.target(name);
        }
        // Whoever is named is waited for alone: another that hangs keeps nobody.
        let over = || owner.as_ref().is_some_and(|owner| owner.has_started());
        if target.is_err() && !servers.has_started() && !over() {
            tokio::select! {
                _ = servers.until(PATIENCE, || over() || self.target(name).is_ok()) => {}
                () = cancel.cancelled() => {}
            }
            target = self.target(name);
        } else if target.is_err()
            && let Some(owner) = &owner
            && owner.state().status == Status::Failed
        {
            let _ = tokio::time::timeout(PATIENCE, owner.ready(cancel)).await;
            target = self.target(name);
        }
        target.map_err(|mut fault| {
            if let Some(owner) = &owner
                && let Some(why) = reason(owner)
            {
                return away(owner, &why);
            }
            if let Some(absent) = absent(&servers.view()) {
                fault.push(' ');
                fault.push_str(&absent);
            }
            ToolReturnValue::error(fault, "No such MCP tool")
        })
    }
}

/// The name and the inner arguments of a call.
fn parts(mut arguments: Value) -> (String, Map<String, Value>) {
    let name = arguments.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let inner = match arguments.get_mut("arguments").map(Value::take) {
        Some(Value::Object(inner)) => inner,
        _ => Map::new(),
    };
    (name, inner)
}

#[async_trait]
impl Tool for McpCall {
    fn name(&self) -> &str {
        "mcp_call"
    }

    fn description(&self) -> &str {
        include_str!("../../../assets/tools/mcp_call.md").trim_end()
    }

    fn parameters(&self) -> Value {
        json!({
            "type": "object",
            "properties": {
                "name": {"type": "string", "description": "The tool's name, as mcp_search gives it."},
                "arguments": {"type": "object", "description": "Its arguments, as its schema wants them.", "default": {}},
            },
            "required": ["name"],
        })
    }

    fn effect(&self, arguments: &Value) -> Effect {
        let name = arguments.get("name").and_then(Value::as_str).unwrap_or_default();
        self.target(name).map_or(Effect::Read, |target| target.effect())
    }

    fn in_plan_mode(&self, _: &Value) -> Option<Result<(), String>> {
        Some(Ok(()))
    }

    /// The server's tool with its arguments. From here on the call names it in full: a short name
    /// could mean another tool by the time it is called.
    async fn meant(
        &self,
        arguments: Value,
        _written: Value,
        cancel: &CancellationToken,
    ) -> Result<Meant, ToolReturnValue> {
        let (name, inner) = parts(arguments);
        let Target { qualified, .. } = self.find(&name, cancel).await?;
        let inner = Value::Object(inner);
        Ok(Meant {
            arguments: json!({"name": qualified, "arguments": inner}),
            name: qualified,
            input: inner,
        })
    }

    async fn call(&self, arguments: Value, cx: &CallContext) -> ToolReturn {
        let (name, inner) = parts(arguments);
        match self.find(&name, &cx.cancel).await {
            Ok(target) => self.invoker.run(&target, inner, cx).await,
            Err(fault) => fault.into(),
        }
    }
}
