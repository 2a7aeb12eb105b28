//! One request to the model, put together from what hooks report before and after each attempt at it.

use serde::{Deserialize, Serialize};

use crate::codex::payload::Usage;
use crate::time::Timestamp;
use crate::turn::rows::{Kind, Request, Row};

/// One request with all its attempts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Attempted {
    pub id: String,
    pub attempts: u64,
    pub model: Option<String>,
    pub compacts: bool,
    /// When the first attempt was made.
    pub started: Option<Timestamp>,
    /// When the last attempt was over.
    pub ended: Option<Timestamp>,
    pub status: Option<String>,
    pub response: Option<String>,
    pub usage: Option<Usage>,
    pub error: Option<String>,
}

impl Attempted {
    pub fn note(&mut self, row: &Row, request: &Request) {
        self.attempts = self.attempts.max(request.attempt);
        self.compacts = request.kind.as_deref().is_some_and(|kind| kind.contains("compact"));
        self.model = request.model.clone().or(self.model.take());
        if row.row == Kind::PreModelRequest {
            self.started = Some(self.started.map_or(row.at, |at| at.min(row.at)));
            return;
        }
        self.ended = Some(self.ended.map_or(row.at, |at| at.max(row.at)));
        self.status.clone_from(&request.status);
        self.response.clone_from(&request.response);
        self.usage = request.usage;
        self.error.clone_from(&request.error);
    }

    /// Returns true if hooks name neither the request nor its response, as those of 0.169.
    pub fn is_nameless(&self) -> bool {
        self.id.is_empty() && self.response.is_none()
    }

    pub fn completed(&self) -> bool {
        self.status.as_deref() == Some("completed")
    }

    pub fn failed(&self) -> bool {
        self.status.as_deref() == Some("failed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_attempt_decides_and_first_one_begins() {
        let row = |kind, at, attempt, status: Option<&str>| {
            let request = Request {
                id: "r".into(),
                attempt,
                status: status.map(str::to_owned),
                error: status.filter(|s| *s == "failed").map(|_| "cut off".into()),
                response: status.filter(|s| *s == "completed").map(|_| "resp".into()),
                ..Request::default()
            };
            Row {
                row: kind,
                at: Timestamp::from_millis(at),
                request: Some(Box::new(request)),
                ..Row::default()
            }
        };
        let mut attempted = Attempted::default();
        for row in [
            row(Kind::PreModelRequest, 10, 1, None),
            row(Kind::PostModelRequest, 20, 1, Some("failed")),
            row(Kind::PreModelRequest, 30, 2, None),
            row(Kind::PostModelRequest, 50, 2, Some("completed")),
        ] {
            attempted.note(&row, row.request.as_deref().unwrap());
            assert_eq!(attempted.failed(), attempted.error.is_some());
        }
        let bounds = attempted.started.zip(attempted.ended);
        assert_eq!(bounds, Some((Timestamp::from_millis(10), Timestamp::from_millis(50))));
        assert_eq!((attempted.attempts, attempted.response.as_deref()), (2, Some("resp")));
        assert!(!attempted.failed());
    }
}
