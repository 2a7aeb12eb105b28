//! Trace and span ids, made from what identifies the thing: the same turn always yields the same ids.

use sha2::{Digest, Sha256};
use std::fmt::Write;

use crate::ids::{ThreadId, TurnId};

/// The trace of a root thread's turn.
pub fn trace_id(root_thread: &ThreadId, root_turn: &TurnId) -> [u8; 16] {
    digest(&["trace", root_thread.as_str(), root_turn.as_str()])
}

/// A span of a turn; `which` tells apart spans of one role.
pub fn span_id(thread: &ThreadId, turn: &TurnId, role: SpanRole, which: &str) -> [u8; 8] {
    digest(&["span", thread.as_str(), turn.as_str(), role.name(), which])
}

/// The part a span plays in its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanRole {
    /// The turn itself.
    Turn,
    /// A model response; of a subagent in the tree `turn`, all of them together.
    Model,
    Tool,
    Compaction,
}

impl SpanRole {
    fn name(self) -> &'static str {
        match self {
            SpanRole::Turn => "turn",
            SpanRole::Model => "model",
            SpanRole::Tool => "tool",
            SpanRole::Compaction => "compaction",
        }
    }
}

/// The first bytes of the SHA-256 of the parts, each ended by a zero byte, which no part holds. Never all zero,
/// which OpenTelemetry forbids.
fn digest<const N: usize>(parts: &[&str]) -> [u8; N] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let mut id = [0; N];
    id.copy_from_slice(&hash.finalize()[..N]);
    if id == [0; N] {
        id[N - 1] = 1;
    }
    id
}

/// A trace and the span in it that a turn hangs from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    pub trace: [u8; 16],
    pub span: [u8; 8],
}

impl TraceParent {
    /// Reads a W3C `traceparent` (Trace Context, section 3.2); none when it is not well formed.
    pub fn parse(text: &str) -> Option<TraceParent> {
        let mut parts = text.trim().split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let sized = version.len() == 2 && version != "ff" && flags.len() == 2;
        if !sized || (version == "00" && parts.next().is_some()) {
            return None;
        }
        let parent = TraceParent { trace: from_hex(trace)?, span: from_hex(span)? };
        (parent.trace != [0; 16] && parent.span != [0; 8]).then_some(parent)
    }
}

fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let lower = |b: &u8| b.is_ascii_digit() || (b'a'..=b'f').contains(b);
    if text.len() != 2 * N || !text.as_bytes().iter().all(lower) {
        return None;
    }
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_depend_on_every_part() {
        let thread = |t: &str| ThreadId::parse(t).unwrap();
        let turn = |t: &str| TurnId::parse(t).unwrap();
        assert_eq!(trace_id(&thread("a"), &turn("b")), trace_id(&thread("a"), &turn("b")));
        assert_ne!(trace_id(&thread("ab"), &turn("c")), trace_id(&thread("a"), &turn("bc")));
        let tool = span_id(&thread("a"), &turn("b"), SpanRole::Tool, "x");
        assert_ne!(tool, span_id(&thread("a"), &turn("b"), SpanRole::Model, "x"));
        assert_ne!(tool, span_id(&thread("a"), &turn("b"), SpanRole::Tool, "y"));
    }

    #[test]
    fn only_a_well_formed_traceparent_counts() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(TraceParent::parse(good).unwrap().span, [0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]);
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
        ] {
            assert_eq!(TraceParent::parse(bad), None, "{bad}");
        }
    }
}
