//! Reads an entry's file span by span, so that a turn of a gigabyte needs the memory of its largest span.

use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use crate::file;
use crate::otel::entry;
use crate::otel::entry::{EntryError, Head, SPANS_FIELD};

/// An open entry: its head, and its spans in order.
#[derive(Debug)]
pub struct EntryReader {
    head: Head,
    source: BufReader<File>,
}

/// Why an entry could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Entry(#[from] EntryError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Returns the rule whose backend an entry goes to, and the directory of its turn. Only the first line is read where it
/// goes to none, or cannot be read.
pub fn backend_rule(path: &Path) -> Option<(String, Option<String>)> {
    let mut first = Vec::new();
    file::open_regular(path).ok()?.take(FIRST_LINE_BYTES).read_to_end(&mut first).ok()?;
    if !entry::may_name_rule(&first) {
        return None;
    }
    let head = EntryReader::open(path).ok()?.head;
    Some((head.backend_rule?, head.summary.cwd))
}

impl EntryReader {
    /// Opens an entry and reads its head.
    ///
    /// # Errors
    /// When the file cannot be read, or is no entry of this version.
    pub fn open(path: &Path) -> Result<EntryReader, ReadError> {
        let mut source = BufReader::with_capacity(BUFFER_BYTES, file::open_regular(path)?);
        let mut lines = Vec::new();
        for _ in 0..2 {
            source.by_ref().take(MAX_HEAD_BYTES).read_until(b'\n', &mut lines)?;
        }
        let (head, _) = Head::decode(&lines)?;
        Ok(EntryReader { head, source })
    }

    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The next span; `None` behind the last.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged here; nothing behind that point can be told apart.
    pub fn next_span(&mut self) -> Result<Option<Span>, ReadError> {
        loop {
            if self.source.fill_buf()?.is_empty() {
                return Ok(None);
            }
            let (field, wire) = self.key()?;
            let length = self.varint()?;
            if wire != WireType::LengthDelimited || length > MAX_SPAN_BYTES {
                return Err(damaged("not a list of spans"));
            }
            if field != SPANS_FIELD {
                let skipped = io::copy(&mut self.source.by_ref().take(length), &mut io::sink())?;
                if skipped < length {
                    return Err(damaged("ends early"));
                }
                continue;
            }
            let mut content = Vec::new();
            self.source.by_ref().take(length).read_to_end(&mut content)?;
            if content.len() as u64 != length {
                return Err(damaged("ends early"));
            }
            return Span::decode(content.as_slice()).map(Some).map_err(|e| damaged(&e.to_string()));
        }
    }

    fn key(&mut self) -> Result<(u32, WireType), ReadError> {
        let bytes = self.varint_bytes()?;
        decode_key(&mut bytes.as_slice()).map_err(|e| damaged(&e.to_string()))
    }

    fn varint(&mut self) -> Result<u64, ReadError> {
        let bytes = self.varint_bytes()?;
        decode_varint(&mut bytes.as_slice()).map_err(|e| damaged(&e.to_string()))
    }

    fn varint_bytes(&mut self) -> Result<Vec<u8>, ReadError> {
        let mut bytes = Vec::with_capacity(10);
        for byte in self.source.by_ref().bytes().take(10) {
            let byte = byte?;
            bytes.push(byte);
            if byte < 0x80 {
                return Ok(bytes);
            }
        }
        Err(damaged("ends early"))
    }
}

/// Reads only the head of an entry's file.
///
/// # Errors
/// When the file cannot be read, or is no entry of this version.
pub fn read_head(path: &Path) -> Result<Head, ReadError> {
    EntryReader::open(path).map(|reader| reader.head)
}

fn damaged(how: &str) -> ReadError {
    ReadError::Entry(EntryError::Damaged(how.to_owned()))
}

/// More than the line that names the format.
const FIRST_LINE_BYTES: u64 = 64;
const BUFFER_BYTES: usize = 64 * 1024;
const MAX_HEAD_BYTES: u64 = 1024 * 1024;
/// More than any span of ours: protobuf itself ends at 2 GiB, values are cut far below.
const MAX_SPAN_BYTES: u64 = 256 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otel::testing::{entry, span};

    fn file(content: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        file
    }

    #[test]
    fn reader_returns_spans_one_by_one() {
        let mut entry = entry("turn-1", 0);
        entry.spans = (0..300).map(|n| span(n, 10 * n as usize)).collect();
        let file = file(&entry.encode());
        let mut reader = EntryReader::open(file.path()).unwrap();
        assert_eq!(reader.head(), &entry.head);
        for expected in &entry.spans {
            assert_eq!(reader.next_span().unwrap().as_ref(), Some(expected));
        }
        assert_eq!(reader.next_span().unwrap(), None);
        assert_eq!(read_head(file.path()).unwrap(), entry.head);
    }

    #[test]
    fn a_torn_file_is_damaged_wherever_it_ends() {
        let content = entry("turn-1", 2).encode();
        let spans_at = content.len() - Head::decode(&content).unwrap().1.len();
        for end in spans_at + 1..content.len() {
            let file = file(&content[..end]);
            let mut reader = EntryReader::open(file.path()).unwrap();
            let first_error = loop {
                match reader.next_span() {
                    Ok(Some(_)) => {}
                    other => break other,
                }
            };
            let at_boundary = matches!(first_error, Ok(None));
            assert!(
                at_boundary || matches!(first_error, Err(ReadError::Entry(EntryError::Damaged(_)))),
                "{end}"
            );
        }
        for end in 0..spans_at - 1 {
            assert!(EntryReader::open(file(&content[..end]).path()).is_err(), "{end}");
        }
    }
}
