//! The rules: forms that identify themselves, places that carry secrets, and words.

pub(in crate::otel::scrub) mod forms;
pub(in crate::otel::scrub) mod places;
pub(in crate::otel::scrub) mod shapes;
pub(in crate::otel::scrub) mod syntax;
pub(in crate::otel::scrub) mod words;

/// A rule: the kind its mark names; the parts that are looked for first (in any case, `|` between them; of a form as
/// they stand here); how many bytes may stand before them; and a regular expression: of the whole of a form, or of
/// what stands before the value of a place.
pub(in crate::otel::scrub) struct Row {
    pub(in crate::otel::scrub) kind: &'static str,
    pub(in crate::otel::scrub) key: &'static str,
    pub(in crate::otel::scrub) back: usize,
    pub(in crate::otel::scrub) pattern: &'static str,
    pub(in crate::otel::scrub) stands: Stands,
}

/// What stands in a place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::otel::scrub) enum Stands {
    /// The form itself.
    Form,
    /// A word of a command line, or what is between quotes; nothing but a stand-in is spared.
    Word,
    /// The same up to an `@`, behind which a host stands.
    Login,
    /// A run of the alphabets of tokens, of at least so many bytes, that looks random and has a digit.
    Random(usize),
    /// The same without a digit.
    Opaque(usize),
    /// What follows `Authorization`.
    Credential,
    /// A user and a password in base64.
    Basic,
    /// Cookies, if a part of one looks random.
    Pairs,
    /// The rest of the line.
    Rest,
    /// As `Word`, but the expression goes on behind the value, which is its group.
    Group,
}

const fn form(kind: &'static str, key: &'static str, back: usize, pattern: &'static str) -> Row {
    Row { kind, key, back, pattern, stands: Stands::Form }
}

const fn place(kind: &'static str, key: &'static str, pattern: &'static str, stands: Stands) -> Row {
    Row { kind, key, back: 0, pattern, stands }
}
