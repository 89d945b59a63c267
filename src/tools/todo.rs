//! `SetTodoList`: the session's todo list.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{CallContext, Effect, Tool, ToolReturn, arguments, schema};
use crate::protocol::{DisplayBlock, TodoItem, TodoStatus, ToolReturnValue};

/// Sets or reads the todo list.
pub struct SetTodoList;

#[derive(Deserialize)]
struct Arguments {
    todos: Option<Vec<TodoItem>>,
}

#[async_trait]
impl Tool for SetTodoList {
    fn name(&self) -> &'static str {
        "SetTodoList"
    }

    fn description(&self) -> &str {
        include_str!("../../assets/tools/set_todo_list.md").trim_end()
    }

    fn parameters(&self) -> Value {
        let title = json!({"type": "string", "minLength": 1});
        let status = json!({"type": "string", "enum": ["pending", "in_progress", "done"]});
        let item = schema::object(&[("title", title), ("status", status)], &["title", "status"]);
        schema::object(
            &[(
                "todos",
                schema::optional(json!({
                    "type": "array",
                    "items": item,
                    "description": "The whole new list; null reads the current one."
                })),
            )],
            &[],
        )
    }

    fn effect(&self, _: &Value) -> Effect {
        Effect::Write
    }

    async fn call(&self, arguments: Value, cx: &CallContext) -> ToolReturn {
        let arguments: Arguments = match arguments::typed(arguments) {
            Ok(arguments) => arguments,
            Err(error) => return error.into(),
        };
        let Some(items) = arguments.todos else { return current(&cx.todos.get()).into() };
        cx.todos.set(items.clone());
        ToolReturnValue::ok("Todo list updated", "Todo list updated")
            .with_display(DisplayBlock::Todo { items })
            .into()
    }
}

fn current(items: &[TodoItem]) -> ToolReturnValue {
    if items.is_empty() {
        return ToolReturnValue::ok("Todo list is empty.", "");
    }
    let mut output = "Current todo list:\n".to_owned();
    for item in items {
        let status = match item.status {
            TodoStatus::Pending => "pending",
            TodoStatus::InProgress => "in_progress",
            TodoStatus::Done => "done",
        };
        output.push_str(&format!("- [{status}] {}\n", item.title));
    }
    ToolReturnValue::ok(output, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::Bench;

    #[tokio::test]
    async fn a_list_is_set_read_and_cleared() {
        let bench = Bench::new();
        let set = json!({"todos": [
            {"title": "Read", "status": "done"},
            {"title": "Write", "status": "in_progress"}
        ]});
        let value = bench.run(&SetTodoList, set).await;
        assert_eq!(
            (value.output.text().as_str(), value.message.as_str()),
            ("Todo list updated", "Todo list updated")
        );
        assert!(matches!(&value.display[..], [DisplayBlock::Todo { items }] if items.len() == 2));
        let value = bench.run(&SetTodoList, json!({})).await;
        assert_eq!(
            value.output.text(),
            "Current todo list:\n- [done] Read\n- [in_progress] Write\n"
        );
        assert!(value.display.is_empty());
        bench.run(&SetTodoList, json!({"todos": []})).await;
        assert_eq!(
            bench.run(&SetTodoList, json!({"todos": null})).await.output.text(),
            "Todo list is empty."
        );
    }

    #[test]
    fn a_title_must_not_be_empty() {
        let faulty = json!({"todos": [{"title": "", "status": "later"}]});
        let error = schema::check(&SetTodoList.parameters(), faulty).unwrap_err();
        assert!(error.contains("`todos[0].title` must not be empty"), "{error}");
        assert!(error.contains("`todos[0].status` must be one of"), "{error}");
    }
}
