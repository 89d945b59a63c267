//! Where a word of a command leads on the disk.

use std::path::{Path, PathBuf};

use globset::GlobBuilder;

use super::programs::goes_to;
use crate::permission::shell::{Part, Run, Script, Word};
use crate::tools::path_guard::{lexical, real_path};

/// More `cd` than these on one line, or `-C` of one program, lead anywhere.
const MAX_STEPS: usize = 4;
/// More directories than these, in which a program may be, are not known.
const MAX_BASES: usize = 200;
/// Most files that a glob is held against; more are not known.
const MAX_NAMES: usize = 5_000;

/// What is known of the place where a script runs.
pub(in crate::permission) struct Ground {
    /// Every directory in which a part of it may run, links kept; `None`: anywhere.
    bases: Option<Vec<PathBuf>>,
    /// What `~` is, unless the script may change it.
    home: Option<PathBuf>,
    /// Whether `*` may find names that begin with a dot.
    dots: bool,
}

/// Where a word leads.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::permission) enum Leads {
    /// To these and no others, links resolved.
    To(Vec<PathBuf>),
    /// Anywhere, and by this path from there, if so much is known.
    Anywhere(Option<PathBuf>),
}

impl Ground {
    /// The ground of a script that begins in `work_dir`.
    pub fn of(script: &Script, work_dir: &Path, home: &Path) -> Self {
        let sets = |name: &str| {
            script.parts.iter().any(|part| match part {
                Part::Assign(assign) => assign.name == name,
                Part::Run(run) => run.assigns.iter().any(|(set, _)| set == name),
                _ => false,
            })
        };
        let mut ground = Self {
            bases: Some(vec![work_dir.to_path_buf()]),
            home: (!sets("HOME")).then(|| home.to_path_buf()),
            dots: script.parts.iter().any(|part| matches!(part, Part::Assign(_))),
        };
        let steps = script.steps.as_deref().filter(|steps| steps.len() <= MAX_STEPS);
        for step in steps.unwrap_or_default() {
            ground.step(step);
        }
        if steps.is_none() || (sets("CDPATH") && steps.is_some_and(|steps| !steps.is_empty())) {
            ground.bases = None;
        }
        ground
    }

    /// The same for a program, which may go to a directory first: `git -C dir`.
    pub fn of_run(&self, run: &Run) -> Self {
        let dirs = goes_to(run);
        let bases = (dirs.len() <= MAX_STEPS).then(|| self.along(&dirs)).flatten();
        Self { bases, home: self.home.clone(), dots: self.dots }
    }

    /// The directories that a program passes as it goes from one to the next, and where it would be had it
    /// gone to but one of them. Where it began counts too: `tar` reads some files there, `git show` names
    /// files from the root of the repository, and `ninja` heeds the last `-C` alone.
    fn along(&self, dirs: &[Word]) -> Option<Vec<PathBuf>> {
        let begin = self.bases.clone()?;
        let (mut all, mut here) = (begin.clone(), begin.clone());
        for dir in dirs {
            let dir = self.plain(dir)?;
            here.iter_mut().for_each(|here| here.push(&dir));
            all.extend(here.iter().flat_map(|here| [lexical(here), here.clone()]));
            all.extend(begin.iter().map(|begin| begin.join(&dir)));
        }
        all.sort();
        all.dedup();
        (all.len() <= MAX_BASES).then_some(all)
    }

    /// A `cd` that may have happened, or not: it may have failed, or stand in a subshell.
    fn step(&mut self, to: &Word) {
        let Some(bases) = self.bases.take() else { return };
        let Some(to) = self.plain(to) else { return };
        let mut all = bases.clone();
        for base in bases {
            // To a shell `..` is the name before it, to the kernel the directory above.
            all.extend([lexical(&base.join(&to)), base.join(&to)]);
        }
        all.sort();
        all.dedup();
        self.bases = Some(all);
    }

    /// The path in a word without `*` and the like.
    fn plain(&self, word: &Word) -> Option<PathBuf> {
        if let Some(text) = word.literal() {
            return Some(PathBuf::from(text));
        }
        let glob = word.glob.as_deref()?.strip_prefix('~')?;
        let home = self.home.as_ref()?;
        let rest = match glob.strip_prefix('/') {
            None if glob.is_empty() => return Some(home.clone()),
            None => return None,
            Some(rest) => rest,
        };
        let mut path = String::new();
        let mut chars = rest.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => path.extend(chars.next()),
                '*' | '?' | '[' => return None,
                c => path.push(c),
            }
        }
        Some(home.join(path))
    }

    /// Where a word leads.
    pub fn leads(&self, word: &Word) -> Leads {
        if let Some(path) = self.plain(word) {
            return self.leads_to(&path);
        }
        match &word.glob {
            Some(glob) => self.found(glob).map_or(Leads::Anywhere(None), Leads::To),
            None => Leads::Anywhere(None),
        }
    }

    /// Where a path leads.
    fn leads_to(&self, path: &Path) -> Leads {
        // What goes round in circles cannot be opened.
        match (path.is_absolute(), &self.bases) {
            (true, _) => Leads::To(real_path(path).into_iter().collect()),
            (false, Some(bases)) => {
                Leads::To(bases.iter().filter_map(|base| real_path(&base.join(path))).collect())
            }
            (false, None) => Leads::Anywhere(Some(path.to_path_buf())),
        }
    }

    /// What a glob finds, as a shell would: name by name.
    fn found(&self, glob: &str) -> Option<Vec<PathBuf>> {
        // Classes such as `[[:alpha:]]`, and slashes in brackets, are read in other ways.
        if ["[:", "[.", "[="].iter().any(|class| glob.contains(class)) {
            return None;
        }
        let mut names = glob.split('/').peekable();
        let mut places: Vec<PathBuf> = match names.peek()? {
            &"" => vec![PathBuf::from("/")],
            &"~" => vec![self.home.clone()?],
            name if name.starts_with('~') => return None,
            _ => self.bases.clone()?,
        };
        if matches!(names.peek(), Some(&("" | "~"))) {
            names.next();
        }
        let mut left = MAX_NAMES;
        for name in names.filter(|name| !name.is_empty()) {
            let mut next = Vec::new();
            if !name.contains(['*', '?', '[']) {
                let name = name.replace('\\', "");
                places.iter_mut().for_each(|place| place.push(&name));
                continue;
            }
            let matcher = GlobBuilder::new(name).build().ok()?.compile_matcher();
            let hidden = self.dots || name.starts_with(['.', '[', '\\']);
            for place in &places {
                for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
                    left = left.checked_sub(1)?;
                    let name = entry.file_name();
                    let dotted = name.as_encoded_bytes().starts_with(b".");
                    if (hidden || !dotted) && matcher.is_match(Path::new(&name)) {
                        next.push(entry.path());
                    }
                }
            }
            places = next;
        }
        Some(places.iter().filter_map(|place| real_path(place)).collect())
    }
}
