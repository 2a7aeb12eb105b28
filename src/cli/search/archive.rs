//! Searches the turns kept here: each file is searched as bytes first, and read as spans only when it holds the text.

use opentelemetry_proto::tonic::trace::v1::Span;

use super::pattern::{Excerpt, Pattern};
use super::{EXCERPTS, Match};
use crate::cli::selection::selectors::Selectors;
use crate::cli::selection::{self, Trace};
use crate::context::Context;
use crate::delivery::archive::Item;
use crate::file;
use crate::otel::attribute::string;
use crate::otel::entry_reader::EntryReader;
use crate::otel::redact::Redactor;

/// Returns the selected turns that hold the text, newest first.
pub fn search(
    pattern: &Pattern,
    redactor: &Redactor,
    selectors: &Selectors,
    limit: usize,
    context: &Context,
) -> Vec<Match> {
    let found = selection::selected(context, selectors).filter_map(|(number, trace)| {
        search_trace(number, &trace, pattern, &mut |span, hits| {
            for (place, text) in texts(span) {
                if let Some(excerpt) = pattern.excerpt(text.as_bytes(), redactor) {
                    hits.note(place, excerpt);
                }
            }
        })
    });
    found.take(limit).collect()
}

/// What was found in a turn.
#[derive(Default)]
pub struct Hits {
    count: usize,
    excerpts: Vec<(String, Excerpt)>,
}

impl Hits {
    /// Notes a text that was found, unless it is known: an LLM span repeats what its turn was asked and what it answered.
    pub fn note(&mut self, place: String, excerpt: Excerpt) {
        let repeated = self.excerpts.iter().any(|(_, known)| known.text == excerpt.text);
        self.count += usize::from(!repeated);
        if !repeated && self.excerpts.len() < EXCERPTS {
            self.excerpts.push((place, excerpt));
        }
    }
}

/// Looks into each span of a turn whose files may hold `pattern` at all.
pub fn search_trace(
    number: usize,
    trace: &Trace,
    pattern: &Pattern,
    look: &mut dyn FnMut(&Span, &mut Hits),
) -> Option<Match> {
    let mut hits = Hits::default();
    for item in trace.items.iter().filter(|item| may_hold(item, pattern)) {
        let Ok(mut reader) = EntryReader::open(&item.path) else { continue };
        while let Ok(Some(span)) = reader.next_span() {
            look(&span, &mut hits);
        }
    }
    let head = trace.head();
    (hits.count > 0).then(|| Match {
        number: Some(number),
        thread: trace.thread.to_string(),
        turn: Some(trace.turn.to_string()),
        at: head.started_at,
        about: if head.summary.prompt.is_empty() {
            head.summary.name.clone()
        } else {
            head.summary.prompt.clone()
        },
        count: hits.count,
        excerpts: hits.excerpts,
    })
}

/// Looks at the whole file at once: most files hold nothing of what is searched for.
fn may_hold(item: &Item, pattern: &Pattern) -> bool {
    match file::read_bounded(&item.path, MAX_WHOLE_BYTES) {
        Ok(Some(content)) => pattern.find(&content, 0).is_some(),
        Ok(None) => false,
        // Too large to look at whole: span by span then.
        Err(_) => true,
    }
}

/// The texts of a span that a user would look for, each with the name of its place.
fn texts(span: &Span) -> Vec<(String, &str)> {
    let is_tool = string(span, "openinference.span.kind") == Some("TOOL");
    let (input, output) = match is_tool {
        true => (span.name.clone(), format!("{} output", span.name)),
        false => ("prompt".to_owned(), "answer".to_owned()),
    };
    // As JSON an answer is a list of calls, which have spans of their own.
    let answer =
        string(span, "output.value").filter(|_| is_tool || string(span, "output.mime_type") != Some(JSON));
    let error = span.status.as_ref().map(|s| s.message.as_str()).filter(|m| !m.is_empty());
    [
        string(span, "input.value").map(|text| (input, text)),
        answer.map(|text| (output, text)),
        error.map(|text| ("error".to_owned(), text)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

const JSON: &str = "application/json";
const MAX_WHOLE_BYTES: u64 = 64 * 1024 * 1024;
