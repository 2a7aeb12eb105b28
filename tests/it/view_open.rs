//! `arize-codex open` as a browser and as a stranger meet it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use arize_codex::delivery::outbox;

use crate::export_outcomes::Home;
use crate::view_pages::large_turn;

/// A server that ends with the test.
struct Server {
    child: Child,
    port: u16,
    token: String,
}

impl Server {
    fn start(home: &Home) -> Server {
        let mut child = Command::new(env!("CARGO_BIN_EXE_arize-codex"))
            .args(["open", "--no-browser"])
            .env_clear()
            .env("HOME", home.context.var("HOME").unwrap())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let rest = line.trim().strip_prefix("http://127.0.0.1:").unwrap_or_else(|| panic!("{line}"));
        let (port, token) = rest.trim_end_matches('/').split_once('/').unwrap();
        Server { child, port: port.parse().unwrap(), token: token.to_owned() }
    }

    /// The status and the body of an answer.
    fn get(&self, path: &str, headers: &str) -> (u16, String) {
        let host = if headers.contains("Host:") {
            String::new()
        } else {
            format!("Host: 127.0.0.1:{}\r\n", self.port)
        };
        let text = self.raw(&format!("GET {path} HTTP/1.1\r\n{host}{headers}Connection: close\r\n\r\n"));
        let status = text.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_else(|| panic!("{text}"));
        (status, text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
    }

    /// The status of an answer; none where the connection is closed without one.
    fn status(&self, path: &str) -> Option<u16> {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n", self.port);
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).split(' ').nth(1)?.parse().ok()
    }

    fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn open_serves_turns_to_whoever_knows_the_token() {
    let home = Home::new("target: local");
    let entry = large_turn(60);
    outbox::put(home.context.paths(), &entry).unwrap();
    let server = Server::start(&home);
    let of = |page: &str| server.get(&format!("/{}/{page}", server.token), "");
    let (status, index) = of("");
    assert!(status == 200 && index.contains("script-src 'self'") && !index.contains("<script>"), "{index}");
    assert!(
        index.contains("port the parser") && !index.contains("<img"),
        "the first turns are in the page: {index}"
    );
    let (_, turns) = of("turns?q=parser");
    let turns: serde_json::Value = serde_json::from_str(&turns).unwrap();
    assert_eq!(turns["total"]["turns"], 1, "{turns}");
    let key = format!("{}.{}", entry.head.key.turn, entry.head.key.thread);
    let (status, page) = of(&format!("turn/{key}"));
    assert!(status == 200 && page.contains("script-src 'sha256-"));
    assert!(!page.contains("<script>window.ran"), "what a tool printed is no HTML");
    let (_, none) = of("turns?q=nothing-of-the-kind");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&none).unwrap()["total"]["turns"], 0);
    let (_, session) = of(&format!("session/{}", entry.head.key.thread));
    let session: serde_json::Value = serde_json::from_str(&session).unwrap();
    assert_eq!(session["turns"].as_array().map(Vec::len), Some(1));
}

#[test]
fn open_answers_for_single_spans() {
    let home = Home::new("target: local");
    let entry = large_turn(700);
    outbox::put(home.context.paths(), &entry).unwrap();
    let server = Server::start(&home);
    let key = format!("{}.{}", entry.head.key.turn, entry.head.key.thread);
    let of = |page: &str| server.get(&format!("/{}/{page}", server.token), "");
    let (_, rows) = of(&format!("data/{key}"));
    let rows: serde_json::Value = serde_json::from_str(&rows).unwrap();
    assert_eq!((&rows["count"], rows["rows"]["b"].as_array().map(Vec::len)), (&700.into(), Some(700)));
    let (status, found) = of(&format!("details/{key}?from=699&count=256"));
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    assert_eq!((status, found.as_array().map(Vec::len)), (200, Some(1)));
    assert_eq!(found[0]["i"], rows["rows"]["i"][699], "a row and its details have one id");
    let subject = rows["rows"]["b"][699].as_str().unwrap();
    assert!(found[0]["a"]["input.value"].as_str().unwrap().contains(subject), "{found}");
    assert_eq!(of(&format!("details/{key}?from=9999999")), (200, "[]".into()));
    assert_eq!(of("details/no-such.turn").0, 404);
    let (status, page) = of(&format!("turn/{key}"));
    assert!(status == 200 && page.contains("id=\"rows-data\"") && page.contains("data-first=\"512\""));
    assert!(page.contains("</html>"), "a page that is sent in pieces has its end");
}

#[test]
#[cfg(target_os = "linux")]
fn open_bounds_a_thousand_connections() {
    let home = Home::new("target: local");
    outbox::put(home.context.paths(), &large_turn(3)).unwrap();
    let server = Server::start(&home);
    let page = format!("/{}/", server.token);
    let files = || std::fs::read_dir(format!("/proc/{}/fd", server.child.id())).unwrap().count();
    assert_eq!(server.get(&page, "").0, 200);
    let before = files();
    let address = (std::net::Ipv4Addr::LOCALHOST, server.port).into();
    let half: Vec<TcpStream> = (0..1000)
        .filter_map(|_| {
            let mut stream = TcpStream::connect_timeout(&address, Duration::from_millis(10)).ok()?;
            stream.write_all(b"GET / HTTP/1.1\r\nHost: x").ok()?;
            Some(stream)
        })
        .collect();
    assert!(half.len() > 64, "{} connections", half.len());
    std::thread::sleep(Duration::from_millis(300));
    assert!(files() <= before + 64, "{} files open, {before} before", files());
    drop(half);
    let answered = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        server.status(&page) == Some(200)
    });
    assert!(
        answered
            && (0..100).any(|_| {
                std::thread::sleep(Duration::from_millis(20));
                files() <= before
            }),
        "{}",
        files()
    );
}

#[test]
#[cfg(target_os = "linux")]
fn open_holds_few_turns_for_slow_readers() {
    let home = Home::new("target: local");
    let entry = large_turn(3000);
    outbox::put(home.context.paths(), &entry).unwrap();
    let server = Server::start(&home);
    let page = format!("/{}/turn/{}.{}", server.token, entry.head.key.turn, entry.head.key.thread);
    let peak_mib = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().to_owned();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    };
    assert_eq!(server.get(&page, "").0, 200);
    let one = peak_mib();
    let request = format!("GET {page} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", server.port);
    let slow: Vec<TcpStream> = (0..50)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            // Its answer has begun; the rest is left unread.
            stream.read_exact(&mut [0; 9]).unwrap();
            stream
        })
        .collect();
    assert!(peak_mib() < one * 4, "{} MiB for {} readers, {one} for one", peak_mib(), slow.len());
}

#[test]
fn open_shows_no_damaged_or_deleted_turn() {
    let home = Home::new("target: local");
    let entry = large_turn(30);
    outbox::put(home.context.paths(), &entry).unwrap();
    let server = Server::start(&home);
    let key = format!("{}.{}", entry.head.key.turn, entry.head.key.thread);
    let pages = ["turn", "data"].map(|what| format!("/{}/{what}/{key}", server.token));
    let statuses = || pages.iter().map(|page| server.get(page, "").0).collect::<Vec<_>>();
    assert_eq!(statuses(), [200, 200]);
    let path = home.context.paths().outbox().join(entry.head.key.file_name());
    let whole = std::fs::read(&path).unwrap();
    for len in [whole.len() - 1, whole.len() / 2, 300, 1, 0] {
        std::fs::write(&path, &whole[..len]).unwrap();
        assert_eq!(statuses(), [404, 404], "cut to {len} bytes");
        assert_eq!(server.get(&format!("/{}/turns", server.token), "").0, 200);
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!(statuses(), [404, 404]);
    let (_, turns) = server.get(&format!("/{}/turns", server.token), "");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&turns).unwrap()["total"]["turns"], 0, "{turns}");
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(statuses(), [200, 200], "it is there again");
}

#[test]
fn open_links_the_same_trace_in_phoenix() {
    let home = Home::new("target: phoenix, endpoint: 'http://localhost:6006/v1/traces'");
    let entry = large_turn(3);
    outbox::put(home.context.paths(), &entry).unwrap();
    let server = Server::start(&home);
    let key = format!("{}.{}", entry.head.key.turn, entry.head.key.thread);
    let (_, data) = server.get(&format!("/{}/data/{key}", server.token), "");
    let data: serde_json::Value = serde_json::from_str(&data).unwrap();
    let expected = format!("http://localhost:6006/redirects/traces/{}", "07".repeat(16));
    assert_eq!(data["traces"][0]["link"], expected);
    let (status, table) = server.get(&format!("/{}/turns.csv?q=parser", server.token), "");
    assert!(status == 200 && table.starts_with("thread,turn,") && table.lines().count() == 2, "{table}");
    let (status, page) = server.get(&format!("/{}/export/{}", server.token, entry.head.key.thread), "");
    assert!(status == 200 && page.contains("<!doctype html>") && !page.contains("localhost:6006"));
}

#[test]
fn open_answers_no_stranger() {
    let home = Home::new("target: local");
    outbox::put(home.context.paths(), &large_turn(3)).unwrap();
    let server = Server::start(&home);
    let page = format!("/{}/", server.token);
    let wrong = format!("/{}/", "0".repeat(server.token.len()));
    for (path, headers) in [
        ("/", ""),
        (wrong.as_str(), ""),
        ("/turns", ""),
        (&page, "Host: evil.example\r\n"),
        (&page, "Origin: http://evil.example\r\n"),
        (&page, "Sec-Fetch-Site: cross-site\r\n"),
        (&format!("{page}../../etc/passwd"), ""),
        (&format!("{page}turn/..%2f..%2fx"), ""),
        (&format!("{page}session/a/b"), ""),
        ("/details/a.b", ""),
    ] {
        assert_eq!(server.get(path, headers), (404, "not found\n".into()), "{path} {headers}");
    }
    assert!(
        server
            .raw(&format!(
                "POST {page} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n",
                server.port
            ))
            .contains(" 404 ")
    );
    assert!(!server.raw(&format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000))).contains(" 200 "));
    // Connections that say nothing are bounded; who comes behind them is answered once they are gone.
    let silent: Vec<_> =
        (0..200).filter_map(|_| TcpStream::connect(("127.0.0.1", server.port)).ok()).collect();
    drop(silent);
    assert_eq!(server.get(&page, "").0, 200);
}
