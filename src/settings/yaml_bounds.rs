//! What a YAML text may hold before the library sees it. The library's time grows with the square of the depth and of
//! the directives, and an alias costs as much as what it stands for, each time: 20 KB could hold a hook up for seconds
//! and take a gigabyte. No person's settings come near these bounds.

/// The line of what goes beyond the bounds, and what it is. Quotes are not looked at: what is in them counts as well.
pub fn excess(text: &str) -> Option<(usize, &'static str)> {
    let (mut depth, mut directives, mut aliases) = (0usize, 0usize, 0usize);
    for (line, number) in text.split(['\n', '\r']).zip(1..) {
        directives += usize::from(line.starts_with('%'));
        let mut before = b' ';
        for (at, byte) in line.bytes().enumerate() {
            match byte {
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth = depth.saturating_sub(1),
                b'*' if is_alias(before, line.as_bytes().get(at + 1)) => aliases += 1,
                _ => {}
            }
            before = byte;
        }
        let excess = [
            (depth > MAX_DEPTH || dashes(line) > MAX_DEPTH, "nested too deeply"),
            (directives > MAX_DIRECTIVES, "too many directives"),
            (aliases > MAX_ALIASES, "too many aliases"),
        ];
        if let Some((_, what)) = excess.into_iter().find(|(found, _)| *found) {
            return Some((number, what));
        }
    }
    None
}

fn is_alias(before: u8, after: Option<&u8>) -> bool {
    matches!(before, b' ' | b'\t' | b'[' | b',' | b'{' | b':' | b'-' | b'?')
        && after.is_some_and(|b| !b.is_ascii_whitespace())
}

/// Returns how many lists or keys begin in one line, each inside the one before.
fn dashes(line: &str) -> usize {
    let starts = |part: &&str| matches!(*part, "-" | "?");
    line.split([' ', '\t']).filter(|part| !part.is_empty()).take_while(starts).count()
}

const MAX_DEPTH: usize = 48;
const MAX_DIRECTIVES: usize = 8;
const MAX_ALIASES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_bomb_is_refused() {
        let own =
            "%YAML 1.2\n---\na: &x [1, {b: [c]}]\nb: *x\nredact_patterns: ['[a-z]{3}\\[', \"**\"]\n- - x\n";
        assert_eq!(excess(own), None);
        for (bomb, line) in [
            (format!("x: 1\na: {}", "[".repeat(40_000)), 2),
            ("{a: ".repeat(100), 1),
            ("- ".repeat(100), 1),
            ("%TAG !a! x\n".repeat(100), 9),
            (format!("a: &a x\nb: [{}]", "*a,".repeat(1000)), 2),
        ] {
            assert_eq!(excess(&bomb).map(|(line, _)| line), Some(line), "{bomb:.40}");
        }
    }
}
