//! `find` and `fd`: where they look, what they run and what they do with what they find.

use super::{ANY, Word};

/// Words of `find` that take none after them.
const ALONE: &[&str] = &[
    "!",
    "(",
    ")",
    ",",
    "-H",
    "-L",
    "-O0",
    "-O1",
    "-O2",
    "-O3",
    "-P",
    "-a",
    "-and",
    "-d",
    "-daystart",
    "-delete",
    "-depth",
    "-empty",
    "-executable",
    "-false",
    "-follow",
    "-help",
    "-ignore_readdir_race",
    "-ls",
    "-mount",
    "-nogroup",
    "-noignore_readdir_race",
    "-noleaf",
    "-not",
    "-nouser",
    "-nowarn",
    "-o",
    "-or",
    "-print",
    "-print0",
    "-prune",
    "-quit",
    "-readable",
    "-true",
    "-version",
    "-warn",
    "-writable",
    "-xdev",
    "--help",
    "--version",
];

/// Words of `find` that take one after them.
const VALUED: &[&str] = &[
    "-D",
    "-amin",
    "-anewer",
    "-atime",
    "-cmin",
    "-cnewer",
    "-context",
    "-ctime",
    "-files0-from",
    "-fls",
    "-fprint",
    "-fprint0",
    "-fstype",
    "-gid",
    "-group",
    "-ilname",
    "-iname",
    "-inum",
    "-ipath",
    "-iregex",
    "-iwholename",
    "-links",
    "-lname",
    "-maxdepth",
    "-mindepth",
    "-mmin",
    "-mtime",
    "-name",
    "-newer",
    "-path",
    "-perm",
    "-printf",
    "-regex",
    "-regextype",
    "-samefile",
    "-size",
    "-type",
    "-uid",
    "-used",
    "-user",
    "-wholename",
    "-xtype",
];

/// A `find` that is understood.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Find {
    /// What it runs for what it finds.
    pub commands: Vec<Vec<Word>>,
    /// Whether it deletes what it finds, or writes a file itself.
    pub writes: bool,
    /// Whether it asks before it runs something.
    pub asks: bool,
}

/// Reads the words of `find`. `None`: one of them may turn out to be `-exec` or `-delete`, or is not
/// known.
pub fn find(words: &[Word]) -> Option<Find> {
    let mut found = Find::default();
    let mut words = words.iter().skip(1);
    while let Some(word) = words.next() {
        let Some(text) = word.literal() else {
            // No predicate has a slash, and what a glob finds begins as the glob does.
            let is_path = !word.several && (word.text.contains('/') || !word.may_be_option());
            if is_path {
                continue;
            }
            return None;
        };
        match text {
            "-exec" | "-execdir" | "-ok" | "-okdir" => {
                found.asks |= text.starts_with("-ok");
                found.commands.push(command(&mut words)?);
            }
            _ if ALONE.contains(&text) => found.writes |= text == "-delete",
            "-fprintf" => {
                found.writes = true;
                words.next()?;
                words.next()?;
            }
            _ if VALUED.contains(&text) || text.starts_with("-newer") => {
                found.writes |= text.starts_with("-fprint") || text == "-fls";
                words.next().filter(|value| value.is_one())?;
            }
            _ if text.starts_with('-') => return None,
            _ => {}
        }
    }
    Some(found)
}

/// Whether a command is `find` that goes to where it finds something before it runs what it is told to.
pub(super) fn goes_around(words: &[Word]) -> bool {
    let program = words.first().map(|word| word.text.rsplit('/').next().unwrap_or_default());
    let moves = |word: &Word| matches!(&*word.text, "-execdir" | "-okdir");
    program == Some("find") && words.iter().any(moves)
}

/// The command up to `;` or `{} +`. A word that may turn out to be `;` would end it elsewhere.
fn command<'a>(words: &mut impl Iterator<Item = &'a Word>) -> Option<Vec<Word>> {
    let mut command = Vec::new();
    let mut after_names = false;
    for word in words {
        if word.text == ";" || (after_names && word.text == "+") {
            return Some(command);
        }
        if word.literal().is_none() && (!word.is_one() || word.may_be(";")) {
            return None;
        }
        after_names = word.text == "{}";
        let mut word = word.clone();
        replace(&mut word, "{}");
        command.push(word);
    }
    Some(command)
}

/// What `fd` runs for what it finds. `None`: it cannot be told.
pub(super) fn fd(words: &[Word]) -> Option<Vec<Vec<Word>>> {
    let mut commands = Vec::new();
    let mut words = words.iter().skip(1);
    while let Some(word) = words.next() {
        let Some(text) = word.literal() else {
            if word.may_be_option() {
                return None;
            }
            continue;
        };
        if matches!(text, "-x" | "-X" | "--exec" | "--exec-batch") {
            let mut command: Vec<Word> = Vec::new();
            for word in words.by_ref().take_while(|word| word.text != ";") {
                if !word.is_one() || word.may_be(";") {
                    return None;
                }
                let placed = word.text.contains('{');
                command.push(if placed { Word::any() } else { word.clone() });
            }
            command.push(Word::any());
            commands.push(command);
            continue;
        }
        let cluster = text.strip_prefix('-').filter(|letters| !letters.starts_with('-'));
        if text.starts_with("--e") && "--exec-batch".starts_with(text.split('=').next()?)
            || text.starts_with("--exec")
            || cluster.is_some_and(|letters| letters.contains(['x', 'X']))
        {
            return None;
        }
    }
    Some(commands)
}

/// A word in which a mark stands for what is only known when the command runs.
pub(super) fn replace(word: &mut Word, mark: &str) {
    if word.text.contains(mark) {
        *word = Word::known(&word.text.replace(mark, &ANY.to_string()));
    }
}
