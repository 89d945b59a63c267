//! Programs under other names: `./zz` may be `rm`, by a link, a hard link or a copy.
//!
//! A rule names a program as people call it. Before a command runs, the file that its first word leads
//! to is held against the files that the rule's program is found as, so that another name makes no
//! other program of it; and whoever gives such a file another name on the way is found too.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::files::{Access, Ground, Leads, touches};
use super::made::{Made, copies, packs, sets_path};
use super::pattern::Pattern;
use super::rule::Rule;
use super::shell::{Carried, Run, Script, Searched, Word};
use super::spelling::Fits;
use crate::tools::path_guard::real_path;

/// Larger files are not compared: programs are not so large.
const MAX_PROGRAM: u64 = 512 << 20;
/// More names than these are not looked through for those that a `*` in a rule may mean.
const MAX_NAMES: usize = 20_000;
/// Directories of the system: what is found there by its name alone is what it is called.
const SYSTEM: &[&str] =
    &["/bin", "/sbin", "/usr/bin", "/usr/local/bin", "/usr/local/sbin", "/usr/sbin"];

pub(super) const GIVES_NAME: &str = "it gives a program that the rule names another name";
/// Words that a shell understands itself, wherever it finds programs.
const BUILTINS: &[&str] = &[
    ":", "[", "break", "cd", "continue", "echo", "eval", "exec", "exit", "export", "false", "hash",
    "printf", "pwd", "read", "return", "set", "shift", "source", "test", "trap", "true", "type",
    "umask", "unset", "wait",
];

/// What is known of the programs that a script starts.
pub(super) struct Disguises {
    /// Where the shell finds programs.
    search: Vec<PathBuf>,
    /// [`SYSTEM`].
    system: Vec<PathBuf>,
    found: RefCell<HashMap<String, Option<PathBuf>>>,
    /// What files are known as, by the rule's name and the file.
    known: RefCell<HashMap<(String, PathBuf), Option<String>>>,
    made: Made,
    /// Where programs are found by each `PATH` that the script sets.
    paths: Vec<Vec<Searched>>,
}

impl Disguises {
    /// Looks at what a script makes. `carried`: what each of its parts may start as a carrier.
    pub fn of(
        script: &Script,
        carried: &[Vec<Carried>],
        ground: &Ground,
        search: &[PathBuf],
    ) -> Self {
        let mut paths = script.paths.clone();
        if carried.iter().flatten().any(|carried| sets_path(&carried.part)) {
            paths.push(vec![Searched::Unknown]);
        }
        Self {
            paths,
            search: search.to_vec(),
            system: SYSTEM.iter().map(PathBuf::from).collect(),
            found: RefCell::default(),
            known: RefCell::default(),
            made: Made::of(script, carried, ground),
        }
    }

    /// Whether a command is, under another name, one that a rule is about.
    pub fn fits(&self, rule: &Rule, run: &Run, ground: &Ground) -> Fits {
        let Some(program) = run.words.first().and_then(Word::literal) else { return Fits::No };
        let Some(named) = named_by(rule) else { return Fits::No };
        let plain = !program.contains('/');
        let searched = match plain && !BUILTINS.contains(&program) {
            true => self.searched(named, program, ground),
            false => Fits::No,
        };
        let known_as = if self.is_system(Path::new(program)) {
            let name = program.rsplit('/').next().unwrap_or(program);
            self.found_as(named, name, Path::new(program))
        } else if program.contains('/') {
            let Leads::To(files) = ground.leads(&Word::known(program)) else { return Fits::No };
            files.iter().find_map(|file| self.known_as(named, file))
        } else {
            let found = self.search_for(program);
            found.and_then(|file| self.found_as(named, program, &file)).or_else(|| {
                let here = if self.made.searches_elsewhere {
                    ground.leads(&Word::known(program))
                } else {
                    return None;
                };
                let Leads::To(files) = here else { return None };
                files.iter().find_map(|file| self.known_as(named, file))
            })
        };
        let name = match (known_as, searched) {
            (Some(name), _) => name,
            (None, Fits::No) => return Fits::No,
            (None, _) => named.replace('*', ""),
        };
        let mut words = run.words.clone();
        if let Some(first) = words.first_mut() {
            *first = Word::known(&name);
        }
        let fits = rule.fits_run(&Run { words, ..run.clone() });
        if fits == Fits::Yes && searched == Fits::Maybe { Fits::Maybe } else { fits }
    }

    /// Whether a program of this name is, by a `PATH` that the script sets, one that a rule is about.
    fn searched(&self, named: &str, program: &str, ground: &Ground) -> Fits {
        let by = |path: &Vec<Searched>| {
            let mut maybe = Fits::No;
            for part in path {
                match part {
                    Searched::Usual if self.search_for(program).is_some() => break,
                    Searched::Usual => {}
                    Searched::Unknown => maybe = Fits::Maybe,
                    Searched::Dir(dir) => {
                        if self.system.iter().any(|system| Path::new(&dir.text) == system)
                            && is_program(&Path::new(&dir.text).join(program))
                        {
                            break;
                        }
                        let Some(file) = part.program(program) else { continue };
                        match ground.leads(&file) {
                            Leads::To(files) => {
                                if files.iter().any(|file| self.known_as(named, file).is_some()) {
                                    return Fits::Yes;
                                }
                            }
                            Leads::Anywhere(_) => maybe = Fits::Maybe,
                        }
                    }
                }
            }
            maybe
        };
        if Pattern::of_name(named).covers(program) {
            return Fits::No;
        }
        let all: Vec<Fits> = self.paths.iter().map(by).collect();
        [Fits::Yes, Fits::Maybe].into_iter().find(|fits| all.contains(fits)).unwrap_or(Fits::No)
    }

    /// Why a command may make another name for a program that a rule is about, or run one so made.
    pub fn renames(&self, rule: &Rule, run: &Run, ground: &Ground) -> Option<&'static str> {
        let named = named_by(rule)?;
        if let Some(why) = self.runs_made(run, ground, true) {
            return Some(why);
        }
        if !copies(run) && !packs(run) && !self.made.keeps {
            return None;
        }
        let gives =
            touches(run).into_iter().filter(|touch| touch.access == Access::Read).any(|touch| {
                match ground.leads(&touch.path) {
                    Leads::To(files) => {
                        files.iter().any(|file| self.known_as(named, file).is_some())
                    }
                    Leads::Anywhere(path) => {
                        path.is_some_and(|path| is_called(&path, named))
                            || (copies(run) && self.made.searches_elsewhere)
                    }
                }
            });
        gives.then_some(GIVES_NAME)
    }

    /// Why what runs may be what the script itself has made. `by_path`: whether the first word is certain to
    /// be a program.
    pub fn runs_made(&self, run: &Run, ground: &Ground, by_path: bool) -> Option<&'static str> {
        let program = run.words.first().filter(|_| by_path);
        let of_system = |word: &Word| self.is_system(Path::new(&word.text));
        self.made.runs(run, ground, program, program.is_some_and(of_system))
    }

    /// Whether a file that a command is fed, and that the script keeps, is a program that a rule is about.
    pub fn keeps_program(&self, rule: &Rule, path: &Word, ground: &Ground) -> bool {
        let Some(named) = named_by(rule).filter(|_| self.made.keeps) else { return false };
        match ground.leads(path) {
            Leads::To(files) => files.iter().any(|file| self.known_as(named, file).is_some()),
            Leads::Anywhere(path) => path.is_some_and(|path| is_called(&path, named)),
        }
    }

    /// The name by which a rule knows what a plain name is found as.
    fn found_as(&self, named: &str, program: &str, file: &Path) -> Option<String> {
        if Pattern::of_name(named).covers(program) {
            return None;
        }
        if !self.is_system(file) {
            return self.known_as(named, &real_path(file)?);
        }
        // `python3` and `python3.12` are one program; `ls` and `rm` may be one file and are two.
        let named = named.rsplit('/').next().unwrap_or(named);
        let (real, rule) = (real_path(file)?, real_path(&self.search_for(named)?)?);
        let begins = |path: &Path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(named))
        };
        (real == rule && begins(&real)).then(|| named.to_owned())
    }

    /// The name by which a rule knows the program in a file, links resolved.
    fn known_as(&self, named: &str, file: &Path) -> Option<String> {
        if !is_program(file) {
            return None;
        }
        let key = (named.to_owned(), file.to_path_buf());
        if let Some(known) = self.known.borrow().get(&key) {
            return known.clone();
        }
        let known = self.look_up(named, file);
        self.known.borrow_mut().insert(key, known.clone());
        known
    }

    fn look_up(&self, named: &str, file: &Path) -> Option<String> {
        let pattern = Pattern::of_name(named);
        let name = file.file_name()?.to_string_lossy().into_owned();
        if pattern.covers(&name) || pattern.covers(&file.to_string_lossy()) {
            return Some(name);
        }
        let is_it = |path: &PathBuf| real_path(path).is_some_and(|real| same(&real, file));
        if !named.contains('*') {
            return self.search_for(named).filter(is_it).map(|_| named.to_owned());
        }
        let entries = self.search.iter().filter_map(|dir| std::fs::read_dir(dir).ok()).flatten();
        entries.flatten().take(MAX_NAMES).find_map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (pattern.covers(&name) && is_it(&entry.path())).then_some(name)
        })
    }

    fn is_system(&self, file: &Path) -> bool {
        file.parent().is_some_and(|dir| self.system.iter().any(|system| dir == system))
    }

    /// Where the shell finds a program.
    fn search_for(&self, name: &str) -> Option<PathBuf> {
        if name.starts_with('/') {
            return Some(PathBuf::from(name));
        }
        let mut found = self.found.borrow_mut();
        let look = || self.search.iter().map(|dir| dir.join(name)).find(|path| is_program(path));
        found.entry(name.to_owned()).or_insert_with(look).clone()
    }
}

/// The first word of a rule about commands; none when it is any.
fn named_by(rule: &Rule) -> Option<&str> {
    rule.program().filter(|name| name.chars().any(|c| c != '*'))
}

/// Whether a file, in whatever directory, has the name of a rule's program.
fn is_called(path: &Path, named: &str) -> bool {
    let named = named.rsplit('/').next().unwrap_or(named);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Pattern::of_name(named).covers(&name)
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

/// Whether two files are one, or hold the same.
fn same(a: &Path, b: &Path) -> bool {
    if a == b {
        return true;
    }
    let size = |path: &Path| path.metadata().ok().map(|meta| meta.len());
    let of = size(a).filter(|&len| len > 0 && len <= MAX_PROGRAM);
    of.is_some() && of == size(b) && same_bytes(a, b).unwrap_or(false)
}

fn same_bytes(a: &Path, b: &Path) -> std::io::Result<bool> {
    let (mut a, mut b) = (File::open(a)?, File::open(b)?);
    let (mut of_a, mut of_b) = ([0; 16 << 10], [0; 16 << 10]);
    loop {
        let read = a.read(&mut of_a)?;
        if read == 0 {
            return Ok(b.read(&mut of_b[..1])? == 0);
        }
        let Some(same) = of_b.get_mut(..read) else { return Ok(false) };
        if b.read_exact(same).is_err() || of_a.get(..read) != Some(&*same) {
            return Ok(false);
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::sync::Arc;

    use super::*;
    use crate::permission::{Call, Judgment, Rules, Site};
    use crate::tools::Workspace;

    /// A working directory, and a place with the programs `wipe`, `wipe2.1` (the same by a link: `wipe2`)
    /// and `other`.
    struct World {
        dir: tempfile::TempDir,
        site: Site,
    }

    fn world() -> World {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        let (bin, work) = (root.join("bin"), root.join("w"));
        fs::create_dir_all(&bin).unwrap();
        fs::create_dir_all(work.join("sub")).unwrap();
        for (name, text) in [("wipe", "wipes"), ("wipe2.1", "wipes2"), ("other", "other")] {
            fs::write(bin.join(name), text).unwrap();
            fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        symlink("wipe2.1", bin.join("wipe2")).unwrap();
        fs::copy(bin.join("wipe"), work.join("copy")).unwrap();
        fs::copy(bin.join("other"), work.join("same-size")).unwrap();
        fs::hard_link(bin.join("wipe"), work.join("hard")).unwrap();
        symlink(bin.join("wipe"), work.join("soft")).unwrap();
        symlink("../copy", work.join("sub/far")).unwrap();
        symlink(&bin, work.join("programs")).unwrap();
        fs::copy(bin.join("wipe2.1"), work.join("copy2")).unwrap();
        let workspace = Arc::new(Workspace::new(work, vec![]));
        World { dir, site: Site { workspace, home: root.join("h"), search: vec![bin] } }
    }

    impl World {
        fn judge(&self, deny: &str, command: &str) -> Judgment {
            let bin = fs::canonicalize(self.dir.path()).unwrap().join("bin");
            let command = command.replace("BIN", &bin.to_string_lossy());
            let rules = Rules {
                allow: vec![Rule::parse("Shell").unwrap()],
                deny: vec![Rule::parse(deny).unwrap()],
                ..Rules::default()
            };
            let arguments = serde_json::json!({ "command": command });
            let call = Call::of("Shell", &arguments, &self.site.workspace, &self.site.home);
            rules.judge(&call, &self.site, &[])
        }
    }

    #[test]
    fn another_name_makes_no_other_program() {
        let world = world();
        for command in [
            "./copy a",
            "./hard a",
            "./soft a",
            "sub/far a",
            "cd sub && ./far a",
            "./programs/wipe a",
            "./c?py a; ./copy a",
            "env A=b ./copy a",
            "find . -exec ./hard {} +",
            "bash -c './soft a'",
            "PATH=.:$PATH copy a",
            "BIN/wipe a",
        ] {
            for deny in ["Shell(wipe:*)", "Shell(wip*)", "Shell(*wipe:*)"] {
                let judged = world.judge(deny, command);
                let stopped = matches!(judged, Judgment::Deny { .. } | Judgment::Unsure { .. });
                assert!(stopped, "{deny} {command} {judged:?}");
            }
        }
        assert!(matches!(world.judge("Shell(wipe:*)", "./copy a"), Judgment::Deny { .. }));
        assert!(matches!(world.judge("Shell(wipe2:*)", "wipe2.1 a"), Judgment::Deny { .. }));
        assert!(matches!(world.judge("Shell(wipe2.1:*)", "wipe2 a"), Judgment::Deny { .. }));
        assert!(matches!(world.judge("Shell(wipe2:*)", "./copy2"), Judgment::Deny { .. }));
        // Of the rule's options each counts.
        assert!(matches!(world.judge("Shell(wipe -rf:*)", "./copy -fr a"), Judgment::Deny { .. }));
        assert_eq!(world.judge("Shell(wipe -rf:*)", "./copy a"), Judgment::Allow);
    }

    /// A directory that was there before, in which `list` is the program of the rule.
    #[test]
    fn a_path_that_is_set_leads_to_other_programs() {
        let world = world();
        let work = &world.site.workspace.work_dir;
        fs::create_dir_all(work.join("own")).unwrap();
        symlink(work.join("../bin/wipe"), work.join("own/list")).unwrap();
        fs::copy(work.join("../bin/other"), work.join("own/other")).unwrap();
        fs::create_dir_all(world.site.home.join("bin")).unwrap();
        fs::copy(work.join("../bin/wipe"), world.site.home.join("bin/list")).unwrap();
        for (command, denied) in [
            ("PATH=$PWD/own:$PATH list a", true),
            ("PATH=own:$PATH list a", true),
            ("PATH=own list a", true),
            ("PATH+=:own list a", true),
            ("PATH='own:/bin' list a", true),
            ("PATH=\"$(pwd)/own:$PATH\" list a", true),
            ("export PATH=$PWD/own:$PATH; list a", true),
            ("PATH=own:$PATH; list a", true),
            ("cd own && PATH=.:$PATH list a", true),
            ("cd own && PATH=:$PATH list a", true),
            ("env PATH=own:/bin list a", true),
            ("env \"PATH=$PWD/own:$PATH\" list a", true),
            ("PATH=$HOME/bin:$PATH list a", true),
            ("PATH=\"${HOME}/bin:$PATH\" list a", true),
            ("PATH=~/bin:$PATH list a", true),
            ("PATH=$PATH:own list a", true),
            ("PATH=$X:$PATH list a", false),
            ("PATH=own$X:$PATH list a", false),
            ("cd \"$X\" && PATH=own:$PATH list a", false),
            ("xargs -I% env PATH=% list a", false),
        ] {
            let judged = world.judge("Shell(wipe:*)", command);
            let held = match judged {
                Judgment::Deny { .. } => true,
                Judgment::Unsure { .. } => !denied,
                _ => false,
            };
            assert!(held, "{command} {judged:?}");
        }
        for command in [
            "PATH=own:$PATH other a",
            "PATH=$PWD/absent:$PATH list a",
            "PATH=$PATH:$X other a",
            "export PATH=$HOME/.cargo/bin:$PATH && cd sub && echo a",
            "PATH=own:$PATH echo list",
        ] {
            assert_eq!(world.judge("Shell(wipe:*)", command), Judgment::Allow, "{command}");
        }
        assert_eq!(world.judge("Shell(wipe -rf:*)", "PATH=$X:$PATH list a"), Judgment::Allow);
    }

    #[test]
    fn giving_another_name_is_asked_about() {
        let world = world();
        for command in [
            "cp BIN/wipe q",
            "cp BIN/w*e q",
            "cd BIN && cp wipe /tmp/q",
            "mv soft q",
            "ln -s BIN/wipe q",
            "ln hard q",
            "install -m755 copy q",
            "dd if=BIN/wipe of=q",
            "cat BIN/wipe > q",
            "cat copy | tee q",
            "tar cf - BIN/wipe | tar xf -",
            "cp $(command -v wipe) q; ./q a",
            "cp \"$X\" sub; sub/q a",
            "cat $X > q && chmod +x q && ./q a",
        ] {
            let judged = world.judge("Shell(wipe:*)", command);
            assert!(matches!(judged, Judgment::Unsure { .. }), "{command} {judged:?}");
        }
    }

    #[test]
    fn other_programs_go_on() {
        let world = world();
        for command in [
            "./same-size a",
            "other a",
            "cp BIN/other q && ./q a",
            "cp \"$X\" sub && ./same-size",
            "cat BIN/wipe",
            "ls BIN/wipe ./copy",
            "./absent",
            "cat $X > q && ./same-size",
            "wipe2 a",
        ] {
            assert_eq!(world.judge("Shell(wipe:*)", command), Judgment::Allow, "{command}");
        }
    }

    /// Of programs that are one file each is what it is called, also by its path.
    #[test]
    fn one_file_of_the_system_may_be_several_programs() {
        let world = world();
        let bin = fs::canonicalize(world.dir.path()).unwrap().join("bin");
        fs::copy(bin.join("other"), bin.join("many")).unwrap();
        symlink("many", bin.join("list")).unwrap();
        symlink("many", bin.join("delete")).unwrap();
        symlink(bin.join("delete"), world.site.workspace.work_dir.join("mine")).unwrap();
        let rule = Rule::parse("Shell(delete:*)").unwrap();
        let fits = |command: &str| {
            let script =
                crate::permission::shell::read(&command.replace("BIN", &bin.to_string_lossy()));
            let ground = Ground::of(&script, &world.site.workspace.work_dir, &world.site.home);
            let new = Disguises::of(&script, &[], &ground, &world.site.search);
            let disguises = Disguises { system: vec![bin.clone()], ..new };
            let run = script.parts.iter().find_map(|part| part.run()).unwrap();
            let own = rule.fits_run(run);
            if own == Fits::No { disguises.fits(&rule, run, &ground) } else { own }
        };
        assert_eq!(fits("BIN/list a"), Fits::No);
        assert_eq!(fits("list a"), Fits::No);
        assert_eq!(fits("BIN/delete a"), Fits::Yes);
        assert_eq!(fits("delete a"), Fits::Yes);
        // Another place is not the system's, whatever it is called there.
        assert_eq!(fits("./mine a"), Fits::Yes);
        assert_eq!(fits("BIN/../bin/./list a"), Fits::Yes);
    }
}
