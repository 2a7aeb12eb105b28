//! The rules: forms that identify themselves, places that carry secrets, and words.

pub(in crate::otel::scrub) mod forms;
pub(in crate::otel::scrub) mod places;
pub(in crate::otel::scrub) mod shapes;
pub(in crate::otel::scrub) mod syntax;
pub(in crate::otel::scrub) mod words;

/// A rule: the kind its mark names; the parts that are looked for first (in any case, `|` between them; of a form as
/// they stand here); how many bytes of a form may stand before its key; and a regular expression: of what follows the key
/// of a form, of the whole of a form with something before its key, or of what stands before the value of a place.
pub(in crate::otel::scrub) struct Row {
    pub(in crate::otel::scrub) kind: &'static str,
    pub(in crate::otel::scrub) key: &'static str,
    pub(in crate::otel::scrub) back: usize,
    pub(in crate::otel::scrub) pattern: &'static str,
    pub(in crate::otel::scrub) stands: Stands,
    /// An example for and one against.
    #[cfg(test)]
    pub(in crate::otel::scrub) examples: Examples,
}

/// What stands in a place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::otel::scrub) enum Stands {
    /// The form itself.
    Form,
    /// A word of a command line, or what is between quotes; nothing but a stand-in is spared.
    Word,
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
    /// As `Word`, but the expression goes on behind the value, which is its group.
    Group,
}

/// A text in which the rule finds a secret, and one that has a key of it and stays. In the first, `{a36}` are 36
/// letters and digits and the like (`fill` in the tests draws them), and what has to go stands between double brackets
/// unless it is the whole text. A dot in the middle is left out: so no scanner takes these files for a leak.
type Examples = (&'static str, &'static str);

const fn row(
    kind: &'static str,
    key: &'static str,
    back: usize,
    pattern: &'static str,
    stands: Stands,
    examples: Examples,
) -> Row {
    #[cfg(not(test))]
    let _ = examples;
    Row {
        kind,
        key,
        back,
        pattern,
        stands,
        #[cfg(test)]
        examples,
    }
}

const fn form(kind: &'static str, key: &'static str, pattern: &'static str, examples: Examples) -> Row {
    row(kind, key, 0, pattern, Stands::Form, examples)
}

const fn tail(
    kind: &'static str,
    key: &'static str,
    back: usize,
    pattern: &'static str,
    examples: Examples,
) -> Row {
    row(kind, key, back, pattern, Stands::Form, examples)
}

const fn place(
    kind: &'static str,
    key: &'static str,
    pattern: &'static str,
    stands: Stands,
    examples: Examples,
) -> Row {
    row(kind, key, 0, pattern, stands, examples)
}
