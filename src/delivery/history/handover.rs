//! Where finished turns are handed in: the history, then the outbox.

use std::fs;
use std::io::{self, ErrorKind};
use std::time::Duration;

use super::files;
use super::writer::Writer;
use crate::delivery::{checkpoint, outbox};
use crate::file::{self, Lock};
use crate::layout::Paths;
use crate::log::Log;
use crate::otel::entry::Entry;
use crate::settings::Settings;

/// Where finished turns are handed in: the history, then the outbox.
#[derive(Debug)]
pub struct Handover<'a> {
    paths: &'a Paths,
    settings: &'a Settings,
    writer: Writer,
}

impl<'a> Handover<'a> {
    pub fn new(paths: &'a Paths, settings: &'a Settings) -> Handover<'a> {
        Handover { paths, settings, writer: Writer::default() }
    }

    /// Returns where what is odd about a turn is told.
    pub fn log(&self) -> &Log {
        &self.settings.log
    }

    /// Hands in a finished turn. Returns false when the outbox knew it already.
    ///
    /// # Errors
    /// When the outbox cannot take it. A history that cannot be written costs no trace: it is logged, and the line is
    /// made up for from the archive.
    pub fn put(&mut self, entry: &Entry) -> io::Result<bool> {
        self.note(entry);
        outbox::put(self.paths, entry)
    }

    /// Hands in a finished turn in the place of what is known of it: waiting, delivered or set aside.
    ///
    /// # Errors
    /// When another process delivers all the while, or the outbox cannot take it.
    pub fn put_again(&mut self, entry: &Entry) -> io::Result<()> {
        self.note(entry);
        let (paths, key) = (self.paths, &entry.head.key);
        // Nobody sends the old one meanwhile, or counts its spans as sent.
        let _lock = Lock::acquire(&paths.flush_lock(), PATIENCE)?;
        file::create_private_dir(&paths.outbox())?;
        let path = outbox::waiting(paths, key);
        file::write_atomic(&path, &entry.encode()).map_err(|e| file::named(&path, e))?;
        checkpoint::forget(paths, key);
        for old in [outbox::delivered(paths, key), outbox::set_aside(paths, key)] {
            match fs::remove_file(&old) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(file::named(&old, e)),
                _ => {}
            }
        }
        Ok(())
    }

    fn note(&mut self, entry: &Entry) {
        let (paths, settings) = (self.paths, self.settings);
        let written =
            if settings.history { self.writer.append(paths, &entry.head).map(|_| ()) } else { Ok(()) };
        if let Err(error) = &written {
            settings.log.error(format_args!("cannot write the history: {error}"));
        }
        if written.is_err() || !settings.history {
            let _ = fs::remove_file(files::complete(paths));
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(5);
