//! The server with hostile, broken and ordinary clients.

mod support {
    pub mod http;
    pub mod serve;
}

use std::io::{Read, Write};
use std::time::{Duration, Instant};
use support::http::{connect, get, send};
use support::serve::{Server, command};

/// Returns the id of a kept trace.
fn some_trace(address: &str) -> String {
    let begun = Instant::now();
    loop {
        let page = get(address, "/api/traces?limit=1").json();
        if let Some(id) = page["traces"][0]["trace_id"].as_str() {
            return id.to_string();
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "no trace came");
    }
}

#[test]
fn it_answers_within_a_second_of_its_start() {
    let answers_at_once = || {
        let begun = Instant::now();
        let server = Server::busy();
        let page = get(server.address(), "/");
        assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
        begun.elapsed() < Duration::from_secs(1)
    };
    // A busy machine may be late, but not every time.
    assert!((0..20).any(|_| answers_at_once()));
}

#[test]
fn every_page_says_what_it_is_and_keeps_scripts_out() {
    let server = Server::busy();
    let trace = format!("/traces/{}", some_trace(server.address()));
    for path in ["/", "/services", "/scenarios", "/playground", "/status", &trace, "/assets/style.css", "/api/status"] {
        let page = get(server.address(), path);
        assert_eq!(page.status, 200, "{path}: {}", page.body);
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert!(!page.body.contains(" style=\""), "{path} has a style of its own");
        let head = send(server.address(), "HEAD", path, &[], "");
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
    }
}

#[test]
fn what_is_not_there_and_what_can_t_be_done_is_said() {
    let server = Server::busy();
    let address = server.address();
    let unknown = "/traces/0123456789abcdef0123456789abcdef";
    for path in ["/nowhere", "/scenarios/nobody", unknown, "/traces/xyz", "/assets/../Cargo.toml", "/%00", "/%ff"] {
        let page = get(address, path);
        assert!(matches!(page.status, 400 | 404), "{path}: {}", page.status);
        assert!(page.header("content-type").unwrap().starts_with("text/html"), "{path}");
    }
    for (path, status, parameter) in [
        ("/api/nowhere", 404, None),
        ("/api/traces/xyz", 400, Some("id")),
        ("/api/traces/0123456789abcdef0123456789abcdef", 404, None),
        ("/api/traces?min=long", 400, Some("min")),
        ("/api/traces?status=maybe", 400, Some("status")),
        ("/api/traces?limit=0", 400, Some("limit")),
        ("/api/traces?limit=99999999999999999999", 400, Some("limit")),
        ("/api/traces?page=-1", 400, Some("page")),
        ("/api/overview?until=then", 400, Some("until")),
        ("/api/services?range=ever", 400, Some("range")),
        ("/api/scenarios/nobody", 404, None),
    ] {
        let answer = get(address, path);
        let error = &answer.json()["error"];
        assert_eq!((answer.status, error["parameter"].as_str()), (status, parameter), "{path}: {}", answer.body);
        assert!(error["message"].as_str().is_some_and(|message| message.len() > 10), "{path}: {error}");
    }
    for (method, path, allowed) in [
        ("POST", "/", "GET, HEAD, OPTIONS"),
        ("DELETE", "/api/traces", "GET, HEAD, OPTIONS"),
        ("GET", "/engine/stop", "POST, OPTIONS"),
        ("GET", "/api/engine/start", "POST, OPTIONS"),
        ("BREW", "/api/engine/settings", "GET, HEAD, PUT, OPTIONS"),
    ] {
        let answer = send(address, method, path, &[], "");
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allowed)), "{method} {path}");
        let options = send(address, "OPTIONS", path, &[], "");
        assert_eq!((options.status, options.header("allow")), (204, Some(allowed)), "{path}");
    }
    let page = get(address, "/?min=long&service=x");
    assert_eq!(page.status, 200, "what can be read of a filter applies");
    assert!(page.body.contains("milliseconds"), "and what can't is said");
}

#[test]
fn a_script_in_an_attribute_is_text() {
    let folder = tempfile::tempdir().unwrap();
    let evil = "<script>alert(1)</script>\\\"'><img src=x onerror=alert(1)>";
    std::fs::write(folder.path().join("_base.yaml"), "schema_version: 1\nservices: [web]\n").unwrap();
    let scenario = format!(
        "name: \"{evil}\"\ndescription: \"{evil}\"\nroot_span:\n  service: web\n  operation: \"{evil}\"\n  attributes:\n    \
         \"x.{evil}\": \"{evil}\"\n"
    );
    std::fs::write(folder.path().join("a.yaml"), scenario).unwrap();
    let server = Server::of(folder.path(), &["--seed", "1", "--rate", "20/s"]);
    let address = server.address();
    let trace = format!("/traces/{}", some_trace(address));
    let text = "%3Cscript%3Ealert(1)%3C%2Fscript%3E%22%3E";
    let echoed = ["/?q=", "/?service=", "/?min=", "/scenarios/", "/playground?from=", "/services?scenario="];
    let echoed = echoed.map(|page| format!("{page}{text}"));
    let pages = ["/", &trace, "/services", "/scenarios", "/status", "/playground"].map(String::from);
    for path in pages.iter().chain(&echoed) {
        let page = get(address, path);
        let body = page.body.to_lowercase();
        assert!(!body.contains("<script>") && !body.contains("<img"), "{path}: {}", page.body);
    }
    assert!(get(address, &trace).body.contains("&#60;script&#62;"), "it is shown");
}

/// A computed name may be empty.
#[test]
fn a_span_with_an_empty_name_is_shown_and_cannot_be_selected() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = "services: [web]\nscenarios:\n  - name: a\n    vars: {none: \"<<random.choice([''])>>\"}\n    root_span: \
                    {service: web, operation: <<none>>, calls: [{service: web, operation: <<none>>}]}\n";
    std::fs::write(folder.path().join("a.yaml"), scenario).unwrap();
    let server = Server::of(folder.path(), &["--seed", "1", "--rate", "20/s"]);
    let address = server.address();
    let trace = format!("/traces/{}", some_trace(address));
    for path in ["/", &trace, "/services?service=web", "/playground?from=a"] {
        let page = get(address, path);
        assert!(page.status == 200 && page.body.contains("(no name)"), "{path}: {}", page.body);
    }
    let names = get(address, "/").body;
    assert_eq!(names.matches("<option value=\"\">").count(), names.matches("<option value=\"\">any</option>").count());
}

#[test]
fn events_are_sent_as_they_happen() {
    // A status event comes only once an hour unless something changes.
    let server = Server::start(&["--seed", "42", "--rate", "20/s"], &[("STATUS_UPDATE_INTERVAL", "3600")]);
    let address = server.address();
    let mut stream = connect(address);
    write!(stream, "GET /api/events HTTP/1.1\r\nhost: {address}\r\n\r\n").unwrap();
    let mut heard = String::new();
    let mut hear = |words: &str| {
        let begun = Instant::now();
        while !heard.contains(words) {
            assert!(begun.elapsed() < Duration::from_secs(60), "`{words}` was not told:\n{heard}");
            let mut bytes = [0; 4096];
            let n = stream.read(&mut bytes).unwrap();
            heard += &String::from_utf8_lossy(&bytes[..n]);
        }
    };
    hear("content-type: text/event-stream");
    hear("event: status\ndata: {\"phase\":\"running\"");
    hear("event: traces\ndata: {\"traces\":");
    send(address, "POST", "/api/engine/pause", &[], "");
    hear("\"phase\":\"paused\"");
}

#[test]
fn it_ends_in_order_with_its_account() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = folder.path().join("run.json");
    let mut server = Server::start(&["--rate", "50/s", "--seed", "7", "--manifest", manifest.to_str().unwrap()], &[]);
    let mut events = connect(server.address());
    write!(events, "GET /api/events HTTP/1.1\r\nhost: {}\r\n\r\n", server.address()).unwrap();
    some_trace(server.address());
    let begun = Instant::now();
    let status = server.end("TERM");
    assert!(status.success(), "{status}: {}", server.said());
    assert!(begun.elapsed() < Duration::from_secs(9), "an open stream does not hold it: {:?}", begun.elapsed());
    server.wait_for(" traces, ");
    let written: serde_json::Value = serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap();
    assert_eq!(written["seed"], 7);
    assert!(written["ended"]["traces"].as_u64().is_some_and(|traces| traces > 0), "{written}");
}

#[test]
fn changed_scenarios_take_effect() {
    let folder = tempfile::tempdir().unwrap();
    let write = |operation: &str| {
        let text = format!("name: a\nroot_span: {{service: web, operation: \"{operation}\"}}\n");
        std::fs::write(folder.path().join("a.yaml"), text).unwrap();
    };
    std::fs::write(folder.path().join("_base.yaml"), "schema_version: 1\nservices: [web]\n").unwrap();
    write("first");
    let server = Server::of(folder.path(), &["--seed", "1", "--rate", "20/s"]);
    let plan = || get(server.address(), "/api/status").json()["plan"].clone();
    let first = plan();
    write("<<nobody>>");
    server.wait_for("scenarios do not compile (1 error");
    assert_eq!(plan(), first, "the last good one stays");
    assert_eq!(get(server.address(), "/api/status").json()["scenario_errors"], 1);
    write("second one");
    server.wait_for("scenarios changed: plan ");
    assert_ne!(plan(), first);
    let begun = Instant::now();
    while !get(server.address(), "/api/operations").body.contains("second one") {
        assert!(begun.elapsed() < Duration::from_secs(120), "no trace of the new plan");
    }
}

#[test]
fn a_bad_setting_is_named_with_the_allowed_values() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (name, value, status, said) in [
        ("SERVER_PORT", "eighty", 2, "SERVER_PORT=`eighty`: expected a port, 0 to 65535"),
        ("SERVER_PORT", &port, 3, "is in use"),
        ("SERVER_HOST", "no such host", 2, "SERVER_HOST=`no such host`: expected an address or name of this machine"),
        ("INMEMORY_MAX_TRACES", "0", 2, "INMEMORY_MAX_TRACES=`0`: expected a number"),
        ("TRACE_FETCH_LIMIT", "many", 2, "TRACE_FETCH_LIMIT=`many`: expected a number from 1 to 1000"),
        ("STATUS_UPDATE_INTERVAL", "0", 2, "STATUS_UPDATE_INTERVAL=`0`: expected seconds from 0.2 to 3600"),
        ("DATABASE_TYPE", "oracle", 2, "DATABASE_TYPE=`oracle`: expected inmemory"),
        ("JAEGER_URL", "javascript:alert(1)", 2, "JAEGER_URL=`javascript:alert(1)`: expected a URL"),
        ("LOG_LEVEL", "loud", 2, "LOG_LEVEL=`loud`: expected error, warn, info or debug"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "udp", 2, "use grpc, http/protobuf or http/json"),
        ("TRACE_NUM_WORKERS", "0", 2, "TRACE_NUM_WORKERS=`0`: expected a number of lanes"),
    ] {
        let output = command().env("SERVER_PORT", "0").env(name, value).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{name}={value}: {stderr}");
        assert!(stderr.contains(said), "{name}={value}: {stderr}");
    }
    let secret = command().env("SERVER_PORT", "0").env("SERVER_TOKEN", "with space").output().unwrap();
    let stderr = String::from_utf8_lossy(&secret.stderr);
    assert!(secret.status.code() == Some(2) && stderr.contains("SERVER_TOKEN") && !stderr.contains("with space"));
    for (args, said) in [(&["--rate", "max"][..], "--rate max is for"), (&["--arrivals", "poisson"], "needs a rate")] {
        let output = command().env("SERVER_PORT", "0").args(args).output().unwrap();
        assert!(output.status.code() == Some(2) && String::from_utf8_lossy(&output.stderr).contains(said), "{args:?}");
    }
}

#[test]
fn a_warning_is_printed_if_the_server_listens_openly() {
    let open = Server::start(&[], &[("SERVER_HOST", "0.0.0.0")]);
    open.wait_for("no SERVER_TOKEN is set");
    let guarded = Server::start(&[], &[("SERVER_HOST", "0.0.0.0"), ("SERVER_TOKEN", "open-sesame")]);
    assert_eq!(get(guarded.address(), "/healthz").status, 200);
    assert!(!guarded.said().contains("no SERVER_TOKEN"));
}

#[test]
fn health_checks_get_the_right_answer() {
    let health = |url: &str| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_tracegen")).args(["health", url]).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(said).unwrap())
    };
    let server = Server::start(&[], &[("SERVER_TOKEN", "open-sesame")]);
    assert_eq!(health(&server.url), (0, "ok\n".into()));
    // This server can't answer.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let answer = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 11\r\nconnection: close\r\n\r\nstore: gone";
        let _ = std::io::Read::read(&mut stream, &mut [0; 1024]).unwrap();
        std::io::Write::write_all(&mut stream, answer.as_bytes()).unwrap();
    });
    let (status, said) = health(&url);
    answering.join().unwrap();
    assert_eq!((status, said), (1, format!("tracegen: {url} is not ready: 503 Service Unavailable, store: gone\n")));
    // This server is gone.
    let (status, said) = health(&url);
    assert!(status == 3 && said.contains(&url) && said.contains("refused"), "{said}");
}

/// What no well-behaved SDK sends is shown like any other trace, with all its spans or a word of those that are left out.
#[test]
fn malformed_traces_have_pages() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/examples/edge_cases.yaml");
    let server =
        Server::start(&[path.to_str().unwrap(), "--seed", "42", "--rate", "3/s"], &[("INMEMORY_MAX_MIB", "512")]);
    let address = server.address();
    let begun = Instant::now();
    let mut shown = std::collections::BTreeSet::new();
    // Those that are seldom come in time; what takes long is only made to be large.
    while shown.len() < 9 && begun.elapsed() < Duration::from_secs(60) {
        let page = get(address, "/api/traces?limit=100&range=all").json();
        for trace in page["traces"].as_array().unwrap() {
            let scenario = trace["scenario"].as_str().unwrap_or_default().to_string();
            if !shown.insert(scenario.clone()) {
                continue;
            }
            let id = trace["trace_id"].as_str().unwrap();
            for path in [format!("/traces/{id}"), format!("/api/traces/{id}")] {
                let answer = get(address, &path);
                assert_eq!(answer.status, 200, "{scenario}: {path}");
                assert!(answer.body.len() > 200, "{scenario}");
            }
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    assert!(shown.len() >= 7, "{shown:?}");
    for page in
        ["/", "/?view=cards&range=all", "/services?range=all", "/api/services?range=all", "/api/overview", "/status"]
    {
        assert_eq!(get(address, page).status, 200, "{page}");
    }
}
