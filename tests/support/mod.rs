//! What several test modules need.

pub mod model_server;
