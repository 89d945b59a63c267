//! The raw bytes of a tmux pane as they come, through `pipe-pane` into a FIFO.

use std::ffi::CString;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::tmux::Tmux;

/// What was read so far.
#[derive(Debug, Clone, Default)]
pub struct Tapped {
    pub bytes: Vec<u8>,
    /// Where each read ended, and when it returned.
    pub reads: Vec<(usize, Instant)>,
}

/// Records a pane until it is gone.
pub struct Tap {
    tapped: Arc<Mutex<Tapped>>,
    /// Holds the FIFO.
    _directory: tempfile::TempDir,
}

impl Tap {
    /// Records everything that the pane writes from now on.
    pub fn open(tmux: &Tmux) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("pane");
        let name = CString::new(path.as_os_str().as_bytes()).expect("a path");
        // SAFETY: a plain system call with a valid string.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        let tapped = Arc::new(Mutex::new(Tapped::default()));
        let theirs = Arc::clone(&tapped);
        let fifo = path.clone();
        std::thread::spawn(move || {
            let Ok(mut file) = std::fs::File::open(fifo) else { return };
            let mut buffer = [0; 65536];
            while let Ok(read @ 1..) = file.read(&mut buffer) {
                let mut tapped = theirs.lock().expect("not poisoned");
                tapped.bytes.extend_from_slice(&buffer[..read]);
                let end = tapped.bytes.len();
                tapped.reads.push((end, Instant::now()));
            }
        });
        tmux.run(&["pipe-pane", "-o", "-t", "t", &format!("exec cat > '{}'", path.display())]);
        Self { tapped, _directory: directory }
    }

    /// How many bytes came so far.
    pub fn len(&self) -> usize {
        self.tapped.lock().expect("not poisoned").bytes.len()
    }

    /// Everything so far.
    pub fn all(&self) -> Tapped {
        self.tapped.lock().expect("not poisoned").clone()
    }
}
