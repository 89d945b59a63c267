//! What holds for the answer to every line of a client, whichever of the protocols it is in.

use serde_json::Value;

/// Longest answer to a line that is refused, in bytes, without the id that goes back in it.
const MOST: usize = 2_000;
/// Bytes that one byte of an id takes in JSON at most, as `\u0000` does.
const ESCAPED: usize = 6;

/// A line that was refused.
#[derive(Debug)]
pub(in crate::front) struct Refused {
    /// The error's code.
    pub code: i32,
    /// The id that the answer has to carry.
    pub id: Value,
    /// The answer as it would be sent.
    pub answer: Option<String>,
}

/// A line was taken, or refused with the error that is `due`, in one short line that the client can read.
pub(in crate::front) fn check(read: Result<(), Refused>, due: Option<i32>) -> Result<(), String> {
    match (read, due) {
        (Ok(()), None) => Ok(()),
        (Err(Refused { code, id, answer }), Some(due)) if code == due => {
            let answer = answer.ok_or("no answer could be written")?;
            let most = MOST + id.as_str().map_or(0, |id| id.len() * ESCAPED);
            if answer.len() > most {
                return Err(format!("the answer has {} bytes", answer.len()));
            }
            if answer.matches('\n').count() != 1 || !answer.ends_with('\n') {
                return Err(format!("the answer is not one line: {answer:?}"));
            }
            let value: Value = serde_json::from_str(&answer).map_err(|error| error.to_string())?;
            (value["error"]["code"] == due && value["id"] == id).then_some(()).ok_or(answer)
        }
        (read, due) => Err(format!("{due:?} was due: {read:?}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_that_breaks_a_rule_is_found() {
        let refused = |answer: &str| {
            let answer = Some(answer.to_owned());
            check(Err(Refused { code: -32600, id: json!("a"), answer }), Some(-32600))
        };
        assert_eq!(refused("{\"id\":\"a\",\"error\":{\"code\":-32600}}\n"), Ok(()));
        for answer in [
            "{\"id\":\"a\",\"error\":{\"code\":-32600}}",
            "{\"id\":\"a\",\n\"error\":{\"code\":-32600}}\n",
            "{\"id\":\"b\",\"error\":{\"code\":-32600}}\n",
            "{\"id\":\"a\",\"error\":{\"code\":-32700}}\n",
            "{\"id\":\"a\",\"error\":\n",
            &format!("{{\"id\":\"a\",\"error\":{{\"code\":-32600}}{}}}\n", " ".repeat(MOST)),
        ] {
            assert!(refused(answer).is_err(), "{answer}");
        }
        let silent = || Err(Refused { code: -32600, id: Value::Null, answer: None });
        assert!(check(silent(), Some(-32600)).is_err());
        assert!(check(silent(), Some(-32700)).is_err());
        assert!(check(silent(), None).is_err());
        assert!(check(Ok(()), Some(-32700)).is_err());
        assert_eq!(check(Ok(()), None), Ok(()));
    }
}
