//! The history: one line a finished turn, kept for good, a file a month below `history/`.
//!
//! A line is written when a turn is put into the outbox, before the outbox has it: killed in between, the turn is put
//! there once more and its line is found. The month is that of the turn's own time, never of the clock, so a turn has
//! one file in which it can stand; it is looked for there, under a lock, before it is written. Readers pass over a line
//! that stands there twice all the same, one that is torn, and one of a newer version.

mod files;
mod index;
mod lines;
mod packed;
mod reader;
pub mod turn_sink;
mod writer;

use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use std::cmp::Ordering;
use std::io;
use std::path::Path;

pub use self::files::months;
pub use self::index::read_month;
pub use self::lines::Passed;
pub use self::reader::read;
use self::writer::Writer;
use crate::delivery::archive;
use crate::delivery::archive::{DeliveryState, Item};
use crate::file;
use crate::layout::Paths;
use crate::otel::attribute::string;
use crate::otel::entry::Head;
use crate::otel::entry_reader::EntryReader;
use crate::otel::history_line::Line;
use crate::otel::tool_use::ToolUse;
use crate::settings::Settings;
use crate::time::Timestamp;

/// Takes the turns into the history that lie in the archive and are not in it: those of a release before it, and those
/// whose line could not be written. Does nothing once that is done, until a line is missed again.
///
/// # Errors
/// When a line cannot be written.
pub fn catch_up(paths: &Paths) -> io::Result<()> {
    if files::complete(paths).exists() {
        return Ok(());
    }
    let mut writer = Writer::default();
    for item in archive::items(paths) {
        writer.append(paths, &with_tools(item))?;
    }
    if paths.history().is_dir() {
        file::private_options().create(true).append(true).open(files::complete(paths))?;
    }
    Ok(())
}

/// Shows `each` the turns that are known and began since then: those of the history, or of the archive alone where no
/// history is kept.
///
/// # Errors
/// When the history cannot be read or completed.
pub fn each(
    paths: &Paths,
    settings: &Settings,
    since: Option<Timestamp>,
    each: &mut dyn FnMut(&Line),
) -> io::Result<Passed> {
    if settings.history {
        catch_up(paths).map_err(|e| file::named(&paths.history(), e))?;
        return read(paths, since, each);
    }
    for item in archive::items(paths) {
        each(&Line::of(&with_tools(item)));
    }
    Ok(Passed::default())
}

/// Counts the turns that [`each`] shows with two counters at once, and returns them, that of the older turns first.
///
/// # Errors
/// When the history cannot be read or completed.
pub fn count<T: Send>(
    paths: &Paths,
    settings: &Settings,
    since: Option<Timestamp>,
    make: impl Fn() -> T + Sync,
    add: impl Fn(&mut T, &Line) + Sync,
) -> io::Result<[T; 2]> {
    if settings.history {
        catch_up(paths).map_err(|e| file::named(&paths.history(), e))?;
        return reader::read_in_halves(paths, since, make, add);
    }
    let mut counter = make();
    each(paths, settings, since, &mut |line| add(&mut counter, line))?;
    Ok([make(), counter])
}

/// The turns that are known, newest first: whole ones of the archive, and of older ones what the history kept. Months are
/// read as they are asked for.
pub fn items(paths: &Paths) -> impl Iterator<Item = Item> + use<> {
    let mut whole = archive::items(paths).peekable();
    let mut kept = months(paths).into_iter().rev().flat_map(|path| heads_of(&path)).peekable();
    std::iter::from_fn(move || {
        loop {
            let Some(line) = kept.peek() else { return whole.next() };
            match whole.peek().map(|item| item.head.key.cmp(&line.head.key)) {
                Some(Ordering::Greater) => return whole.next(),
                // The whole turn is there as well.
                Some(Ordering::Equal) => drop(kept.next()),
                Some(Ordering::Less) | None => return kept.next(),
            }
        }
    })
}

/// The turns of a month's file, newest first. What cannot be read adds none.
fn heads_of(path: &Path) -> Vec<Item> {
    let mut found = Vec::new();
    let _ = read_month(path, &mut Passed::default(), &mut |line| {
        found.extend(line.to_head().map(|head| Item {
            head,
            place: DeliveryState::Deleted,
            path: path.to_owned(),
        }));
    });
    found.sort_by(|a, b| b.head.key.cmp(&a.head.key));
    found
}

/// The head of an archived turn; where a release before the history wrote it, with the tools its spans report.
fn with_tools(item: Item) -> Head {
    let mut head = item.head;
    if !head.summary.tools.is_empty() {
        return head;
    }
    let Ok(mut reader) = EntryReader::open(&item.path) else { return head };
    while let Ok(Some(span)) = reader.next_span() {
        if string(&span, "openinference.span.kind") != Some("TOOL") {
            continue;
        }
        let took = span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano);
        let failed = span.status.as_ref().is_some_and(|status| status.code == StatusCode::Error as i32);
        let one = ToolUse {
            name: string(&span, "tool.name").unwrap_or(&span.name).to_owned(),
            calls: 1,
            failed: u64::from(failed),
            ms: took / 1_000_000,
            ..ToolUse::default()
        };
        match head.summary.tools.iter_mut().find(|known| known.name == one.name) {
            Some(known) => known.add(&one),
            None => head.summary.tools.push(one),
        }
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::outbox;
    use crate::ids::TurnId;
    use crate::otel::testing;

    fn head(turn: &str, at: &str) -> Head {
        let mut head = testing::entry("turn", 0).head;
        head.key.turn = TurnId::parse(turn).unwrap();
        head.started_at = Timestamp::parse(at).unwrap();
        head.ended_at = head.started_at;
        head
    }

    fn turns(paths: &Paths) -> (Vec<String>, Passed) {
        let mut turns = Vec::new();
        let passed = read(paths, None, &mut |line| turns.push(line.turn.clone().into_owned())).unwrap();
        (turns, passed)
    }

    #[test]
    fn turn_stands_once_in_the_month_of_its_beginning() {
        let home = tempfile::tempdir().unwrap();
        let paths = testing::paths(home.path());
        let (a, b) = (head("a", "2026-10-31T23:59:59Z"), head("b", "2026-11-01T00:00:01Z"));
        let mut writer = Writer::default();
        for (head, written) in [(&b, true), (&a, true), (&b, false), (&a, false)] {
            assert_eq!(writer.append(&paths, head).unwrap(), written);
        }
        assert!(!Writer::default().append(&paths, &a).unwrap(), "another process");
        assert_eq!(turns(&paths), (vec!["a".to_owned(), "b".to_owned()], Passed::default()));
        let names: Vec<_> = months(&paths).iter().map(|p| p.file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["2026-10.jsonl", "2026-11.jsonl"]);
        let mut recent = 0;
        read(&paths, Timestamp::parse("2026-11-20T00:00:00Z"), &mut |_| recent += 1).unwrap();
        assert_eq!(recent, 1);
    }

    #[test]
    fn torn_newer_and_doubled_lines_are_passed_over() {
        let home = tempfile::tempdir().unwrap();
        let paths = testing::paths(home.path());
        let mut writer = Writer::default();
        writer.append(&paths, &head("a", "2026-11-01T00:00:00Z")).unwrap();
        let path = months(&paths).remove(0);
        let line = file::read_bounded(&path, 10_000).unwrap().unwrap();
        let append = |bytes: &[u8]| file::append_line(&path, bytes).unwrap();
        append(&line);
        append(b"{\"v\":9,\"turn\":\"x\"}\n");
        append(&line[..40]);
        assert_eq!(turns(&paths), (vec!["a".to_owned()], Passed { torn: 1, newer: 1 }));
        assert!(writer.append(&paths, &head("b", "2026-11-02T00:00:00Z")).unwrap());
        assert_eq!(turns(&paths), (vec!["a".to_owned(), "b".to_owned()], Passed { torn: 1, newer: 1 }));
    }

    #[test]
    fn archive_makes_up_for_missing_lines_once() {
        let home = tempfile::tempdir().unwrap();
        let paths = testing::paths(home.path());
        outbox::put(&paths, &testing::entry("turn-1", 1)).unwrap();
        catch_up(&paths).unwrap();
        catch_up(&paths).unwrap();
        assert_eq!(turns(&paths).0, ["turn-1"]);
    }
}
