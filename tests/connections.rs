//! Connections, bodies, hosts and tokens of hostile and unlucky clients.

mod support {
    pub mod http;
    pub mod serve;
}

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use support::http::{Answer, connect, get, read, send};
use support::serve::Server;

/// The maximum memory of `serve` with the shipped scenarios in these tests, in bytes.
const MOST_MEMORY: u64 = 256 << 20;

#[test]
fn a_body_has_bounds() {
    let server = Server::busy();
    let address = server.address();
    let large = "x".repeat((1 << 20) + 1);
    for path in ["/api/playground", "/playground", "/engine/stop"] {
        let answer = send(address, "POST", path, &[], &large);
        assert_eq!(answer.status, 413, "{path}");
        assert!(answer.body.contains("1,048,576"), "{path}: {}", answer.body);
    }
    // The body has no announced length.
    let mut stream = connect(address);
    write!(stream, "POST /api/playground HTTP/1.1\r\nhost: {address}\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    while stream.write_all(chunk.as_bytes()).is_ok() {}
    let fits = send(address, "POST", "/api/playground", &[], &"[".repeat(1 << 20));
    assert_eq!(fits.status, 200);
    assert_eq!(fits.json()["plan"], serde_json::Value::Null);
    let head = format!("GET /{} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n", "a".repeat(100_000));
    let mut stream = connect(address);
    let _ = stream.write_all(head.as_bytes());
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    assert_eq!(get(address, "/healthz").status, 200);
}

/// Reports whether the other side has closed the connection.
fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 4096]) {
        Ok(0) => true,
        Ok(_) => false,
        Err(e) => !matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

#[test]
fn slow_clients_are_dropped_and_block_nobody() {
    let server = Server::busy();
    let address = server.address();
    let mut half_head = connect(address);
    write!(half_head, "GET / HTTP/1.1\r\nhost: {address}\r\nx-slow: ").unwrap();
    let mut half_body = connect(address);
    write!(half_body, "POST /api/playground HTTP/1.1\r\nhost: {address}\r\ncontent-length: 100\r\n\r\nname:").unwrap();
    let mut silent = connect(address);
    // The client asks for much, repeatedly, and reads nothing.
    let deaf = connect(address);
    deaf.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let request = format!("GET /api/openapi.json HTTP/1.1\r\nhost: {address}\r\n\r\n").repeat(2_000);
    let _ = (&deaf).write_all(request.as_bytes());
    let begun = Instant::now();
    assert_eq!(get(address, "/").status, 200);
    assert!(begun.elapsed() < Duration::from_secs(9), "before the others are let go");
    let answer = read(&mut half_body);
    assert_eq!(answer.status, 408);
    assert!(answer.json()["error"]["message"].as_str().unwrap().contains("10 s"));
    assert!(is_closed(&mut half_head) && is_closed(&mut silent));
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

#[test]
fn a_thousand_idle_connections_keep_nobody_out() {
    let server = Server::busy();
    let address = server.address();
    let mut idle = vec![];
    for _ in 0..1_000 {
        idle.push(TcpStream::connect(address).unwrap());
    }
    for path in ["/", "/api/traces", "/services"] {
        let begun = Instant::now();
        assert_eq!(get(address, path).status, 200);
        assert!(begun.elapsed() < Duration::from_secs(10), "{path}: {:?}", begun.elapsed());
    }
    // A client that has just spoken keeps its connection as long as others have been silent for a while.
    std::thread::sleep(Duration::from_secs(4));
    let mut polite = connect(address);
    for _ in 0..5 {
        write!(polite, "GET /healthz HTTP/1.1\r\nhost: {address}\r\n\r\n").unwrap();
        assert!(!is_closed(&mut polite));
        idle.extend((0..20).map(|_| TcpStream::connect(address).unwrap()));
    }
}

#[test]
fn other_sites_can_t_steer_the_engine() {
    let server = Server::busy();
    let address = server.address();
    let phase = || get(address, "/api/status").json()["phase"].as_str().unwrap().to_string();
    let form = ("content-type", "application/x-www-form-urlencoded");
    for path in ["/engine/stop", "/engine/pause", "/api/engine/stop", "/api/store/retry", "/engine/settings"] {
        for foreign in [
            ("origin", "http://evil.example"),
            ("origin", "null"),
            ("origin", "http://localhost:1"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            assert_eq!(send(address, "POST", path, &[form, foreign], "").status, 403, "{path} {foreign:?}");
        }
    }
    let foreign = [("origin", "http://evil.example"), ("content-type", "application/json")];
    assert_eq!(send(address, "PUT", "/api/engine/settings", &foreign, "{}").status, 403);
    assert_eq!(phase(), "running");
    // The name of another site was made to lead to this machine.
    for host in ["evil.example", "evil.example:8000", "localhost.evil.example"] {
        for path in ["/", "/api/traces", "/assets/ui.js", "/healthz"] {
            let answer = send(address, "GET", path, &[("host", host)], "");
            assert_eq!(answer.status, 421, "{host} {path}");
            assert!(!answer.body.contains("trace_id"));
        }
        assert_eq!(send(address, "POST", "/engine/stop", &[("host", host)], "").status, 421);
    }
    let own = format!("http://{address}");
    assert_eq!(send(address, "POST", "/engine/pause", &[("origin", &own), form], "").status, 303);
    assert_eq!(phase(), "paused");
    assert_eq!(send(address, "POST", "/api/engine/start", &[], "").json()["phase"], "running");
}

#[test]
fn a_token_is_asked_for_where_there_is_one() {
    let server = Server::start(&["--seed", "42"], &[("SERVER_TOKEN", "open-sesame")]);
    let address = server.address();
    for path in ["/", "/services", "/status", "/traces/0123456789abcdef0123456789abcdef?span=1", "/nowhere"] {
        let page = get(address, path);
        assert_eq!((page.status, page.header("www-authenticate")), (401, Some("Bearer")), "{path}");
        assert!(page.body.contains("name=\"token\"") && !page.body.contains("Running"), "{path}");
        assert!(page.body.contains(&format!("name=\"to\" value=\"{path}\"")), "{path}");
    }
    for path in ["/api/traces", "/api/manifest", "/api/events", "/api/nowhere"] {
        let answer = get(address, path);
        assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (401, Some("unauthorized")), "{path}");
    }
    assert_eq!(get(address, "/metrics").status, 401);
    assert_eq!(send(address, "POST", "/engine/stop", &[], "").status, 401);
    for path in ["/healthz", "/readyz", "/assets/style.css", "/login"] {
        assert!(matches!(get(address, path).status, 200 | 401), "{path}");
    }
    assert_eq!(get(address, "/healthz").status, 200);
    for (given, status) in [("Bearer open-sesame", 200), ("Bearer open", 401), ("Basic open-sesame", 401), ("", 401)] {
        assert_eq!(send(address, "GET", "/api/status", &[("authorization", given)], "").status, status, "{given}");
    }
    let configuration = send(address, "GET", "/api/status", &[("authorization", "Bearer open-sesame")], "");
    assert!(!configuration.body.contains("sesame"));

    let login = |token: &str, to: &str| send(address, "POST", "/login", &[], &format!("token={token}&to={to}"));
    let begun = Instant::now();
    let wrong = login("open", "/");
    assert_eq!(wrong.status, 401);
    assert!(wrong.body.contains("not the token") && wrong.header("set-cookie").is_none());
    assert!(begun.elapsed() >= Duration::from_millis(500), "trying many takes long");
    assert_eq!(login("open-sesame", "//evil.example").header("location"), Some("/"));
    assert_eq!(login("open-sesame", "http://evil.example").header("location"), Some("/"));
    let right = login("open-sesame", "%2Fstatus%3Funit%3Dtraces");
    assert_eq!((right.status, right.header("location")), (303, Some("/status?unit=traces")));
    let cookie = right.header("set-cookie").unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && !cookie.contains("sesame"),
        "{cookie}"
    );
    let session = [("cookie", cookie.split(';').next().unwrap())];
    assert_eq!(send(address, "GET", "/", &session, "").status, 200);
    let out = send(address, "POST", "/logout", &session, "");
    assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"));
}

/// A request is read no further than necessary, and a refused one is not kept.
#[test]
fn refused_bodies_take_no_memory() {
    let server = Server::start(&["--seed", "42"], &[("SERVER_TOKEN", "open-sesame")]);
    let address = server.address();
    let body = "x".repeat(1 << 20);
    let mut open = vec![];
    // The requests have an unknown address, a wrong method, no token, or no host.
    let right = "authorization: Bearer open-sesame\r\n";
    for (path, method, head) in [
        ("/api/nowhere", "POST", right),
        ("/api/traces", "POST", right),
        ("/api/playground", "POST", ""),
        ("/api/playground", "PUT", right),
    ] {
        for _ in 0..100 {
            let stream = connect(address);
            let length = body.len();
            let head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\n{head}content-length: {length}\r\n\r\n");
            let _ = (&stream).write_all(head.as_bytes());
            // The last byte is missing, so each connection waits as long as it may.
            let _ = (&stream).write_all(&body.as_bytes()[1..]);
            open.push(stream);
        }
    }
    assert_eq!(get(address, "/healthz").status, 200);
    assert!(server.peak_memory() < MOST_MEMORY, "{} bytes", server.peak_memory());
}

/// Accepted bodies are bounded, too, in as many connections as there are.
#[test]
fn bodies_that_stall_take_little_memory() {
    let server = Server::busy();
    let address = server.address();
    let body = "x".repeat((1 << 20) - 1);
    let mut open = vec![];
    for _ in 0..400 {
        let stream = connect(address);
        stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
        let head = format!("POST /playground HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\n\r\n", 1 << 20);
        let _ = (&stream).write_all(head.as_bytes());
        let _ = (&stream).write_all(body.as_bytes());
        open.push(stream);
    }
    assert!(server.peak_memory() < MOST_MEMORY, "{} bytes", server.peak_memory());
    // Small bodies always have room.
    assert_eq!(send(address, "POST", "/api/engine/pause", &[], "").status, 200);
}

/// More clients come at once than there are seats, and each is answered.
#[test]
fn every_request_of_a_burst_is_answered() {
    let server = Server::busy();
    let address = server.address();
    let client = |_| {
        let mut client = connect(address);
        write!(client, "GET / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
        client
    };
    let mut clients: Vec<TcpStream> = (0..800).map(client).collect();
    let statuses: Vec<u16> = clients.iter_mut().map(|client| read(client).status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 800, "{statuses:?}");
}

/// The name in the request line is checked, too.
#[test]
fn a_request_names_one_server() {
    let server = Server::busy();
    let address = server.address();
    let status = |head: &str| {
        let mut stream = connect(address);
        write!(stream, "{head}\r\nconnection: close\r\n\r\n").unwrap();
        read(&mut stream).status
    };
    assert_eq!(status("GET /healthz HTTP/1.1"), 400);
    assert_eq!(status("GET /healthz HTTP/1.0"), 400);
    assert_eq!(status("GET /healthz HTTP/1.1\r\nhost: localhost\r\nhost: localhost"), 400);
    for host in ["[::1]evil.example", "[::1]:80evil.example", "localhost:evil.example", "evil@localhost", ""] {
        assert_eq!(status(&format!("GET /api/traces HTTP/1.1\r\nhost: {host}")), 400, "{host}");
    }
    assert_eq!(status("GET http://evil.example/healthz HTTP/1.1\r\nhost: localhost"), 400);
    assert_eq!(status("GET http://localhost/healthz HTTP/1.1\r\nhost: localhost"), 200);
}

/// The server listens openly and without a token, as Compose starts it.
#[test]
fn an_open_server_answers_to_addresses_and_to_its_own_names_only() {
    let server = Server::start(&[], &[("SERVER_HOST", "0.0.0.0"), ("SERVER_NAMES", "tracegen, Demo.Example")]);
    let address = server.address();
    for (host, status) in [
        ("localhost:8000", 200),
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("192.168.7.9", 200),
        ("tracegen:8000", 200),
        ("demo.example", 200),
        ("evil.example", 421),
        ("tracegen.evil.example", 421),
    ] {
        assert_eq!(send(address, "GET", "/api/status", &[("host", host)], "").status, status, "{host}");
        let stop = send(address, "POST", "/api/engine/pause", &[("host", host)], "");
        assert_eq!(stop.status, status, "{host}");
    }
    let guarded = Server::start(&[], &[("SERVER_HOST", "0.0.0.0"), ("SERVER_TOKEN", "open-sesame")]);
    let headers = [("host", "any.example"), ("authorization", "Bearer open-sesame")];
    assert_eq!(send(guarded.address(), "GET", "/api/status", &headers, "").status, 200);
}

#[test]
fn guesses_are_slowed_down_and_the_right_token_is_answered_at_once() {
    let server = Server::start(&[], &[("SERVER_TOKEN", "open-sesame")]);
    let address = server.address();
    let with = |token: &str| send(address, "GET", "/api/status", &[("authorization", &format!("Bearer {token}"))], "");
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let guesses: Vec<_> = (0..20).map(|i| scope.spawn(move || with(&format!("guess-{i}")).status)).collect();
        std::thread::sleep(Duration::from_millis(200));
        let asked = Instant::now();
        assert_eq!(with("open-sesame").status, 200);
        assert!(asked.elapsed() < begun.elapsed().max(Duration::from_secs(2)), "{:?}", asked.elapsed());
        assert!(guesses.into_iter().all(|guess| guess.join().unwrap() == 401));
    });
    assert!(begun.elapsed() >= Duration::from_millis(2_500), "20 guesses took {:?}", begun.elapsed());
    let begun = Instant::now();
    assert_eq!(get(address, "/api/status").status, 401);
    assert!(begun.elapsed() < Duration::from_secs(2), "who gives no token does not guess");
}

/// Clients without the token learn nothing about the server, not even on pages that do not refuse them.
#[test]
fn clients_without_the_token_learn_nothing() {
    let server = Server::start(&["--rate", "20/s"], &[("SERVER_TOKEN", "open-sesame")]);
    let address = server.address();
    let evil = ("origin", "http://evil.example");
    let large = "x".repeat((1 << 20) + 1);
    for (method, path, headers, body, status) in [
        ("POST", "/login", &[evil][..], "", 403),
        ("GET", "/assets/nothing", &[], "", 404),
        ("POST", "/healthz", &[], "", 405),
        ("DELETE", "/login", &[], "", 405),
        ("POST", "/login", &[], &large, 413),
        ("GET", "/nowhere", &[], "", 401),
        ("POST", "/engine/stop", &[evil], "", 401),
    ] {
        let page = send(address, method, path, headers, body);
        assert_eq!(page.status, status, "{method} {path}");
        for told in ["Running", "/engine/stop", "data-figure", "live.js"] {
            assert!(!page.body.contains(told), "{method} {path} tells {told}: {}", page.body);
        }
    }
    let known = [("authorization", "Bearer open-sesame")];
    let page = send(address, "GET", "/nowhere", &known, "");
    assert!(page.status == 404 && page.body.contains("Running"));
}

/// Makes 300 keys and 900 globs, which can only be told apart by comparing all of them.
fn scenario_that_takes_long() -> String {
    let (mut text, wild) = ("scenarios:\n".to_string(), "*a".repeat(240));
    for i in 0..300 {
        let key = format!("<<random.uuid>>{i}{}<<random.uuid>>", "ab".repeat(220));
        text += &format!("- {{name: e{i}, root_span: {{service: s, operation: o, export_context_as: \"{key}\"}}}}\n");
    }
    for i in 0..900 {
        let glob = format!("*{wild}{i}*");
        text += &format!("- {{name: l{i}, root_span: {{service: s, operation: o, link_from_context: \"{glob}\"}}}}\n");
    }
    text
}

#[test]
fn a_compilation_ends_at_its_deadline_with_its_client_and_with_the_server() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.yaml"), "name: a\nroot_span: {service: s, operation: o}\n").unwrap();
    let mut server = Server::of(folder.path(), &["--seed", "1"]);
    let address = server.address().to_string();
    let (long, short) = (scenario_that_takes_long(), "name: x\nroot_span: {service: s, operation: o}\n");
    let begun = Instant::now();
    let answer = send(&address, "POST", "/api/playground", &[], &long).json();
    let code = answer["diagnostics"][0]["code"].as_str().unwrap();
    assert!(["E0610", "E0611"].contains(&code), "the budget or the work is spent: {answer}");
    // It takes two seconds on a machine that may be busy.
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let ask = || {
        let stream = connect(&address);
        let length = long.len();
        let head =
            format!("POST /api/playground HTTP/1.1\r\nhost: {address}\r\ncontent-length: {length}\r\n\r\n{long}");
        (&stream).write_all(head.as_bytes()).unwrap();
        stream
    };
    // A client that has gone does not block others.
    for _ in 0..12 {
        drop(ask());
    }
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(send(&address, "POST", "/api/playground", &[], short).status, 200);
    assert!(server.peak_memory() < 2 * MOST_MEMORY, "{} bytes", server.peak_memory());
    let waiting: Vec<TcpStream> = (0..12).map(|_| ask()).collect();
    let begun = Instant::now();
    let status = server.end("TERM");
    assert!(status.success(), "{status}: {}", server.said());
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    drop(waiting);
}

/// Reports whether the text is refused as too long, or because the machine is so busy that compiling takes two seconds.
fn is_refused(answer: &Answer) -> bool {
    answer.status == 413 && answer.body.contains("16,777,216 bytes") || answer.body.contains("E0610")
}

/// A valid scenario makes traces that are larger than an answer may be, in the library and in the playground.
#[test]
fn a_trace_that_is_too_large_is_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    // There are 40 spans of 600 KB each.
    let attributes: Vec<String> = (0..30).map(|i| format!("a{i}: <<long>>")).collect();
    let call = format!("- &c {{service: s, operation: o, attributes: {{{}}}}}", attributes.join(", "));
    let (long, more) = ("x".repeat(20_000), "  - *c\n".repeat(39));
    let vars = format!("vars:\n  long: <<random.uuid>>{long}\n");
    let text = format!("name: large\n{vars}root_span:\n  service: s\n  operation: o\n  calls:\n  {call}\n{more}");
    std::fs::write(folder.path().join("a.yaml"), &text).unwrap();
    let variables = [("INMEMORY_MAX_TRACES", "4")];
    let server = Server::start(&[folder.path().to_str().unwrap(), "--seed", "1", "--rate", "1/s"], &variables);
    let address = server.address();
    let begun = Instant::now();
    while get(address, "/api/traces?limit=1").json()["total"] == 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "no trace came: {}", server.said());
    }
    // No other trace takes its place.
    assert_eq!(send(address, "POST", "/api/engine/stop", &[], "").status, 200);
    let id = get(address, "/api/traces?limit=1").json()["traces"][0]["trace_id"].as_str().unwrap().to_string();
    for path in [format!("/api/traces/{id}"), "/api/playground".into()] {
        let answer = match path.as_str() {
            "/api/playground" => send(address, "POST", &path, &[], &text),
            path => get(address, path),
        };
        assert!(is_refused(&answer), "{path}: {} {}", answer.status, &answer.body[..answer.body.len().min(500)]);
    }
    assert_eq!(get(address, &format!("/traces/{id}")).status, 200, "its page shows what fits");
    // A text is once in the plan, and 1,500 times in each trace.
    let attributes: String = (0..1_500).map(|i| format!("    k{i}: <<v>>\n")).collect();
    let vars = format!("vars: {{v: \"{}\"}}\n", "y".repeat(500_000));
    let text = format!("name: x\n{vars}root_span:\n  service: s\n  operation: o\n  attributes:\n{attributes}");
    let before = server.peak_memory();
    assert!(is_refused(&send(address, "POST", "/api/playground", &[], &text)));
    let taken = server.peak_memory().saturating_sub(before);
    assert!(taken < MOST_MEMORY, "{taken} bytes");
}
