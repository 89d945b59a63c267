//! `mcp_search`: finds tools of servers by words.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::away::{absent, away, reason};
use super::{LOGIN_PATIENCE, lock};
use crate::mcp::schema::shown::ShownSchemas;
use crate::mcp::search::answer::{answer, named};
use crate::mcp::servers::Servers;
use crate::protocol::ToolReturnValue;
use crate::tools::{CallContext, Effect, Tool, ToolReturn};

/// How long a search that finds nothing waits for servers that are still starting.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long it waits for more, once something was found.
const GATHER: Duration = Duration::from_millis(250);

/// The tool.
pub(super) struct McpSearch {
    servers: Arc<Servers>,
    shown: Arc<Mutex<ShownSchemas>>,
}

impl McpSearch {
    pub fn new(servers: Arc<Servers>, shown: Arc<Mutex<ShownSchemas>>) -> Self {
        Self { servers, shown }
    }

    /// Whether the answer is there without the servers that are still starting.
    fn is_known(&self, query: &str, server: Option<&str>) -> bool {
        match server {
            Some(name) => {
                self.servers.get(name).is_none_or(|server| server.state().status.is_settled())
            }
            None => !self.servers.catalog().search(query, None, 1).is_empty(),
        }
    }
}

#[async_trait]
impl Tool for McpSearch {
    fn name(&self) -> &str {
        "mcp_search"
    }

    fn description(&self) -> &str {
        include_str!("../../../assets/tools/mcp_search.md").trim_end()
    }

    fn parameters(&self) -> Value {
        json!({
            "type": "object",
            "properties": {
                "query": {"type": "string", "description": "What the tool should do, in a few words."},
                "server": {"type": "string", "description": "Only tools of this server."},
            },
            "required": ["query"],
        })
    }

    fn effect(&self, _: &Value) -> Effect {
        Effect::Read
    }

    async fn call(&self, arguments: Value, cx: &CallContext) -> ToolReturn {
        let text = |key: &str| arguments.get(key).and_then(Value::as_str);
        let (query, server) = (text("query").unwrap_or_default(), text("server"));
        tokio::select! {
            () = self.servers.woken(LOGIN_PATIENCE) => {}
            () = cx.cancel.cancelled() => {
                return ToolReturnValue::error("The search was cancelled.", "Cancelled").into();
            }
        }
        if !self.servers.has_started() && !self.is_known(query, server) {
            let wait = async {
                // The first that fits need not be the best: those that start beside it come too.
                if self.servers.until(PATIENCE, || self.is_known(query, server)).await {
                    self.servers.until(GATHER, || false).await;
                }
            };
            tokio::select! {
                () = wait => {}
                () = cx.cancel.cancelled() => {
                    return ToolReturnValue::error("The search was cancelled.", "Cancelled").into();
                }
            }
        }
        let catalog = self.servers.catalog();
        if let Some(name) = server.map(str::trim)
            && named(&catalog, name).is_none()
            && let Some(known) = self.servers.get(name)
            && let Some(why) = reason(&known)
        {
            return away(&known, &why).into();
        }
        let limit = self.servers.limits().search_results;
        let mut output = answer(&catalog, query, server, limit, &mut lock(&self.shown));
        if let Some(absent) = absent(&self.servers.view()) {
            output.push('\n');
            output.push_str(&absent);
        }
        ToolReturnValue::ok(output, "").into()
    }
}
