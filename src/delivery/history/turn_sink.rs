//! Where finished turns are handed in: the history, then the outbox.

use std::fs;
use std::io::{self, ErrorKind};
use std::time::Duration;

use super::files;
use super::writer::Writer;
use crate::delivery::{acknowledged, checkpoint, in_part, outbox};
use crate::file::{self, Lock};
use crate::layout::Paths;
use crate::log::Log;
use crate::otel::entry::Head;
use crate::otel::spans::TurnSpans;
use crate::settings::Settings;

/// Where finished turns are handed in: the history, then the outbox.
#[derive(Debug)]
pub struct TurnSink<'a> {
    paths: &'a Paths,
    settings: &'a Settings,
    writer: Writer,
}

impl<'a> TurnSink<'a> {
    pub fn new(paths: &'a Paths, settings: &'a Settings) -> TurnSink<'a> {
        TurnSink { paths, settings, writer: Writer::default() }
    }

    /// Returns where anything odd about a turn is reported.
    pub fn log(&self) -> &Log {
        &self.settings.log
    }

    /// Hands in a finished turn. Returns false when the outbox knew it already.
    ///
    /// # Errors
    /// When the outbox cannot take it. A history that cannot be written costs no trace: it is logged, and the line is
    /// made up for from the archive.
    pub fn put(&mut self, turn: &TurnSpans) -> io::Result<bool> {
        self.note(turn.head());
        outbox::put_turn(self.paths, turn)
    }

    /// Hands in a finished turn in the place of what is known of it: waiting, delivered or set aside.
    ///
    /// # Errors
    /// When another process delivers all the while, or the outbox cannot take it.
    pub fn put_again(&mut self, turn: &TurnSpans) -> io::Result<()> {
        self.note(turn.head());
        let (paths, key) = (self.paths, &turn.head().key);
        // Nobody sends the old one meanwhile, or counts its spans as sent.
        let _lock = Lock::acquire(&paths.flush_lock(), PATIENCE)?;
        // What a killed process has left says nothing of the new one.
        acknowledged::recover(paths);
        checkpoint::forget(paths, key);
        outbox::replace(paths, turn)?;
        in_part::forget(paths, key);
        for old in [outbox::delivered(paths, key), outbox::set_aside(paths, key)] {
            match fs::remove_file(&old) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(file::named(&old, e)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes the line that is kept for good, before [`outbox::put_turn`] is called.
    pub fn note(&mut self, head: &Head) {
        let (paths, settings) = (self.paths, self.settings);
        let written = if settings.history { self.writer.append(paths, head).map(|_| ()) } else { Ok(()) };
        if let Err(error) = &written {
            settings.log.error(format_args!("cannot write the history: {error}"));
        }
        if written.is_err() || !settings.history {
            let _ = fs::remove_file(files::complete(paths));
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(5);
