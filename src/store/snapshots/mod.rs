//! What a session keeps so that files can be brought back: `<session>/snapshots/`.
//!
//! | file | subject |
//! |---|---|
//! | `blobs` | `blobs.pack`: contents by their digest, compressed, append-only |
//! | `state` | what is at a path, and where its content is kept |
//! | `points` | `points.jsonl`: the turns one can return to, and what changed after each |
//! | `tracked` | `tree.json`: the files as they were last seen |
//!
//! No version control is needed and none is touched. Other programs do not read this directory.

mod blobs;
mod points;
mod state;
mod tracked;

pub use blobs::Blobs;
pub use points::{Before, By, Change, Ended, Point, PointLog, Put, Rewound};
pub use state::{Content, Lost, PathState, decode_path, encode_path};
pub use tracked::{Seen, Stamp, Tracked};
