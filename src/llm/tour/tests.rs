//! The tour is played against made-up tool results.
