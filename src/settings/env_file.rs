//! `$CODEX_HOME/arize-env.sh`: assignments read as a shell would, without running anything.
//!
//! Understood: `NAME=value` and `export NAME=value`, several on a line too, comments, single and double quotes,
//! backslashes, `$NAME` and `${NAME}` of what stands above or in the environment. Any other line is passed over, and so
//! is an assignment whose references would bring in more than [`MAX_EXPANDED_BYTES`]: a few lines of `A=$A$A` are
//! gigabytes to a shell. What only a shell could work out, as `$(whoami)`, is recognised and has no value.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::Chars;

use super::Variables;

/// Assignments of a file.
#[derive(Debug, Default)]
pub struct Assignments {
    pub values: Variables,
    /// The variables whose value only a shell could work out, with their lines.
    pub unread: BTreeMap<String, usize>,
}

/// Reads the assignments of `text`; `outer` answers for variables set elsewhere.
pub fn parse(text: &str, outer: impl Fn(&str) -> Option<String>) -> Assignments {
    let mut found = Assignments::default();
    let mut room = MAX_EXPANDED_BYTES;
    for (line, number) in text.lines().zip(1..) {
        let mut rest = line;
        while let Some((name, value)) = next_assignment(rest) {
            let mut chars = value.chars();
            match read_word(&mut chars, |name| found.look_up(name, &outer), &mut room) {
                Word::Read(value) => {
                    found.unread.remove(name);
                    found.values.insert(name.to_owned(), value);
                }
                Word::NeedsShell => {
                    found.values.remove(name);
                    found.unread.insert(name.to_owned(), number);
                }
                Word::TooLarge => {}
            }
            rest = chars.as_str();
        }
    }
    found
}

impl Assignments {
    /// The value a reference brings in; none where only a shell could say.
    fn look_up(&self, name: &str, outer: impl Fn(&str) -> Option<String>) -> Option<Cow<'_, str>> {
        if self.unread.contains_key(name) {
            return None;
        }
        let inner = self.values.get(name).map(|value| Cow::Borrowed(value.as_str()));
        Some(inner.unwrap_or_else(|| Cow::Owned(outer(name).unwrap_or_default())))
    }
}

/// The name a line, or the rest of one, assigns to, and the text from its value on.
fn next_assignment(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == ';');
    let text = text.strip_prefix("export ").unwrap_or(text).trim_start();
    text.split_once('=').filter(|(name, _)| is_name(name))
}

fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Value a shell would give one word.
enum Word {
    Read(String),
    /// It holds a command, or a reference of a form that is not understood.
    NeedsShell,
    /// Its references bring in more than there is room for.
    TooLarge,
}

/// Reads a word up to the first unquoted blank or operator, which stays where it is. What its references bring in is
/// taken off `room`.
fn read_word<'a>(
    chars: &mut Chars,
    look_up: impl Fn(&str) -> Option<Cow<'a, str>>,
    room: &mut usize,
) -> Word {
    let (mut value, mut double) = (String::new(), false);
    let (mut needs_shell, mut too_large) = (false, false);
    let ends = |c: char| c.is_whitespace() || matches!(c, ';' | '&' | '|');
    while let Some(c) = next_if(chars, |c| double || !ends(c)) {
        match c {
            '\'' if !double => value.extend(chars.by_ref().take_while(|c| *c != '\'')),
            '"' => double = !double,
            '\\' => match chars.next() {
                Some(next) if double && !matches!(next, '"' | '\\' | '$' | '`') => value.extend(['\\', next]),
                Some(next) => value.push(next),
                None => break,
            },
            '`' => {
                needs_shell = true;
                chars.by_ref().find(|c| *c == '`');
            }
            '$' if next_if(chars, |c| c == '(').is_some() => {
                needs_shell = true;
                skip_command(chars);
            }
            '$' => match reference(chars) {
                Some("") => value.push('$'),
                name => match name.and_then(&look_up) {
                    None => needs_shell = true,
                    Some(found) => match room.checked_sub(found.len()) {
                        Some(left) if !too_large => {
                            *room = left;
                            value.push_str(&found);
                        }
                        _ => too_large = true,
                    },
                },
            },
            c => value.push(c),
        }
    }
    match (needs_shell, too_large) {
        (true, _) => Word::NeedsShell,
        (_, true) => Word::TooLarge,
        _ => Word::Read(value),
    }
}

/// The name behind a `$`, empty when there is none; `None` for a form such as `${NAME:-default}`.
fn reference<'a>(chars: &mut Chars<'a>) -> Option<&'a str> {
    let braced = next_if(chars, |c| c == '{').is_some();
    let text = chars.as_str();
    while next_if(chars, |c| c.is_ascii_alphanumeric() || c == '_').is_some() {}
    let name = &text[..text.len() - chars.as_str().len()];
    if !braced {
        return Some(name);
    }
    chars.by_ref().find(|c| *c == '}').filter(|_| text[name.len()..].starts_with('}')).map(|_| name)
}

fn next_if(chars: &mut Chars, wanted: impl Fn(char) -> bool) -> Option<char> {
    chars.as_str().chars().next().filter(|c| wanted(*c))?;
    chars.next()
}

/// Passes over the rest of `$(…)`, whose parentheses come in pairs.
fn skip_command(chars: &mut Chars) {
    let mut depth = 1;
    while depth > 0
        && let Some(c) = chars.next()
    {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
    }
}

/// The largest env file read, in bytes.
pub const MAX_BYTES: u64 = 256 * 1024;
/// The most that all references of a file bring in together, in bytes.
pub const MAX_EXPANDED_BYTES: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_read_as_a_shell_would() {
        let outer = |name: &str| (name == "USER").then(|| "dev".to_owned());
        for (text, value) in [
            ("export A=true", "true"),
            ("A=\"two words\" # note", "two words"),
            ("  export A='$USER'", "$USER"),
            ("A=$USER@host", "dev@host"),
            ("A=\"${USER}-1\"", "dev-1"),
            ("A=a\\ b", "a b"),
            ("A=x;rm -rf /", "x"),
            ("A=\"un\\\"closed", "un\"closed"),
            ("A=", ""),
        ] {
            assert_eq!(parse(text, outer).values.get("A").map(String::as_str), Some(value), "{text}");
        }
    }

    #[test]
    fn multiplying_references_are_bounded() {
        let text = format!("A=0123456789\n{}B=${{A}}\nC=kept\n", "A=$A$A\n".repeat(60));
        let found = parse(&text, |_| None).values;
        assert!(found["A"].len() <= MAX_EXPANDED_BYTES && found["A"].len() > MAX_EXPANDED_BYTES / 8);
        assert_eq!(found["C"], "kept");
        let long = "x".repeat(10_000);
        let text: String = (0..20_000).map(|n| format!("A{n}=$LONG\n")).collect();
        let found = parse(&text, |_| Some(long.clone())).values;
        assert!(found.values().map(String::len).sum::<usize>() <= MAX_EXPANDED_BYTES);
    }

    #[test]
    fn other_lines_are_passed_over() {
        let text = "#!/bin/sh\nif true; then\necho A=1\n1A=2\nfoo bar=3\n# A=4\n\u{0}=5\n";
        let found = parse(text, |_| None);
        assert!(found.values.is_empty() && found.unread.is_empty());
    }

    #[test]
    fn several_assignments_may_share_a_line() {
        for text in [
            "export A=1 B=2",
            "export A=1; export B=2",
            "A=1;B=2",
            "export A='1' B=\"2\" # C=3",
            "A=1 ; B=2; echo C=3",
            "A=1;B=2 && C=3",
        ] {
            let found = parse(text, |_| None).values;
            assert_eq!(found, [("A", "1"), ("B", "2")].map(|(k, v)| (k.into(), v.into())).into(), "{text}");
        }
    }

    #[test]
    fn shell_expressions_count_as_unset() {
        for value in
            ["$(whoami)", "`whoami`", "\"a$(echo \"(b)\" c)\"", "x$(", "$U", "${U}@host", "${A:-x}", "${"]
        {
            let text = format!("U=$(id)\nA=before\nexport A={value} B=2");
            let found = parse(&text, |_| None);
            assert_eq!(found.unread.get("A"), Some(&3), "{value}");
            assert_eq!(found.values.get("A"), None, "{value}");
        }
        let found = parse("A=$(id) B=2\nA='$(id)' C=\\$(", |_| None);
        assert_eq!((found.values["A"].as_str(), found.values["B"].as_str()), ("$(id)", "2"));
        assert!(found.unread.is_empty());
    }
}
