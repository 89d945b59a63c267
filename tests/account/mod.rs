//! Signing in to an account, its token, and what happens without one, through the program itself.

mod authority;
mod clients;
mod login;
mod refresh;
mod renewal;
