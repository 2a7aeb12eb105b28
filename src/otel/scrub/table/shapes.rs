//! The shapes of values that are no secrets, as regular expressions with the reason of each part.

use crate::otel::scrub::lazy::Lazy;

/// What only stands in for a secret, wherever it is.
pub(in crate::otel::scrub) static STANDS_IN: Lazy = Lazy::new(
    r"(?xs)
    \A(?: <.*> | \{.*\} | \[.*\] | \(.*\) | %.*% )\z   # a placeholder or a template
    | \A\$[A-Za-z]\w*\z | \$\{ | \$\( | %\( | \{\{ | <% # a variable
    | \{\d\} | \{[A-Za-z_][\w.]*[}(!:] | _\{            # a place in a format
    | process\.env | @env                               # the environment of a program
    | \A\*.{0,6}\z | \*\*\* | \.\.\. | …                # a mask, an ellipsis
    | \A[A-Z]{3,}(?:_[A-Z]{3,}){2}(?:_|\z)              # the name of a constant
    | UUID=                                             # what a disk is called
    | ENC\[ | NACL\[ | BEGIN\ PGP\ MESSAGE | \$ANSIBLE_VAULT # what is encrypted
    | <secret:                                          # our own mark
    ",
);

/// What documentation fills in: the name of what belongs there, or an example that says so.
pub(in crate::otel::scrub) static FILLED_IN: Lazy =
    Lazy::new(r"\A[^0-9]{0,24}[_-](?i:secret|token|password|key)\z|EXAMPLE");

/// A piece of a program.
pub(in crate::otel::scrub) static PROGRAM: Lazy = Lazy::new(r"(?s)\A[<${\[(&\\]|\A[@%].{0,6}\z|\(|env\.|::");

/// What switches something, or counts.
pub(in crate::otel::scrub) static FLAG: Lazy =
    Lazy::new(r"\A(?i:yes|no|on|off|y|n|true|false|ok|no-op|null|nil|\d{1,3}|\d*[iu](?:8|16|32|64|size))\z");

/// What nobody chooses for a password: a path, an address, a number of a program.
pub(in crate::otel::scrub) static NOT_CHOSEN: Lazy = Lazy::new(r"\A(?:/|\.\.?/|~/|0x[0-9a-fA-F]*\z)|://");

/// Words with dots between them: the name of a module or a host; and of something in a module.
pub(in crate::otel::scrub) static DOTTED: Lazy =
    Lazy::new(r"\A[A-Za-z_]\w*(?:(?:\.[A-Za-z_]\w*){2,}|(?:\.[A-Za-z_]\w*)+:[A-Za-z_]\w*)\z");

/// What no machine issues: several words, a path, an address, a pattern, the scope of a signature, a number or the bytes
/// of a program; a key in hexadecimal digits has 64 of them.
pub(in crate::otel::scrub) static NOT_ISSUED: Lazy = Lazy::new(
    r"(?x) [\ \\] | %20 | :// | \A(?:\.\.?/|~/) | \A[^a-z]{0,15}\z
    | \A/.*\[.*/[a-z]{0,6}\z | /aws4_request\z | \A0x[0-9a-fA-F]{0,63}\z",
);

/// What belongs to a store, a cache or a ticket: a path, an id.
pub(in crate::otel::scrub) static NAMES_PLACE: Lazy =
    Lazy::new(r"[/.: ]|\A[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\z");

/// What a URL of documentation has for a password: a name, the rest of an address of IPv6.
pub(in crate::otel::scrub) static NAMES_PASSWORD: Lazy =
    Lazy::new(r"\A[A-Z_]*\z|\]\z|\A[A-Za-z_-]*(?i:passw)[A-Za-z_-]*\z");

/// A sentence rather than a phrase.
pub(in crate::otel::scrub) static PROSE: Lazy = Lazy::new(r"(?s)\A(?:[^ ]* ){4}");

/// The path of a variable, an element, a URL.
pub(in crate::otel::scrub) static PATH: Lazy = Lazy::new(r"\A(?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*\z");
/// An element, or a URL.
pub(in crate::otel::scrub) static ELEMENT_OR_URL: Lazy = Lazy::new(r"\[|://");
/// A call, an element, or a variable and the next argument.
pub(in crate::otel::scrub) static CALL: Lazy =
    Lazy::new(r"\A[\w$][\w.$]*(?:[(\[]|\|[a-z]|,[A-Za-z_$]\w*[:=])");
/// The name of a type, or of a member, that is named after what it holds; or several values.
pub(in crate::otel::scrub) static MEMBER: Lazy =
    Lazy::new(r"(?i)\A[\w.]*(?:key|token|secret|password|credential)[\w.]*\z|,");

/// Words that tell of a secret, as base64 has them in each of its three positions, without the letters that depend on
/// what stands beside the word.
#[rustfmt::skip]
pub(in crate::otel::scrub) const ENCODED: &str = "UEFTU1dPUk|BBU1NXT1JE|QQVNTV09SR|UGFzc3dvcm|Bhc3N3b3Jk|QYXNzd29yZ|cGFzc3dvcm|Bhc3N3b3Jk|wYXNzd29yZ|X1RPS0VO|9UT0tFT|fVE9LRU|X1NFQ1JFV|9TRUNSRV|fU0VDUkVU|QVBJX0tFW|FQSV9LRV|BUElfS0VZ|X0tFWT|9LRVk9|fS0VZP|dG9rZW4i|Rva2VuI|0b2tlbi|c2VjcmV0I|NlY3JldC|zZWNyZXQi|X2tleS|9rZXki|fa2V5I|X3Rva2Vu|90b2tlb|fdG9rZW|X3NlY3Jld|9zZWNyZX|fc2VjcmV0|Oi8v";
