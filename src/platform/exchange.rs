//! One request over HTTP whose answer is a small JSON object, as authorities give them.

use std::time::Duration;

use reqwest::header::ACCEPT;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Map, Value};

/// For one request, its answer included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of an answer. Metadata has a few thousand.
const MAX_ANSWER: usize = 256 << 10;

/// An answer whose body is a JSON object; an empty one when it is not.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: StatusCode,
    pub fields: Map<String, Value>,
}

impl Answer {
    /// A field that is a text with something in it.
    pub fn text(&self, name: &str) -> Option<&str> {
        text(&self.fields, name)
    }
}

/// A field that is a text with something in it.
pub fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    fields.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
}

/// A field that is a number, or a text with one in it, as some write them.
pub fn number(fields: &Map<String, Value>, name: &str) -> Option<f64> {
    let number = match fields.get(name)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number| number.is_finite())
}

/// Sends the request and reads the answer, whatever its status. The error is half a sentence with the
/// host in it.
pub async fn exchange(client: &Client, request: RequestBuilder) -> Result<Answer, String> {
    let request = request.header(ACCEPT, "application/json").timeout(REQUEST_TIMEOUT).build();
    let request = request.map_err(|error| innermost(&error))?;
    let host = request.url().host_str().unwrap_or_default().to_owned();
    let wrong = |why: String| format!("{host} does not answer: {why}");
    let response = client.execute(request).await.map_err(|error| wrong(innermost(&error)))?;
    let status = response.status();
    let body = bounded(response).await.map_err(wrong)?;
    let fields = match serde_json::from_slice(&body) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    Ok(Answer { status, fields })
}

async fn bounded(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| innermost(&error))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(format!("its answer has more than {} KiB", MAX_ANSWER >> 10));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// A form as a request's body.
pub fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// The cause at the bottom of an error, which is the one that says something.
pub fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_read_in_every_spelling() {
        let Value::Object(fields) = json!({"a": " ", "b": "x", "n": 5, "t": " 7.5 ", "i": "inf"})
        else {
            unreachable!()
        };
        assert_eq!(
            (text(&fields, "a"), text(&fields, "b"), text(&fields, "n")),
            (None, Some("x"), None)
        );
        assert_eq!((number(&fields, "n"), number(&fields, "t")), (Some(5.0), Some(7.5)));
        assert_eq!(
            (number(&fields, "i"), number(&fields, "b"), number(&fields, "z")),
            (None, None, None)
        );
    }
}
