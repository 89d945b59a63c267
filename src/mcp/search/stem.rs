//! Light stemming: the forms of an English word come to one.
//!
//! Not a dictionary's stem; it only has to be the same for "query", "queries" and "querying", and
//! different for different words. Plurals, `-ing`, `-ed`, `-ion` and a final `e` go.

/// Words in `-ion` that say something else than their root does.
const UNLIKE_ROOT: &[&str] = &["production", "station", "mention", "fashion", "question"];

/// The stem of a lower-case word. What is not ASCII stays as it is.
pub fn stem(word: &str) -> String {
    if !word.is_ascii() || word.len() <= 3 || word.bytes().any(|byte| byte.is_ascii_digit()) {
        return match word.strip_suffix('s') {
            // "prs", "ids"; not "is".
            Some(one) if one.len() == 2 && !one.ends_with('s') => one.to_owned(),
            _ => word.to_owned(),
        };
    }
    let word = singular(word);
    let word = without_ending(&word);
    match word.strip_suffix('y') {
        Some(root) if root.len() >= 3 && !root.ends_with(is_vowel) => format!("{root}i"),
        _ => word.strip_suffix('e').filter(|root| root.len() >= 3).unwrap_or(&word).to_owned(),
    }
}

fn singular(word: &str) -> String {
    if let Some(root) = word.strip_suffix("ies").filter(|root| root.len() >= 2) {
        return format!("{root}y");
    }
    for ending in ["sses", "shes", "ches", "xes", "zes"] {
        if word.ends_with(ending) {
            return word.strip_suffix("es").unwrap_or(word).to_owned();
        }
    }
    match word.strip_suffix('s') {
        Some(root) if !root.ends_with(['s', 'u', 'i']) => root.to_owned(),
        _ => word.to_owned(),
    }
}

fn without_ending(word: &str) -> String {
    for ending in ["ing", "ed"] {
        let Some(root) = word.strip_suffix(ending) else { continue };
        // "string", "need": no verb's form.
        if root.len() < 3 || !root.contains(is_vowel) || root.ends_with('e') {
            continue;
        }
        let mut doubled = root.bytes().rev();
        let (last, before) = (doubled.next(), doubled.next());
        let doubled = last == before && !root.ends_with(['l', 's', 'z']);
        let root = if doubled { &root[..root.len() - 1] } else { root };
        return root.to_owned();
    }
    // "production" is not what is produced, nor has a "station" a state.
    if UNLIKE_ROOT.contains(&word) {
        return word.to_owned();
    }
    match word.strip_suffix("ion") {
        Some(root) if root.len() >= 4 && root.ends_with(['t', 's']) => root.to_owned(),
        _ => word.to_owned(),
    }
}

fn is_vowel(ch: char) -> bool {
    matches!(ch, 'a' | 'e' | 'i' | 'o' | 'u' | 'y')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ending_that_changes_the_meaning_stays() {
        assert_ne!(stem("production"), stem("product"));
        assert_eq!(stem("stations"), stem("station"));
    }

    #[test]
    fn forms_of_a_word_come_to_one() {
        for forms in [
            &["create", "creates", "created", "creating", "creation"][..],
            &["query", "queries", "querying", "queried"],
            &["issue", "issues"],
            &["branch", "branches"],
            &["run", "running", "runs"],
            &["commit", "commits", "committed", "committing"],
            &["delete", "deletion", "deleting", "deletes"],
            &["box", "boxes"],
            &["address", "addresses"],
            &["file", "files"],
            &["service", "services"],
            &["navigate", "navigation", "navigating"],
            &["repository", "repositories"],
            &["reply", "replies", "replied"],
            &["message", "messages", "messaging"],
            &["call", "calls", "called", "calling"],
            &["pr", "prs"],
        ] {
            let stems: Vec<String> = forms.iter().map(|form| stem(form)).collect();
            assert!(stems.iter().all(|one| *one == stems[0]), "{forms:?} {stems:?}");
        }
    }

    #[test]
    fn different_words_stay_different() {
        for (one, other) in [
            ("string", "str"),
            ("status", "state"),
            ("need", "new"),
            ("bus", "but"),
            ("class", "clash"),
            ("this", "thing"),
            ("news", "nes"),
            ("url", "ur"),
        ] {
            assert_ne!(stem(one), stem(other));
        }
        assert_eq!(stem("s3"), "s3");
        assert_eq!(stem("日本"), "日本");
    }
}
