//! Measures the program from outside: the built binary in a terminal, against a model server on this
//! machine. Prints a table in Markdown.
//!
//! ```sh
//! cargo bench --bench numbers               # everything, about a minute
//! cargo bench --bench numbers -- keys idle  # rows whose name contains one of the words
//! ```
//!
//! `KIMI_BENCH_PROGRAM=/path/to/kimi` measures another build of it. Needs nothing but cargo. Memory, processor time and wakeups come from `/proc`, so they are
//! measured on Linux alone.

mod home;
#[path = "../material/mod.rs"]
mod material;
mod process;
mod rows;
mod server;
mod stats;
mod terminal;

use rows::Bench;

/// Name of a group of rows, for the command line, and how to measure it.
type Group = (&'static str, fn(&Bench) -> Vec<rows::Row>);

const GROUPS: &[Group] = &[
    ("start", rows::start),
    ("version", rows::version),
    ("print", rows::print),
    ("stream memory", rows::stream),
    ("keys", rows::keys),
    ("idle", rows::idle),
    ("resume", rows::resume),
    ("overhead", rows::overhead),
    ("size", rows::size),
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    // Without the flag of `cargo bench` this is `cargo test --benches`: there is nothing to check.
    if !words.iter().any(|word| word == "--bench") {
        return;
    }
    let wanted: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let bench = Bench::new();
    println!("{}\n", stats::machine());
    println!("| what | target | measured |\n|---|---|---|");
    for (name, measure) in GROUPS {
        if wanted.is_empty() || wanted.iter().any(|word| name.contains(word.as_str())) {
            for row in measure(&bench) {
                println!("| {} | {} | {} |", row.what, row.target, row.measured);
            }
        }
    }
}
