//! A real ClickHouse server, run from its Python wheel by `scripts/clickhouse-server.py`.
//!
//! `TRACEGEN_CLICKHOUSE` names a python that has the wheel (`scripts/clickhouse.sh` makes one). Without it, tests of the
//! server are skipped with the reason printed, and fail if `CI` is set.

#![allow(dead_code, reason = "each test takes what it needs")]

use super::ports;
use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
};
use tempfile::TempDir;
use tracegen::store::Connection;

/// A server, which is killed when it is dropped. It also ends with the test process, however that ends.
pub struct Server {
    python: PathBuf,
    folder: TempDir,
    port: u16,
    /// The port of the native protocol.
    pub tcp_port: u16,
    child: Option<Child>,
}

impl Server {
    /// Starts a server, and waits until it answers. Returns `None` if there is no engine.
    pub fn start() -> Option<Server> {
        let python = match std::env::var_os("TRACEGEN_CLICKHOUSE").map(PathBuf::from) {
            Some(python) if python.is_file() => python,
            Some(python) => return skip(&format!("TRACEGEN_CLICKHOUSE: {} is not a file", python.display())),
            None => return skip("TRACEGEN_CLICKHOUSE is not set"),
        };
        let [port, tcp_port] = ports::free();
        let folder = tempfile::tempdir().expect("a folder");
        let mut server = Server { python, folder, port, tcp_port, child: None };
        server.restart();
        Some(server)
    }

    /// Starts the server again after [`Server::kill`], on the same port and with the same data.
    pub fn restart(&mut self) {
        assert!(self.child.is_none(), "it is running");
        let mut child = Command::new(&self.python)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/clickhouse-server.py"))
            .args(["--port", &self.port.to_string(), "--tcp-port", &self.tcp_port.to_string()])
            .args(["--user", "reader", "--password", "secret", "--watch-stdin", "--path"])
            .arg(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let mut line = String::new();
        let _ = BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line);
        assert_eq!(line, format!("READY {}\n", self.port), "ClickHouse does not come up");
        self.child = Some(child);
    }

    /// Kills the server with `kill -9`, and waits for its end.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Returns the address of a new database each time, which does not exist yet.
    pub fn fresh(&self) -> Connection {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Connection {
            host: "127.0.0.1".into(),
            port: self.port,
            user: "default".into(),
            password: String::new(),
            database: format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed)),
            https: false,
        }
    }
}

/// Returns the server's answer to a statement, as tab-separated text.
pub async fn ask(connection: &Connection, statement: &str) -> String {
    let client = clickhouse::Client::default().with_url(format!("http://{}:{}", connection.host, connection.port));
    let mut answer = client.query_raw(statement).fetch_bytes("TSVRaw").expect("sent");
    String::from_utf8(answer.collect().await.expect("answered").to_vec()).expect("UTF-8")
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn skip<T>(reason: &str) -> Option<T> {
    assert!(std::env::var_os("CI").is_none(), "no ClickHouse: {reason}");
    // The message goes straight to stderr, because the test harness hides `eprintln!` of a passing test.
    let _ = writeln!(std::io::stderr(), "skipped, no ClickHouse: {reason}");
    None
}
