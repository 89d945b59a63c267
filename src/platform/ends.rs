//! What the kernel knows of the other end of a descriptor, without a byte written or read.

use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Whether any of these is reported now of what only the kernel finds out (`HUP`, `ERR`, `NVAL`). Of what
/// cannot be asked nothing is.
pub fn reports(end: impl AsFd, what: PollFlags) -> bool {
    let mut ends = [PollFd::new(&end, PollFlags::empty())];
    let looked = poll(&mut ends, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    let [end] = ends;
    looked.is_ok() && end.revents().intersects(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_is_gone_is_reported() {
        let (reader, writer) = std::io::pipe().unwrap();
        assert!(!reports(&writer, PollFlags::ERR | PollFlags::HUP));
        drop(reader);
        assert!(reports(&writer, PollFlags::ERR | PollFlags::HUP));
        let (reader, writer) = std::io::pipe().unwrap();
        assert!(!reports(&reader, PollFlags::HUP));
        drop(writer);
        assert!(reports(&reader, PollFlags::HUP) && !reports(&reader, PollFlags::NVAL));
    }
}
