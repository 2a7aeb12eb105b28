//! Delivery: the outbox, the flusher, what to do after a failure, and the two transports.
//!
//! Takes finished spans and knows nothing of how they came about.

pub mod entry;
