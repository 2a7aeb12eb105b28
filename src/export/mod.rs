//! Delivery: the outbox, the flusher, what to do after a failure, and the two transports.
//!
//! Takes finished spans and knows nothing of how they came about. A turn lies in the [`outbox`] as an [`entry`];
//! [`flush`] takes the lock, [`deliver`] sends one entry in requests within the byte [`budget`], [`decorate`]d
//! for the backend in force, over [`client`]'s transport; [`retry`] says what a failure means, [`status`]
//! remembers it, and the [`archive`] keeps what was delivered.

pub mod archive;
pub mod budget;
pub mod client;
pub mod decorate;
pub mod deliver;
pub mod endpoint;
pub mod entry;
pub mod flush;
mod grpc;
mod http;
pub mod json;
pub mod ledger;
pub mod outbox;
mod progress;
pub mod reader;
pub mod retry;
mod round;
pub mod status;
#[cfg(test)]
mod testing;
