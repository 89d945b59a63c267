//! Schemas of foreign tools: put in a line for the model, and held against what it calls them with.
//!
//! The built-in tools have a checker of their own (`tools/schema.rs`), which mends arguments. Here
//! nothing is mended: the arguments are the server's, and what it means by a schema it knows best.

pub mod digest;
mod pattern;
pub mod shown;
pub mod validate;

use serde_json::Value;

/// What a local reference (`#`, `#/$defs/x`) points at; others, which would have to be fetched, point
/// nowhere.
fn referenced<'a>(root: &'a Value, schema: &Value) -> Option<&'a Value> {
    let pointer = schema.get("$ref")?.as_str()?.strip_prefix('#')?;
    root.pointer(pointer)
}
