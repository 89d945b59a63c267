//! Where a plugin is to be had: what somebody writes after `kimi plugin install`.

use std::path::PathBuf;

use url::Url;

use super::manifest::is_inside;
use crate::platform::Env;

/// A place to install from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    Dir(PathBuf),
    ZipFile(PathBuf),
    ZipUrl(Url),
    Git {
        /// What git is given.
        url: String,
        branch: Option<String>,
        /// A directory of the repository.
        sub: Option<String>,
    },
}

impl Source {
    /// Reads a place. The error is one line.
    pub fn read(written: &str, env: &Env) -> Result<Self, String> {
        let written = written.trim();
        if written.is_empty() || written.starts_with('-') || written.contains('\0') {
            return Err(format!("{written:?} is no place to install from"));
        }
        if let Some(git) = git(written) {
            return git;
        }
        if let Ok(url) = Url::parse(written)
            && matches!(url.scheme(), "http" | "https")
        {
            return match url.path().to_ascii_lowercase().ends_with(".zip") {
                true => Ok(Self::ZipUrl(url)),
                false => Err(format!(
                    "{written} is neither the address of a .zip file nor of a git repository (which \
                     ends in .git)"
                )),
            };
        }
        let path = match written.strip_prefix("~/") {
            Some(rest) => env.home.join(rest),
            None => env.cwd.join(written),
        };
        if path.is_dir() {
            Ok(Self::Dir(path))
        } else if path.is_file() {
            match path.extension().is_some_and(|end| end.eq_ignore_ascii_case("zip")) {
                true => Ok(Self::ZipFile(path)),
                false => Err(format!("{} is neither a directory nor a .zip file", path.display())),
            }
        } else {
            Err(format!("{} does not exist", path.display()))
        }
    }
}

/// Reads the address of a git repository; `None` when it is none.
fn git(written: &str) -> Option<Result<Source, String>> {
    let made = |url: &str, branch: Option<&str>, sub: &str| {
        let sub = sub.trim_matches('/');
        if !sub.is_empty() && !is_inside(sub) {
            return Err(format!("{sub:?} is not inside of the repository"));
        }
        if branch.is_some_and(|branch| branch.is_empty() || branch.starts_with('-')) {
            return Err("the branch is missing".to_owned());
        }
        Ok(Source::Git {
            url: url.to_owned(),
            branch: branch.map(str::to_owned),
            sub: (!sub.is_empty()).then(|| sub.to_owned()),
        })
    };
    let remote = ["http://", "https://", "ssh://", "git://", "file://"]
        .iter()
        .any(|scheme| written.starts_with(scheme))
        || is_scp(written);
    if !remote {
        return None;
    }
    if let Some(at) = written.find(".git/") {
        let (url, sub) = written.split_at(at + 4);
        return Some(made(url, None, sub));
    }
    if written.ends_with(".git") {
        return Some(made(written, None, ""));
    }
    // The address of a page: `https://host/owner/name`, maybe with a branch and a directory.
    let url = Url::parse(written).ok()?;
    let host = url.host_str()?.to_owned();
    if !matches!(host.as_str(), "github.com" | "gitlab.com") {
        return None;
    }
    let path = url.path().trim_matches('/');
    let (repository, rest) = match path.split_once("/-/tree/").or(path.split_once("/tree/")) {
        Some((repository, rest)) => (repository, Some(rest)),
        None if path.to_ascii_lowercase().ends_with(".zip") => return None,
        None => (path, None),
    };
    let enough = repository.split('/').filter(|part| !part.is_empty()).count();
    if enough < 2 || (host == "github.com" && enough > 2) {
        return Some(Err(format!("{written} names no repository")));
    }
    let address = format!("{}://{host}/{repository}.git", url.scheme());
    Some(match rest.map(|rest| rest.split_once('/').unwrap_or((rest, ""))) {
        Some((branch, sub)) => made(&address, Some(branch), sub),
        None => made(&address, None, ""),
    })
}

/// Whether it is `user@host:path`.
fn is_scp(written: &str) -> bool {
    written.split_once(':').is_some_and(|(host, path)| {
        host.contains('@') && !host.contains('/') && !path.is_empty() && !path.starts_with("//")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::env::fixed;

    fn read(written: &str) -> Result<Source, String> {
        Source::read(written, &fixed::env("/nowhere", &[]))
    }

    #[test]
    fn repositories_are_told_with_branch_and_directory() {
        for (written, url, branch, sub) in [
            ("https://h.example/a/b.git", "https://h.example/a/b.git", None, None),
            ("https://h.example/a/b.git/x/y", "https://h.example/a/b.git", None, Some("x/y")),
            ("git@h.example:a/b.git", "git@h.example:a/b.git", None, None),
            ("ssh://git@h/a/b.git/c", "ssh://git@h/a/b.git", None, Some("c")),
            ("https://github.com/a/b", "https://github.com/a/b.git", None, None),
            ("https://github.com/a/b/tree/main", "https://github.com/a/b.git", Some("main"), None),
            (
                "https://github.com/a/b/tree/main/p/q",
                "https://github.com/a/b.git",
                Some("main"),
                Some("p/q"),
            ),
            (
                "https://gitlab.com/g/s/b/-/tree/dev/p",
                "https://gitlab.com/g/s/b.git",
                Some("dev"),
                Some("p"),
            ),
        ] {
            let expected = Source::Git {
                url: url.to_owned(),
                branch: branch.map(str::to_owned),
                sub: sub.map(str::to_owned),
            };
            assert_eq!(read(written), Ok(expected), "{written}");
        }
    }

    #[test]
    fn what_leads_nowhere_is_told() {
        for written in [
            "",
            "-u",
            "--upload-pack=x",
            "/no/such/place",
            "https://h.example/page",
            "https://github.com/a",
            "https://github.com/a/b/tree/-x/p",
            "https://h.example/a/b.git/../../x",
            "ext::sh -c x",
        ] {
            assert!(read(written).is_err(), "{written}");
        }
    }

    #[test]
    fn files_and_addresses_of_archives_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let zip = dir.path().join("p.ZIP");
        std::fs::write(&zip, "").unwrap();
        assert_eq!(read(zip.to_str().unwrap()), Ok(Source::ZipFile(zip)));
        let inside = dir.path().to_path_buf();
        assert_eq!(read(inside.to_str().unwrap()), Ok(Source::Dir(inside)));
        let url = "https://github.com/a/b/archive/main.zip";
        assert_eq!(read(url), Ok(Source::ZipUrl(Url::parse(url).unwrap())));
    }
}
