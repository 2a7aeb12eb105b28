//! Codex's ids, parsed once at the edge: one that could name another path does not parse.

use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Why a text is no id.
#[derive(Debug, thiserror::Error)]
#[error("{kind} ID is empty, too long, or contains characters other than letters, digits, - and _")]
pub struct IdError {
    kind: &'static str,
}

/// A number that stands for an id while this process lives, in lists too long to hold the texts.
pub fn digest(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

/// Returns true if a text may become part of a file name as it stands.
fn is_safe(text: &str) -> bool {
    let safe = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=MAX_BYTES).contains(&text.len()) && text.bytes().all(safe)
}

/// Two ids, a temporary file's prefix and suffix make a file name, which may have 255 bytes.
const MAX_BYTES: usize = 80;

macro_rules! id {
    ($(#[$about:meta])* $name:ident, $kind:literal) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes an id as Codex gave it.
            ///
            /// # Errors
            /// When it is empty, longer than 80 bytes, or holds anything but letters, digits, `-` and `_`.
            pub fn parse(text: &str) -> Result<$name, IdError> {
                if is_safe(text) { Ok($name(text.to_owned())) } else { Err(IdError { kind: $kind }) }
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                $name::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// A thread: one conversation, or one subagent's part in it. Hooks call it `session_id` or `agent_id`.
    ThreadId,
    "thread"
);
id!(
    /// A turn of a thread: from a prompt to the answer.
    TurnId,
    "turn"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_that_are_plain_file_names_parse() {
        for good in ["01a20338-12a8-70e0-af71-2abbd9056370", "test-123", "a", &"x".repeat(80)] {
            assert!(ThreadId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "..", "a/b", "a\\b", "a b", "é", "a\0", "-\n", ".hidden", &"x".repeat(81)] {
            assert!(ThreadId::parse(bad).is_err(), "{bad:?}");
        }
    }
}
