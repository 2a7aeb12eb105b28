//! Secrets whose beginning a terminal has cut: a prefix or a name of which one part ends a line and the other starts
//! the next. What is cut further on, the readers step over themselves.

use crate::otel::scrub::filter;
use crate::otel::scrub::filter::Special;
use crate::otel::scrub::rules::Class;
use crate::otel::scrub::text::{newline, starts};
use crate::otel::scrub::{Finding, Finds, header, name, token, url};

/// Adds the findings whose beginning is split by a line break.
pub(super) fn detect(t: &[u8], list: &mut Vec<Finding>) {
    let mut done = 0;
    for at in memchr::memchr2_iter(b'\n', b'\\', t) {
        if at < done {
            continue;
        }
        let (end, next) = if t[at] == b'\n' {
            (at - usize::from(at > 0 && t[at - 1] == b'\r'), at + 1)
        } else {
            match newline(t, at) {
                Some(n) => (at, at + n),
                None => continue,
            }
        };
        done = next;
        let joint = |b: &u8| JOINT.has(*b) || matches!(b, b':' | b'/');
        if t.get(next).is_some_and(joint) && t[..end].last().is_some_and(joint) {
            split(t, end, next, list);
        }
    }
}

const JOINT: Class = Class::Dot;
/// No prefix is longer than this.
const REACH: usize = 20;

fn split(t: &[u8], end: usize, next: usize, list: &mut Vec<Finding>) {
    let left = t[..end].iter().rev().take(REACH).take_while(|b| !b.is_ascii_whitespace()).count();
    let right = t[next..].iter().take(REACH).take_while(|b| !b.is_ascii_whitespace()).count();
    let mut buffer = [0u8; 2 * REACH];
    buffer[..left].copy_from_slice(&t[end - left..end]);
    buffer[left..left + right].copy_from_slice(&t[next..next + right]);
    let joined = &buffer[..left + right];
    let mut finds = Finds { list: Vec::new(), floor: 0 };
    for from in 0..left {
        let (here, cut) = (&joined[from..], left - from);
        let Some(entry) = filter::lookup_fast(here) else { continue };
        let at = end - cut;
        if entry.token && starts(t, at) {
            token::detect_split(t, at, here, cut, next, &mut finds);
        }
        match entry.special {
            Special::Url if cut < 4 => {
                let slashes = t[next..].iter().take(4 - cut).take_while(|b| matches!(b, b':' | b'/')).count();
                url::detect(t, at + 1, next + slashes, &mut finds);
            }
            Special::Bearer if cut <= 6 && here.len() >= 6 => {
                header::bearer_after(
                    t,
                    next + 6 - cut,
                    here[..6].eq_ignore_ascii_case(b"bearer"),
                    &mut finds,
                );
            }
            Special::Authorization
                if cut < 13 && here.len() >= 13 && here[..13].eq_ignore_ascii_case(b"authorization") =>
            {
                header::authorization_value(t, next + 13 - cut, &mut finds);
            }
            Special::Cookie if cut < 6 && here.len() >= 6 && here[..6].eq_ignore_ascii_case(b"cookie") => {
                header::cookie_value(t, next + 6 - cut, &mut finds);
            }
            Special::Jwt if cut < 4 && here.starts_with(b"eyJ") && starts(t, at) => {
                token::jwt_split(t, at, &mut finds)
            }
            Special::Twilio if cut < 4 && here.starts_with(b"SK") && starts(t, at) => {
                let from = if cut > 2 { at + 2 } else { next + 2 - cut };
                token::twilio_body(t, at, from, &mut finds);
            }
            Special::Discord if cut < 4 => token::discord(t, at, &mut finds),
            Special::Webhook => token::webhook_split(t, here, cut, next, &mut finds),
            Special::Inner => token::inner(t, at, here, &mut finds),
            _ => {}
        }
    }
    let name = t[..end]
        .iter()
        .rev()
        .take(40)
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        .count();
    if name > 0 {
        name::detect_split(t, end - name, end, next, &mut finds);
    }
    list.append(&mut finds.list);
}
