//! How spans reach a backend: its endpoint, the two protocols, and what a failure means.

pub mod client;
pub(super) mod connection;
pub mod endpoint;
mod grpc;
mod http;
pub mod retry;
