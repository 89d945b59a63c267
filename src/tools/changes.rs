//! What has to change in one list of lines or words to get another.

use std::time::{Duration, Instant};

use similar::DiffOp;
use similar::algorithms::{Capture, Compact, Replace, myers};

/// The steps from `old` to `new`, in order and without gaps. After `patience` they are right, but no
/// longer the shortest.
///
/// All comparisons of the program come through here: the crate's own entry points bring every
/// algorithm that it has into the binary.
pub fn changes(old: &[&str], new: &[&str], patience: Duration) -> Vec<DiffOp> {
    let deadline = Instant::now().checked_add(patience);
    let mut found = Compact::new(Replace::new(Capture::new()), old, new);
    match myers::diff_deadline(&mut found, old, 0..old.len(), new, 0..new.len(), deadline) {
        Ok(()) => found.into_inner().into_inner().into_ops(),
        Err(never) => match never {},
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_steps_lead_from_one_to_the_other(
            old in proptest::collection::vec("[abc]", 0..30),
            new in proptest::collection::vec("[abc]", 0..30),
            patience in 0u64..2,
        ) {
            let old: Vec<&str> = old.iter().map(String::as_str).collect();
            let new: Vec<&str> = new.iter().map(String::as_str).collect();
            let (mut at_old, mut at_new) = (0, 0);
            for step in changes(&old, &new, Duration::from_secs(patience)) {
                let (from, to) = (step.old_range(), step.new_range());
                prop_assert_eq!((from.start, to.start), (at_old, at_new));
                let is_same = matches!(step, DiffOp::Equal { .. });
                prop_assert_eq!(is_same, old[from.clone()] == new[to.clone()]);
                (at_old, at_new) = (from.end, to.end);
            }
            prop_assert_eq!((at_old, at_new), (old.len(), new.len()));
        }
    }
}
