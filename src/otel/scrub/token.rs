//! Tokens known by their own form: the table of prefixes, and the forms that a prefix alone does not tell.

use crate::otel::scrub::rules::{Class, INNER, Rule, candidates};
use crate::otel::scrub::text::{Run, past_word, run, run_back, starts, word_at};
use crate::otel::scrub::{Finds, judge};

/// Looks for a token with a prefix of the table at `at`.
pub(super) fn detect(t: &[u8], at: usize, finds: &mut Finds) {
    if at != finds.floor && !starts(t, at) {
        return;
    }
    for rule in candidates(t, at) {
        if t[at..].starts_with(rule.prefix.as_bytes())
            && let Some(end) = body(t, at + rule.prefix.len(), rule)
        {
            finds.add(at..end, rule.kind);
            if rule.kind == "aws-access-key-id" {
                aws_pair(t, end, finds);
            }
            return;
        }
    }
}

/// Looks for a token whose prefix a line break has cut in two: `joined` is the prefix and what surrounds it without
/// the break, `split` the place of the break in it, `next` where the text goes on after it.
pub(super) fn detect_split(t: &[u8], at: usize, joined: &[u8], split: usize, next: usize, finds: &mut Finds) {
    for rule in candidates(joined, 0) {
        let prefix = rule.prefix.as_bytes();
        if prefix.len() >= split
            && joined.starts_with(prefix)
            && let Some(end) = body(t, next + prefix.len() - split, rule)
        {
            finds.add(at..end, rule.kind);
            return;
        }
    }
}

/// Tells whether a token of known form, a JWT included, starts at `at`.
pub(super) fn at(t: &[u8], at: usize) -> bool {
    let mut probe = Finds { list: Vec::new(), floor: at };
    detect(t, at, &mut probe);
    if t[at..].starts_with(b"eyJ") {
        jwt(t, at, &mut probe);
    }
    !probe.list.is_empty()
}

fn body(t: &[u8], from: usize, rule: &Rule) -> Option<usize> {
    let r = run(t, from, rule.class, rule.min, rule.max);
    let issued = judge::issued(r.body()) || (rule.class == Class::Upper && judge::varied(r.body()));
    if r.len < rule.min || !issued {
        return None;
    }
    if rule.max > 0 {
        return (!t.get(r.end).is_some_and(|b| rule.class.has(*b) || b.is_ascii_alphanumeric()))
            .then_some(r.end);
    }
    Some(trim(t, from, r.whole(t, rule.class)))
}

/// Leaves out the full stop of a sentence.
fn trim(t: &[u8], from: usize, end: usize) -> usize {
    end - t[from..end].iter().rev().take_while(|b| **b == b'.').count()
}

/// The secret key of a pair often stands right after its id, with nothing to name it.
fn aws_pair(t: &[u8], end: usize, finds: &mut Finds) {
    let gap = t[end..].iter().take(4).take_while(|b| b" ,:;/|\t\"'".contains(b)).count();
    let r = run(t, end + gap, Class::Base64, 40, 0);
    if gap > 0 && r.len == 40 && judge::random(r.body(), 40) {
        finds.add(end + gap..r.end, "aws-secret-key");
    }
}

/// Looks for a JSON Web Token, whole or with its signature cut off.
pub(super) fn jwt(t: &[u8], at: usize, finds: &mut Finds) {
    if !t[at..].starts_with(b"eyJ") || (at != finds.floor && !starts(t, at)) {
        return;
    }
    jwt_body(t, at, run(t, at, Class::Dot, 60, 0), finds);
}

/// Looks for a JSON Web Token whose first bytes, at `at`, a line break follows.
pub(super) fn jwt_split(t: &[u8], at: usize, finds: &mut Finds) {
    jwt_body(t, at, run(t, at, Class::Dot, 60, 0), finds);
}

fn jwt_body(t: &[u8], at: usize, r: Run, finds: &mut Finds) {
    let dots = r.body().iter().filter(|b| **b == b'.').count();
    let first = memchr::memchr(b'.', r.body()).unwrap_or(r.len);
    if first >= 10 && (judge::has(r.body(), b".eyJ") || (dots >= 2 && r.len >= 60)) {
        finds.add(at..trim(t, at, r.whole(t, Class::Dot)), "jwt");
    } else if r.len >= 60 && dots == 0 && r.body().starts_with(b"eyJrIjoi") {
        finds.add(at..r.whole(t, Class::Dot), "grafana");
    }
}

/// Looks for a bot token `123456789:AA…` around the `:AA` at `at`.
pub(super) fn telegram(t: &[u8], at: usize, finds: &mut Finds) {
    let (start, digits) = run_back(t, finds.floor, at, |b| b.is_ascii_digit(), 8);
    let r = run(t, at + 1, Class::Url, 34, 36);
    if (8..=10).contains(&digits)
        && t[at + 1..].starts_with(b"AA")
        && r.len >= 34
        && closed(t, r.end)
        && judge::issued(r.body())
    {
        finds.add(start..r.end, "telegram");
    }
}

/// Looks for a Discord bot token: the base64 of a number, a time and a signature, with dots between.
pub(super) fn discord(t: &[u8], at: usize, finds: &mut Finds) {
    if at != finds.floor && !starts(t, at) {
        return;
    }
    let r = run(t, at, Class::Dot, 59, 80);
    let mut parts = r.body().split(|b| *b == b'.').map(<[u8]>::len);
    let (id, time, mac) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if (23..=28).contains(&id)
        && (5..=7).contains(&time)
        && (25..=45).contains(&mac)
        && parts.next().is_none_or(|n| n == 0)
    {
        finds.add(at..trim(t, at, r.end), "discord");
    }
}

/// Looks for an Entra client secret: three bytes, a digit, `Q~` and 31 to 34 bytes; `at` is the digit.
pub(super) fn azure_client(t: &[u8], at: usize, finds: &mut Finds) {
    if t[at..].get(1..3).is_none_or(|q| q != b"Q~") {
        return;
    }
    let part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'~' | b'.' | b'-');
    let r = run(t, at + 3, Class::Any, 31, 34);
    let (mut start, mut before) = (at.saturating_sub(3).max(finds.floor), 3);
    if at - start < 3 || !t[start..at].iter().all(part) {
        (start, before) = run_back(t, finds.floor, at, |b| part(&b), 3);
    }
    if before == 3 && r.len >= 31 && r.body().iter().all(part) {
        finds.add(start..trim(t, at, r.end), "azure");
    }
}

/// Looks for a Twilio API key: `SK` and 32 hexadecimal digits.
pub(super) fn twilio(t: &[u8], at: usize, finds: &mut Finds) {
    if t[at..].starts_with(b"SK") && (at == finds.floor || starts(t, at)) {
        twilio_body(t, at, at + 2, finds);
    }
}

/// Looks for the digits of a Twilio API key that starts at `at`, from `from` on.
pub(super) fn twilio_body(t: &[u8], at: usize, from: usize, finds: &mut Finds) {
    let r = run(t, from, Class::Hex, 32, 32);
    if r.len == 32 && closed(t, r.end) && judge::issued(r.body()) {
        finds.add(at..r.end, "twilio");
    }
}

fn closed(t: &[u8], end: usize) -> bool {
    !t.get(end).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_')
}

/// Looks for a key of formless text around the mark at `at` that its vendor puts in; `mark` is the text from there
/// on without line breaks.
pub(super) fn inner(t: &[u8], at: usize, mark: &[u8], finds: &mut Finds) {
    for rule in INNER.iter().filter(|r| mark.starts_with(r.mark.as_bytes())) {
        let (start, back) = run_back(t, finds.floor, at, |b| rule.class.has(b), rule.before);
        let r = run(t, at, rule.class, rule.total.saturating_sub(back), 400);
        if back >= rule.before && back + r.len >= rule.total && judge::issued(&t[start..at]) {
            finds.add(start..trim(t, at, r.end), rule.kind);
        }
    }
}

/// Looks for a key of a PEM file that was encoded once more, as in a kubeconfig.
pub(super) fn encoded_pem(t: &[u8], at: usize, finds: &mut Finds) {
    if !t[at..].starts_with(b"LS0tLS1CRUdJTi") || (at != finds.floor && !starts(t, at)) {
        return;
    }
    let r = run(t, at, Class::Base64, 200, 0);
    let private = [&b"UFJJVkFURSBLRVk"[..], b"BSSVZBVEUgS0VZ", b"QUklWQVRFIEtFW"];
    if r.len >= 100 && private.iter().any(|p| judge::has(r.body(), p)) {
        finds.add(at..r.whole(t, Class::Base64), "private-key");
    }
}

/// Looks for the path of an incoming webhook, which is all that its caller needs to know.
pub(super) fn webhook(t: &[u8], at: usize, finds: &mut Finds) {
    for (path, kind) in HOOKS {
        if let Some(from) = past_word(t, at, path.as_bytes()) {
            hook_path(t, from, kind, finds);
        }
    }
    if word_at(t, at, b"webhook.office.com/") {
        let from = at + "webhook.office.com/".len();
        let r = run(t, from, Class::Any, 0, 0);
        let more = if t.get(r.end) == Some(&b'@') { run(t, r.end + 1, Class::Any, 36, 0).end } else { r.end };
        if more - from >= 60 {
            finds.add(from..more, "teams");
        }
    }
}

const HOOKS: [(&str, &str); 4] = [
    ("slack.com/services/", "slack"),
    ("slack.com/workflows/", "slack"),
    ("slack.com/triggers/", "slack"),
    ("webhooks/", "discord"),
];

fn hook_path(t: &[u8], from: usize, kind: &'static str, finds: &mut Finds) {
    let r = run(t, from, Class::Any, 36, 0);
    if r.len >= 36 && r.body().contains(&b'/') && judge::issued(r.body()) {
        finds.add(from..trim(t, from, r.whole(t, Class::Any)), kind);
    }
}

/// Looks for a webhook whose address is cut at `split`, as [`detect_split`] does.
pub(super) fn webhook_split(t: &[u8], joined: &[u8], split: usize, next: usize, finds: &mut Finds) {
    for (path, kind) in HOOKS {
        if path.len() >= split && joined.starts_with(path.as_bytes()) {
            hook_path(t, next + path.len() - split, kind, finds);
        }
    }
}

/// Looks for the signature of a signed URL; `at` is in the parameter's name.
pub(super) fn signature(t: &[u8], at: usize, finds: &mut Finds) {
    let Some(equals) = t[at..].iter().take(12).position(|b| *b == b'=') else { return };
    let named = word_at(t, at, b"-signature=")
        || (word_at(t, at, b"sig=") && at > 0 && b"?&;6 \"'\n".contains(&t[at - 1]));
    let r = run(t, at + equals + 1, Class::Any, 40, 0);
    if named && r.len >= 40 && judge::issued(r.body()) {
        finds.add(at + equals + 1..r.whole(t, Class::Any), "url-signature");
    }
}
