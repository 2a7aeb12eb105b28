//! `$CODEX_HOME/arize-env.sh`: assignments read as a shell would, without running anything.
//!
//! Understood: `NAME=value` and `export NAME=value`, comments, single and double quotes, backslashes, `$NAME` and
//! `${NAME}` of what stands above or in the environment. Any other line is passed over, and so is an assignment whose
//! references would bring in more than [`MAX_EXPANDED_BYTES`]: a few lines of `A=$A$A` are gigabytes to a shell.

use std::borrow::Cow;

use super::Variables;

/// Reads the assignments of `text`; `outer` answers for variables set elsewhere.
pub fn parse(text: &str, outer: impl Fn(&str) -> Option<String>) -> Variables {
    let mut found = Variables::new();
    let mut room = MAX_EXPANDED_BYTES;
    for line in text.lines() {
        let line = line.trim_start();
        let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
        let Some((name, rest)) = line.split_once('=') else { continue };
        if !is_name(name) {
            continue;
        }
        let lookup = |n: &str| match found.get(n) {
            Some(value) => Cow::Borrowed(value.as_str()),
            None => Cow::Owned(outer(n).unwrap_or_default()),
        };
        if let Some(value) = unquote(rest, lookup, &mut room) {
            found.insert(name.to_owned(), value);
        }
    }
    found
}

fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The value of a shell word: up to the first unquoted space, semicolon or comment. What its references bring in is
/// taken off `room`; `None` when they bring in more.
fn unquote<'a>(text: &str, lookup: impl Fn(&str) -> Cow<'a, str>, room: &mut usize) -> Option<String> {
    let mut value = String::new();
    let mut chars = text.chars().peekable();
    let mut double = false;
    while let Some(c) = chars.next() {
        match c {
            '\'' if !double => value.extend(chars.by_ref().take_while(|c| *c != '\'')),
            '"' => double = !double,
            '\\' => match chars.next() {
                Some(next) if double && !matches!(next, '"' | '\\' | '$' | '`') => value.extend(['\\', next]),
                Some(next) => value.push(next),
                None => break,
            },
            '$' => {
                let braced = chars.next_if_eq(&'{').is_some();
                let mut name = String::new();
                while let Some(c) = chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
                    name.push(c);
                }
                if braced {
                    chars.by_ref().find(|c| *c == '}');
                }
                if name.is_empty() {
                    value.push('$');
                    continue;
                }
                let found = lookup(&name);
                *room = room.checked_sub(found.len())?;
                value.push_str(&found);
            }
            c if !double && (c.is_whitespace() || c == ';' || c == '&' || c == '|') => break,
            c => value.push(c),
        }
    }
    Some(value)
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
            assert_eq!(parse(text, outer).get("A").map(String::as_str), Some(value), "{text}");
        }
    }

    #[test]
    fn references_that_multiply_end_at_their_limit_and_the_rest_is_read() {
        let text = format!("A=0123456789\n{}B=${{A}}\nC=kept\n", "A=$A$A\n".repeat(60));
        let found = parse(&text, |_| None);
        assert!(found["A"].len() <= MAX_EXPANDED_BYTES && found["A"].len() > MAX_EXPANDED_BYTES / 8);
        assert_eq!(found["C"], "kept");
        let long = "x".repeat(10_000);
        let text: String = (0..20_000).map(|n| format!("A{n}=$LONG\n")).collect();
        let found = parse(&text, |_| Some(long.clone()));
        assert!(found.values().map(String::len).sum::<usize>() <= MAX_EXPANDED_BYTES);
    }

    #[test]
    fn other_lines_are_passed_over() {
        let text = "#!/bin/sh\nif true; then\necho A=1\n1A=2\nfoo bar=3\n# A=4\n\u{0}=5\n";
        assert!(parse(text, |_| None).is_empty());
    }
}
