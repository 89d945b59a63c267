//! What a program inherits of signals: a mask and what is ignored stay over exec, and whoever has
//! started us may have left some. A program that is started on its own account must hear that it shall
//! end.

use std::io;
use std::mem::MaybeUninit;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Those that end a process, and those whose absence it would notice.
const DEFAULT: [libc::c_int; 5] =
    [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGCHLD, libc::SIGPIPE];

/// Has the process that a command becomes hear every signal, and treat these as any program does.
pub fn fresh(command: &mut Command) {
    // SAFETY: `reset` calls nothing that is not async-signal-safe and touches no memory of the parent.
    unsafe {
        command.pre_exec(reset);
    }
}

fn reset() -> io::Result<()> {
    // SAFETY: the set is initialised by sigemptyset before it is read; all of these are
    // async-signal-safe, and no handler of ours is among what is replaced: exec would drop it anyway.
    unsafe {
        for signal in DEFAULT {
            if libc::signal(signal, libc::SIG_DFL) == libc::SIG_ERR {
                return Err(io::Error::last_os_error());
            }
        }
        // The mask last: what waits behind it meets the default then.
        let mut none = MaybeUninit::<libc::sigset_t>::uninit();
        if libc::sigemptyset(none.as_mut_ptr()) != 0
            || libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut()) != 0
        {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// The mask and the ignored signals of a process that is started so, as `/proc` has them.
    fn inherited(and_then: impl FnOnce(&mut Command)) -> (u64, u64) {
        let mut command = Command::new("/bin/cat");
        command.arg("/proc/self/status");
        // SAFETY: async-signal-safe calls on a set of their own.
        unsafe {
            command.pre_exec(|| {
                let mut all = MaybeUninit::<libc::sigset_t>::uninit();
                libc::sigfillset(all.as_mut_ptr());
                libc::sigprocmask(libc::SIG_SETMASK, all.as_ptr(), std::ptr::null_mut());
                DEFAULT.iter().for_each(|signal| _ = libc::signal(*signal, libc::SIG_IGN));
                Ok(())
            });
        }
        and_then(&mut command);
        let status = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let set = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            u64::from_str_radix(line.trim(), 16).unwrap()
        };
        (set("SigBlk:"), set("SigIgn:"))
    }

    #[test]
    fn nothing_of_a_mask_or_of_what_is_ignored_is_left() {
        let ours = DEFAULT.iter().fold(0, |set, signal| set | 1_u64 << (signal - 1));
        let (blocked, ignored) = inherited(|_| ());
        assert_ne!((blocked, ignored & ours), (0, 0), "the test itself works");
        let (blocked, ignored) = inherited(fresh);
        assert_eq!((blocked, ignored & ours), (0, 0));
    }
}
