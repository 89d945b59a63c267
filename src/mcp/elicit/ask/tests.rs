use std::sync::Mutex;

use async_trait::async_trait;
use serde_json::json;

use super::*;
use crate::protocol::{QuestionForm, QuestionResponse};
use crate::tools::{ApprovalAsk, ApprovalVerdict};

/// The answer that says no to a form.
const NO: &str = "(no)";

/// A person who answers the n-th set of questions with the n-th list, and then no more.
#[derive(Default)]
struct Person {
    answers: Mutex<Vec<Vec<&'static str>>>,
    asked: Mutex<Vec<Vec<Question>>>,
    /// Has nothing but buttons.
    mute: bool,
    /// Is shown forms as such; these were.
    forms: Option<Mutex<Vec<QuestionForm>>>,
}

impl Person {
    fn new(answers: &[&[&'static str]]) -> Self {
        let answers = answers.iter().rev().map(|set| set.to_vec()).collect();
        Self { answers: Mutex::new(answers), ..Self::default() }
    }

    fn texts(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().flatten().map(|question| question.question.clone()).collect()
    }
}

#[async_trait]
impl Desk for Person {
    async fn approve(&self, _: ApprovalAsk) -> ApprovalVerdict {
        ApprovalVerdict::Approved
    }

    async fn pose(
        &self,
        _: &str,
        questions: Vec<Question>,
        form: Option<QuestionForm>,
    ) -> QuestionOutcome {
        if let Some(form) = form {
            self.forms.as_ref().unwrap().lock().unwrap().push(form);
        }
        let set = self.answers.lock().unwrap().pop().unwrap_or_default();
        let set_is_no = set == [NO];
        let set = if set_is_no { Vec::new() } else { set };
        let answers = questions.iter().zip(set).filter(|(_, answer)| !answer.is_empty());
        let answers =
            answers.map(|(question, answer)| (question.question.clone(), answer.into())).collect();
        self.asked.lock().unwrap().push(questions);
        QuestionOutcome::Answered(QuestionResponse {
            request_id: "r".into(),
            answers,
            declined: set_is_no,
        })
    }

    fn takes_forms(&self) -> bool {
        self.forms.is_some()
    }

    fn takes_words(&self) -> bool {
        !self.mute
    }
}

async fn put(person: &Person, params: Value) -> Answer {
    Asked::read("lab", &params).unwrap().put(person, "c1").await
}

fn form(properties: Value, required: &[&str]) -> Value {
    json!({"message": "Tell\u{1b}[2J me", "requestedSchema":
        {"type": "object", "properties": properties, "required": required}})
}

#[tokio::test]
async fn one_choice_is_one_question_with_a_way_out() {
    let params = || form(json!({"c": {"type": "string", "enum": ["r", "b"]}}), &["c"]);
    let person = Person::new(&[&["b"]]);
    assert_eq!(put(&person, params()).await, Answer::Accept(Some(json!({"c": "b"}))));
    let texts = person.texts();
    assert_eq!(texts, ["MCP server lab asks: c\nTell me"]);
    assert_eq!(put(&Person::new(&[&["Decline"]]), params()).await, Answer::Decline);
    assert_eq!(put(&Person::new(&[&[]]), params()).await, Answer::Cancel);
}

#[tokio::test]
async fn a_form_is_announced_and_what_does_not_fit_is_asked_again() {
    let params = || {
        form(
            json!({
                "name": {"type": "string", "minLength": 2, "title": "Your name"},
                "age": {"type": "integer", "minimum": 0},
                "news": {"type": "boolean", "default": true},
            }),
            &["name", "age"],
        )
    };
    let person = Person::new(&[&["Answer"], &["x", "old", "Leave it out"], &["Xe", "7"]]);
    let expected = json!({"name": "Xe", "age": 7});
    assert_eq!(put(&person, params()).await, Answer::Accept(Some(expected)));
    let texts = person.texts();
    assert_eq!(texts.len(), 1 + 3 + 2);
    assert!(texts[0].ends_with("\n3 questions follow."), "{}", texts[0]);
    assert!(texts[1].starts_with("MCP server lab asks (1/3): Your name (at least 2 characters)\n"));
    assert!(
        texts[4].starts_with("! Not taken: it must be at least 2 characters.\n"),
        "{}",
        texts[4]
    );
    assert!(texts[5].contains("! Not taken: it must be a whole number of at least 0."));
    let labels: Vec<_> =
        person.asked.lock().unwrap()[1][2].options.iter().map(|it| it.label.clone()).collect();
    assert_eq!(labels, ["Yes", "No", "Leave it out"]);
    assert_eq!(put(&Person::new(&[&["Decline"]]), params()).await, Answer::Decline);
    assert_eq!(put(&Person::new(&[&["Answer"], &[]]), params()).await, Answer::Cancel);
    // Nobody is asked for ever.
    let stubborn: Vec<&[&str]> = vec![&["Answer"], &["x"], &["x"], &["x"], &["x"], &["x"], &["x"]];
    assert_eq!(put(&Person::new(&stubborn), params()).await, Answer::Cancel);
}

#[tokio::test]
async fn a_missing_answer_is_asked_for_or_left_out() {
    let params = form(
        json!({"a": {"type": "number"}, "b": {"type": "array", "items": {"type": "string", "enum": ["x", "y"]}}}),
        &["a"],
    );
    let person = Person::new(&[&["Answer"], &["", "x, y"], &["1.5"]]);
    let expected = json!({"a": 1.5, "b": ["x", "y"]});
    assert_eq!(put(&person, params).await, Answer::Accept(Some(expected)));
    assert!(person.texts()[3].contains("an answer is needed"));
    assert!(person.asked.lock().unwrap()[1][1].multi_select);
}

#[tokio::test]
async fn more_than_four_fields_come_in_sets_and_none_at_all_is_a_yes_or_no() {
    let five: Map<String, Value> =
        (0..5).map(|n| (format!("f{n}"), json!({"type": "boolean"}))).collect();
    let person = Person::new(&[&["Answer"], &["Yes", "Yes", "No", "No"], &["Yes"]]);
    let Answer::Accept(Some(content)) = put(&person, form(five.into(), &[])).await else {
        panic!()
    };
    assert_eq!(content, json!({"f0": true, "f1": true, "f2": false, "f3": false, "f4": true}));
    assert_eq!(
        put(&Person::new(&[&["Answer"]]), form(json!({}), &[])).await,
        Answer::Accept(Some(json!({})))
    );
}

#[tokio::test]
async fn secrets_are_warned_of_and_long_messages_can_be_read() {
    let mut params = form(json!({"password": {"type": "string"}}), &["password"]);
    params["message"] = "m ".repeat(5_000).into();
    let person = Person::new(&[&["Answer"], &["x"]]);
    put(&person, params).await;
    assert!(person.texts().iter().all(|text| text.starts_with("! It wants a secret")));
    let asked = person.asked.lock().unwrap();
    assert!(asked[0][0].question.len() < 600 && asked[0][0].body.len() > 3_000);
}

#[tokio::test]
async fn an_address_is_shown_and_never_opened() {
    let params =
        |url: &str| json!({"mode": "url", "message": "Sign in", "url": url, "elicitationId": "1"});
    let person = Person::new(&[&["I have opened it"]]);
    assert_eq!(put(&person, params("https://h/x?y=1")).await, Answer::Accept(None));
    assert_eq!(person.texts(), ["MCP server lab asks: Sign in\nhttps://h/x?y=1"]);
    assert_eq!(put(&Person::new(&[&["Decline"]]), params("http://h/")).await, Answer::Decline);
    for bad in ["javascript:alert(1)", "file:///etc/passwd", "", "h/x", "http://"] {
        assert!(Asked::read("lab", &params(bad)).is_err(), "{bad}");
    }
    // A look-alike letter is seen for what it is.
    assert!(matches!(Asked::read("lab", &params("https://раypal.com/")).unwrap().what,
        What::Address(url) if url.starts_with("https://xn--")));
}

#[test]
fn what_is_no_request_is_refused_with_the_reason() {
    for (params, why) in [
        (json!({}), "no message"),
        (json!(5), "no message"),
        (json!({"message": "m"}), "no object"),
        (json!({"message": "m", "mode": "dance"}), "mode"),
        (
            json!({"message": "m", "requestedSchema": {"type": "object", "properties": 5}}),
            "properties",
        ),
        (form(json!({"a": {"type": "object", "properties": {}}}), &[]), "simple kind"),
        (
            form(
                (0..21)
                    .map(|n| (n.to_string(), json!({"type": "string"})))
                    .collect::<Map<_, _>>()
                    .into(),
                &[],
            ),
            "more than 20",
        ),
    ] {
        let told = Asked::read("lab", &params).err().unwrap();
        assert!(told.contains(why), "{told}");
    }
}

#[tokio::test]
async fn typed_words_are_never_a_no() {
    let one = || form(json!({"age": {"type": "integer"}}), &["age"]);
    let put_one = async |answers: &[&[&'static str]]| put(&Person::new(answers), one()).await;
    let aged = |age: u8| Answer::Accept(Some(json!({"age": age})));
    assert_eq!(put_one(&[&["41"]]).await, aged(41));
    assert_eq!(put_one(&[&["old"], &["42"]]).await, aged(42));
    let two = form(json!({"a": {"type": "string"}, "b": {"type": "string"}}), &["a", "b"]);
    let person = Person::new(&[&["x"], &["Answer"], &["1", "2"]]);
    assert_eq!(put(&person, two).await, Answer::Accept(Some(json!({"a": "1", "b": "2"}))));
    assert!(person.texts()[1].starts_with("! Not taken: choose one of the options.\n"));
    assert_eq!(person.asked.lock().unwrap()[2][0].other_label, "Your answer");
}

#[tokio::test]
async fn who_cannot_type_is_not_asked_for_words() {
    let text = |default: Value| {
        let mut field = json!({"type": "string"});
        if !default.is_null() {
            field["default"] = default;
        }
        json!({"name": field, "ok": {"type": "boolean"}})
    };
    let mute = |answers: &[&[&'static str]]| Person { mute: true, ..Person::new(answers) };
    let person = mute(&[&["Decline"]]);
    assert_eq!(put(&person, form(text(Value::Null), &["name"])).await, Answer::Decline);
    assert!(person.texts()[0].contains("takes no typed answers"), "{:?}", person.texts());
    assert_eq!(person.asked.lock().unwrap()[0][0].options.len(), 1);
    assert_eq!(put(&mute(&[]), form(text(Value::Null), &["name"])).await, Answer::Cancel);
    // What may be left out, or is suggested, can be answered with buttons.
    let some = mute(&[&["Answer"], &["Leave it out", "Yes"]]);
    let left_out = Answer::Accept(Some(json!({"ok": true})));
    assert_eq!(put(&some, form(text(Value::Null), &["ok"])).await, left_out);
    let some = mute(&[&["Answer"], &["me", "No"]]);
    let suggested = Answer::Accept(Some(json!({"name": "me", "ok": false})));
    assert_eq!(put(&some, form(text(json!("me")), &["name", "ok"])).await, suggested);
}

#[test]
fn what_is_no_request_is_an_error() {
    let wrong = |params: Value| Asked::read("lab", &params).err();
    let schema = json!({"type": "object", "properties": {}});
    let with = |key: &str, value: Value| {
        let mut params = json!({"message": "m", "requestedSchema": schema});
        params[key] = value;
        params
    };
    assert_eq!(wrong(with("mode", Value::Null)), None);
    for params in [
        json!(null),
        json!([]),
        with("mode", json!(7)),
        with("mode", json!("smoke")),
        with("message", json!(["m"])),
        with("requestedSchema", json!("x")),
        with("requestedSchema", json!({"type": "object", "required": "a"})),
        with("requestedSchema", json!({"type": "object", "required": ["a"]})),
        with("requestedSchema", json!({"type": "object", "required": [7]})),
    ] {
        assert!(wrong(params.clone()).is_some(), "{params}");
    }
}

#[tokio::test]
async fn a_server_does_not_take_the_way_out_away() {
    let hostile =
        json!({"c": {"type": "string", "enum": ["Decline", "(Decline)", "Leave it out"]}});
    let asked = |answer: &'static str, required: &'static [&'static str]| {
        let hostile = hostile.clone();
        async move { put(&Person::new(&[&[answer]]), form(hostile, required)).await }
    };
    assert_eq!(asked("((Decline))", &["c"]).await, Answer::Decline);
    let theirs = Answer::Accept(Some(json!({"c": "Decline"})));
    assert_eq!(asked("Decline", &["c"]).await, theirs);
    assert_eq!(asked("(Leave it out)", &[]).await, Answer::Accept(Some(json!({}))));
    let person = Person::new(&[&["Decline"]]);
    put(&person, form(hostile, &[])).await;
    let asked = person.asked.lock().unwrap();
    let labels: Vec<&str> = asked[0][0].options.iter().map(|it| it.label.as_str()).collect();
    assert_eq!(labels, ["Decline", "(Decline)", "Leave it out", "(Leave it out)", "((Decline))"]);
}

fn port_and_note() -> Value {
    form(
        json!({
            "port": {"type": "integer", "title": "Port", "minimum": 1, "maximum": 99, "default": 80},
            "note": {"type": "string", "title": "Note"},
        }),
        &["port"],
    )
}

fn shown(answers: &[&[&'static str]]) -> Person {
    Person { forms: Some(Mutex::default()), ..Person::new(answers) }
}

#[tokio::test]
async fn a_form_is_shown_as_one_and_again_with_what_was_typed() {
    let person = shown(&[&["700", "hi"], &["70", "hi"]]);
    let answer = put(&person, port_and_note()).await;
    assert_eq!(answer, Answer::Accept(Some(json!({"port": 70, "note": "hi"}))));
    let forms = person.forms.unwrap().into_inner().unwrap();
    assert_eq!(forms.len(), 2);
    assert_eq!(forms[0].message, "MCP server lab asks: Tell me");
    let fields =
        |at: usize| -> Vec<&Value> { forms[at].fields.iter().map(|field| &field.schema).collect() };
    let [port, note] = fields(0)[..] else { panic!("{forms:?}") };
    assert_eq!((&port["default"], &note["default"]), (&json!(80), &Value::Null));
    assert_eq!([forms[0].fields[0].required, forms[0].fields[1].required], [true, false]);
    let told = "Port: ! Not taken: it must be a whole number from 1 to 99.";
    assert_eq!(forms[1].message, format!("MCP server lab asks: Tell me\n{told}"));
    let [port, note] = fields(1)[..] else { panic!("{forms:?}") };
    assert!(port["description"].as_str().unwrap().starts_with("! Not taken: "), "{port}");
    // What does not fit cannot be shown by a field of numbers.
    assert_eq!((&port["default"], &note["default"]), (&Value::Null, &json!("hi")));
    // It is on record as questions too.
    assert_eq!(person.asked.into_inner().unwrap()[0].len(), 2);
}

#[tokio::test]
async fn a_form_that_is_declined_is_not_a_dismissed_one() {
    assert_eq!(put(&shown(&[&[NO]]), port_and_note()).await, Answer::Decline);
    assert_eq!(put(&shown(&[&[]]), port_and_note()).await, Answer::Cancel);
    // Who never gives an answer that fits is not asked for ever.
    let stubborn = shown(&[&["x"][..]; 9]);
    assert_eq!(put(&stubborn, port_and_note()).await, Answer::Cancel);
    assert_eq!(stubborn.asked.into_inner().unwrap().len(), MOST_ROUNDS);
}

#[tokio::test]
async fn a_few_numbers_are_buttons_where_nothing_can_be_typed() {
    let stars = json!({"type": "integer", "minimum": 1, "maximum": 3, "default": 2});
    let person = Person { mute: true, ..Person::new(&[&["Answer"], &["3"]]) };
    let answer = put(&person, form(json!({"stars": stars}), &["stars"])).await;
    assert_eq!(answer, Answer::Accept(Some(json!({"stars": 3}))));
    let asked = person.asked.into_inner().unwrap();
    let labels: Vec<_> =
        asked[1][0].options.iter().map(|it| (&*it.label, &*it.description)).collect();
    assert_eq!(labels, [("2", SUGGESTED), ("1", ""), ("3", "")]);
}
