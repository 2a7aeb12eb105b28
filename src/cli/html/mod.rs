//! `show --html`: traces as one page that needs nothing but itself, and in which nothing a tool printed can run.
//!
//! The page's own style and script are allowed by their hashes in its content security policy; the trace lies in
//! it as JSON, without a `<`, and is only ever shown as text.

use base64::Engine as _;
use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::Path;

use super::view::text::{first_line, folder_name, local};
use super::view::tree::{self, Node};
use crate::cli::selection::Trace;
use crate::file::replace;
use crate::otel::attribute::json_object;
use crate::otel::ids::hex;

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
pub struct Around<'a> {
    /// Makes the address of a trace's page in the backend.
    pub link: Option<&'a dyn Fn(&str) -> String>,
    /// Where a page that is served finds the data of its turn anew, while that runs.
    pub live: Option<&'a str>,
}

/// Returns the page.
///
/// # Errors
/// When a trace cannot be read.
pub fn page_of(traces: &[Trace]) -> anyhow::Result<String> {
    let mut loaded = Vec::new();
    for trace in traces {
        loaded.push((trace, trace.spans()?));
    }
    Ok(page(&loaded, Around::default()))
}

/// Returns the page of some traces and their spans.
pub fn page(traces: &[(&Trace, Vec<Span>)], around: Around) -> String {
    let (form, data) = packed(data(traces, around).to_string());
    // The places are filled from the last to the first, so that no filling is searched for a place.
    let (head, rest) = TEMPLATE.split_once("%POLICY%").unwrap_or((TEMPLATE, ""));
    let (middle, rest) = rest.split_once("%STYLE%").unwrap_or((rest, ""));
    let (body, rest) = rest.split_once("%FORM%").unwrap_or((rest, ""));
    let (around_form, rest) = rest.split_once("%DATA%").unwrap_or((rest, ""));
    let (between, end) = rest.split_once("%SCRIPT%").unwrap_or((rest, ""));
    [
        head,
        &policy(around.live.is_some()),
        middle,
        STYLE,
        body,
        form,
        around_form,
        &data,
        between,
        SCRIPT,
        end,
    ]
    .concat()
}

/// The type and the text of the element that holds the data: JSON without a `<`, or, so that a browser need not read
/// megabytes of it as HTML, the same compressed.
fn packed(json: String) -> (&'static str, String) {
    if json.len() > LARGE_BYTES {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        if let Ok(bytes) = gzip.write_all(json.as_bytes()).and_then(|()| gzip.finish()) {
            return ("application/gzip", base64::engine::general_purpose::STANDARD.encode(bytes));
        }
    }
    ("application/json", json.replace('<', "\\u003c"))
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

/// Returns what the script draws. Each trace begins at 0 on the axis they share, so that turns with hours
/// between them can be compared.
pub fn data(traces: &[(&Trace, Vec<Span>)], around: Around) -> Value {
    let mut spans = Vec::new();
    let mut heads = Vec::new();
    let mut total = 0f64;
    for (number, (trace, loaded)) in traces.iter().enumerate() {
        let nodes = tree::build(loaded);
        let begin = nodes.iter().map(|n| n.start).min().unwrap_or(0);
        let end = nodes.iter().map(|n| n.end).max().unwrap_or(0);
        total = total.max(millis(end - begin));
        heads.push(trace_head(trace, loaded, begin, end, around));
        let base = spans.len();
        let mut path: Vec<usize> = Vec::new();
        for (at, node) in nodes.iter().enumerate() {
            path.truncate(node.depth);
            let parent = path.last().map_or(-1, |p| (base + p) as i64);
            path.push(at);
            let below = nodes[at + 1..].iter().take_while(|n| n.depth > node.depth).count();
            spans.push(span(node, &loaded[node.span], parent, below, number, begin));
        }
    }
    let (title, subtitle) = titles(traces);
    json!({
        "title": title, "subtitle": subtitle, "total": total.max(0.001), "traces": heads, "spans": spans,
        "live": around.live,
    })
}

fn titles(traces: &[(&Trace, Vec<Span>)]) -> (String, String) {
    let Some((first, _)) = traces.first() else { return ("Codex trace".to_owned(), String::new()) };
    let head = first.head();
    let summary = &head.summary;
    let prompt = first_line(&summary.prompt);
    let title = match (traces.len(), prompt.is_empty()) {
        (1, false) => format!("{}: {prompt}", summary.name),
        (1, true) => summary.name.clone(),
        (n, _) => format!("Session of {n} turns"),
    };
    let folder = summary.cwd.as_deref().map(folder_name);
    let state = (traces.len() == 1).then(|| summary.status.clone());
    let parts = [
        state,
        folder,
        summary.model.clone(),
        Some(local(head.started_at, "%A %d %B %Y, %H:%M")),
        Some(format!("session {}", first.thread)),
    ];
    (title, parts.into_iter().flatten().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(" · "))
}

fn trace_head(trace: &Trace, spans: &[Span], begin: u64, end: u64, around: Around) -> Value {
    let summary = &trace.head().summary;
    let id = spans.first().map(|s| hex(&s.trace_id));
    json!({
        "link": around.link.zip(id.as_deref()).map(|(link, id)| link(id)),
        "id": id,
        "start": begin / 1_000_000,
        "took": millis(end - begin),
        "name": summary.name,
        "prompt": first_line(&summary.prompt),
        "status": summary.status,
    })
}

/// A span with short names: id, parent, name, about, kind, depth, start and length in ms, how many are below it,
/// its trace, attributes, and where there are any the wait in ms and the error.
fn span(node: &Node, span: &Span, parent: i64, below: usize, trace: usize, begin: u64) -> Value {
    let mut out = json!({
        "i": hex(&span.span_id), "p": parent, "n": node.name, "b": node.about, "k": node.kind.name(),
        "d": node.depth, "s": millis(node.start - begin), "l": millis(node.end.saturating_sub(node.start)),
        "t": below, "r": trace, "a": json_object(&span.attributes),
    });
    if let Some(wait) = node.permission.as_ref().and_then(|p| p.wait) {
        out["w"] = json!(wait.as_secs_f64() * 1000.0);
    }
    if let Some(error) = &span.status.as_ref().filter(|_| node.error.is_some()) {
        out["x"] = error.message.as_str().into();
    }
    out
}

/// Nanoseconds as milliseconds, to the microsecond.
fn millis(nanos: u64) -> f64 {
    (nanos / 1000) as f64 / 1000.0
}

/// More than this takes a browser longer to read as HTML than to decompress.
const LARGE_BYTES: usize = 512 * 1024;
const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
/// What shows contents, then the page itself.
const SCRIPT: &str = concat!(include_str!("content.js"), include_str!("page.js"));

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
        for place in ["%POLICY%", "%STYLE%", "%FORM%", "%DATA%", "%SCRIPT%"] {
            assert_eq!(TEMPLATE.matches(place).count(), 1, "{place}");
        }
        let page = page(&[], Around::default());
        assert!(page.contains("script-src 'sha256-") && page.contains("\"spans\":[]"));
        assert!(!page.contains("%STYLE%") && !SCRIPT.contains("innerHTML") && !SCRIPT.contains("</script"));
        assert!(!TEMPLATE.contains(" style=") && !TEMPLATE.contains(" onclick"));
    }
}
