//! What holds for every input of the readers of foreign text, for the fuzz targets in `fuzz/` and for
//! tests. Each takes bytes; the error tells what did not hold.

pub use crate::front::acp::check_line as acp_line;
pub use crate::front::print::check_line as prompt_line;
pub use crate::front::wire::check_line as wire_line;
pub use crate::mcp::check_stream as mcp_stream;

use crate::front::text::line_width;
use crate::front::tui::markdown::{MarkdownStream, MarkdownStyle};
use crate::front::tui::theme::Theme;
use crate::permission::shell::{self, Part};

/// The judge of commands finds the command before a text and the one behind it, or says that it does
/// not understand the whole; it finds the same every time.
pub fn command(bytes: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(bytes);
    let script = shell::read(&text);
    if script != shell::read(&text) {
        return Err(format!("it is read in two ways: {text:?}"));
    }
    let whole = shell::read(&format!("zzzprobe; {text}"));
    let is_unclear = whole.parts.iter().any(|part| matches!(part, Part::Unclear(_)));
    let probe = |part: &Part| part.run().is_some_and(|run| run.shown == "zzzprobe");
    match whole.parts.iter().any(probe) && whole.parts.ends_with(&script.parts) || is_unclear {
        true => Ok(()),
        false => Err(format!("behind another command it is read otherwise: {text:?}")),
    }
}

/// Markdown is drawn within its columns, and in pieces as it is drawn when it comes at once.
pub fn markdown(bytes: &[u8]) -> Result<(), String> {
    const COLUMNS: usize = 40;
    // Longer blocks are drawn before they are whole.
    const MOST: usize = 4_000;
    let text = String::from_utf8_lossy(bytes);
    let theme = Theme::dark();
    let mut middle = text.len() / 2;
    while !text.is_char_boundary(middle) {
        middle -= 1;
    }
    let (head, tail) = text.split_at(middle);
    for style in [MarkdownStyle::Rendered, MarkdownStyle::Source] {
        let drawn = |pieces: &[&str]| {
            let mut stream = MarkdownStream::new(style);
            let mut rows = Vec::new();
            for piece in pieces {
                stream.push(piece);
                rows.extend(stream.commit(COLUMNS, &theme));
                stream.tail(COLUMNS, &theme, 8);
            }
            rows.extend(stream.finish(COLUMNS, &theme));
            rows
        };
        let whole = drawn(&[&text]);
        if let Some(row) = whole.iter().find(|row| line_width(row) > COLUMNS) {
            return Err(format!("wider than {COLUMNS} columns: {row}"));
        }
        if drawn(&[head, tail]) != whole && text.len() < MOST {
            return Err(format!("in two pieces it looks otherwise: {text:?}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

    use super::*;

    /// A thousand inputs, the same in every run: what the seeds say, cut, joined, bent and filled with noise.
    fn thousand(seeds: &[&str], check: fn(&[u8]) -> Result<(), String>) {
        let seeds: Vec<Vec<u8>> = seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect();
        for seed in &seeds {
            assert_eq!(check(seed), Ok(()), "{}", String::from_utf8_lossy(seed));
        }
        let seed = proptest::sample::select(seeds);
        let bent = (
            proptest::collection::vec(seed, 1..3),
            proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..5), 0..6),
        );
        let bent = bent.prop_map(|(parts, bends)| {
            let mut bytes = parts.concat();
            for (at, byte, how) in bends {
                let at = at.index(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
                match (how, bytes.get_mut(at)) {
                    (0, Some(there)) => *there = byte,
                    (1, Some(_)) => drop(bytes.remove(at)),
                    (2, Some(_)) => bytes.truncate(at),
                    (3, _) => bytes.insert(at, b"\"{}[]:,\\0\x1b\n"[usize::from(byte) % 11]),
                    _ => bytes.extend_from_within(at..),
                }
            }
            bytes
        });
        let any_line = prop_oneof![
            4 => bent,
            1 => proptest::collection::vec(any::<u8>(), 0..200),
            1 => "\\PC{0,80}".prop_map(String::into_bytes),
        ];
        let config = Config { cases: 1_000, failure_persistence: None, ..Config::default() };
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let ran = TestRunner::new_with_rng(config, rng).run(&any_line, |line| {
            check(&line).map_err(|why| TestCaseError::fail(format!("{why}\n{line:?}")))
        });
        if let Err(error) = ran {
            panic!("{error}");
        }
    }

    #[test]
    fn a_thousand_lines_of_each_protocol_have_the_answer_that_is_due() {
        let calls = [
            r#"{"jsonrpc":"2.0","id":"a","method":"prompt","params":{"user_input":"hi"}}"#,
            r#"{"jsonrpc":"2.0","id":"b","method":"cancel"}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"session/new","params":{"cwd":"/","mcpServers":[]}}"#,
            r#"{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"s"}}"#,
            r#"{"jsonrpc":"2.0","id":"r","result":{"request_id":"r","response":"approve"}}"#,
            r#"{"jsonrpc":"2.0","id":"r","error":{"code":-32000,"message":"no"}}"#,
            r#"{"id":null,"method":null,"params":[1.5,"\ud83d\ude00"]}"#,
            "[]",
            "",
        ];
        thousand(&calls, wire_line);
        thousand(&calls, acp_line);
        thousand(
            &[
                r#"{"role":"user","content":"hello"}"#,
                r#"{"role":"user","content":[{"type":"text","text":"a"}]}"#,
                r#"{"role":"assistant","content":"x"}"#,
                r#"{"role":"user"}"#,
                "\u{feff}{}",
                "  ",
            ],
            prompt_line,
        );
    }

    #[test]
    fn a_thousand_streams_of_a_server_come_apart_into_their_lines() {
        thousand(
            &[
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[]}}\r\n",
                "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{}}\n",
                "[{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":1,\"message\":\"m\"}}]\n\n",
                "Listening on port 1\n",
            ],
            mcp_stream,
        );
    }

    #[test]
    fn a_thousand_commands_are_read() {
        thousand(
            &[
                "git log --oneline | head -n 3",
                "find . -name '*.rs' -exec sed -i 's/a/b/w out' {} \\;",
                "for f in $(ls); do echo \"$f\" > /tmp/x; done && rm -rf ~",
                "cat <<EOF\n$(date)\nEOF\nbash -c \"awk '{print > \\\"f\\\"}'\"",
            ],
            command,
        );
    }

    #[test]
    fn a_thousand_answers_are_drawn() {
        thousand(
            &[
                "# Head\n\nSome *text* with `code`.\n\n- one\n  - two\n\n1. x\n",
                "| a | b |\n|---|---|\n| 1 | 你好 |\n\n```rust\nfn main() {}\n```\n",
                "> quote\n\n[link](http://a \"t\")\n\n---\n<!-- x -->\n",
            ],
            markdown,
        );
    }
}
