//! The model client against a real server.
