//! Keeping the copies below a bound: the oldest turns lose theirs first.

use std::collections::HashSet;

use super::tree::Tree;
use super::{Rewinder, Trouble};
use crate::store::snapshots::{Content, Lost, PathState, PointLog};

impl Rewinder {
    /// Drops copies when they take too much room. What is left takes at most three quarters of it, so
    /// that this does not happen at every turn.
    pub(super) fn make_room(&self) -> Result<(), String> {
        self.with_tree(|tree| {
            if tree.blobs.size() <= self.max_store {
                return Ok(());
            }
            let goal = self.max_store / 4 * 3;
            let live = self.with_log(|log| Ok(shrink(tree, log, goal)?)).map_err(Trouble)?;
            Ok(tree.blobs.retain(&live)?)
        })
    }
}

/// Forgets until what is left fits; returns what is left.
fn shrink(tree: &mut Tree, log: &mut PointLog, goal: u64) -> std::io::Result<HashSet<String>> {
    let newest = log.newest();
    let size = |tree: &Tree, live: &HashSet<String>| -> u64 {
        live.iter().map(|id| tree.blobs.size_of(id)).sum()
    };
    let mut floor = 0;
    let mut live = live_from(tree, log, floor);
    while size(tree, &live) > goal && floor < newest {
        floor += 1;
        live = live_from(tree, log, floor);
    }
    if floor > 0 {
        log.forget_before(floor)?;
    }
    // Copies of what nobody has changed yet, the largest first.
    let mut unchanged: Vec<(u64, String)> = tree
        .tracked
        .paths
        .iter()
        .filter_map(|(path, seen)| Some((tree.blobs.size_of(blob(&seen.state)?), path.clone())))
        .collect();
    unchanged.sort_unstable();
    while size(tree, &live) > goal
        && let Some((_, path)) = unchanged.pop()
    {
        if let Some(seen) = tree.tracked.paths.get_mut(&path)
            && let PathState::File { content, .. } = &mut seen.state
        {
            *content = Content::Lost(Lost::Unseen);
            tree.unsaved = true;
        }
        live = live_from(tree, log, floor);
    }
    Ok(live)
}

/// The contents that are needed when points before `floor` are not.
fn live_from(tree: &Tree, log: &PointLog, floor: u64) -> HashSet<String> {
    let watched = tree.tracked.paths.values().map(|seen| &seen.state);
    let changed = (floor..=log.newest())
        .filter_map(|point| log.changes_of(point))
        .flat_map(|changes| changes.values().map(|before| &before.state));
    let redo = log.redo().into_iter().flat_map(|rewound| &rewound.files).map(|put| &put.from);
    watched.chain(changed).chain(redo).filter_map(blob).map(str::to_owned).collect()
}

fn blob(state: &PathState) -> Option<&str> {
    match state {
        PathState::File { content: Content::Blob(id), .. } => Some(id),
        _ => None,
    }
}
