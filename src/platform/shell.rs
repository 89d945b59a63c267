//! The shell that commands are given to.

use std::path::Path;

/// The shell to run commands with: bash where it is, else the system's `sh`.
pub fn detect() -> &'static Path {
    first(Path::is_file)
}

fn first(is_there: impl Fn(&Path) -> bool) -> &'static Path {
    const PLACES: [&str; 3] = ["/bin/bash", "/usr/bin/bash", "/usr/local/bin/bash"];
    PLACES.into_iter().map(Path::new).find(|path| is_there(path)).unwrap_or(Path::new("/bin/sh"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn there_is_one() {
        assert!(super::detect().is_file());
    }

    #[test]
    fn bash_is_taken_from_the_first_place_that_has_it_and_sh_where_none_has() {
        for (there, taken) in [
            (&["/usr/local/bin/bash", "/usr/bin/bash", "/bin/bash"][..], "/bin/bash"),
            (&["/usr/local/bin/bash", "/usr/bin/bash"], "/usr/bin/bash"),
            (&["/usr/local/bin/bash"], "/usr/local/bin/bash"),
            (&["/bin/zsh"], "/bin/sh"),
        ] {
            let is_there = |path: &std::path::Path| there.iter().any(|it| path.as_os_str() == *it);
            assert_eq!(super::first(is_there), std::path::Path::new(taken));
        }
    }
}
