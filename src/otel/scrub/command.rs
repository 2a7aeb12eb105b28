//! Passwords that a few well-known commands take in a short option.

use crate::otel::scrub::text::{newline, quote, steps, word_at};
use crate::otel::scrub::{Finds, judge};

/// Looks at a command that starts at `at` and takes a password: `mysql -pSECRET`, `sshpass -p SECRET`,
/// `redis-cli -a SECRET`, `docker login -p SECRET`.
pub(super) fn detect(t: &[u8], at: usize, finds: &mut Finds) {
    let Some((_, option, tight)) = COMMANDS.iter().find(|(command, _, _)| word_at(t, at, command.as_bytes()))
    else {
        return;
    };
    let line = &t[at..t.len().min(at + 256)];
    let end = line.iter().position(|b| matches!(b, b'\n' | b'|' | b';')).unwrap_or(line.len());
    steps(end);
    let Some(found) = line[..end].windows(option.len()).position(|w| w == option.as_bytes()) else { return };
    let mut from = at + found + option.len();
    let blank = t.get(from) == Some(&b' ');
    if !tight && !blank {
        return;
    }
    // mysql asks for the password when a blank follows.
    if blank && !line.starts_with(b"m") {
        from += 1;
    }
    value(t, from, finds);
}

const COMMANDS: &[(&str, &str, bool)] = &[
    ("mysql", " -p", true),
    ("mariadb", " -p", true),
    ("sshpass", " -p", true),
    ("redis-cli", " -a", false),
    ("docker login", " -p", false),
];

/// Looks at `-u user:password` and `--user user:password` of a command that speaks HTTP.
pub(super) fn user(t: &[u8], at: usize, finds: &mut Finds) {
    let flag = if word_at(t, at, b" -u ") {
        4
    } else if word_at(t, at, b"-user ") || word_at(t, at, b"-user=") {
        6
    } else {
        return;
    };
    let before = &t[at.saturating_sub(200)..at];
    let after = &t[at..t.len().min(at + 200)];
    steps(before.len() + after.len());
    if !["curl", "wget", "http", "xh "].iter().any(|c| judge::has(before, c.as_bytes()))
        && !judge::has(after, b"http")
    {
        return;
    }
    let mut from = at + flag;
    from += quote(t, from).map_or(0, |q| q.len);
    let name =
        t[from..].iter().take(64).take_while(|b| b.is_ascii_alphanumeric() || b"._-@+".contains(b)).count();
    if name > 0 && t.get(from + name) == Some(&b':') {
        value(t, from + name + 1, finds);
    }
}

fn value(t: &[u8], from: usize, finds: &mut Finds) {
    let from = from + quote(t, from).map_or(0, |q| q.len);
    let mut to = from;
    while to < t.len()
        && to - from < 128
        && !t[to].is_ascii_whitespace()
        && quote(t, to).is_none()
        && newline(t, to).is_none()
    {
        to += 1;
    }
    steps(to - from);
    if to > from && !t[from..to].iter().all(u8::is_ascii_digit) && judge::password(&t[from..to], true) {
        finds.add(from..to, "password");
    }
}
