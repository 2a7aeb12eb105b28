//! Whose a thread is: a session of a user's, a subagent's part in one, a review, or Codex's own.

use crate::codex::rollout::SessionMeta;
use crate::ids::ThreadId;
use crate::turn::state::Root;

/// The place of a thread's turns.
#[derive(Debug, Clone, PartialEq)]
pub enum ThreadKind {
    /// A user's session.
    Session,
    /// In the trace of the session that set it to work.
    Agent(Root),
    /// A review a user asked for: its hooks name the session, and so do we.
    Review(ThreadId),
    /// Codex made it for itself: titles, summaries, memories, approvals.
    Internal,
}

impl ThreadKind {
    /// Returns what the first line of a thread's rollout says; a thread without one is taken for a session.
    pub fn of(thread: &ThreadId, meta: Option<&SessionMeta>) -> ThreadKind {
        let Some(meta) = meta else { return ThreadKind::Session };
        let Some(source) = &meta.subagent else { return ThreadKind::Session };
        let session = meta.session.as_deref().or(source.parent_thread.as_deref());
        let session = session.and_then(|s| ThreadId::parse(s).ok()).filter(|s| s != thread);
        match (source.kind.as_str(), session) {
            ("thread_spawn", Some(thread)) => {
                ThreadKind::Agent(Root { thread, turn: None, agent_type: source.role.clone() })
            }
            ("review", Some(session)) => ThreadKind::Review(session),
            // `codex exec review` up to 0.130 names no parent: the review is all there is.
            ("review", None) => ThreadKind::Session,
            _ => ThreadKind::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codex::rollout::SubagentSource;

    #[test]
    fn only_user_threads_become_traces() {
        let thread = |id: &str| ThreadId::parse(id).unwrap();
        let meta = |kind: &str, session: Option<&str>| SessionMeta {
            session: session.map(str::to_owned),
            subagent: Some(SubagentSource { kind: kind.into(), ..SubagentSource::default() }),
            ..SessionMeta::default()
        };
        let of = |kind, session| ThreadKind::of(&thread("a"), Some(&meta(kind, session)));
        assert_eq!(ThreadKind::of(&thread("a"), None), ThreadKind::Session);
        assert_eq!(ThreadKind::of(&thread("a"), Some(&SessionMeta::default())), ThreadKind::Session);
        let root = Root { thread: thread("b"), turn: None, agent_type: None };
        assert_eq!(of("thread_spawn", Some("b")), ThreadKind::Agent(root));
        assert_eq!(of("review", Some("b")), ThreadKind::Review(thread("b")));
        assert_eq!(of("review", None), ThreadKind::Session);
        for (kind, session) in [("thread_spawn", Some("a")), ("thread_spawn", None), ("guardian", Some("b"))]
        {
            assert_eq!(of(kind, session), ThreadKind::Internal, "{kind}");
        }
    }
}
