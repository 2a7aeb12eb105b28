//! The answers: pages, and JSON with documented names.

use serde_json::{Value, json};
use std::path::PathBuf;

use super::guard::Route;
use super::rows::{self, Query, Row, Rows};
use crate::cli::html::{self, Loaded, Page, PageContext};
use crate::cli::selection::moment::Moment;
use crate::cli::selection::selectors::Selectors;
use crate::cli::selection::{self, Trace};
use crate::cli::view::records::{Form, Records};
use crate::context::Context;
use crate::delivery::archive::{DeliveryState, Item};
use crate::delivery::running;
use crate::delivery::transport::endpoint::Endpoint;
use crate::otel::attribute::string;
use crate::settings::{Settings, Target};

/// An answer.
pub struct Answer {
    pub status: u16,
    pub content_type: &'static str,
    pub body: Text,
    /// The name of the file under which a browser is to keep it.
    pub file: Option<String>,
}

/// What an answer says: at once, or, a large page, in pieces that are made as they are sent.
pub enum Text {
    Whole(Vec<u8>),
    Pieces(Box<Page>),
}

impl Answer {
    fn of(content_type: &'static str, body: impl Into<Vec<u8>>) -> Answer {
        Answer { status: 200, content_type, body: Text::Whole(body.into()), file: None }
    }

    fn page(page: Page) -> Answer {
        Answer { body: Text::Pieces(Box::new(page)), ..Answer::of("text/html; charset=utf-8", "") }
    }

    fn table(records: &Records, file: &str) -> Answer {
        let mut body = Vec::new();
        // A vector takes every write.
        let _ = records.write(Form::Csv, &mut body);
        Answer { file: Some(file.to_owned()), ..Answer::of("text/csv; charset=utf-8", body) }
    }

    fn json(value: &Value) -> Answer {
        Answer::of("application/json", value.to_string())
    }

    /// Nothing more is said than that there is nothing.
    pub fn none() -> Answer {
        Answer { status: 404, ..Answer::of("text/plain; charset=utf-8", "not found\n") }
    }
}

/// Makes the answer to a request.
pub fn answer(route: &Route, rows: &mut Rows, context: &Context) -> Answer {
    match route {
        Route::Index => {
            rows.refresh(context);
            Answer::of("text/html; charset=utf-8", index(rows, context))
        }
        Route::Script => Answer::of("text/javascript; charset=utf-8", SCRIPT),
        Route::Style => Answer::of("text/css; charset=utf-8", STYLE),
        Route::Turns(parameters) => {
            rows.refresh(context);
            Answer::json(&turns(parameters, rows, context))
        }
        Route::Costs(parameters) => {
            rows.refresh(context);
            let found = rows.select(&query(parameters), context);
            let by = value(parameters, "by").unwrap_or("day");
            Answer::json(&json!({ "by": by, "groups": groups(&found, by) }))
        }
        Route::TurnsTable(parameters) => {
            rows.refresh(context);
            Answer::table(&rows::table(&rows.select(&query(parameters), context)), "codex-turns.csv")
        }
        Route::CostsTable(parameters) => {
            rows.refresh(context);
            let found = rows.select(&query(parameters), context);
            let by = value(parameters, "by").unwrap_or("day");
            Answer::table(&rows::costs_table(&found, by), "codex-costs.csv")
        }
        Route::Export(thread) => export(thread, context),
        Route::Session(thread) => session(thread, context),
        Route::Turn(key) => turn(key, context).map_or_else(Answer::none, |turn| turn.page()),
        Route::Data(key) => turn(key, context).map_or_else(Answer::none, |turn| turn.data()),
        Route::Details(key, parameters) => {
            turn(key, context).map_or_else(Answer::none, |turn| turn.details(parameters))
        }
        Route::Changes => Answer::none(),
    }
}

/// The first page with the rows it shows at once, so that it need not ask for them.
fn index(rows: &Rows, context: &Context) -> String {
    let first =
        [("limit", FIRST_ROWS), ("by", "day")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let first = html::without_tags(&turns(&first, rows, context).to_string());
    let (before, after) = INDEX.split_once("%FIRST%").unwrap_or((INDEX, ""));
    [before, &first, after].concat()
}

/// Some of the selected turns, the sums of all, and what they cost where `by` says by what.
fn turns(parameters: &[(String, String)], rows: &Rows, context: &Context) -> Value {
    let (limit, offset) =
        (number(parameters, "limit", LIMIT).min(MAX_LIMIT), number(parameters, "offset", 0));
    let found = rows.select(&query(parameters), context);
    let page: Vec<Value> = found.iter().skip(offset).take(limit).map(|row| row.to_json()).collect();
    let groups = value(parameters, "by").map(|by| groups(&found, by));
    json!({ "total": rows::total(&found), "offset": offset, "turns": page, "groups": groups })
}

fn groups(found: &[&Row], by: &str) -> Vec<Value> {
    rows::costs(found, by).into_iter().map(|(name, sum)| json!({"name": name, "sum": sum})).collect()
}

fn query(parameters: &[(String, String)]) -> Query {
    let text = |name| value(parameters, name).filter(|v| !v.is_empty()).map(str::to_owned);
    let moment = |name| value(parameters, name).and_then(|v| Moment::parse(v).ok());
    let selectors = Selectors {
        project: text("project"),
        model: text("model"),
        branch: text("branch"),
        failed: text("failed").is_some(),
        session: text("session"),
        since: moment("since"),
        until: moment("until"),
    };
    Query { text: text("q").unwrap_or_default(), selectors }
}

fn value<'a>(parameters: &'a [(String, String)], name: &str) -> Option<&'a str> {
    parameters.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
}

fn number(parameters: &[(String, String)], name: &str, default: usize) -> usize {
    value(parameters, name).and_then(|v| v.parse().ok()).unwrap_or(default)
}

/// A session as a conversation: what was said and answered in each turn, the oldest first.
fn session(thread: &str, context: &Context) -> Answer {
    let selectors = Selectors { session: Some(thread.to_owned()), ..Selectors::default() };
    let Ok(traces) = selection::wanted(context, &selectors, None) else { return Answer::none() };
    Answer::json(&json!({ "thread": thread, "turns": traces.iter().map(said).collect::<Vec<_>>() }))
}

/// The session as one file to pass on.
fn export(thread: &str, context: &Context) -> Answer {
    let selectors = Selectors { session: Some(thread.to_owned()), ..Selectors::default() };
    let Ok(traces) = selection::wanted(context, &selectors, None) else { return Answer::none() };
    let Ok(loaded) = html::load(&traces) else { return Answer::none() };
    let file = Some(format!("codex-session-{thread}.html"));
    Answer { file, ..Answer::page(Page::new(loaded, PageContext::default())) }
}

fn said(trace: &Trace) -> Value {
    let spans =
        trace.items.first().and_then(|item| selection::read(item).ok()).map(|e| e.spans).unwrap_or_default();
    let text = |key| spans.first().and_then(|span| string(span, key));
    let summary = trace.summary();
    json!({
        "turn": trace.turn, "name": summary.name, "status": summary.status,
        "started_at_ms": trace.head().started_at.as_millis(),
        "duration_ms": u64::try_from(trace.ended_at().since(trace.head().started_at).as_millis()).unwrap_or(u64::MAX),
        "tool_calls": summary.tool_calls, "failed_tool_calls": summary.failed_tool_calls,
        "prompt": text("input.value"), "answer": text("output.value"),
    })
}

/// One turn, and what its page is to know of where it came from.
struct Turn {
    loaded: Vec<Loaded>,
    /// Phoenix, when it may have the turn.
    phoenix: Option<Endpoint>,
    key: String,
    is_live: bool,
}

impl Turn {
    fn around<T>(&self, is_asked_anew: bool, make: impl FnOnce(PageContext) -> T) -> T {
        let link = self.phoenix.as_ref().map(|endpoint| move |id: &str| endpoint.phoenix_page(id));
        let link = link.as_ref().map(|link| link as &dyn Fn(&str) -> String);
        let live = self.is_live.then(|| format!("../data/{}", self.key));
        let details = is_asked_anew.then(|| format!("../details/{}", self.key));
        let session = self.key.split_once('.').map(|(_, thread)| format!("../#session={thread}"));
        make(PageContext {
            link,
            session: session.as_deref(),
            live: live.as_deref(),
            details: details.as_deref(),
        })
    }

    fn page(mut self) -> Answer {
        let loaded = std::mem::take(&mut self.loaded);
        self.around(self.is_live, |around| Answer::page(Page::new(loaded, around)))
    }

    /// All rows; the details are asked for, as they were by the page of a turn that ran.
    fn data(&self) -> Answer {
        Answer::json(&self.around(true, |around| html::data(&self.loaded, around)))
    }

    fn details(&self, parameters: &[(String, String)]) -> Answer {
        let (from, count) = (number(parameters, "from", 0), number(parameters, "count", LIMIT));
        Answer::of("application/json", html::details(&self.loaded, from, count))
    }
}

/// Returns one turn, `TURN.THREAD`, as it was kept or as far as it has run.
fn turn(key: &str, context: &Context) -> Option<Turn> {
    let (turn, thread) = key.split_once('.')?;
    let settings = Settings::load(context).unwrap_or_else(|_| Settings::without_config(context));
    let phoenix = Endpoint::of(&settings).ok().filter(|_| settings.target == Some(Target::Phoenix));
    let key = key.to_owned();
    let is_it = |trace: &Trace| trace.turn.as_str() == turn && trace.thread.as_str() == thread;
    // A turn of whose trace only a subagent is over is still running.
    let kept = selection::traces(context.paths()).find(is_it).filter(Trace::has_root);
    if let Some(trace) = kept {
        let spans = trace.spans().ok()?;
        return Some(Turn { loaded: vec![(trace, spans)], phoenix, key, is_live: false });
    }
    let entries = running::turns(context, &settings);
    let mut spans = Vec::new();
    let mut items = Vec::new();
    for entry in entries {
        let head = entry.head;
        if head.root_turn.as_str() == turn && head.root_thread.as_str() == thread {
            spans.extend(entry.spans);
            items.push(Item { head, place: DeliveryState::Waiting, path: PathBuf::new() });
        }
    }
    let head = &items.first()?.head;
    let trace = Trace { thread: head.root_thread.clone(), turn: head.root_turn.clone(), items };
    // The backend does not have it yet.
    Some(Turn { loaded: vec![(trace, spans)], phoenix: None, key, is_live: true })
}

/// As many as no window shows at once.
const FIRST_ROWS: &str = "60";
const LIMIT: usize = 200;
const MAX_LIMIT: usize = 1000;
const INDEX: &str = include_str!("site/index.html");
const SCRIPT: &str = include_str!("site/index.js");
const STYLE: &str = include_str!("site/index.css");
