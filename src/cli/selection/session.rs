//! The session a user means who gives the beginning of its id, as `list` and `show` print it.

use anyhow::bail;

use crate::ids::ThreadId;

/// The one thread of `known` whose id begins like this.
///
/// # Errors
/// When there is none, or more than one.
pub fn meant(beginning: &str, known: impl Iterator<Item = ThreadId>) -> anyhow::Result<ThreadId> {
    let mut found: Vec<ThreadId> = known.filter(|t| t.as_str().starts_with(beginning)).collect();
    found.sort();
    found.dedup();
    // The shortest stands first: an id that is given whole is meant, whatever begins with it.
    let whole = found.first().is_some_and(|first| first.as_str() == beginning);
    match found.len() {
        0 => bail!("no session ID starts with {beginning}"),
        1 => {}
        _ if whole => {}
        count => {
            let names: Vec<&str> = found.iter().take(5).map(ThreadId::as_str).collect();
            bail!("{beginning} matches {count} sessions: {}", names.join(", "));
        }
    }
    Ok(found.swap_remove(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_prefix_names_one_session() {
        let known = ["ab-1", "ab-12", "cd-1", "cd-1"].map(|id| ThreadId::parse(id).unwrap());
        let meant = |text: &str| meant(text, known.iter().cloned()).map_err(|e| e.to_string());
        assert_eq!(meant("cd"), Ok(known[2].clone()));
        assert_eq!(meant("ab-1"), Ok(known[0].clone()));
        assert_eq!(meant("ab"), Err("ab matches 2 sessions: ab-1, ab-12".to_owned()));
        assert_eq!(meant("x"), Err("no session ID starts with x".to_owned()));
    }
}
