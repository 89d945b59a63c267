//! The log file of a server: its error output, and what it reports by the protocol.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::sync::Mutex;

/// A log file longer than this many bytes is put aside, and the one put aside before goes.
const MAX_LOG: u64 = 1 << 20;

/// The log file; made with the first line. All clones write to one.
#[derive(Clone)]
pub(in crate::mcp) struct ServerLog {
    path: PathBuf,
    open: Arc<Mutex<Option<OpenLog>>>,
}

impl ServerLog {
    pub fn new(path: PathBuf) -> Self {
        Self { path, open: Arc::default() }
    }

    /// Appends a line. When the file cannot be written the server goes on all the same.
    pub async fn write(&self, line: &[u8]) {
        let mut open = self.open.lock().await;
        if open.is_none() {
            *open = OpenLog::open(&self.path).await.ok();
        }
        if let Some(log) = open.as_mut()
            && log.write(&[line, b"\n"].concat()).await.is_err()
        {
            *open = None;
        }
    }
}

struct OpenLog {
    path: PathBuf,
    file: tokio::fs::File,
    length: u64,
}

impl OpenLog {
    async fn open(path: &Path) -> io::Result<Self> {
        if let Some(dir) = path.parent() {
            tokio::fs::create_dir_all(dir).await?;
        }
        let mut options = tokio::fs::OpenOptions::new();
        options.append(true).create(true).mode(0o600);
        options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
        let file = options.open(path).await?;
        let length = file.metadata().await?.len();
        Ok(Self { path: path.to_path_buf(), file, length })
    }

    async fn write(&mut self, text: &[u8]) -> io::Result<()> {
        if self.length > MAX_LOG {
            tokio::fs::rename(&self.path, self.path.with_extension("log.1")).await?;
            *self = Self::open(&self.path).await?;
        }
        self.length += text.len() as u64;
        self.file.write_all(text).await?;
        self.file.flush().await
    }
}
