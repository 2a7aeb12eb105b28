//! What real receivers show of a recorded session, each asked through its own API. The table of
//! `.github/docs/backends.md` says just that.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use arize_codex::otel::attribute::{number, string};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};

use crate::collector::{Answer, HttpCollector};
use crate::live::{costs, get, phoenix, post, spans_in};
use crate::receivers::{Broker, PATIENCE, Rotel, Session, USER};

/// What of a session a receiver shows, in the order of the table.
struct Shown {
    model: bool,
    /// How many prompt tokens it counts.
    tokens: i64,
    cost: bool,
    messages: bool,
    session: bool,
    user: bool,
    tools: bool,
}

impl Shown {
    /// Checks that the table has a row that says this.
    fn assert_in_table(&self, name: &str, tree: &str, session: &Session) {
        let yes = |shown: bool| if shown { "yes" } else { "no" };
        let tokens = match self.tokens {
            all if all == session.tokens("prompt") => "yes",
            own if own == session.root()["tokens"]["prompt"].as_i64().unwrap() => "not subagents'",
            other => panic!("{name}, {tree}: {other} prompt tokens"),
        };
        let cells = [self.cost, self.messages, self.session, self.user, self.tools].map(yes);
        let row = format!("| {name} | {tree} | {} | {tokens} | {} |", yes(self.model), cells.join(" | "));
        let table = documentation();
        assert!(table.lines().any(|line| line == row), "the table lacks the row\n{row}");
    }
}

fn documentation() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/docs/backends.md")).unwrap()
}

#[test]
#[ignore = "needs Phoenix"]
fn phoenix_shows_what_its_rows_say() {
    let phoenix = phoenix();
    for (number, tree) in (1..).zip(["turn", "calls"]) {
        let project = format!("receivers {tree} {}", std::process::id());
        let harness = format!(
            "target: phoenix, endpoint: 'http://{phoenix}', project_name: '{project}', span_tree: {tree}"
        );
        let session = Session::send(number, &harness);
        let spans = spans_in(&phoenix, &project, session.tools() + 3);
        let of = |span: &Value, key: &str| span["attributes"][key].clone();
        let kind = |kind: &str| spans.iter().filter(|s| s["span_kind"] == kind).collect::<Vec<_>>();
        let (models, tools) = (kind("LLM"), kind("TOOL"));
        let (whole, parts) = costs(&phoenix, &project, models.len());
        let names: BTreeSet<_> = tools.iter().map(|s| of(s, "tool.name").to_string()).collect();
        let sessions = get(&phoenix, &format!("/v1/projects/{}/sessions", project.replace(' ', "%20")));
        let ids: Vec<_> =
            sessions["data"].as_array().unwrap().iter().map(|s| s["session_id"].clone()).collect();
        let said = |role: &str, text: &str| {
            models.iter().any(|s| {
                let key = format!("llm.{role}_messages.0.message");
                of(s, &format!("{key}.content")) == text
                    || of(s, &format!("{key}.contents.0.message_content.text")) == text
            })
        };
        let shown = Shown {
            model: models.iter().all(|s| of(s, "llm.model_name") == "gpt-5.5"),
            tokens: project_tokens(&phoenix, &project),
            cost: whole > 0.0 && (whole - parts).abs() < 1e-9,
            messages: said("input", "use a helper") && said("output", "root done"),
            session: ids == [json!(session.thread)],
            user: spans.iter().all(|s| of(s, "user.id") == USER),
            tools: tools.len() == session.tools() && names.len() > 1,
        };
        shown.assert_in_table("Phoenix", tree, &session);
    }
}

/// The prompt tokens that Phoenix counts for a project.
fn project_tokens(phoenix: &str, project: &str) -> i64 {
    let query = "{ projects { edges { node { name tokenCountPrompt } } } }";
    let answer = post(phoenix, "/graphql", &json!({ "query": query }));
    let projects = answer["data"]["projects"]["edges"].as_array().unwrap();
    let found = projects.iter().map(|e| &e["node"]).find(|node| node["name"] == project);
    found.unwrap()["tokenCountPrompt"].as_f64().unwrap() as i64
}

#[test]
#[ignore = "needs MLflow"]
fn mlflow_shows_what_its_rows_say() {
    let mlflow = std::env::var("ARIZE_CODEX_TEST_MLFLOW").expect("ARIZE_CODEX_TEST_MLFLOW is unset");
    for (number, tree) in (3..).zip(["turn", "calls"]) {
        let name = format!("receivers {tree} {}", std::process::id());
        let experiment = post(&mlflow, "/api/2.0/mlflow/experiments/create", &json!({ "name": name }));
        let experiment = experiment["experiment_id"].as_str().expect("an experiment").to_owned();
        let harness = format!(
            "target: otlp, endpoint: 'http://{mlflow}', protocol: http/protobuf, span_tree: {tree}, \
             headers: {{x-mlflow-experiment-id: '{experiment}'}}"
        );
        let session = Session::send(number, &harness);
        let trace = mlflow_trace(&mlflow, &experiment);
        let (info, spans) = (&trace["trace_info"]["trace_metadata"], trace["spans"].as_array().unwrap());
        let read = |key: &str| -> Value {
            serde_json::from_str(info[key].as_str().unwrap_or("null")).unwrap_or_default()
        };
        let of = |span: &Value, key: &str| -> Value {
            let attributes = span["attributes"].as_array().unwrap();
            let found = attributes.iter().find(|a| a["key"] == key);
            found.map_or(Value::Null, |a| a["value"]["string_value"].clone())
        };
        let kind = |kind: &str| spans.iter().filter(|s| of(s, "mlflow.spanType") == kind).collect::<Vec<_>>();
        let root = spans.iter().find(|s| s["parent_span_id"].as_str().is_none_or(str::is_empty)).unwrap();
        let shown = Shown {
            model: kind("LLM").iter().all(|s| of(s, "mlflow.llm.model") == "gpt-5.5"),
            tokens: read("mlflow.trace.tokenUsage")["input_tokens"].as_i64().unwrap(),
            cost: read("mlflow.trace.cost")["total_cost"].as_f64().unwrap_or_default() > 0.0,
            messages: of(root, "mlflow.spanInputs") == "use a helper"
                && of(root, "mlflow.spanOutputs") == "root done",
            session: info["mlflow.trace.session"] == session.thread.as_str(),
            user: info["mlflow.trace.user"] == USER,
            tools: kind("TOOL").len() == session.tools(),
        };
        shown.assert_in_table("MLflow", tree, &session);
        // An empty request proves nothing about it, a test trace does.
        let doctor =
            |arguments: &[&str]| String::from_utf8_lossy(&session.lab.run(arguments).stdout).into_owned();
        assert!(doctor(&["doctor"]).contains("refuses an empty request: HTTP status 400"));
        assert!(doctor(&["doctor", "--send"]).contains("was accepted"));
    }
}

/// The one trace of an experiment, once it is there with its spans.
fn mlflow_trace(mlflow: &str, experiment: &str) -> Value {
    let place = json!({"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}});
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found =
            post(mlflow, "/api/3.0/mlflow/traces/search", &json!({"locations": [place], "max_results": 9}));
        if let Some(id) = found["traces"][0]["trace_id"].as_str() {
            let trace = get(mlflow, &format!("/api/3.0/mlflow/traces/get?trace_id={id}"))["trace"].clone();
            // The subagent's turn may come in a request of its own.
            if trace["spans"].as_array().is_some_and(|spans| spans.len() > 6) {
                return trace;
            }
        }
        assert!(Instant::now() < deadline, "no trace: {found}");
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// What spans say that a collector hands on, in the names that most backends read.
fn shown_by(spans: &[Span], session: &Session) -> Shown {
    let of = |kind: &str| -> Vec<&Span> {
        spans.iter().filter(|s| string(s, "gen_ai.operation.name") == Some(kind)).collect()
    };
    let (models, tools) = (of("chat"), of("execute_tool"));
    let ids: BTreeSet<_> = spans.iter().map(|s| &s.span_id).collect();
    assert_eq!(ids.len(), spans.len(), "spans came twice");
    let cost =
        |s: &&&Span| s.attributes.iter().any(|a| a.key == "llm.cost.total" && is_positive(a.value.as_ref()));
    let said = |key: &str, text: &str| {
        models.iter().filter_map(|s| string(s, key)).any(|json| {
            serde_json::from_str::<Value>(json).unwrap().to_string().contains(&json!(text).to_string())
        })
    };
    Shown {
        model: models.iter().all(|s| string(s, "gen_ai.request.model") == Some("gpt-5.5")),
        tokens: models.iter().filter_map(|s| number(s, "gen_ai.usage.input_tokens")).sum(),
        cost: !models.is_empty() && models.iter().filter(cost).count() == models.len(),
        messages: said("gen_ai.input.messages", "use a helper")
            && said("gen_ai.output.messages", "root done"),
        session: spans.iter().all(|s| string(s, "session.id") == Some(session.thread.as_str())),
        user: spans.iter().all(|s| string(s, "user.id") == Some(USER)),
        tools: tools.len() == session.tools()
            && tools.iter().all(|s| string(s, "gen_ai.tool.name").is_some()),
    }
}

fn is_positive(value: Option<&opentelemetry_proto::tonic::common::v1::AnyValue>) -> bool {
    matches!(value.and_then(|v| v.value.as_ref()), Some(Any::DoubleValue(n)) if *n > 0.0)
}

/// How many spans the session has with one span for each model call.
fn count_of(session: &Session) -> usize {
    let responses: i64 = session.turns().iter().map(|turn| turn["responses"].as_i64().unwrap()).sum();
    session.turns().len() + responses as usize + session.tools()
}

#[test]
#[ignore = "needs Rotel"]
fn rotel_hands_everything_on() {
    for (number, is_grpc) in [(5, false), (6, true)] {
        let collector = HttpCollector::start(|_| Answer::Accept);
        let export = format!(
            "--exporter otlp --otlp-exporter-protocol http --otlp-exporter-endpoint {}",
            collector.url()
        );
        let rotel = Rotel::start(&words(&export));
        let endpoint = if is_grpc { &rotel.grpc } else { &rotel.http };
        let lab = crate::lab::Lab::new("");
        let install = lab.run(&["install", "--yes", "--target", "otlp", "--endpoint", endpoint]);
        let said = String::from_utf8_lossy(&install.stdout).into_owned();
        let speaks = if is_grpc { "answers in grpc" } else { "answers in http/protobuf" };
        assert!(said.contains(speaks), "{said}");
        let protocol = if is_grpc { "grpc" } else { "http/protobuf" };
        let harness = format!("target: otlp, endpoint: '{endpoint}', protocol: {protocol}");
        let session = Session::send(number, &harness);
        let expected = count_of(&session);
        let came = |seen: &[(crate::collector::Seen, bool)]| {
            seen.iter().map(|(s, _)| crate::collector::spans_of(&s.request).len()).sum::<usize>() >= expected
        };
        assert!(collector.book.wait_for(PATIENCE, came), "{} of {expected}", collector.book.spans().len());
        let shown = shown_by(&collector.book.spans(), &session);
        shown.assert_in_table("Rotel", "calls", &session);
    }
}

#[test]
#[ignore = "needs Rotel"]
fn kafka_gets_everything_through_rotel() {
    let broker = Broker::start();
    let topic = broker.topic("otlp_traces");
    let rotel = Rotel::start(&documented_flags(&broker));
    let session =
        Session::send(7, &format!("target: otlp, endpoint: '{}', protocol: http/protobuf", rotel.http));
    let expected = count_of(&session);
    let spans = topic.spans(expected, PATIENCE);
    assert_eq!(spans.len(), expected);
    shown_by(&spans, &session).assert_in_table("Rotel → Kafka", "calls", &session);
}

/// The sizes that the documentation names, with turns that fill many requests; and what becomes of them without.
#[test]
#[ignore = "needs Rotel"]
fn sizes_of_the_documentation_lose_nothing() {
    let broker = Broker::start();
    let mut arrived = Vec::new();
    for (number, limit, flags) in [
        (0, documented_limit(), documented_flags(&broker)),
        (1, 4_000_000, words(&format!("--exporter kafka --kafka-exporter-brokers {}", broker.address))),
    ] {
        let topic_name = format!("sizes_{number}");
        let topic = broker.topic(&topic_name);
        let rotel =
            Rotel::start(&[flags, words(&format!("--kafka-exporter-traces-topic {topic_name}"))].concat());
        let home = crate::export_outcomes::Home::new(&format!(
            "target: otlp, endpoint: '{}', protocol: http/protobuf, max_request_bytes: {limit}",
            rotel.http
        ));
        for turn in 0..TURNS {
            home.put(&format!("turn-{turn:04}"), vec![crate::export_outcomes::span(turn, 60_000)]);
        }
        let report = home.flush(60);
        assert_eq!((report.delivered, report.left), (TURNS, 0), "{}", home.log());
        let patience = if number == 0 { PATIENCE } else { Duration::from_secs(5) };
        arrived.push(topic.spans(TURNS as usize, patience).len());
    }
    assert_eq!(arrived[0], TURNS as usize, "the documented sizes lose spans");
    assert!(arrived[1] < TURNS as usize / 2, "nothing is lost without them: {arrived:?}");
}

/// The flags that the documentation gives Rotel before Kafka.
fn documented_flags(broker: &Broker) -> Vec<String> {
    let text = documentation();
    let line = text.lines().find(|line| line.trim().starts_with("rotel start --exporter kafka"));
    let flags = line.expect("a command that starts Rotel").trim().trim_start_matches("rotel start");
    words(&flags.replace("kafka.example.com:9092", &broker.address))
}

fn documented_limit() -> u64 {
    let text = documentation();
    let setting = text.split("max_request_bytes: ").nth(1).expect("a size");
    setting.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// The receivers were run in these versions, and the documentation says so.
#[test]
fn versions_of_receivers_are_documented() {
    let run = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/run")).unwrap();
    let table = documentation();
    for (name, variable) in
        [("Phoenix", "phoenix"), ("MLflow", "mlflow"), ("Rotel", "rotel"), ("Tansu", "tansu")]
    {
        let version = run.split(&format!("readonly {variable}_version=")).nth(1).expect(variable);
        let version = version.lines().next().unwrap();
        assert!(table.contains(&format!("{name} {version}")), "{name} {version}");
    }
}

const TURNS: u64 = 300;
