//! `<share>/run`: what the running instances say of themselves, and their sockets.
//!
//! `<pid>.json` holds an [`Instance`], `<pid>.sock` takes commands. The directory is the user's alone.
//! An instance that was killed leaves both behind; whoever lists takes them away.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::process::{Pid, geteuid, test_kill_process};

use super::{ShareDir, StoreError, read_regular, write_volatile};
use crate::platform::Env;
use crate::protocol::control::Instance;

/// The longest path of a socket in bytes that every system takes (`sun_path` less its end).
const MAX_SOCKET_PATH: usize = 103;

/// The largest state file that is read, in bytes.
const MAX_STATE_FILE: u64 = 16 << 20;

/// At most so many entries are looked at: what is more than this was not put there by us.
const MAX_ENTRIES: usize = 4096;

/// The directory of the running instances. Nothing is created by asking for paths in it.
#[derive(Debug, Clone)]
pub struct RunDir {
    dir: PathBuf,
    /// Where sockets go when their paths would be too long, the best place first.
    short: Vec<PathBuf>,
}

impl RunDir {
    /// The one of this data directory.
    pub fn new(share: &ShareDir, env: &Env) -> Self {
        let runtime = env.var("XDG_RUNTIME_DIR").map(|dir| Path::new(dir).join("kimi"));
        let tmp = Path::new(env.var("TMPDIR").unwrap_or("/tmp"));
        let mut short = Vec::from_iter(runtime);
        short.push(tmp.join(format!("kimi-{}", geteuid().as_raw())));
        short.push(Path::new("/tmp").join(format!("kimi-{}", geteuid().as_raw())));
        short.retain(|dir| dir.is_absolute());
        Self { dir: env.cwd.join(share.run_dir()), short }
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// The state file of a process.
    pub fn state_file(&self, pid: u32) -> PathBuf {
        self.dir.join(format!("{pid}.json"))
    }

    /// Where the socket of a process belongs: beside its state file, or in a directory with a
    /// shorter name. `None` when every place has too long a name.
    pub fn socket_path(&self, pid: u32) -> Option<PathBuf> {
        self.socket_paths(pid).find(|path| path.as_os_str().len() <= MAX_SOCKET_PATH)
    }

    fn socket_paths(&self, pid: u32) -> impl Iterator<Item = PathBuf> {
        let name = format!("{pid}.sock");
        std::iter::once(&self.dir).chain(&self.short).map(move |dir| dir.join(&name))
    }

    /// Makes the directory, for this user alone.
    pub fn make(&self) -> Result<(), StoreError> {
        make_private(&self.dir)
    }

    /// Makes room for the socket of a process and says where to bind it. What a dead process with
    /// the same number has left there is taken away; a living one, of another container with the
    /// same home, is an error.
    pub fn socket_room(&self, pid: u32) -> Result<PathBuf, StoreError> {
        let path = self.socket_path(pid).ok_or_else(|| {
            let error = io::Error::new(io::ErrorKind::InvalidFilename, "the path is too long");
            StoreError::io("make a socket in", &self.dir)(error)
        })?;
        make_private(path.parent().unwrap_or(&self.dir))?;
        match touch_socket(&path) {
            Touched::Answers => {
                let error = io::Error::new(io::ErrorKind::AddrInUse, "another process has it");
                Err(StoreError::io("bind", &path)(error))
            }
            Touched::Refuses | Touched::Unknown => match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(StoreError::io("remove", &path)(error))
                }
                _ => Ok(path),
            },
        }
    }

    /// Replaces the state file of a process.
    pub fn write(&self, instance: &Instance) -> Result<(), StoreError> {
        self.make()?;
        let path = self.state_file(instance.pid);
        write_state(&path, instance).map_err(StoreError::io("write", &path))
    }

    /// Takes away what a process has put down here. What is not there is no error.
    pub fn remove(&self, pid: u32) {
        self.socket_path(pid).iter().for_each(|path| remove_file(path));
        remove_file(&self.state_file(pid));
    }

    /// Takes away what a dead instance has left. Its socket only where we would have put it: the
    /// file may say anything.
    fn prune(&self, dead: &Instance) {
        let socket = dead.socket.as_ref().map(PathBuf::from);
        self.socket_paths(dead.pid)
            .filter(|path| socket.as_ref() == Some(path))
            .for_each(|path| remove_file(&path));
        remove_file(&self.state_file(dead.pid));
    }

    /// The instances that run, the oldest first. Entries of those that are gone are removed on the
    /// way; what is no state file is passed over. The error is that of a directory that cannot be
    /// read or trusted; none at all has no instances.
    pub fn read_all(&self) -> Result<Vec<Instance>, StoreError> {
        match open_dir(&self.dir) {
            Err(Errno::NOENT) => return Ok(Vec::new()),
            Err(error) => return Err(dir_error(&self.dir, error)),
            Ok(dir) => check_owner(&self.dir, &dir)?,
        };
        let entries = fs::read_dir(&self.dir).map_err(StoreError::io("read", &self.dir))?;
        let mut running = Vec::new();
        for path in entries.take(MAX_ENTRIES).flatten().map(|entry| entry.path()) {
            let name = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".json"));
            let pid = name.and_then(|name| name.parse().ok());
            let Some(instance) = pid.and_then(|pid| self.read(pid)) else { continue };
            if is_alive(&instance) {
                running.push(instance);
            } else {
                self.prune(&instance);
            }
        }
        running.sort_by(|a, b| a.started.total_cmp(&b.started).then(a.pid.cmp(&b.pid)));
        Ok(running)
    }

    /// What the state file of a process says; `None` when there is none or it is not one.
    pub fn read(&self, pid: u32) -> Option<Instance> {
        let path = self.state_file(pid);
        let bytes = match read_regular(&path, MAX_STATE_FILE) {
            Ok(bytes) => bytes?,
            Err(error) => {
                tracing::debug!(%error, path = %path.display(), "not a state file");
                return None;
            }
        };
        let instance: Instance = serde_json::from_slice(&bytes).ok()?;
        (instance.pid == pid).then_some(instance)
    }
}

/// Replaces the file by the instance as one line of JSON, for this user alone. Not flushed to the
/// disk: it says what a process does, and dies with it.
pub fn write_state(path: &Path, instance: &Instance) -> io::Result<()> {
    let mut line = serde_json::to_vec(instance)?;
    line.push(b'\n');
    write_volatile(path, &line, 0o600)
}

/// Makes a directory that nobody else can look into, or makes it so. One that belongs to another
/// user or is a symbolic link is refused.
fn make_private(path: &Path) -> Result<(), StoreError> {
    let dir = match open_dir(path) {
        Err(Errno::NOENT) => {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(StoreError::io("create", parent))?;
            }
            match DirBuilder::new().mode(0o700).create(path) {
                // Another instance was faster.
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(StoreError::io("create", path)(error));
                }
                _ => open_dir(path),
            }
        }
        opened => opened,
    };
    let dir = dir.map_err(|error| dir_error(path, error))?;
    if check_owner(path, &dir)? & 0o077 != 0 {
        let private = fs::Permissions::from_mode(0o700);
        dir.set_permissions(private).map_err(StoreError::io("make private", path))?;
    }
    Ok(())
}

/// Opens a directory that is no symbolic link.
fn open_dir(path: &Path) -> Result<File, Errno> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW;
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path);
    opened.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

fn dir_error(path: &Path, error: Errno) -> StoreError {
    match error {
        Errno::NOTDIR | Errno::LOOP => {
            let why = "it is not a directory but a link or a file";
            StoreError::NotPrivate { path: path.to_path_buf(), why }
        }
        error => StoreError::io("open", path)(error.into()),
    }
}

/// The mode of a directory of this user.
fn check_owner(path: &Path, dir: &File) -> Result<u32, StoreError> {
    let meta = dir.metadata().map_err(StoreError::io("look at", path))?;
    if meta.uid() != geteuid().as_raw() {
        let why = "it belongs to another user";
        return Err(StoreError::NotPrivate { path: path.to_path_buf(), why });
    }
    Ok(meta.mode())
}

/// Whether the process behind an entry still runs. A socket that answers says so even from another
/// container, where the number of the process means nothing; one that refuses says no even when
/// another process has got the number.
fn is_alive(instance: &Instance) -> bool {
    match instance.socket.as_ref().map_or(Touched::Unknown, |path| touch_socket(Path::new(path))) {
        Touched::Answers => true,
        Touched::Refuses => false,
        Touched::Unknown => {
            let pid = i32::try_from(instance.pid).ok().and_then(Pid::from_raw);
            pid.is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
        }
    }
}

enum Touched {
    Answers,
    Refuses,
    /// There is no socket, or it cannot be reached.
    Unknown,
}

/// Knocks without waiting: a stopped process must not stop those who list.
fn touch_socket(path: &Path) -> Touched {
    let knock = || {
        let address = SocketAddrUnix::new(path)?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        rustix::net::connect(&socket, &address)
    };
    match knock() {
        // Too many others knock.
        Ok(()) | Err(Errno::AGAIN | Errno::INPROGRESS) => Touched::Answers,
        Err(Errno::CONNREFUSED) => Touched::Refuses,
        Err(_) => Touched::Unknown,
    }
}

/// Removes a file if there is one.
fn remove_file(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, path = %path.display(), "it stays behind");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
