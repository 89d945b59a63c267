//! What is on disk, whatever happens to the program.

mod crash;
mod full;
mod one_stream;
pub mod past;
mod transfer;
