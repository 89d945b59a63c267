//! The one argument of a call that tells a person what it is about, also while it still streams.

use std::path::Path;

/// Characters that are kept of a key argument: of a longer one both ends, around three dots.
const WIDTH: usize = 50;

/// The key argument of a call whose arguments may still be incomplete. `None` when the tool has
/// none or it has not come yet. Linear in the text.
pub fn key_argument(tool_name: &str, partial_json: &str, work_dir: &Path) -> Option<String> {
    let key = match tool_name {
        "Agent" | "AgentSwarm" => "description",
        "Think" => "thought",
        "Shell" => "command",
        "TaskOutput" | "TaskStop" => "task_id",
        "ReadFile" | "ReadMediaFile" | "WriteFile" | "StrReplaceFile" => "path",
        "Glob" | "Grep" => "pattern",
        "SearchWeb" | "mcp_search" => "query",
        "mcp_call" => "name",
        "FetchURL" => "url",
        "CreateGoal" => "objective",
        "UpdateGoal" => "status",
        // What the plan tools are about is the plan, which has a place of its own.
        "EnterPlanMode" | "ExitPlanMode" | "GetGoal" | "SendDMail" | "SetTodoList" => return None,
        "AskUserQuestion" => {
            let first = partial_value(partial_json, "questions")?.strip_prefix('[')?;
            return partial_string(first, "question").map(|question| shorten_middle(&question));
        }
        "TaskList" => {
            let all = partial_value(partial_json, "active_only")
                .is_some_and(|value| value.trim().starts_with("false"));
            return Some(if all { "all" } else { "active" }.to_owned());
        }
        _ => {
            let raw = partial_json.trim();
            return (!raw.is_empty()).then(|| shorten_middle(raw));
        }
    };
    let value = partial_string(partial_json, key)?;
    let value = if key == "path" { without_prefix(&value, work_dir) } else { &value };
    (!value.is_empty()).then(|| shorten_middle(value))
}

fn without_prefix<'a>(path: &'a str, work_dir: &Path) -> &'a str {
    work_dir
        .to_str()
        .and_then(|dir| path.strip_prefix(dir.trim_end_matches('/')))
        .and_then(|rest| rest.strip_prefix('/'))
        .unwrap_or(path)
}

/// Keeps both ends of a long text and puts it on one line.
fn shorten_middle(text: &str) -> String {
    let chars: Vec<char> =
        text.chars().map(|ch| if matches!(ch, '\n' | '\r') { ' ' } else { ch }).collect();
    if chars.len() <= WIDTH {
        return chars.into_iter().collect();
    }
    let (head, tail) = (&chars[..WIDTH / 2], &chars[chars.len() - WIDTH / 2..]);
    head.iter().chain(&['.', '.', '.']).chain(tail).collect()
}

/// The string value of a top-level key, as far as it has come.
fn partial_string(json: &str, key: &str) -> Option<String> {
    let value = partial_value(json, key)?;
    value.starts_with('"').then(|| decode_string(value).0)
}

/// The text from the value of a top-level key on.
fn partial_value<'a>(json: &'a str, key: &str) -> Option<&'a str> {
    let mut rest = json.trim_start().strip_prefix('{')?;
    loop {
        rest = rest.trim_start_matches(|ch: char| ch.is_whitespace() || ch == ',');
        if !rest.starts_with('"') {
            return None;
        }
        let (name, length) = decode_string(rest);
        rest = rest.get(length..)?.trim_start().strip_prefix(':')?.trim_start();
        if name == key {
            return (!rest.is_empty()).then_some(rest);
        }
        rest = rest.get(value_length(rest)..)?;
    }
}

/// Bytes of the JSON value that the text starts with.
fn value_length(text: &str) -> usize {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (index, byte) in text.bytes().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => depth += 1,
            b',' | b'}' | b']' if depth == 0 => return index,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

/// Decodes the string that the text starts with: its value and its length in bytes. A missing end
/// and a torn escape are left out.
fn decode_string(text: &str) -> (String, usize) {
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((index, ch)) = chars.next() {
        match ch {
            '"' => return (out, index + 1),
            '\\' => match chars.next() {
                None => break,
                Some((_, 'n')) => out.push('\n'),
                Some((_, 't')) => out.push('\t'),
                Some((_, 'r')) => out.push('\r'),
                Some((_, 'b')) => out.push('\u{8}'),
                Some((_, 'f')) => out.push('\u{c}'),
                Some((at, 'u')) => {
                    let Some(first) = hex4(text, at + 1) else { break };
                    chars.by_ref().take(4).for_each(drop);
                    let mut code = first;
                    if (0xd800..0xdc00).contains(&first)
                        && text.get(at + 5..at + 7) == Some("\\u")
                        && let Some(second) = hex4(text, at + 7)
                        && (0xdc00..0xe000).contains(&second)
                    {
                        chars.by_ref().take(6).for_each(drop);
                        code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                    }
                    out.push(char::from_u32(code).unwrap_or('\u{fffd}'));
                }
                Some((_, other)) => out.push(other),
            },
            other => out.push(other),
        }
    }
    (out, text.len())
}

fn hex4(text: &str, at: usize) -> Option<u32> {
    let digits = text.get(at..at + 4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(())?;
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(tool: &str, json: &str) -> Option<String> {
        key_argument(tool, json, Path::new("/home/dir"))
    }

    #[test]
    fn each_tool_has_its_key() {
        assert_eq!(key("Shell", r#"{"timeout": 3, "command": "ls -la"}"#).unwrap(), "ls -la");
        assert_eq!(
            key("WriteFile", r#"{"content":"{\"path\":\"no\"}","path":"/home/dir/a.rs"}"#).unwrap(),
            "a.rs"
        );
        assert_eq!(key("ReadFile", r#"{"path":"/home/dirt/a"}"#).unwrap(), "/home/dirt/a");
        assert_eq!(
            key("Grep", r#"{"path":"src","pattern":"fn \u00e9\ud83d\ude00"}"#).unwrap(),
            "fn é😀"
        );
        assert_eq!(key("SetTodoList", r#"{"todos":[]}"#), None);
        assert_eq!(key("TaskList", "{}").unwrap(), "active");
        assert_eq!(key("TaskList", r#"{"active_only": false}"#).unwrap(), "all");
        assert_eq!(key("TaskList", r#"{"active_only": tr"#).unwrap(), "active");
        assert_eq!(key("EnterPlanMode", "{}"), None);
        assert_eq!(key("ExitPlanMode", r#"{"options":[{"label":"A","description":"b"}]}"#), None);
        assert_eq!(key("mcp_tool", r#"{"a": 1}"#).unwrap(), r#"{"a": 1}"#);
    }

    /// Tools with a key argument that is a text at the top level (tools.md section 0.5).
    const KEYS: [(&str, &str); 15] = [
        ("ReadFile", "path"),
        ("ReadMediaFile", "path"),
        ("WriteFile", "path"),
        ("StrReplaceFile", "path"),
        ("Glob", "pattern"),
        ("Grep", "pattern"),
        ("SearchWeb", "query"),
        ("FetchURL", "url"),
        ("Agent", "description"),
        ("AgentSwarm", "description"),
        ("Think", "thought"),
        ("Shell", "command"),
        ("TaskOutput", "task_id"),
        ("TaskStop", "task_id"),
        ("CreateGoal", "objective"),
    ];

    #[test]
    fn the_key_is_found_among_other_arguments_and_none_is_made_up() {
        for (tool, name) in KEYS {
            let whole = format!(
                r#"{{"other": "{name}", "nested": {{"{name}": "no", "x": ["}}", 1.5, null]}}, "flag": true, "{name}": "the \"key\"", "last": 1}}"#
            );
            assert_eq!(key(tool, &whole).as_deref(), Some("the \"key\""), "{tool}");
            for without in [
                String::new(),
                "{}".to_owned(),
                format!(r#"{{"other": "{name}"}}"#),
                format!(r#"{{"{name}": ""}}"#),
                format!(r#"{{"{name}": 7}}"#),
                format!(r#"{{"{name}": null}}"#),
                format!(r#"["{name}", "x"]"#),
                format!(r#"{{"nested": {{"{name}": "no"}}}}"#),
            ] {
                assert_eq!(key(tool, &without), None, "{tool}: {without}");
            }
        }
        for none in ["SendDMail", "SetTodoList", "EnterPlanMode", "ExitPlanMode", "GetGoal"] {
            let all = r#"{"path": "a", "query": "b", "message": "c", "todos": []}"#;
            assert_eq!(key(none, all), None, "{none}");
        }
        assert_eq!(key("mcp__s__t", " {\"a\":\n 1} ").as_deref(), Some("{\"a\":  1}"));
        assert_eq!(key("mcp__s__t", "  "), None);
    }

    /// Arguments come in pieces: what is shown grows with them and is never anything else.
    #[test]
    fn the_key_of_every_tool_grows_while_its_arguments_stream_in() {
        let full = "/x/caf\u{e9} \"q\"\\ 😀.rs";
        for (tool, name) in KEYS {
            let written = r#"/x/caf\u00e9 \"q\"\\ \ud83d\ude00.rs"#;
            let whole = format!(r#"{{"more": {{"{name}": [1]}}, "{name}": "{written}", "z": 1}}"#);
            let begins = whole.find(written).unwrap();
            let mut longest = 0;
            for end in 0..=whole.len() {
                let shown = key(tool, &whole[..end]);
                if end <= begins {
                    assert_eq!(shown, None, "{tool}: {}", &whole[..end]);
                    continue;
                }
                let shown = shown.unwrap_or_else(|| panic!("{tool}: {}", &whole[..end]));
                let known = shown.trim_end_matches('\u{fffd}');
                assert!(full.starts_with(known) && known.len() >= longest, "{tool}: {shown:?}");
                longest = known.len();
            }
            assert_eq!(key(tool, &whole).as_deref(), Some(full), "{tool}");
        }
    }

    #[test]
    fn a_path_in_the_work_directory_is_told_from_there_and_every_other_whole() {
        let shown = |tool: &str, name: &str, value: &str, dir: &str| {
            key_argument(tool, &format!(r#"{{"{name}": "{value}"}}"#), Path::new(dir))
        };
        for tool in ["ReadFile", "ReadMediaFile", "WriteFile", "StrReplaceFile"] {
            for (path, told) in [
                ("/home/dir/src/a.rs", "src/a.rs"),
                ("/home/dir/", ""),
                ("/home/dir", "/home/dir"),
                ("/home/director/a", "/home/director/a"),
                ("/other/home/dir/a", "/other/home/dir/a"),
                ("src/a.rs", "src/a.rs"),
            ] {
                let wanted = (!told.is_empty()).then_some(told);
                assert_eq!(shown(tool, "path", path, "/home/dir").as_deref(), wanted, "{path}");
                assert_eq!(shown(tool, "path", path, "/home/dir/").as_deref(), wanted, "{path}");
            }
            assert_eq!(shown(tool, "path", "/a/b", "/").as_deref(), Some("a/b"));
        }
        // What is no path keeps what looks like the directory.
        for (tool, name) in [("Glob", "pattern"), ("Grep", "pattern"), ("FetchURL", "url")] {
            let told = shown(tool, name, "/home/dir/a", "/home/dir");
            assert_eq!(told.as_deref(), Some("/home/dir/a"), "{tool}");
        }
    }

    #[test]
    fn fifty_characters_are_kept_of_whatever_language() {
        let of =
            |text: &str| key("SearchWeb", &serde_json::json!({"query": text}).to_string()).unwrap();
        assert_eq!(of(&"字".repeat(50)), "字".repeat(50));
        let long = format!("{}{}", "頭".repeat(26), "尾".repeat(25));
        assert_eq!(of(&long), format!("{}...{}", "頭".repeat(25), "尾".repeat(25)));
        assert_eq!(of("one\ntwo\r\nthree"), "one two  three");
        let raw = format!(r#"{{"a": "{}"}}"#, "x".repeat(60));
        let shown = key("mcp__s__t", &raw).unwrap();
        assert!(shown.starts_with(r#"{"a": "xxx"#) && shown.ends_with("xxx\"}"), "{shown}");
        assert_eq!(shown.chars().count(), 53);
    }

    #[test]
    fn long_ones_are_cut_in_the_middle() {
        let shown =
            key("Shell", r#"{"command":"for i in 1 2 3 4 5 6; do echo line $i; sleep 1; done"}"#);
        assert_eq!(shown.unwrap(), "for i in 1 2 3 4 5 6; do ...ho line $i; sleep 1; done");
        assert_eq!(key("Shell", r#"{"command":"a\nb"}"#).unwrap(), "a b");
    }

    #[test]
    fn every_torn_prefix_is_read() {
        let whole = r#"{"n": [1, {"command": "x"}], "command": "a\"b\\c\u00e9\ud83d\ude00 end"}"#;
        let full = "a\"b\\cé😀 end";
        for end in whole.char_indices().map(|(index, _)| index) {
            if let Some(shown) = key("Shell", &whole[..end]) {
                let known = shown.trim_end_matches('\u{fffd}');
                assert!(full.starts_with(known), "{shown:?} of {:?}", &whole[..end]);
            }
        }
        assert_eq!(key("Shell", whole).unwrap(), full);
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(128))]
        #[test]
        fn hostile_text_is_survived(json in r#"[\{\}\[\]",:\\ua0-9é \n]{0,60}"#) {
            for tool in ["Shell", "ReadFile", "TaskList", "other"] {
                let _ = key(tool, &json);
                let _ = key(tool, &format!("{{\"command\":\"{json}"));
            }
        }
    }
}
