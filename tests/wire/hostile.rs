//! Lines that no client should send.

use serde_json::{Value, json};

use super::client::Client;
use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::Home;

/// Numbers that are the same in every run.
pub struct Dice(pub u64);

impl Dice {
    /// A number below `sides`.
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % sides
    }

    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.roll(from.len())]
    }
}

const METHODS: [&str; 6] = ["initialize", "prompt", "steer", "cancel", "replay", "set_plan_mode"];

/// A line, and the code of the error that it gets; none when it is passed over.
fn line(dice: &mut Dice, n: usize) -> (Vec<u8>, Option<i64>) {
    let id = format!("h{n}");
    let words = ["é\u{202e}", "\\u0000", "../../etc", "null", "💫", "\u{feff}"];
    match dice.roll(14) {
        0 => {
            // Bytes at random, which are never JSON: the first one cannot begin any.
            let mut bytes: Vec<u8> = (0..dice.roll(300)).map(|_| dice.roll(256) as u8).collect();
            bytes.retain(|byte| *byte != b'\n');
            bytes.insert(0, b'#');
            (bytes, Some(-32700))
        }
        1 => (Vec::new(), Some(-32700)),
        2 => {
            let whole = json!({"id": id, "method": "cancel", "params": {"x": dice.pick(&words)}})
                .to_string();
            let mut cut = whole.into_bytes();
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
            let ids = [json!(1), json!([]), json!({}), json!(true), json!(0.5)];
            let message = json!({"id": ids[dice.roll(5)], "method": dice.pick(&METHODS)});
            (message.to_string().into_bytes(), Some(-32600))
        }
        6 => {
            let version = [json!("1.0"), json!(2.0), json!(null), json!([])];
            let at = dice.roll(4);
            let message = json!({"jsonrpc": version[at], "id": id, "method": "cancel"});
            (message.to_string().into_bytes(), Some(-32600))
        }
        7 => {
            let method = format!("{}{n}", dice.pick(&words));
            (json!({"id": id, "method": method}).to_string().into_bytes(), Some(-32601))
        }
        8 => {
            let method = dice.pick(&["initialize", "prompt", "steer", "set_plan_mode"]);
            let params = [
                json!(null),
                json!([]),
                json!("x"),
                json!({}),
                json!({"user_input": {}}),
                json!({"enabled": 1, "user_input": [[]], "protocol_version": []}),
                json!({"user_input": [{"type": dice.pick(&words)}]}),
            ];
            let message =
                json!({"id": id, "method": method, "params": params[dice.roll(params.len())]});
            (message.to_string().into_bytes(), Some(-32602))
        }
        9 => {
            let message = json!({"id": id, "method": "cancel", "params": dice.pick(&words)});
            (message.to_string().into_bytes(), Some(-32000))
        }
        10 => {
            let message =
                json!({"id": id, "method": "steer", "params": {"user_input": dice.pick(&words)}});
            (message.to_string().into_bytes(), Some(-32000))
        }
        // Notifications, and answers to nothing.
        11 => (json!({"method": dice.pick(&METHODS), "params": {}}).to_string().into_bytes(), None),
        12 => (json!({"id": id, "result": {"response": "approve"}}).to_string().into_bytes(), None),
        _ => {
            let errors = [json!(1), json!({}), json!({"code": "x", "message": 1}), json!([])];
            let message = json!({"id": id, "error": errors[dice.roll(4)]});
            (message.to_string().into_bytes(), Some(-32600))
        }
    }
}

#[test]
fn a_thousand_lines_get_what_they_deserve() {
    let server = ModelServer::start(|_: &Recorded, _| Reply::new().text("still here"));
    let home = Home::new(&server.url());
    let mut client = Client::start(&home, &[]);
    let mut dice = Dice(20_261_121);
    for n in 0..1_000 {
        let (line, expected) = line(&mut dice, n);
        let marker = format!("m{n}");
        let after = json!({"id": marker, "method": "nothing"});
        let shown = String::from_utf8_lossy(&line).chars().take(200).collect::<String>();
        client.raw(&[&line[..], b"\n", after.to_string().as_bytes(), b"\n"].concat());
        let mut codes = Vec::new();
        loop {
            let message = client.next();
            if message["id"] == marker.as_str() {
                break;
            }
            assert!(message["error"]["data"].is_null() && message["error"].get("data").is_some());
            codes.push(message["error"]["code"].as_i64().unwrap());
        }
        assert_eq!(codes, expected.into_iter().collect::<Vec<_>>(), "line {n}: {shown}");
    }
    client.initialize(json!({}));
    let prompt = client.prompt("are you there?");
    assert_eq!(client.result(&prompt), json!({"status": "finished"}));
    client.finish();
}

#[test]
fn the_same_lines_do_not_disturb_a_turn() {
    let server = ModelServer::start(vec![
        Reply::new().tool_call("c1", "Shell", r#"{"command":"touch made"}"#),
        Reply::new().text("Done."),
    ]);
    let home = Home::new(&server.url());
    let mut client = Client::ready(&home, &[]);
    let prompt = client.prompt("do it");
    let (id, _) = client.request("ApprovalRequest");
    let mut dice = Dice(7);
    for n in 0..300 {
        let (line, expected) = line(&mut dice, n);
        // A cancel or a steer would be carried out.
        if expected != Some(-32000) {
            client.raw(&[&line[..], b"\n"].concat());
        }
    }
    client.reply(&id, json!({"request_id": id, "response": "approve"}));
    assert_eq!(client.result(&prompt), json!({"status": "finished"}));
    assert!(home.path("project/made").exists());
    client.finish();
}

#[test]
fn a_line_beyond_all_bounds_is_refused_and_the_next_is_read() {
    let home = Home::new("http://127.0.0.1:9/v1");
    let mut client = Client::start(&home, &[]);
    let piece = vec![b'x'; 1 << 20];
    client.raw(b"{\"id\":\"a\",\"method\":\"");
    for _ in 0..101 {
        client.raw(&piece);
    }
    client.raw(b"\"}\n");
    let refused = client.next();
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&Value::Null, &json!(-32700)));
    assert!(refused["error"]["message"].as_str().unwrap().contains("longer than 104857600 bytes"));
    let cancel = client.call("cancel", json!({}));
    assert_eq!(client.error(&cancel).0, -32000);
    client.finish();
}
