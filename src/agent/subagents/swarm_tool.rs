//! `AgentSwarm`: the same task for each of many items, some at a time (clients.md, kimi-code).

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Crew;
use super::agent_tool::{DEFAULT_TYPE, type_named};
use super::engage::{Order, engage};
use super::run::{Ended, Working};
use super::told::{self, MAX_REPORT};
use crate::protocol::{DisplayBlock, ToolReturnValue};
use crate::tools::{CallContext, Effect, Tool, ToolReturn, arguments, schema};

/// Where an item stands in the template.
const ITEM: &str = "{{item}}";

/// What the agent of an item is told.
pub fn task_of(template: &str, item: &str) -> String {
    template.replace(ITEM, item)
}

/// How many items there may be.
const ITEMS: (usize, usize) = (2, 128);
/// How many agents work at once where nothing else is said.
const DEFAULT_CONCURRENCY: usize = 4;
/// How many may be asked for.
const MAX_CONCURRENCY: usize = 32;
/// Sets how many agents work at once, whatever the call asks for beyond it.
const VARIABLE: &str = "KIMI_CODE_AGENT_SWARM_MAX_CONCURRENCY";
/// Bytes of all reports together; each may have its share and no less than [`LEAST_REPORT`].
const ALL_REPORTS: usize = 200_000;
const LEAST_REPORT: usize = 2_000;
/// Characters of an item that name it.
const MAX_NAME: usize = 80;

/// Starts many subagents.
pub struct SwarmTool {
    crew: Arc<Crew>,
    description: String,
}

#[derive(Deserialize)]
struct Arguments {
    description: String,
    subagent_type: String,
    prompt_template: String,
    items: Vec<String>,
    concurrency: Option<usize>,
}

/// How the work on one item has ended.
enum Item {
    Ended {
        value: ToolReturnValue,
        done: bool,
    },
    /// For this reason, where it is not that all were stopped.
    NotStarted(Option<String>),
}

impl SwarmTool {
    /// The tool of this crew.
    pub fn new(crew: Arc<Crew>) -> Self {
        let text = include_str!("../../../assets/tools/agent_swarm.md").trim_end();
        let description = format!("{text} Types: {}.", crew.names());
        Self { crew, description }
    }
}

/// The type that a call names.
fn type_in(arguments: &Value) -> &str {
    type_named(arguments.get("subagent_type").and_then(Value::as_str).unwrap_or_default())
}

#[async_trait]
impl Tool for SwarmTool {
    fn name(&self) -> &'static str {
        "AgentSwarm"
    }

    fn description(&self) -> &str {
        &self.description
    }

    fn parameters(&self) -> Value {
        let items = format!("{} to {} items.", ITEMS.0, ITEMS.1);
        schema::object(
            &[
                ("description", schema::string("The whole in three to five words.")),
                ("subagent_type", json!({"type": "string", "default": DEFAULT_TYPE})),
                (
                    "prompt_template",
                    schema::string("The task of each agent, with {{item}} where its item goes."),
                ),
                (
                    "items",
                    json!({"type": "array", "items": {"type": "string"}, "description": items}),
                ),
                (
                    "concurrency",
                    schema::optional(json!({
                        "type": "integer", "minimum": 1, "maximum": MAX_CONCURRENCY,
                        "description": "How many work at once. Default 4."
                    })),
                ),
            ],
            &["description", "prompt_template", "items"],
        )
    }

    fn effect(&self, _: &Value) -> Effect {
        Effect::Delegate
    }

    fn in_plan_mode(&self, arguments: &Value) -> Option<Result<(), String>> {
        Some(self.crew.in_plan_mode(type_in(arguments), None))
    }

    fn subject(&self, arguments: &Value) -> Option<String> {
        Some(type_in(arguments).to_owned())
    }

    async fn call(&self, arguments: Value, cx: &CallContext) -> ToolReturn {
        let arguments: Arguments = match arguments::typed(arguments) {
            Ok(arguments) => arguments,
            Err(error) => return error.into(),
        };
        let concurrency = match check(&arguments)
            .and_then(|()| concurrency(cx.env.var(VARIABLE), arguments.concurrency))
        {
            Ok(concurrency) => concurrency,
            Err(error) => return error.into(),
        };
        let all = arguments.items.len();
        let most = (ALL_REPORTS / all.max(1)).clamp(LEAST_REPORT, MAX_REPORT);
        let mut orders = Vec::with_capacity(all);
        for (n, item) in arguments.items.iter().enumerate() {
            let order = Order {
                description: format!("{} [{}/{all}]", arguments.description.trim(), n + 1),
                prompt: task_of(&arguments.prompt_template, item),
                subagent_type: type_named(&arguments.subagent_type).to_owned(),
                model: None,
                resume: None,
            };
            orders.push(self.numbered(n, order, most, cx));
        }
        let mut ended: Vec<(usize, Item)> =
            futures_util::stream::iter(orders).buffer_unordered(concurrency).collect().await;
        ended.sort_by_key(|(n, _)| *n);
        told(&arguments.items, &ended, cx.cancel.is_cancelled()).into()
    }
}

impl SwarmTool {
    async fn numbered(
        &self,
        n: usize,
        order: Order,
        most: usize,
        cx: &CallContext,
    ) -> (usize, Item) {
        (n, self.one(order, most, cx).await)
    }

    /// One agent, to its end.
    async fn one(&self, order: Order, most: usize, cx: &CallContext) -> Item {
        if cx.cancel.is_cancelled() {
            return Item::NotStarted(None);
        }
        if let Some(exhausted) = self.crew.cannot_start() {
            return Item::NotStarted(Some(exhausted.to_string()));
        }
        let engaged = tokio::select! {
            engaged = engage(&self.crew, order, &cx.call_id) => engaged,
            () = cx.cancel.cancelled() => return Item::NotStarted(None),
        };
        let engaged = match engaged {
            Ok(engaged) => engaged,
            Err(value) => return Item::Ended { value, done: false },
        };
        let dir = engaged.core.session.dir.clone();
        let mut working = Working::begin(engaged);
        let ended = tokio::select! {
            biased;
            ended = working.ended() => ended,
            () = cx.cancel.cancelled() => working.stop(false).await,
        };
        let done = matches!(ended, Ended::Completed(_));
        let ended = match ended {
            Ended::Completed(text) => Ended::Completed(told::shortened(&text, most, &dir)),
            ended => ended,
        };
        Item::Ended { value: told::result(&working.identity, &ended, None, &dir), done }
    }
}

fn check(arguments: &Arguments) -> Result<(), ToolReturnValue> {
    let invalid = |detail: &str| Err(arguments::invalid(detail));
    if arguments.description.trim().is_empty() {
        return invalid("`description` must not be empty");
    }
    if !arguments.prompt_template.contains(ITEM) {
        return invalid("`prompt_template` must contain {{item}}");
    }
    let count = arguments.items.len();
    if count < ITEMS.0 || count > ITEMS.1 {
        return invalid(&format!(
            "`items` must have {} to {} items, and has {count}",
            ITEMS.0, ITEMS.1
        ));
    }
    if arguments.items.iter().any(|item| item.trim().is_empty()) {
        return invalid("`items` must not have empty items");
    }
    Ok(())
}

/// How many work at once: as many as the call asks for, and no more than the environment allows.
fn concurrency(variable: Option<&str>, asked: Option<usize>) -> Result<usize, ToolReturnValue> {
    let allowed = match variable.map(str::trim) {
        None | Some("") => None,
        Some(text) => match text.parse::<usize>() {
            Ok(n) if n > 0 => Some(n),
            _ => {
                let text: String = text.chars().take(40).collect();
                return Err(ToolReturnValue::error(
                    format!("{VARIABLE} is `{text}`; it has to be a positive integer."),
                    format!("{VARIABLE} is not a positive integer"),
                ));
            }
        },
    };
    let wanted = asked.unwrap_or(allowed.unwrap_or(DEFAULT_CONCURRENCY));
    Ok(wanted.min(allowed.unwrap_or(MAX_CONCURRENCY)).clamp(1, ITEMS.1))
}

/// What came of the items, in their order.
fn told(items: &[String], ended: &[(usize, Item)], cancelled: bool) -> ToolReturnValue {
    let all = items.len();
    let mut done = 0;
    let mut parts = Vec::new();
    for (n, item) in ended {
        let name = items.get(*n).map_or("", String::as_str);
        let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
        let name: String = name.chars().take(MAX_NAME).collect();
        let body = match item {
            Item::NotStarted(None) => "status: not started".to_owned(),
            Item::NotStarted(Some(why)) => format!("status: not started\nreason: {why}"),
            Item::Ended { value, done: true } => {
                done += 1;
                value.output.text()
            }
            Item::Ended { value, done: false } => {
                let head = value.output.text();
                let head = if head.is_empty() { "status: failed".to_owned() } else { head };
                format!("{head}\nreason: {}", value.message)
            }
        };
        parts.push(format!("[{}/{all}] {name}\n{body}", n + 1));
    }
    let text = format!("completed: {done}/{all}\n\n{}", parts.join("\n\n"));
    let brief = format!("{done} of {all} agents have reported");
    if cancelled {
        return ToolReturnValue::error("The user stopped the agents.", "Agents stopped")
            .with_output(text);
    }
    if done == 0 {
        return ToolReturnValue::error("No agent has done its task.", "All agents failed")
            .with_output(text);
    }
    let hint = "Agent with `resume` lets an agent that failed go on.";
    let mut value = ToolReturnValue::ok(text, if done < all { hint } else { "" });
    value.display = vec![DisplayBlock::Brief { text: brief }];
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_bounds_how_many_work_at_once() {
        let of = |variable, asked| concurrency(variable, asked).ok();
        assert_eq!(of(None, None), Some(4));
        assert_eq!(of(None, Some(9)), Some(9));
        assert_eq!(of(Some("1"), None), Some(1));
        assert_eq!(of(Some("1"), Some(9)), Some(1));
        assert_eq!(of(Some("8"), Some(2)), Some(2));
        assert_eq!(of(Some("8"), None), Some(8));
        for bad in ["0", "-1", "x", "1.5"] {
            assert_eq!(of(Some(bad), None), None, "{bad}");
        }
    }

    #[test]
    fn what_came_of_the_items_stands_in_their_order_with_a_word_for_a_person() {
        let items = ["one\n  line", "two", "three"].map(str::to_owned);
        let done = |text: &str| Item::Ended { value: ToolReturnValue::ok(text, ""), done: true };
        let failed = |head: &str| Item::Ended {
            value: ToolReturnValue::error("It broke.", "Broke").with_output(head),
            done: false,
        };
        let of = |ended: [Item; 3], cancelled| {
            let ended: Vec<(usize, Item)> = ended.into_iter().enumerate().collect();
            told(&items, &ended, cancelled)
        };
        let brief = |value: &ToolReturnValue| match &value.display[..] {
            [DisplayBlock::Brief { text }] => text.clone(),
            other => panic!("{other:?}"),
        };
        let value = of([done("a"), failed(""), Item::NotStarted(Some("Spent.".into()))], false);
        assert_eq!(
            value.output.text(),
            "completed: 1/3\n\n[1/3] one line\na\n\n[2/3] two\nstatus: failed\nreason: It broke.\n\n\
             [3/3] three\nstatus: not started\nreason: Spent."
        );
        assert_eq!(
            (value.is_error, brief(&value).as_str()),
            (false, "1 of 3 agents have reported")
        );
        assert!(value.message.contains("`resume`"), "who failed can go on: {}", value.message);
        let value = of([done("a"), done("b"), done("c")], false);
        assert_eq!(
            (value.message.as_str(), brief(&value).as_str()),
            ("", "3 of 3 agents have reported")
        );
        let value = of([failed("x"), failed("y"), failed("z")], false);
        assert_eq!((value.is_error, brief(&value).as_str()), (true, "All agents failed"));
        let value = of([done("a"), failed("x"), Item::NotStarted(None)], true);
        assert_eq!((value.is_error, brief(&value).as_str()), (true, "Agents stopped"));
        assert!(value.output.text().ends_with("[3/3] three\nstatus: not started"));
    }

    #[test]
    fn what_cannot_work_is_said() {
        let arguments = |template: &str, items: &[&str]| Arguments {
            description: "d".into(),
            subagent_type: "coder".into(),
            prompt_template: template.into(),
            items: items.iter().map(|item| (*item).to_owned()).collect(),
            concurrency: None,
        };
        assert!(check(&arguments("do {{item}}", &["a", "b"])).is_ok());
        assert!(check(&arguments("do item", &["a", "b"])).is_err());
        assert!(check(&arguments("do {{item}}", &["a"])).is_err());
        assert!(check(&arguments("do {{item}}", &["a", " "])).is_err());
        assert!(check(&arguments("do {{item}}", &["a"; ITEMS.1 + 1])).is_err());
    }
}
