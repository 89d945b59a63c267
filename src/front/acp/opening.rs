//! From a call of the client to an open session.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::introduction::must_have_model;
use super::params::New;
use super::rpc::RpcError;
use super::servers;
use crate::front::host::{Host, Opened, Which};
use crate::mcp::config::Source;
use crate::store::check_session_id;

/// Makes what a session in a directory needs, with MCP servers of the client. Reads the configuration
/// anew.
pub type Hosts = Arc<dyn Fn(&Path, Vec<Source>) -> anyhow::Result<Host> + Send + Sync>;

/// Which session is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    New,
    /// With what was said in it.
    Loaded(String),
    /// Without.
    Resumed(String),
}

impl Wanted {
    /// The id of a session that is there already.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::New => None,
            Self::Loaded(id) | Self::Resumed(id) => Some(id),
        }
    }
}

/// The directory of a session, if it is one.
pub(super) fn directory(cwd: PathBuf) -> Result<PathBuf, RpcError> {
    if !cwd.is_absolute() {
        return Err(RpcError::params("cwd: expected an absolute path"));
    }
    match std::fs::metadata(&cwd) {
        Ok(metadata) if metadata.is_dir() => Ok(cwd),
        Ok(_) => Err(RpcError::params(format!("cwd: {} is not a directory", cwd.display()))),
        Err(error) => Err(RpcError::params(format!("cwd: {}: {error}", cwd.display()))),
    }
}

/// Opens a session. For a thread that may block, inside the runtime.
pub(super) fn open(hosts: &Hosts, place: New, wanted: &Wanted) -> Result<(Host, Opened), RpcError> {
    let cwd = directory(place.cwd)?;
    let brought = servers::read(place.mcp_servers.unwrap_or_default());
    let host =
        hosts(&cwd, vec![brought]).map_err(|error| RpcError::internal(format!("{error:#}")))?;
    let which = match wanted {
        Wanted::New => Which::New,
        Wanted::Loaded(id) | Wanted::Resumed(id) => {
            check_session_id(id).map_err(|_| RpcError::session())?;
            let found = host.store.find(&host.options.work_dir, id);
            let found = found.map_err(|error| RpcError::internal(error.to_string()))?;
            Which::Id(found.ok_or_else(RpcError::session)?.id)
        }
    };
    // Who resumes may only want to look; the first prompt tells.
    if !matches!(wanted, Wanted::Resumed(_)) {
        must_have_model(&host)?;
    }
    let opened = host.open(&which).map_err(|error| RpcError::internal(error.to_string()))?;
    Ok((host, opened))
}
