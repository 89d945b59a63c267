//! The questions that a request becomes, and the answer they add up to.

mod sheet;

use serde_json::{Map, Value};
use tracing::info;

use super::Answer;
use super::field::{Field, Kind};
use super::form::Form;
use crate::mcp::resources::MAX_URI;
use crate::mcp::tidy::one_line;
use crate::protocol::{Question, QuestionOption};
use crate::tools::{Desk, QuestionOutcome};

/// Characters of the message in the question itself, and where all of it can be read.
const MAX_MESSAGE: usize = 240;
const MAX_BODY: usize = 4_000;
/// Characters of a server's name.
const MAX_SERVER: usize = 40;
/// Questions that are put together.
const TOGETHER: usize = 4;
/// How often a field is asked for again before the server gets no answer.
const MOST_ROUNDS: usize = 5;

const ANSWER: &str = "Answer";
const OPENED: &str = "I have opened it";
const DECLINE: &str = "Decline";
/// Where there is nothing to choose from.
const WORDS: &str = "Your answer";
const SUGGESTED: &str = "The server's suggestion.";
const LEAVE_OUT: &str = "Leave it out";
/// Where words are wanted and none can be typed.
const NO_WORDS: &str = "This program takes no typed answers, and one is needed.";

/// A request, read.
pub struct Asked {
    /// `MCP server lab asks`
    asks: String,
    message: String,
    body: String,
    what: What,
}

enum What {
    Form(Form),
    /// To open this address and come back.
    Address(String),
}

/// What came of a set of questions: an answer to each that has one.
enum Said {
    Answers(Map<String, Value>),
    Nobody,
    Declined,
    Dismissed,
}

impl Said {
    /// The answers; the error is the answer to the server where there are none.
    fn answers(self) -> Result<Map<String, Value>, Answer> {
        match self {
            Self::Answers(answers) => Ok(answers),
            Self::Nobody | Self::Declined => Err(Answer::Decline),
            Self::Dismissed => Err(Answer::Cancel),
        }
    }
}

impl Asked {
    /// Reads the parameters of `elicitation/create`. The error says what is wrong with them.
    pub fn read(server: &str, params: &Value) -> Result<Self, String> {
        let text = |key: &str| params.get(key).and_then(Value::as_str);
        let Some(message) = text("message") else { return Err("there is no message".to_owned()) };
        let what = match params.get("mode").unwrap_or(&Value::Null) {
            mode if mode.is_null() || mode == "form" => {
                Form::read(params.get("requestedSchema").unwrap_or(&Value::Null)).map(What::Form)?
            }
            mode if mode == "url" => What::Address(address(text("url").unwrap_or_default())?),
            _ => return Err("the mode is not known".to_owned()),
        };
        let asks = format!("MCP server {} asks", one_line(server, MAX_SERVER));
        let short = one_line(message, MAX_MESSAGE);
        let long = one_line(message, MAX_BODY);
        Ok(Self {
            body: if long == short { String::new() } else { long },
            asks,
            message: short,
            what,
        })
    }

    /// Asks the person, as often as needed.
    pub async fn put(&self, desk: &dyn Desk, call_id: &str) -> Answer {
        match &self.what {
            What::Address(url) => self.put_address(url, desk, call_id).await,
            What::Form(form) if desk.takes_forms() && !form.fields.is_empty() => {
                self.put_sheet(form, desk, call_id).await
            }
            What::Form(form) => self.put_form(form, desk, call_id).await,
        }
    }

    async fn put_address(&self, url: &str, desk: &dyn Desk, call_id: &str) -> Answer {
        let text = format!("{}: {}\n{url}", self.asks, self.message);
        let options = vec![
            option(OPENED, "Go on; the address is not opened for you."),
            option(DECLINE, "Do not go there."),
        ];
        match self.choose(&text, "Open", &options, false, desk, call_id).await {
            Ok(chosen) if chosen == OPENED => Answer::Accept(None),
            Ok(_) => Answer::Decline,
            Err(unanswered) => unanswered,
        }
    }

    async fn put_form(&self, form: &Form, desk: &dyn Desk, call_id: &str) -> Answer {
        // One field with choices has room for a way out among them; others are announced.
        let alone = matches!(form.fields.as_slice(),
            [field] if matches!(field.kind, Kind::Flag | Kind::Choice(_)));
        let options = vec![option(ANSWER, ""), option(DECLINE, "The server gets nothing.")];
        if !desk.takes_words() && form.fields.iter().any(Field::needs_words) {
            let text = format!("{NO_WORDS}\n{}: {}", self.asks, self.message);
            // There is no more to do than to learn of it.
            let only_no = options.get(1..).unwrap_or_default();
            return match self.choose(&text, "", only_no, false, desk, call_id).await {
                Ok(_) => Answer::Decline,
                Err(unanswered) => unanswered,
            };
        }
        if !alone {
            let count = match form.fields.as_slice() {
                [] => String::new(),
                [field] => format!("\n{}", about(field)),
                fields => format!("\n{} questions follow.", fields.len()),
            };
            let text = format!("{}{}: {}{count}", warning(&form.fields), self.asks, self.message);
            let single = form.fields.len() == 1;
            match self.choose(&text, "", &options, single, desk, call_id).await {
                Ok(chosen) if chosen == ANSWER => {}
                Ok(chosen) if chosen == DECLINE => return Answer::Decline,
                // Somebody has answered already.
                Ok(typed) => return self.fill(form, alone, Some(typed), desk, call_id).await,
                Err(unanswered) => return unanswered,
            }
        }
        self.fill(form, alone, None, desk, call_id).await
    }

    /// Puts a question whose answer is one of the options, and puts it again when it is not: nobody's
    /// words are taken for a no. With `words_count` other words, from a client that lets people type
    /// them, are the answer. The error is the answer of who gives none.
    async fn choose(
        &self,
        text: &str,
        header: &str,
        options: &[QuestionOption],
        words_count: bool,
        desk: &dyn Desk,
        call_id: &str,
    ) -> Result<String, Answer> {
        let mut put = text.to_owned();
        for _ in 0..MOST_ROUNDS {
            let question = self.question(put.clone(), header, options.to_vec());
            let question = Question { only_options: true, ..question };
            let answers = said(desk.ask(call_id, vec![question]).await).answers()?;
            let said = answers.get(&put).and_then(Value::as_str).unwrap_or_default();
            let is_option = options.iter().any(|option| option.label == said);
            if is_option || (words_count && !said.trim().is_empty()) {
                return Ok(said.to_owned());
            }
            put = format!("! Not taken: choose one of the options.\n{text}");
        }
        Err(Answer::Cancel)
    }

    /// Asks for the fields, and again for those whose answers do not fit.
    /// `typed` answers the only field already, if it fits.
    async fn fill(
        &self,
        form: &Form,
        alone: bool,
        typed: Option<String>,
        desk: &dyn Desk,
        call_id: &str,
    ) -> Answer {
        let mut content = Map::new();
        let mut open: Vec<(&Field, Option<String>)> =
            form.fields.iter().map(|field| (field, None)).collect();
        if let (Some(typed), [(field, wrong)]) = (typed, open.as_mut_slice()) {
            match field.value(&typed) {
                Ok(value) => {
                    let content = Map::from_iter([(field.name.clone(), value)]);
                    return Answer::Accept(Some(Value::Object(content)));
                }
                Err(why) => *wrong = Some(why),
            }
        }
        for _ in 0..MOST_ROUNDS {
            let mut again = Vec::new();
            for some in open.chunks(TOGETHER) {
                let texts: Vec<String> = some
                    .iter()
                    .map(|(field, wrong)| {
                        let at = form.fields.iter().position(|it| it.name == field.name);
                        self.text(field, at.unwrap_or(0) + 1, form.fields.len(), wrong.as_deref())
                    })
                    .collect();
                let questions = some.iter().zip(&texts).map(|((field, _), text)| {
                    let options = options(field, alone, desk.takes_words());
                    let only_words = options.is_empty();
                    let several = field.takes_several();
                    let question = self.question(text.clone(), &field.title, options);
                    let other_label = if only_words { WORDS.to_owned() } else { String::new() };
                    let only_options = !only_words && field.has_choices();
                    Question { multi_select: several, other_label, only_options, ..question }
                });
                let outcome = desk.ask(call_id, questions.collect()).await;
                let answers = match said(outcome).answers() {
                    Ok(answers) => answers,
                    Err(unanswered) => return unanswered,
                };
                for ((field, _), text) in some.iter().zip(&texts) {
                    let answer = answers.get(text).and_then(Value::as_str).unwrap_or_default();
                    if alone && answer == ours(field, DECLINE) {
                        return Answer::Decline;
                    }
                    let left_out =
                        answer.is_empty() || (!field.required && answer == ours(field, LEAVE_OUT));
                    match left_out {
                        true if field.required => {
                            again.push((*field, Some("an answer is needed".to_owned())));
                        }
                        true => {}
                        false => match field.value(answer) {
                            Ok(value) => {
                                content.insert(field.name.clone(), value);
                            }
                            Err(why) => again.push((*field, Some(why))),
                        },
                    }
                }
            }
            if again.is_empty() {
                return in_order(form, &content);
            }
            open = again;
        }
        Answer::Cancel
    }

    /// The text of a field's question; no two fields have the same. What is ours comes first: the
    /// server's own text, however long, does not push it out of sight.
    fn text(&self, field: &Field, n: usize, of: usize, wrong: Option<&str>) -> String {
        let wrong = wrong.map(|wrong| format!("! Not taken: {wrong}.\n")).unwrap_or_default();
        let place = if of == 1 { String::new() } else { format!(" ({n}/{of})") };
        format!(
            "{}{wrong}{}{place}: {}\n{}",
            warning(std::slice::from_ref(field)),
            self.asks,
            about(field),
            self.message
        )
    }

    fn question(&self, question: String, header: &str, options: Vec<QuestionOption>) -> Question {
        Question {
            question,
            header: one_line(header, 12),
            options,
            multi_select: false,
            body: self.body.clone(),
            other_label: String::new(),
            other_description: String::new(),
            only_options: false,
        }
    }
}

/// What the fields got, in the order of the form, whatever had to be asked again.
fn in_order(form: &Form, content: &Map<String, Value>) -> Answer {
    let ordered = form
        .fields
        .iter()
        .filter_map(|field| Some((field.name.clone(), content.get(&field.name)?.clone())));
    Answer::Accept(Some(Value::Object(ordered.collect())))
}

/// `Title — description (a whole number from 1 to 10)`.
fn about(field: &Field) -> String {
    let mut about = field.title.clone();
    if !field.description.is_empty() {
        about.push_str(&format!(" — {}", field.description));
    }
    let optional = if field.required { "" } else { "may be left out" };
    let notes = [field.rule(), optional.to_owned()];
    let notes: Vec<String> = notes.into_iter().filter(|note| !note.is_empty()).collect();
    if !notes.is_empty() {
        about.push_str(&format!(" ({})", notes.join("; ")));
    }
    about
}

fn warning(fields: &[Field]) -> &'static str {
    if fields.iter().any(|field| field.secret) {
        "! It wants a secret, which servers must not ask for: better decline.\n"
    } else {
        ""
    }
}

/// The choices of a field; where no words can be typed, also those among a few numbers.
fn options(field: &Field, alone: bool, words: bool) -> Vec<QuestionOption> {
    let mut labels = field.labels();
    if !words {
        labels.extend(field.few_numbers());
    }
    let mut options: Vec<_> = labels.iter().map(|label| option(label, "")).collect();
    if let Some(default) = field.default_answer() {
        match options.iter().position(|option| option.label == default) {
            // What the server suggests is under the mark.
            Some(at) => {
                options.remove(at);
                options.insert(0, option(&default, SUGGESTED));
            }
            // Of several choices some: they are ticked one by one.
            None if field.takes_several() => {}
            None => options.push(option(&default, SUGGESTED)),
        }
    }
    if !field.required {
        options.push(option(&ours(field, LEAVE_OUT), "The server gets no answer to this."));
    }
    if alone {
        options.push(option(&ours(field, DECLINE), "The server gets nothing."));
    }
    options
}

/// A label of ours beside those of a field: a server that has the same words does not take it away.
fn ours(field: &Field, label: &str) -> String {
    let (taken, suggested) = (field.labels(), field.default_answer());
    let mut own = label.to_owned();
    while taken.contains(&own) || suggested.as_ref() == Some(&own) {
        own = format!("({own})");
    }
    own
}

fn option(label: &str, description: &str) -> QuestionOption {
    QuestionOption { label: label.to_owned(), description: description.to_owned() }
}

/// An address that a person may be shown: what is seen is what it is.
fn address(url: &str) -> Result<String, String> {
    let fault = || "the address is none that can be shown".to_owned();
    if url.len() > MAX_URI {
        return Err(fault());
    }
    let url = url::Url::parse(url).map_err(|_| fault())?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(fault());
    }
    Ok(url.to_string())
}

fn said(outcome: QuestionOutcome) -> Said {
    match outcome {
        QuestionOutcome::Answered(response) if response.declined => Said::Declined,
        QuestionOutcome::Answered(response) if response.answers.is_empty() => Said::Dismissed,
        QuestionOutcome::Answered(response) => Said::Answers(response.answers),
        QuestionOutcome::Afk | QuestionOutcome::Unsupported => {
            info!("a question of an MCP server was declined: nobody is there to answer");
            Said::Nobody
        }
    }
}

#[cfg(test)]
mod tests;
