//! What the program takes from its surroundings, as one value that is passed in.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Names the instance that has started a process, by its number.
pub const PARENT_VARIABLE: &str = "KIMI_PARENT_PID";

/// Names the file that an instance keeps its state in, beside those in its own places.
pub const STATE_FILE_VARIABLE: &str = "KIMI_STATE_FILE";

/// Surroundings of a run: environment variables, home and working directory, clock, ids.
///
/// Nothing below `main` reads the process environment or the clock by itself, so that every screen
/// and every record can be reproduced in a test.
#[derive(Clone)]
pub struct Env {
    vars: Arc<HashMap<String, String>>,
    /// Variables that are not UTF-8: of no use here, but children inherit them.
    foreign: Arc<Vec<(OsString, OsString)>>,
    /// The number of this process in words.
    pid: Arc<str>,
    /// The data directory of this run, where it is not the one that the variables tell.
    pub data_root: Option<PathBuf>,
    /// The user's home directory.
    pub home: PathBuf,
    /// The directory the process was started in.
    pub cwd: PathBuf,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
}

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// Wall clock time.
    fn now(&self) -> SystemTime;
    /// The least time that a file has which is written from now on: some systems stamp files by a clock
    /// that is moved on now and then, and late where the machine is busy.
    fn file_time(&self) -> SystemTime {
        self.now()
    }
    /// Monotonic time, for durations.
    fn instant(&self) -> Instant;
    /// A number in `0.0..1.0`, for jitter.
    fn jitter(&self) -> f64;
}

/// Where fresh identifiers come from.
pub trait Ids: Send + Sync {
    /// A UUID in its usual text form.
    fn uuid(&self) -> String;
}

impl Env {
    /// The real surroundings of this process.
    pub fn of_process() -> Self {
        let home = directories::BaseDirs::new()
            .map_or_else(|| PathBuf::from("/"), |dirs| dirs.home_dir().to_path_buf());
        let cwd = std::env::current_dir().unwrap_or_else(|_| home.clone());
        Self::new(HashMap::new(), home, cwd, Arc::new(SystemClock), Arc::new(RandomIds))
            .with_vars(std::env::vars_os())
    }

    /// The same surroundings with exactly these environment variables, UTF-8 or not.
    pub fn with_vars(mut self, all: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let (mut vars, mut foreign) = (HashMap::new(), Vec::new());
        for (name, value) in all {
            match (name.into_string(), value.into_string()) {
                (Ok(name), Ok(value)) => {
                    vars.insert(name, value);
                }
                (name, value) => foreign.push((
                    name.map_or_else(|name| name, OsString::from),
                    value.map_or_else(|value| value, OsString::from),
                )),
            }
        }
        (self.vars, self.foreign) = (Arc::new(vars), Arc::new(foreign));
        self
    }

    /// Surroundings made of the given parts.
    pub fn new(
        vars: HashMap<String, String>,
        home: PathBuf,
        cwd: PathBuf,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Self {
        let pid = std::process::id().to_string().into();
        let (vars, foreign, data_root) = (Arc::new(vars), Arc::default(), None);
        Self { vars, foreign, pid, data_root, home, cwd, clock, ids }
    }

    /// An environment variable; an empty one counts as unset.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// All environment variables that are UTF-8.
    pub fn vars(&self) -> &HashMap<String, String> {
        &self.vars
    }

    /// What a child process inherits: every variable as it came, also those that are not UTF-8. But
    /// not the file that tells of this process alone, and with its number as the mark of a child.
    pub fn child_vars(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        let foreign =
            self.foreign.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()));
        self.vars
            .iter()
            .map(|(name, value)| (OsStr::new(name), OsStr::new(value)))
            .chain(foreign)
            .filter(|(name, _)| *name != PARENT_VARIABLE && *name != STATE_FILE_VARIABLE)
            .chain([(OsStr::new(PARENT_VARIABLE), OsStr::new(&*self.pid))])
    }

    /// Whether a variable is set to one of `1`, `true`, `t`, `yes`, `y`.
    pub fn truthy(&self, name: &str) -> bool {
        self.var(name).is_some_and(|value| {
            matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "t" | "yes" | "y")
        })
    }

    /// A path with the home directory as `~`.
    pub fn tilde(&self, path: &str) -> String {
        match Path::new(path).strip_prefix(&self.home) {
            Ok(rest) if rest.as_os_str().is_empty() => "~".to_owned(),
            Ok(rest) => format!("~/{}", rest.display()),
            Err(_) => path.to_owned(),
        }
    }

    /// Unix time in seconds with fractions, as the records on disk have it.
    pub fn unix_now(&self) -> f64 {
        self.clock.now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64()
    }
}

/// The operating system's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    #[cfg(target_os = "linux")]
    fn file_time(&self) -> SystemTime {
        use rustix::time::{ClockId, clock_gettime};
        let time = clock_gettime(ClockId::RealtimeCoarse);
        let (Ok(seconds), Ok(ns)) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec))
        else {
            return self.now();
        };
        UNIX_EPOCH + Duration::new(seconds, ns)
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }

    fn jitter(&self) -> f64 {
        let bytes = *uuid::Uuid::new_v4().as_bytes();
        f64::from(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
            / (f64::from(u32::MAX) + 1.0)
    }
}

/// Random version 4 UUIDs.
pub struct RandomIds;

impl Ids for RandomIds {
    fn uuid(&self) -> String {
        uuid::Uuid::new_v4().to_string()
    }
}

/// Surroundings for tests: a clock that stands still until it is moved, ids that count up.
pub mod fixed {
    use super::{
        Arc, Clock, Duration, Env, HashMap, Ids, Instant, PathBuf, SystemTime, UNIX_EPOCH,
    };
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// A clock at a fixed time that only [`FixedClock::advance`] moves.
    pub struct FixedClock {
        start: Instant,
        offset: Mutex<Duration>,
    }

    impl FixedClock {
        /// A clock that shows 2026-01-02 03:04:05 UTC.
        pub fn new() -> Self {
            Self { start: Instant::now(), offset: Mutex::new(Duration::ZERO) }
        }

        /// Moves the clock forward.
        pub fn advance(&self, by: Duration) {
            if let Ok(mut offset) = self.offset.lock() {
                *offset += by;
            }
        }

        fn offset(&self) -> Duration {
            self.offset.lock().map(|offset| *offset).unwrap_or_default()
        }
    }

    impl Default for FixedClock {
        fn default() -> Self {
            Self::new()
        }
    }

    impl Clock for FixedClock {
        fn now(&self) -> SystemTime {
            UNIX_EPOCH + Duration::from_secs(1_767_323_045) + self.offset()
        }

        fn instant(&self) -> Instant {
            self.start + self.offset()
        }

        fn jitter(&self) -> f64 {
            0.0
        }
    }

    /// Ids `00000000-0000-4000-8000-000000000001`, `...2` and so on.
    #[derive(Default)]
    pub struct CountingIds(AtomicU64);

    impl Ids for CountingIds {
        fn uuid(&self) -> String {
            let n = self.0.fetch_add(1, Ordering::Relaxed) + 1;
            format!("00000000-0000-4000-8000-{n:012}")
        }
    }

    /// An environment with these variables, with `home` as home and working directory.
    pub fn env(home: impl Into<PathBuf>, vars: &[(&str, &str)]) -> Env {
        let home = home.into();
        let vars: HashMap<String, String> =
            vars.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Env::new(
            vars,
            home.clone(),
            home,
            Arc::new(FixedClock::new()),
            Arc::new(CountingIds::default()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_is_older_than_the_time_before_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        for n in 0..200 {
            let before = SystemClock.file_time();
            std::fs::write(&file, n.to_string()).unwrap();
            let written = std::fs::metadata(&file).unwrap().modified().unwrap();
            assert!(before <= written && before <= SystemClock.now(), "{before:?} {written:?}");
        }
    }

    #[test]
    fn children_carry_our_number_and_not_our_state_file() {
        let vars = [("A", "1"), (PARENT_VARIABLE, "7"), (STATE_FILE_VARIABLE, "/state.json")];
        let env = fixed::env("/h", &vars);
        let mut inherited: Vec<_> = env.child_vars().collect();
        inherited.sort();
        let pid = std::process::id().to_string();
        let expected = [("A", "1"), (PARENT_VARIABLE, pid.as_str())];
        assert_eq!(inherited, expected.map(|(name, value)| (name.as_ref(), value.as_ref())));
        assert_eq!(env.var(PARENT_VARIABLE), Some("7"));
    }
}
