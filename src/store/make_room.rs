//! Directories in which only the newest files are kept.

use std::fs;
use std::path::Path;

/// Removes the oldest of the files with such names, so that with one more there are at most `most`. One
/// that cannot be removed stays.
pub(super) fn make_room(dir: &Path, most: usize, is_ours: impl Fn(&str) -> bool) {
    let mut files: Vec<_> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|file| file.file_name().to_str().is_some_and(&is_ours))
        .filter_map(|file| Some((file.metadata().ok()?.modified().ok()?, file.path())))
        .collect();
    files.sort();
    let over = (files.len() + 1).saturating_sub(most);
    for (_, path) in files.into_iter().take(over) {
        // The next one tries again.
        let _ = fs::remove_file(path);
    }
}
