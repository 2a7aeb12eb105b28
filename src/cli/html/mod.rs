//! `show --html`: traces as one page that needs nothing but itself, and in which nothing a tool printed can run.
//!
//! The page's own style and script are allowed by their hashes in its content security policy; the trace lies in
//! it as JSON, without a `<`, and is only ever shown as text. A large page is made and read in pieces, so that its
//! first rows are there at once: [`head`] has what is seen first, [`columns`] all rows, [`mod@details`] the rest of each
//! span, a few hundred together, which the script reads when a span is opened.

mod columns;
mod details;
mod head;

use base64::Engine as _;
use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::Path;

use super::view::tree::{self, Node};
use crate::cli::selection::Trace;
use crate::file::replace;

/// Writes the page.
///
/// # Errors
/// When a trace cannot be read or the page cannot be written.
pub fn write(traces: &[Trace], path: &Path) -> anyhow::Result<()> {
    replace::write(path, page_of(traces)?.as_bytes())
        .map_err(|e| anyhow::anyhow!("cannot write {}: {e}", path.display()))
}

/// What a page is given beside its traces.
#[derive(Default, Clone, Copy)]
pub struct PageContext<'a> {
    /// Makes the address of a trace's page in the backend.
    pub link: Option<&'a dyn Fn(&str) -> String>,
    /// Where the conversation is that a served turn belongs to.
    pub session: Option<&'a str>,
    /// Where a page that is served finds its turn anew, while that runs.
    pub live: Option<&'a str>,
    /// Where it finds the details of spans then.
    pub details: Option<&'a str>,
}

/// A trace and its spans.
pub type Loaded = (Trace, Vec<Span>);

/// Returns the page.
///
/// # Errors
/// When a trace cannot be read.
pub fn page_of(traces: &[Trace]) -> anyhow::Result<String> {
    Ok(Page::new(load(traces)?, PageContext::default()).collect())
}

/// Reads the spans of some traces.
///
/// # Errors
/// When one cannot be read.
pub fn load(traces: &[Trace]) -> anyhow::Result<Vec<Loaded>> {
    traces.iter().map(|trace| Ok((trace.clone(), trace.spans()?))).collect()
}

/// The rows of a page: a node of the tree of its trace each, which begins at 0 on the axis they share, so that turns
/// with hours between them can be compared.
struct Row {
    trace: usize,
    begin: u64,
    node: Node,
}

fn rows(traces: &[Loaded]) -> Vec<Row> {
    let of_trace = |(trace, loaded): (usize, &Loaded)| {
        let nodes = tree::build(&loaded.1);
        let begin = nodes.iter().map(|n| n.start).min().unwrap_or(0);
        nodes.into_iter().map(move |node| Row { trace, begin, node })
    };
    traces.iter().enumerate().flat_map(of_trace).collect()
}

/// Returns all rows and what stands above them, for the page of a running turn.
pub fn data(traces: &[Loaded], around: PageContext) -> Value {
    let rows = rows(traces);
    head::of(traces, &rows, rows.len(), around)
}

/// Returns the ids and attributes of `count` spans from the row `from` on.
pub fn details(traces: &[Loaded], from: usize, count: usize) -> String {
    let rows = rows(traces);
    let wanted = rows.iter().skip(from).take(count).map(|row| &traces[row.trace].1[row.node.span]);
    details::json(wanted, usize::MAX).1
}

/// A page, in pieces.
pub struct Page {
    traces: Vec<Loaded>,
    /// The trace and the place in it of each row's span.
    order: Vec<(usize, usize)>,
    /// The pieces that were not taken yet: what comes before the data, all rows of a large page, the details from the
    /// span `next` on, and what comes behind.
    beginning: Option<String>,
    columns: Option<Value>,
    next: usize,
    end: Option<&'static str>,
}

impl Page {
    /// Returns the page of some traces.
    pub fn new(traces: Vec<Loaded>, around: PageContext) -> Page {
        let rows = rows(&traces);
        let is_large = rows.len() > FIRST_ROWS * 2;
        let head = head::of(&traces, &rows, if is_large { FIRST_ROWS } else { rows.len() }, around);
        let order = rows.iter().map(|row| (row.trace, row.node.span)).collect::<Vec<_>>();
        let columns = is_large.then(|| columns::of(&traces, &rows, false));
        // The details of a running turn are asked for.
        let next = if around.details.is_some() { order.len() } else { 0 };
        let (beginning, end) = (Some(beginning(&head, around)), TEMPLATE.split_once("%REST%"));
        Page { traces, order, beginning, columns, next, end: end.map(|(_, end)| end) }
    }
}

impl Iterator for Page {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        if let Some(beginning) = self.beginning.take() {
            return Some(beginning);
        }
        if let Some(columns) = self.columns.take() {
            return Some(element("id=\"rows-data\"", columns.to_string()));
        }
        if self.next < self.order.len() {
            let first = self.next;
            let spans = self.order[first..].iter().map(|(trace, span)| &self.traces[*trace].1[*span]);
            let (taken, json) = details::json(spans.take(CHUNK_SPANS), CHUNK_BYTES);
            self.next += taken;
            return Some(element(&format!("class=\"details\" data-first=\"{first}\""), json));
        }
        self.end.take().map(str::to_owned)
    }
}

/// The page up to where the large data begins.
fn beginning(head: &Value, around: PageContext) -> String {
    // The places are filled from the first to the last, so that no filling is searched for a place.
    let (start, rest) = TEMPLATE.split_once("%POLICY%").unwrap_or((TEMPLATE, ""));
    let (middle, rest) = rest.split_once("%STYLE%").unwrap_or((rest, ""));
    let (body, rest) = rest.split_once("%DATA%").unwrap_or((rest, ""));
    let (between, rest) = rest.split_once("%SCRIPT%").unwrap_or((rest, ""));
    let (end, _) = rest.split_once("%REST%").unwrap_or((rest, ""));
    let policy = policy(around.live.is_some());
    [start, &policy, middle, STYLE, body, &without_tags(&head.to_string()), between, SCRIPT, end].concat()
}

/// An element that holds data: JSON without a `<`, or, so that a browser need not read megabytes of it as HTML, the
/// same compressed.
fn element(attributes: &str, json: String) -> String {
    let (form, text) = packed(json);
    format!("<script type=\"{form}\" {attributes}>{text}</script>\n")
}

fn packed(json: String) -> (&'static str, String) {
    if json.len() > LARGE_BYTES {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        if let Ok(bytes) = gzip.write_all(json.as_bytes()).and_then(|()| gzip.finish()) {
            return ("application/gzip", base64::engine::general_purpose::STANDARD.encode(bytes));
        }
    }
    ("application/json", without_tags(&json))
}

/// JSON as an element may hold it.
pub fn without_tags(json: &str) -> String {
    json.replace('<', "\\u003c")
}

fn policy(is_live: bool) -> String {
    let hash = |text: &str| base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text));
    let connect = if is_live { " connect-src 'self';" } else { "" };
    format!(
        "default-src 'none';{connect} script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; base-uri 'none'; \
         form-action 'none'",
        hash(SCRIPT),
        hash(STYLE)
    )
}

/// Nanoseconds as milliseconds, to the microsecond.
fn millis(nanos: u64) -> f64 {
    (nanos / 1000) as f64 / 1000.0
}

/// As many as no window shows at once.
const FIRST_ROWS: usize = 200;
/// What a browser decompresses and reads in a few milliseconds.
const CHUNK_SPANS: usize = 256;
const CHUNK_BYTES: usize = 512 * 1024;
/// More than this takes a browser longer to read as HTML than to decompress.
const LARGE_BYTES: usize = 64 * 1024;
const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
/// What shows contents, what holds the spans, then the page itself.
const SCRIPT: &str = concat!(include_str!("content.js"), include_str!("turn.js"), include_str!("page.js"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_data_is_compressed() {
        let json = format!("[\"{}\"]", "<script>".repeat(LARGE_BYTES / 8));
        let (form, text) = packed(json.clone());
        assert_eq!((form, text.contains('<')), ("application/gzip", false));
        let bytes = base64::engine::general_purpose::STANDARD.decode(&text).unwrap();
        let mut back = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut back).unwrap();
        assert!(back == json && text.len() * 20 < json.len(), "{}", text.len());
        assert_eq!(packed("[\"<\"]".to_owned()), ("application/json", "[\"\\u003c\"]".to_owned()));
    }

    #[test]
    fn template_is_filled_completely() {
        for place in ["%POLICY%", "%STYLE%", "%DATA%", "%SCRIPT%", "%REST%"] {
            assert_eq!(TEMPLATE.matches(place).count(), 1, "{place}");
        }
        let page: String = Page::new(Vec::new(), PageContext::default()).collect();
        assert!(page.contains("script-src 'sha256-") && page.contains("\"count\":0"));
        assert!(!page.contains("%STYLE%") && !SCRIPT.contains("innerHTML") && !SCRIPT.contains("</script"));
        assert!(
            !TEMPLATE.contains(" style=") && !TEMPLATE.contains(" onclick") && page.ends_with("</html>\n")
        );
    }
}
