//! The names under which the tools of servers are known: `mcp__<server>__<tool>`.
//!
//! The rule is kimi-code's: what providers refuse in a name becomes `_`, runs of `_` become one, and
//! a name of more than 64 characters is cut and ends in a hash. Where two tools come to the same
//! name, the hash tells them apart.

use std::collections::HashSet;

/// The longest name that providers take.
pub const MAX_NAME: usize = 64;
/// How every qualified name begins.
pub const PREFIX: &str = "mcp__";

/// A part of a name as providers take it: `[A-Za-z0-9_-]`, runs of `_` collapsed.
pub fn sanitized(part: &str) -> String {
    let mut out = String::with_capacity(part.len().min(MAX_NAME));
    for ch in part.chars() {
        let ch = if ch.is_ascii_alphanumeric() || ch == '-' { ch } else { '_' };
        if ch == '_' && out.ends_with('_') {
            continue;
        }
        // A longer one is cut anyway, and a hostile one must not cost memory.
        if out.len() > 2 * MAX_NAME {
            break;
        }
        out.push(ch);
    }
    out
}

/// The name of a tool when no other tool is in its way. At most [`MAX_NAME`] ASCII characters.
pub fn qualified(server: &str, tool: &str) -> String {
    let name = format!("{PREFIX}{}__{}", sanitized(server), sanitized(tool));
    if name.len() <= MAX_NAME { name } else { hashed(&name, server, tool, 0) }
}

/// The names of these tools, given as server and tool, in the same order: every one unique, and the
/// same whatever the order in which the tools come.
///
/// Of several tools that come to one name, the one whose name needed no change keeps it, if there is
/// exactly one such; all others end in a hash of what they are really called. A tool that is listed
/// twice gets the same name twice.
pub fn unique(tools: &[(&str, &str)]) -> Vec<String> {
    let plain: Vec<String> = tools.iter().map(|(server, tool)| qualified(server, tool)).collect();
    let mut order: Vec<usize> = (0..tools.len()).collect();
    order.sort_unstable_by(|&a, &b| plain[a].cmp(&plain[b]).then(tools[a].cmp(&tools[b])));
    let mut names = vec![String::new(); tools.len()];
    // The plain names first: a hash must not take one of them.
    let mut taken: HashSet<String> = HashSet::new();
    let mut others = Vec::new();
    for group in order.chunk_by(|&a, &b| plain[a] == plain[b]) {
        let owner = owner(group.iter().map(|&at| (plain[at].as_str(), tools[at])));
        for &at in group {
            if owner == Some(tools[at]) {
                names[at].clone_from(&plain[at]);
                taken.insert(plain[at].clone());
            } else {
                others.push(at);
            }
        }
    }
    for same in others.chunk_by(|&a, &b| tools[a] == tools[b]) {
        let (server, tool) = tools[same[0]];
        // A 32 bit hash may meet another one; there are fewer tools than attempts.
        let mut salt = 0;
        let mut name = hashed(&plain[same[0]], server, tool, salt);
        while !taken.insert(name.clone()) {
            salt += 1;
            name = hashed(&plain[same[0]], server, tool, salt);
        }
        for &at in same {
            names[at].clone_from(&name);
        }
    }
    names
}

/// Which of the tools that come to one plain name may keep it. They are sorted.
fn owner<'a>(
    group: impl Iterator<Item = (&'a str, (&'a str, &'a str))> + Clone,
) -> Option<(&'a str, &'a str)> {
    let (_, first) = group.clone().next()?;
    if group.clone().all(|(_, tool)| tool == first) {
        return Some(first);
    }
    let says_it = |(plain, (server, tool)): &(&str, (&str, &str))| {
        plain.strip_prefix(PREFIX) == Some(format!("{server}__{tool}").as_str())
    };
    let mut untouched = group.filter(says_it).map(|(_, tool)| tool);
    let first = untouched.next()?;
    untouched.all(|tool| tool == first).then_some(first)
}

/// The name cut so that `_` and eight hexadecimal digits fit behind it.
fn hashed(name: &str, server: &str, tool: &str, salt: u32) -> String {
    const HASH: usize = 9;
    let mut hash = Fnv::default();
    hash.add(server.as_bytes());
    // Keeps ("a", "b_c") apart from ("a_b", "c"); no text has this byte.
    hash.add(&[0xff]);
    hash.add(tool.as_bytes());
    if salt > 0 {
        hash.add(&salt.to_le_bytes());
    }
    let kept = name.get(..name.len().min(MAX_NAME - HASH)).unwrap_or(name);
    format!("{kept}_{:08x}", hash.0)
}

/// FNV-1a, 32 bits.
struct Fnv(u32);

impl Default for Fnv {
    fn default() -> Self {
        Self(0x811c_9dc5)
    }
}

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fnv_is_the_published_one() {
        let hash = |text: &str| {
            let mut hash = Fnv::default();
            hash.add(text.as_bytes());
            hash.0
        };
        assert_eq!(hash(""), 0x811c_9dc5);
        assert_eq!(hash("a"), 0xe40c_292c);
        assert_eq!(hash("foobar"), 0xbf9c_f968);
    }

    #[test]
    fn names_follow_the_rule() {
        assert_eq!(qualified("gh", "create_issue"), "mcp__gh__create_issue");
        assert_eq!(qualified("my server!", "a.b//c"), "mcp__my_server___a_b_c");
        assert_eq!(qualified("a__b", "x-y"), "mcp__a_b__x-y");
        assert_eq!(qualified("数据", "查询"), "mcp______");
        let long = qualified("server", &"x".repeat(80));
        assert_eq!(long.len(), MAX_NAME);
        assert!(long.starts_with("mcp__server__xxx"));
        assert_ne!(long, qualified("server", &"x".repeat(81)));
    }

    #[test]
    fn a_name_that_says_what_it_is_stays_when_others_come() {
        let names = unique(&[("a b", "c"), ("a_b", "c"), ("a.b", "c"), ("z", "c")]);
        assert_eq!(names[1], "mcp__a_b__c");
        assert_eq!(names[3], "mcp__z__c");
        assert!(names[0].starts_with("mcp__a_b__c_"), "{}", names[0]);
        assert!(names[2].starts_with("mcp__a_b__c_"), "{}", names[2]);
        assert_ne!(names[0], names[2]);
    }

    #[test]
    fn two_that_are_both_plain_are_told_apart() {
        let names = unique(&[("a", "_b"), ("a_", "b")]);
        assert_ne!(names[0], names[1]);
        assert!(names.iter().all(|name| name.starts_with("mcp__a___b_")), "{names:?}");
    }

    #[test]
    fn a_hash_does_not_take_the_name_of_another() {
        let hashed = unique(&[("s", "日"), ("s", "月")]);
        let impostor = hashed[0].trim_start_matches("mcp__s__").to_owned();
        let names = unique(&[("s", "日"), ("s", "月"), ("s", &impostor)]);
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), 3, "{names:?}");
        assert_eq!(names[2], format!("mcp__s__{}", sanitized(&impostor)));
    }

    proptest! {
        #[test]
        fn names_are_valid_unique_and_independent_of_the_order(
            tools in proptest::collection::vec(("[ab_. 日]{0,3}", "[ab_./月]{0,3}|.{0,90}"), 0..12),
            turn in 0usize..12,
        ) {
            let tools: Vec<(&str, &str)> =
                tools.iter().map(|(server, tool)| (server.as_str(), tool.as_str())).collect();
            let names = unique(&tools);
            for name in &names {
                prop_assert!(name.len() <= MAX_NAME && name.starts_with(PREFIX));
                prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'));
            }
            let different: HashSet<_> = tools.iter().collect();
            prop_assert_eq!(names.iter().collect::<HashSet<_>>().len(), different.len());
            let mut turned = tools.clone();
            turned.rotate_left(turn.min(tools.len()));
            turned.reverse();
            let again = unique(&turned);
            for (tool, name) in turned.iter().zip(&again) {
                let at = tools.iter().position(|other| other == tool).unwrap();
                prop_assert_eq!(&names[at], name);
            }
        }
    }
}
