//! Names as the command line can take them. A command's name is made of ASCII letters, digits, `_` and
//! `-`, while a skill may have any name.

use std::collections::HashSet;

use super::Skill;

/// Gives every skill a command of its own. Who has a plain name keeps it.
pub(super) fn assign(skills: &mut [Skill]) {
    let plain = |skill: &Skill| slug(&skill.name) == skill.name;
    let mut taken: HashSet<String> =
        skills.iter().filter(|skill| plain(skill)).map(|skill| skill.name.to_lowercase()).collect();
    for skill in skills {
        let wanted = slug(&skill.name);
        if wanted == skill.name {
            skill.command = wanted;
            continue;
        }
        let mut command = wanted.clone();
        let mut n = 2_u32;
        while !taken.insert(command.to_lowercase()) {
            command = format!("{wanted}-{n}");
            n += 1;
        }
        skill.command = command;
    }
}

/// The name with a `-` for each run of other characters; `skill` when nothing is left of it.
fn slug(name: &str) -> String {
    let mut slug = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_ascii_alphanumeric() || c == '_' || c == '-' {
            slug.push(c);
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = if slug == name { slug.as_str() } else { slug.trim_matches('-') };
    if slug.is_empty() { "skill".to_owned() } else { slug.to_owned() }
}
