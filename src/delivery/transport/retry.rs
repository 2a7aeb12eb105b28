//! What a failed request means and how long to wait: pure functions (`docs::backends`).

use std::fmt;
use std::time::Duration;

use crate::settings::Target;
use crate::time::Timestamp;

/// Why a request was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub cause: Cause,
    /// Pause that the server asks for.
    pub retry_after: Option<Duration>,
}

/// The cause of a failure, in our own words: a server's text may repeat what was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// An HTTP status that is no success.
    Http(u16),
    /// A gRPC status code other than 0.
    Grpc(i32),
    /// A request larger than the server takes.
    TooLarge,
    /// No answer in time.
    Timeout,
    /// No connection, or one that broke.
    Connection(String),
    Tls(String),
    Proxy(String),
    /// HTTP 200 with a web page.
    WebPage,
    /// HTTP 200 with a body that is no answer of OTLP's.
    Unreadable,
    /// An answer in HTTP/1 to a question in gRPC.
    NotGrpc,
    /// The server refuses every turn, with this answer.
    NotOtlp(String),
    /// The settings do not allow a request.
    Settings(String),
}

/// Handling of a failure, which decides what is done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handling {
    /// Try again later.
    Retry,
    /// Keep everything until a user has changed something; each run tries once.
    Permanent,
    /// The request's content is at fault: split it, and set the last culprit aside.
    Poison,
    /// Send less at once.
    TooLarge,
}

impl Failure {
    pub fn new(cause: Cause) -> Failure {
        Failure { cause, retry_after: None }
    }

    pub fn class(&self) -> Handling {
        match &self.cause {
            Cause::Http(status) => class_of_http(*status),
            Cause::Grpc(code) => class_of_grpc(*code),
            Cause::TooLarge => Handling::TooLarge,
            Cause::Timeout | Cause::Connection(_) | Cause::Proxy(_) => Handling::Retry,
            Cause::Tls(_)
            | Cause::WebPage
            | Cause::Unreadable
            | Cause::NotGrpc
            | Cause::NotOtlp(_)
            | Cause::Settings(_) => Handling::Permanent,
        }
    }

    /// Returns true if the backend asks for a key, or for another one.
    pub fn wants_key(&self) -> bool {
        matches!(self.cause, Cause::Http(401 | 403) | Cause::Grpc(UNAUTHENTICATED | PERMISSION_DENIED))
    }

    /// Returns what a user can do about it.
    pub fn advice(&self, target: Target) -> &'static str {
        match &self.cause {
            Cause::Http(401 | 403) | Cause::Grpc(UNAUTHENTICATED | PERMISSION_DENIED) => match target {
                Target::Phoenix => "check PHOENIX_API_KEY or harnesses.codex.api_key",
                Target::Arize => "check ARIZE_API_KEY and ARIZE_SPACE_ID, or api_key and space_id",
                Target::Otlp | Target::Local => {
                    "check OTEL_EXPORTER_OTLP_HEADERS or headers, such as Authorization or x-honeycomb-team"
                }
            },
            Cause::Tls(why) if why.contains(NO_TLS) => {
                "the port speaks plain HTTP: write http:// in the endpoint"
            }
            Cause::Tls(why) if why.contains("CaUsedAsEndEntity") => {
                "the server's certificate is also its own authority: use one that a private authority issued \
                 (basicConstraints CA:FALSE), and name that authority's file in SSL_CERT_FILE"
            }
            Cause::Http(400 | 422) | Cause::NotOtlp(_) if target == Target::Otlp => {
                "a header may be missing, such as x-mlflow-experiment-id, x-honeycomb-team or Authorization: set headers"
            }
            Cause::Tls(_) => {
                "check the endpoint's certificate; SSL_CERT_FILE names the authorities to trust and replaces the \
                 system's: put a private authority into a file together with all others"
            }
            Cause::Proxy(_) | Cause::Http(407) => "check HTTPS_PROXY and NO_PROXY",
            Cause::Settings(_) => {
                "run `arize-codex install`, or fix the setting where doctor says it comes from"
            }
            Cause::NotGrpc => "set protocol to http/protobuf, or end the endpoint with /v1/traces",
            Cause::Connection(_) | Cause::Timeout if target == Target::Otlp => {
                "check that it is running and that endpoint and protocol are right"
            }
            Cause::Connection(_) | Cause::Timeout if target == Target::Phoenix => {
                "start it with `phoenix serve`, or fix the endpoint"
            }
            Cause::Connection(_) | Cause::Timeout => {
                "check that it is running and that the endpoint is right"
            }
            Cause::TooLarge => "lower max_request_bytes",
            _ => match self.class() {
                Handling::Permanent => "check the endpoint and the protocol",
                Handling::Retry => "it will be tried again",
                Handling::Poison | Handling::TooLarge => "look at the turns set aside",
            },
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Http(status) => write!(f, "HTTP status {status}"),
            Cause::Grpc(code) => match GRPC_NAMES.get(*code as usize) {
                Some(name) => write!(f, "gRPC status {name}"),
                None => write!(f, "gRPC status {code}"),
            },
            Cause::TooLarge => f.write_str("request too large"),
            Cause::Timeout => f.write_str("no answer in time"),
            Cause::Connection(why) => write!(f, "no connection: {why}"),
            Cause::Tls(why) => write!(f, "no trusted connection: {why}"),
            Cause::Proxy(why) => write!(f, "proxy: {why}"),
            Cause::WebPage => f.write_str("answered with a web page"),
            Cause::Unreadable => f.write_str("answered with a body that is not OTLP"),
            Cause::NotGrpc => f.write_str("answers in HTTP/1, not gRPC"),
            Cause::NotOtlp(answer) => write!(f, "refuses every turn: {answer}"),
            Cause::Settings(why) => f.write_str(why),
        }
    }
}

/// Part of what rustls says of a port that answers in plain text.
const NO_TLS: &str = "corrupt message";

/// OTLP/HTTP names 429, 502, 503 and 504 retryable; the other server errors are tried again as well, because a
/// server that fails at random must not cost a turn.
fn class_of_http(status: u16) -> Handling {
    match status {
        413 => Handling::TooLarge,
        400 | 409 | 422 => Handling::Poison,
        408 | 425 | 429 => Handling::Retry,
        501 | 505 | 511 => Handling::Permanent,
        500..=599 => Handling::Retry,
        _ => Handling::Permanent,
    }
}

/// The retryable codes of the OTLP specification, and UNKNOWN and INTERNAL, which stand for a broken transport.
fn class_of_grpc(code: i32) -> Handling {
    match code {
        1 | 2 | 4 | 8 | 10 | 11 | 13 | 14 | 15 => Handling::Retry,
        3 | 6 => Handling::Poison,
        _ => Handling::Permanent,
    }
}

/// Reads `Retry-After`: seconds, or a date (RFC 9110, 10.2.3). A date in the past means now.
pub fn parse_retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Timestamp::from_millis(at.as_millisecond()).since(now))
}

/// Growing pauses between the attempts of one run.
#[derive(Debug, Clone, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The pause after one more failure: doubled each time, at most 30 s, the half of it random so that many
    /// machines do not return together; never less than what the server asked for.
    pub fn next(&mut self, asked: Option<Duration>, random: u64) -> Duration {
        let full = FIRST_PAUSE.saturating_mul(1 << self.failures.min(10)).min(LONGEST_PAUSE);
        self.failures += 1;
        let half = full / 2;
        let jitter = half.mul_f64((random >> 11) as f64 / (1u64 << 53) as f64);
        (half + jitter).max(asked.unwrap_or_default().min(LONGEST_ASKED))
    }

    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A server that asks for more is asked again after this time.
pub const LONGEST_ASKED: Duration = Duration::from_secs(900);

/// Codes of the gRPC specification ("Status codes and their use in gRPC").
pub const RESOURCE_EXHAUSTED: i32 = 8;
pub const OUT_OF_RANGE: i32 = 11;
const PERMISSION_DENIED: i32 = 7;
const UNAUTHENTICATED: i32 = 16;
const GRPC_NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_class() {
        let http = |status| Failure::new(Cause::Http(status)).class();
        let grpc = |code| Failure::new(Cause::Grpc(code)).class();
        for status in [408, 425, 429, 500, 502, 503, 504, 507, 599] {
            assert_eq!(http(status), Handling::Retry, "{status}");
        }
        for status in [301, 307, 401, 403, 404, 405, 407, 415, 418, 501, 505, 999] {
            assert_eq!(http(status), Handling::Permanent, "{status}");
        }
        for status in [400, 409, 422] {
            assert_eq!(http(status), Handling::Poison, "{status}");
        }
        assert_eq!(http(413), Handling::TooLarge);
        for code in [1, 2, 4, 8, 10, 11, 13, 14, 15] {
            assert_eq!(grpc(code), Handling::Retry, "{code}");
        }
        for code in [5, 7, 9, 12, 16, 17, -1] {
            assert_eq!(grpc(code), Handling::Permanent, "{code}");
        }
        assert_eq!((grpc(3), grpc(6)), (Handling::Poison, Handling::Poison));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = Timestamp::parse("2026-11-22T12:00:00Z").unwrap();
        assert_eq!(parse_retry_after(" 7 ", now), Some(Duration::from_secs(7)));
        let date = parse_retry_after("Sun, 22 Nov 2026 12:01:30 GMT", now);
        assert_eq!(date, Some(Duration::from_secs(90)));
        assert_eq!(parse_retry_after("Sun, 22 Nov 2026 11:00:00 GMT", now), Some(Duration::ZERO));
        for bad in ["", "soon", "-1", "1.5", "99999999999999999999999"] {
            assert_eq!(parse_retry_after(bad, now), None, "{bad}");
        }
    }

    #[test]
    fn backoff_grows_and_stays_bounded() {
        for random in [0, u64::MAX / 2, u64::MAX] {
            let mut backoff = Backoff::default();
            let pauses: Vec<_> = (0..40).map(|_| backoff.next(None, random)).collect();
            assert!(pauses.windows(2).all(|p| p[0] <= p[1]), "{pauses:?}");
            assert!(pauses[0] >= FIRST_PAUSE / 2 && pauses[39] <= LONGEST_PAUSE);
            assert!(pauses[5] > pauses[0] * 20 && pauses[39] >= LONGEST_PAUSE / 2, "{pauses:?}");
            backoff.reset();
            assert!(backoff.next(None, random) <= FIRST_PAUSE);
            assert_eq!(backoff.next(Some(Duration::from_secs(120)), random), Duration::from_secs(120));
            assert_eq!(backoff.next(Some(Duration::MAX), random), LONGEST_ASKED);
        }
    }

    #[test]
    fn machines_do_not_return_together() {
        let first = |random| Backoff::default().next(None, random);
        assert_eq!((first(0), first(u64::MAX) > FIRST_PAUSE.mul_f64(0.99)), (FIRST_PAUSE / 2, true));
        assert!(first(u64::MAX / 2) > first(0) && first(u64::MAX / 2) < first(u64::MAX));
    }

    #[test]
    fn advice_names_the_setting_of_the_backend() {
        let denied = Failure::new(Cause::Http(401));
        assert!(denied.advice(Target::Phoenix).contains("PHOENIX_API_KEY"));
        assert!(Failure::new(Cause::Grpc(16)).advice(Target::Arize).contains("ARIZE_SPACE_ID"));
        let own_authority =
            Failure::new(Cause::Tls("invalid peer certificate: Other(CaUsedAsEndEntity)".into()));
        assert!(own_authority.advice(Target::Otlp).contains("CA:FALSE"));
        for status in [400, 422] {
            assert!(
                Failure::new(Cause::Http(status)).advice(Target::Otlp).contains("x-mlflow-experiment-id")
            );
        }
        for status in [400, 401, 403, 422] {
            let advice = Failure::new(Cause::Http(status)).advice(Target::Otlp);
            assert!(advice.contains("Authorization") && advice.contains("x-honeycomb-team"), "{status}");
        }
        assert_eq!(Failure::new(Cause::Grpc(14)).to_string(), "gRPC status UNAVAILABLE");
    }

    #[test]
    fn advice_names_what_a_user_can_change() {
        use Target::{Arize, Local, Otlp, Phoenix};
        let text = String::new;
        let tls = |why: &str| Cause::Tls(why.to_owned());
        for (cause, target, advice) in [
            (Cause::Http(401), Phoenix, "PHOENIX_API_KEY"),
            (Cause::Http(403), Arize, "ARIZE_SPACE_ID"),
            (Cause::Grpc(16), Arize, "ARIZE_SPACE_ID"),
            (Cause::Grpc(7), Otlp, "OTEL_EXPORTER_OTLP_HEADERS"),
            (Cause::Http(400), Otlp, "x-mlflow-experiment-id"),
            (Cause::Http(422), Otlp, "x-mlflow-experiment-id"),
            (Cause::Http(422), Phoenix, "look at the turns set aside"),
            (Cause::NotOtlp(text()), Otlp, "x-mlflow-experiment-id"),
            (Cause::NotOtlp(text()), Phoenix, "check the endpoint and the protocol"),
            (tls("invalid peer certificate: Other(CaUsedAsEndEntity)"), Otlp, "CA:FALSE"),
            (tls("received corrupt message of type InvalidContentType"), Otlp, "write http://"),
            (tls("UnknownIssuer"), Phoenix, "check the endpoint's certificate"),
            (Cause::Proxy(text()), Phoenix, "HTTPS_PROXY"),
            (Cause::Http(407), Phoenix, "HTTPS_PROXY"),
            (Cause::Settings(text()), Phoenix, "arize-codex install"),
            (Cause::NotGrpc, Arize, "set protocol to http/protobuf"),
            (Cause::Timeout, Otlp, "endpoint and protocol are right"),
            (Cause::Connection(text()), Phoenix, "phoenix serve"),
            (Cause::Connection(text()), Arize, "that the endpoint is right"),
            (Cause::TooLarge, Phoenix, "lower max_request_bytes"),
            (Cause::Http(413), Local, "look at the turns set aside"),
            (Cause::Http(404), Phoenix, "check the endpoint and the protocol"),
            (Cause::Http(503), Phoenix, "it will be tried again"),
        ] {
            let failure = Failure::new(cause);
            assert!(failure.advice(target).contains(advice), "{failure}: {}", failure.advice(target));
        }
    }

    #[test]
    fn key_is_wanted_where_access_is_denied() {
        let wants = |cause| Failure::new(cause).wants_key();
        assert!([Cause::Http(401), Cause::Http(403), Cause::Grpc(7), Cause::Grpc(16)].into_iter().all(wants));
        assert!(![Cause::Http(404), Cause::Grpc(5), Cause::Timeout].into_iter().any(wants));
    }

    #[test]
    fn failure_says_what_happened() {
        for (cause, text) in [
            (Cause::Http(503), "HTTP status 503"),
            (Cause::Grpc(14), "gRPC status UNAVAILABLE"),
            (Cause::Grpc(99), "gRPC status 99"),
            (Cause::Timeout, "no answer in time"),
            (Cause::Connection("refused".into()), "no connection: refused"),
            (Cause::Settings("no endpoint".into()), "no endpoint"),
        ] {
            assert_eq!(Failure::new(cause).to_string(), text);
        }
    }

    #[test]
    fn pauses_double_to_half_a_minute() {
        let mut backoff = Backoff::default();
        let millis: Vec<_> = (0..9).map(|_| backoff.next(None, 0).as_millis()).collect();
        assert_eq!(millis, [250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
        let half = |random: u64| Backoff::default().next(None, random).as_millis();
        assert_eq!((half(u64::MAX / 2), half(u64::MAX)), (375, 500));
    }
}
