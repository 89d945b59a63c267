//! The paths that have to be quick, each by itself: `cargo bench --bench hot_paths`.
//!
//! What takes one text in two lengths shows whether the cost is linear in it. The whole program is
//! measured by the other benchmark, `numbers`.

#[path = "material/mod.rs"]
mod material;

use std::io::sink;
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Instant;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use kimi_tui::front::text::{clean, wrap_line};
use kimi_tui::front::tui::composer::{Composer, ComposerContext};
use kimi_tui::front::tui::highlight::{self, Highlighter};
use kimi_tui::front::tui::markdown::{MarkdownStyle, render};
use kimi_tui::front::tui::terminal::{Docked, Flip, Size};
use kimi_tui::front::tui::theme::Theme;
use kimi_tui::front::tui::transcript::Transcript;
use kimi_tui::llm::sse;
use kimi_tui::mcp::catalog::Catalog;
use kimi_tui::mcp::listing::{ServerListing, ToolEntry};
use kimi_tui::protocol::{ContentPart, Event, Outcome, StopReason, UserInput};
use kimi_tui::store::{ContextLog, Session, WireLog};
use material::{answer, deltas, session};
use ratatui::text::Line;
use tempfile::TempDir;

const COLUMNS: u16 = 100;
const ROWS: u16 = 30;
/// Bytes of each record of the long session.
const LONG: u64 = 50 * 1024 * 1024;

fn main() {
    highlight::warm();
    divan::main();
    if let Some((directory, _)) = SESSION.get() {
        // What is static is never dropped.
        let _ = std::fs::remove_dir_all(directory.path());
    }
}

static THEME: LazyLock<Theme> = LazyLock::new(Theme::dark);

/// A transcript on a screen whose bytes go nowhere.
struct Stage {
    transcript: Transcript,
    docked: Docked<std::io::Sink>,
    now: Instant,
}

impl Stage {
    fn new() -> Self {
        let mut docked = Docked::new(sink(), Size::new(COLUMNS, ROWS));
        docked.enter().expect("a sink takes everything");
        let mark = "user@project💫".to_owned();
        let transcript = Transcript::new(MarkdownStyle::Rendered, "/project".into(), mark);
        let mut stage = Self { transcript, docked, now: Instant::now() };
        stage.take(&Event::TurnBegin { user_input: UserInput::from("Tell me everything.") });
        stage.take(&Event::StepBegin { n: 1 });
        stage
    }

    fn take(&mut self, event: &Event) {
        let update = self.transcript.event(event, self.now, "12:01", COLUMNS, &THEME);
        self.docked.commit(update.rows);
    }

    fn frame(&mut self, live: &[Line<'static>]) -> usize {
        let open = self.transcript.open_rows(COLUMNS, usize::from(ROWS) - 4, &THEME);
        self.docked.set_open(open);
        self.docked.frame(live, None, Flip::None).expect("a sink takes everything")
    }

    fn end(&mut self) {
        let outcome = Outcome::Finished { stop: StopReason::NoToolCalls };
        let update = self.transcript.outcome(&outcome, None, self.now, COLUMNS, &THEME);
        self.docked.commit(update.rows);
        self.frame(&live());
    }
}

/// A live region as it is while a turn runs.
fn live() -> Vec<Line<'static>> {
    vec![
        " ⠋ Writing… 3s · esc to interrupt".into(),
        "── input ── (next message)".into(),
        " agent (k ●) ~/project  context: 0.0%".into(),
    ]
}

fn text_events(tokens: usize) -> Vec<Event> {
    let pieces = deltas(&answer(tokens), 4);
    pieces.into_iter().map(|text| Event::ContentPart(ContentPart::Text { text })).collect()
}

/// An answer in deltas of four tokens, with a frame after each: far more frames than are drawn.
#[divan::bench(args = [20_000, 40_000])]
fn delta_to_frame(bencher: Bencher, tokens: usize) {
    let events = text_events(tokens);
    bencher.counter(ItemsCount::new(events.len())).with_inputs(Stage::new).bench_local_values(
        |mut stage| {
            for event in &events {
                stage.take(event);
                stage.frame(&live());
            }
            stage.end();
        },
    );
}

/// The same with a frame for every fiftieth delta, as when it comes all at once.
#[divan::bench(args = [20_000, 40_000])]
fn burst_to_frame(bencher: Bencher, tokens: usize) {
    let events = text_events(tokens);
    bencher.counter(ItemsCount::new(events.len())).with_inputs(Stage::new).bench_local_values(
        |mut stage| {
            for some in events.chunks(50) {
                some.iter().for_each(|event| stage.take(event));
                stage.frame(&live());
            }
            stage.end();
        },
    );
}

/// From a key to the bytes of its frame, with an answer of 100,000 rows behind and open.
#[divan::bench]
fn key_to_frame(bencher: Bencher) {
    let mut stage = Stage::new();
    let text: String = (0..100_000).map(|n| format!("- line {n}\n")).collect();
    for text in deltas(&text, 1_000) {
        stage.take(&Event::ContentPart(ContentPart::Text { text }));
        stage.frame(&live());
    }
    let mut composer = Composer::default();
    let key = KeyEvent::new(KeyCode::Char('x'), KeyModifiers::NONE);
    bencher.bench_local(|| {
        if composer.display_text().len() > 200 {
            composer.clear();
        }
        composer.handle(key, &ComposerContext { running: true, ..ComposerContext::default() });
        let mut rows = live();
        rows.splice(2..2, composer.rows(COLUMNS.into(), 10, &THEME).lines);
        stage.frame(&rows)
    });
}

#[divan::bench(args = [20_000, 40_000])]
fn markdown_to_rows(bencher: Bencher, tokens: usize) {
    let text = answer(tokens);
    bencher
        .counter(BytesCount::of_str(&text))
        .bench(|| render(black_box(&text), MarkdownStyle::Rendered, COLUMNS.into(), &THEME));
}

/// One paragraph without a line end.
#[divan::bench(args = [20_000, 40_000])]
fn wrap_one_line(bencher: Bencher, tokens: usize) {
    let line = Line::from(answer(tokens).replace('\n', " "));
    bencher
        .counter(ItemsCount::new(tokens))
        .bench(|| wrap_line(black_box(&line), COLUMNS.into(), 2));
}

/// Characters that are none of ours: what is harmful goes.
#[divan::bench]
fn clean_text(bencher: Bencher) {
    let text = answer(20_000).replace("the", "\u{1b}[31mthe\u{1b}[0m");
    bencher.counter(BytesCount::of_str(&text)).bench(|| clean(black_box(&text)));
}

#[divan::bench(args = ["rust", "python", "typescript"])]
fn highlight_code(bencher: Bencher, language: &str) {
    let line = "    let symbols = Vec::with_capacity(names.len()); // of \"names\", 42";
    bencher.counter(ItemsCount::new(1_000usize)).bench(|| {
        let mut code = Highlighter::new(language, &THEME);
        (0..1_000).map(|_| code.line(black_box(line)).len()).sum::<usize>()
    });
}

/// The bytes of a long answer, as sockets hand them out.
#[divan::bench]
fn events_of_a_stream(bencher: Bencher) {
    let bytes: Vec<u8> = deltas(&answer(20_000), 1)
        .iter()
        .flat_map(|text| {
            let delta = serde_json::json!({"choices": [{"index": 0, "delta": {"content": text}}]});
            format!("data: {delta}\n\n").into_bytes()
        })
        .collect();
    bencher.counter(BytesCount::new(bytes.len())).bench(|| {
        let mut parser = sse::Parser::new(1 << 20);
        let mut events = 0;
        for piece in bytes.chunks(16 * 1024) {
            parser.push(black_box(piece), |_| events += 1).expect("small events");
        }
        events
    });
}

/// A session with long records.
static SESSION: OnceLock<(TempDir, Session)> = OnceLock::new();

fn long_session() -> &'static Session {
    let (_, session) = SESSION.get_or_init(|| {
        let directory = tempfile::tempdir().expect("a directory");
        let session = session::write(directory.path(), "/project".as_ref(), LONG);
        (directory, session)
    });
    session
}

#[divan::bench(sample_count = 10)]
fn context_of_50_mb(bencher: Bencher) {
    let path = long_session().context_path();
    bencher.counter(BytesCount::new(LONG)).bench(|| ContextLog::open(&path).expect("a log"));
}

#[divan::bench(sample_count = 100)]
fn last_turns_of_50_mb(bencher: Bencher) {
    let path = long_session().wire_path();
    bencher.bench(|| WireLog::tail_turns(&path, 5).expect("a log"));
}

/// More than 5,000 tools: those of real servers, ten times.
fn many_listings() -> Vec<Arc<ServerListing>> {
    let servers: serde_json::Value =
        serde_json::from_str(include_str!("../tests/fixtures/mcp/listings.json"))
            .expect("the fixture is JSON");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let entry = |tool: &serde_json::Value| ToolEntry {
        name: text(&tool["name"]),
        description: text(&tool["description"]),
        schema: tool["inputSchema"].clone(),
        read_only: false,
    };
    let all = servers.as_array().into_iter().flatten();
    let copies = |server: &serde_json::Value| {
        let tools: Vec<ToolEntry> =
            server["tools"].as_array().into_iter().flatten().map(entry).collect();
        let name = text(&server["server"]);
        (0..10).map(move |copy| {
            Arc::new(ServerListing::new(format!("{name}{copy}"), "", tools.clone(), 300))
        })
    };
    all.flat_map(copies).collect()
}

/// What `mcp_search` costs.
#[divan::bench(args = ["create issue", "列出所有分支", "make the browser window smaller, please", "crate isue"])]
fn search_of_5000_tools(bencher: Bencher, query: &str) {
    let catalog = Catalog::new(many_listings());
    bencher.bench_local(|| black_box(catalog.search(black_box(query), None, 5).len()));
}

/// What a server costs that comes, goes or changes its list.
#[divan::bench(sample_count = 20)]
fn catalog_of_5000_tools(bencher: Bencher) {
    let listings = many_listings();
    bencher.bench_local(|| black_box(Catalog::new(listings.clone())));
}
