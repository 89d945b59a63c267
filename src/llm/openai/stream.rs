//! From the bytes of an answer to a stream of deltas, with every way it can go wrong.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use reqwest::Response;
use serde_json::Value;
use tokio::time::{Sleep, sleep, timeout};

use super::chunk::{ChunkReader, stream_error};
use super::{Dialect, Settings};
use crate::llm::http::{place, seconds, transport_error};
use crate::llm::oneline::one_line;
use crate::llm::status::{html_title, looks_like_html, request_id};
use crate::llm::{Delta, DeltaStream, LlmError, Sent, sse};

/// Bytes of one answer; beyond it the model talks without end.
const LONGEST_ANSWER: usize = 64 * 1024 * 1024;
/// Bytes of one event.
const LARGEST_EVENT: usize = 16 * 1024 * 1024;
/// Bytes that decide what an answer is; blanks before them do not count.
const SNIFFED: usize = 512;

/// The deltas of an answer with a success status to a request that carried these secrets.
pub(super) fn deltas(response: Response, sent: Sent, settings: Arc<Settings>) -> DeltaStream {
    let answer = Answer {
        body: Body::new(&settings),
        request_id: request_id(response.headers()),
        response: Some(response),
        sent,
        limit: Box::pin(sleep(settings.timeouts.data)),
        settings,
        ready: VecDeque::new(),
        failed: None,
    };
    Box::pin(stream::unfold(answer, |mut answer| async move {
        let item = answer.next().await?;
        Some((item, answer))
    }))
}

struct Answer {
    settings: Arc<Settings>,
    /// None when nothing more is read.
    response: Option<Response>,
    body: Body,
    sent: Sent,
    request_id: Option<String>,
    /// When the next data has to be there; from the finish on, when the end of the body has to be.
    limit: Pin<Box<Sleep>>,
    ready: VecDeque<Delta>,
    /// Told after everything in `ready`.
    failed: Option<LlmError>,
}

impl Answer {
    async fn next(&mut self) -> Option<Result<Delta, LlmError>> {
        loop {
            if let Some(delta) = self.ready.pop_front() {
                return Some(Ok(delta));
            }
            if let Some(error) = self.failed.take() {
                return Some(Err(error));
            }
            let response = self.response.as_mut()?;
            let finished = self.body.finished();
            let Settings { timeouts, url, .. } = &*self.settings;
            let chunk = tokio::select! {
                biased;
                () = &mut self.limit => Err(timeouts.data),
                chunk = timeout(timeouts.idle, response.chunk()) => {
                    chunk.map_err(|_| timeouts.idle)
                }
            };
            let more = match chunk {
                Ok(Ok(Some(bytes))) => self.body.push(bytes, &mut self.ready),
                Ok(Ok(None)) => self.body.end(&mut self.ready).map(|()| false),
                // The model has said all; what is missing is only the trailer.
                _ if finished => Ok(false),
                Ok(Err(error)) => Err(transport_error(url, &error, timeouts)),
                Err(patience) => Err(LlmError::Timeout(format!(
                    "{} sent nothing for {} s",
                    place(url),
                    seconds(patience)
                ))),
            };
            let news = std::mem::take(&mut self.body.news);
            if !finished && self.body.finished() {
                self.limit = Box::pin(sleep(timeouts.trailer));
            } else if !finished && news {
                self.limit = Box::pin(sleep(timeouts.data));
            }
            match more {
                Ok(true) => {}
                Ok(false) => self.release(),
                Err(mut error) => {
                    if let LlmError::Status { request_id, .. }
                    | LlmError::Quota { request_id, .. } = &mut error
                    {
                        request_id.clone_from(&self.request_id);
                    }
                    self.response = None;
                    self.failed = Some(self.sent.hide_in(error));
                }
            }
        }
    }

    /// Reads the body's last bytes beside the reader, so that the connection can be used again
    /// without another handshake.
    fn release(&mut self) {
        let Some(mut response) = self.response.take() else { return };
        let limit = self.settings.timeouts.trailer;
        tokio::spawn(tokio::time::timeout(limit, async move {
            while let Ok(Some(_)) = response.chunk().await {}
        }));
    }
}

/// What has come of the body so far.
struct Body {
    place: String,
    total: usize,
    kind: Kind,
    parser: sse::Parser,
    reader: ChunkReader,
    /// Whether a chunk was read.
    began: bool,
    /// Whether `[DONE]` came.
    done: bool,
    /// Whether data came since this was last looked at; comments are none.
    news: bool,
}

enum Kind {
    /// The first bytes.
    Unknown(Vec<u8>),
    Events,
    /// One JSON document.
    Whole(Vec<u8>),
}

impl Body {
    fn new(settings: &Settings) -> Self {
        let kimi = settings.dialect == Dialect::Kimi;
        let others = !kimi && settings.reasoning_key.is_none();
        let reasoning = settings.reasoning_field().map(|field| (field.to_owned(), others));
        Self {
            place: place(&settings.url),
            total: 0,
            kind: Kind::Unknown(Vec::new()),
            parser: sse::Parser::new(LARGEST_EVENT),
            reader: ChunkReader::new(reasoning, kimi),
            began: false,
            done: false,
            news: false,
        }
    }

    fn finished(&self) -> bool {
        self.reader.finished
    }

    /// Takes bytes; false when the answer is complete.
    fn push(&mut self, bytes: Bytes, ready: &mut VecDeque<Delta>) -> Result<bool, LlmError> {
        self.total += bytes.len();
        if self.total > LONGEST_ANSWER {
            return Err(LlmError::Other(format!(
                "the answer was broken off after {} MiB; the model does not come to an end",
                LONGEST_ANSWER / 1024 / 1024
            )));
        }
        match &mut self.kind {
            Kind::Unknown(start) => {
                start.extend_from_slice(&bytes);
                self.recognise(false, ready)
            }
            Kind::Events => self.events(&bytes, ready),
            Kind::Whole(document) => {
                self.news = true;
                document.extend_from_slice(&bytes);
                Ok(true)
            }
        }
    }

    /// Decides what the answer is by how it begins: content types are often wrong.
    fn recognise(&mut self, at_end: bool, ready: &mut VecDeque<Delta>) -> Result<bool, LlmError> {
        let Kind::Unknown(start) = &mut self.kind else { return Ok(true) };
        let start = std::mem::take(start);
        let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&start).trim_ascii_start();
        match text.first() {
            None if !at_end && start.len() < SNIFFED => self.kind = Kind::Unknown(start),
            Some(b'{') => self.kind = Kind::Whole(text.to_vec()),
            Some(b'<') if !at_end && text.len() < SNIFFED => self.kind = Kind::Unknown(start),
            Some(b'<') => return Err(self.not_an_answer(text)),
            _ => {
                self.kind = Kind::Events;
                return self.events(&start, ready);
            }
        }
        Ok(true)
    }

    fn events(&mut self, bytes: &[u8], ready: &mut VecDeque<Delta>) -> Result<bool, LlmError> {
        let mut events = Vec::new();
        let parsed = self.parser.push(bytes, |event| events.push(event));
        self.take(events, ready)?;
        parsed.map_err(|error| LlmError::Malformed(error.to_string()))?;
        Ok(!self.done)
    }

    fn take(
        &mut self,
        events: Vec<sse::Event>,
        ready: &mut VecDeque<Delta>,
    ) -> Result<(), LlmError> {
        for event in events {
            let data = event.data.trim();
            if self.done || data.is_empty() {
                continue;
            }
            self.news = true;
            if data == "[DONE]" {
                self.done = true;
                continue;
            }
            let chunk: Value = match serde_json::from_str(data) {
                Ok(chunk @ Value::Object(_)) => chunk,
                Ok(chunk) if event.name.as_deref() == Some("error") => {
                    return Err(stream_error(&chunk));
                }
                _ => {
                    return Err(LlmError::Malformed(format!(
                        "{} sent a piece of an answer that is not a JSON object: {}",
                        self.place,
                        one_line(data, 80)
                    )));
                }
            };
            if event.name.as_deref() == Some("error") && chunk.get("error").is_none() {
                return Err(stream_error(&chunk));
            }
            self.began = true;
            self.reader.read(&chunk, ready)?;
        }
        Ok(())
    }

    /// The body has ended by itself.
    fn end(&mut self, ready: &mut VecDeque<Delta>) -> Result<(), LlmError> {
        self.recognise(true, ready)?;
        if let Kind::Whole(document) = &self.kind {
            let Ok(answer) = serde_json::from_slice::<Value>(document) else {
                return Err(LlmError::Malformed(format!(
                    "{} sent an answer that is not valid JSON",
                    self.place
                )));
            };
            if answer.get("error").is_none() && answer["choices"][0].is_null() {
                let start = one_line(&String::from_utf8_lossy(document), 80);
                return Err(LlmError::Other(format!(
                    "{} sent an answer without choices: {start}; check base_url",
                    self.place
                )));
            }
            return self.reader.read(&answer, ready);
        }
        let mut events = Vec::new();
        let parsed = self.parser.finish(|event| events.push(event));
        let taken = self.take(events, ready);
        if self.done || self.finished() {
            return Ok(());
        }
        if self.began || self.total == 0 {
            // What hangs torn at the end is no news.
            return Err(LlmError::Connection(
                "the connection closed before the answer was complete".to_owned(),
            ));
        }
        taken?;
        parsed.map_err(|error| LlmError::Malformed(error.to_string()))?;
        Err(self.not_an_answer(b""))
    }

    /// The server answered with something that is neither events nor JSON. Asking again would bring
    /// the same: it is no model that answers there.
    fn not_an_answer(&self, start: &[u8]) -> LlmError {
        let text = String::from_utf8_lossy(start);
        let what = match html_title(&text) {
            Some(title) => format!("the web page \"{title}\""),
            None if looks_like_html(&text) => "a web page".to_owned(),
            None => "something that is no event stream".to_owned(),
        };
        LlmError::Other(format!("{} sent {what} instead of an answer; check base_url", self.place))
    }
}
