//! Lines that no client should send.

use serde_json::{Value, json};

use super::editor::Editor;
use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::Home;
use crate::wire::hostile::Dice;

const METHODS: [&str; 12] = [
    "initialize",
    "authenticate",
    "session/new",
    "session/load",
    "session/resume",
    "session/list",
    "session/close",
    "session/prompt",
    "session/set_mode",
    "session/set_model",
    "session/set_config_option",
    "session/cancel",
];

/// A line, and the code of the error that it gets; none when it is passed over.
fn line(dice: &mut Dice, n: usize, session: &str) -> (Vec<u8>, Option<i64>) {
    let id = json!(format!("h{n}"));
    let words = ["é\u{202e}", "\\u0000", "../../etc", "null", "💫", "\u{feff}", "__proto__"];
    let message = |mut fields: Value| {
        fields["jsonrpc"] = json!("2.0");
        fields.to_string().into_bytes()
    };
    match dice.roll(13) {
        0 => {
            // Bytes at random, which are never JSON: the first one cannot begin any.
            let mut bytes: Vec<u8> = (0..dice.roll(300)).map(|_| dice.roll(256) as u8).collect();
            bytes.retain(|byte| *byte != b'\n');
            bytes.insert(0, b'#');
            (bytes, Some(-32700))
        }
        1 => (b" \r".to_vec(), None),
        2 => {
            let mut cut = message(json!({"id": id, "method": "session/list", "params": {}}));
            cut.truncate(1 + dice.roll(cut.len() - 1));
            (cut, Some(-32700))
        }
        3 => ("[".repeat(1 + dice.roll(5_000)).into_bytes(), Some(-32700)),
        4 => {
            let values =
                [json!([]), json!(1), json!("x"), json!(null), json!(true), json!([{"id": id}])];
            (values[dice.roll(values.len())].to_string().into_bytes(), Some(-32600))
        }
        5 => {
            let ids = [json!(1.5), json!([]), json!({}), json!(true), json!(1e40)];
            let id = &ids[dice.roll(5)];
            (message(json!({"id": id, "method": dice.pick(&METHODS)})), Some(-32600))
        }
        6 => {
            let version = [json!("1.0"), json!(2.0), json!(null), json!([])];
            let at = dice.roll(4);
            let wrong = json!({"jsonrpc": version[at], "id": id, "method": "session/list"});
            (wrong.to_string().into_bytes(), Some(-32600))
        }
        7 => {
            let ids = [id, json!(null), json!(-1), json!(u64::MAX), json!("")];
            let method = [format!("{}{n}", dice.pick(&words)), "session/fork".to_owned()];
            let (id, method) = (&ids[dice.roll(5)], &method[dice.roll(2)]);
            (message(json!({"id": id, "method": method})), Some(-32601))
        }
        8 => {
            let method = dice.pick(&METHODS[1..]);
            let wrong = [
                json!([]),
                json!("x"),
                json!({"sessionId": {}, "methodId": 1, "cwd": [], "cursor": 7}),
                json!({"sessionId": null, "methodId": null, "cwd": 0, "mcpServers": {}}),
                json!({"sessionId": dice.pick(&words), "cwd": dice.pick(&words), "cursor": "?",
                    "methodId": "?", "prompt": [], "modeId": "plan", "modelId": "m",
                    "configId": "mode", "value": "plan"}),
            ];
            let params = &wrong[dice.roll(5)];
            (message(json!({"id": id, "method": method, "params": params})), Some(-32602))
        }
        9 => {
            let blocks = [
                json!([]),
                json!([[]]),
                json!([{"type": dice.pick(&words)}]),
                json!([{"type": "text", "text": 1}]),
                json!([{"type": "image", "data": dice.pick(&words), "mimeType": "image/png"}]),
                json!([{"type": "resource", "resource": {"uri": 1}}]),
                json!("text"),
            ];
            let params = json!({"sessionId": session, "prompt": blocks[dice.roll(7)]});
            (message(json!({"id": id, "method": "session/prompt", "params": params})), Some(-32602))
        }
        // Notifications, and answers to nothing.
        10 => {
            let params = [json!(null), json!([1]), json!({"sessionId": dice.pick(&words)})];
            let notices = ["session/cancel", "$/cancel_request", "session/update", "initialize"];
            let (method, params) = (dice.pick(&notices), &params[dice.roll(3)]);
            (message(json!({"method": method, "params": params})), None)
        }
        11 => {
            let ids = [id, json!(0), json!(7), json!(-1), json!(null), json!(u64::MAX)];
            let id = &ids[dice.roll(6)];
            let outcome = json!({"outcome": {"outcome": "selected", "optionId": "approve"}});
            (message(json!({"id": id, "result": outcome})), None)
        }
        _ => {
            let errors = [json!(1), json!({}), json!({"code": "x", "message": 1}), json!([])];
            (message(json!({"id": id, "error": errors[dice.roll(4)]})), None)
        }
    }
}

#[test]
fn a_thousand_lines_get_what_they_deserve() {
    let server = ModelServer::start(|_: &Recorded, _| Reply::new().text("still here"));
    let (_home, mut editor, session) = Editor::in_session(&server, &[]);
    let mut dice = Dice(20_261_121);
    for n in 0..1_000 {
        let (line, expected) = line(&mut dice, n, &session);
        let shown = String::from_utf8_lossy(&line).chars().take(200).collect::<String>();
        editor.raw(&[&line[..], b"\n"].concat());
        // Answers of sessions may overtake, so each is waited for.
        if let Some(expected) = expected {
            let answer = editor.until(|it| it.get("method").is_none());
            assert_eq!(answer["error"]["code"], expected, "{shown}: {answer}");
            assert!(answer["error"]["message"].is_string(), "{answer}");
        }
        let marker = editor.begin("nothing", json!({}));
        let next = editor.next();
        assert_eq!(next["id"], marker, "{shown}: {next}");
    }
    let prompt = editor.prompt(&session, "are you there?");
    assert_eq!(editor.stopped(prompt), "end_turn");
    assert_eq!(editor.said("agent_message_chunk"), "still here");
    assert_eq!(server.requests().len(), 1);
    editor.finish();
}

#[test]
fn nothing_is_served_before_hello() {
    let home = Home::new("http://127.0.0.1:9/v1");
    let mut editor = Editor::start(&home, &[]);
    for method in &METHODS[1..] {
        let params = json!({"cwd": home.path("project"), "mcpServers": [], "sessionId": "x"});
        assert_eq!(editor.refused(method, params)["code"], -32600, "{method}");
    }
    assert_eq!(editor.refused("nothing", json!({}))["code"], -32601);
    for params in [json!(null), json!({}), json!({"protocolVersion": "1"}), json!([1])] {
        assert_eq!(editor.refused("initialize", params)["code"], -32602);
    }
    editor.initialize(json!({}));
    editor.session(&home);
    editor.finish();
}

#[test]
fn a_line_that_is_too_long_is_passed_over() {
    let home = Home::new("http://127.0.0.1:9/v1");
    let mut editor = Editor::ready(&home, &[]);
    let chunk = vec![b'x'; 1 << 20];
    for _ in 0..101 {
        editor.raw(&chunk);
    }
    editor.raw(b"\n");
    let answer = editor.until(|it| it.get("error").is_some());
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&Value::Null, &json!(-32700)));
    // One that is merely huge is read.
    let name = "y".repeat(20 << 20);
    let error = editor.refused(&name, json!({}));
    assert_eq!(error["code"], -32601);
    editor.finish();
}
