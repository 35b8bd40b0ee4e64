//! The subcommand `tracegen health`, for health checks where no other client is available, as in a container without a
//! shell.

use super::output::{print, say};
use super::{Exit, Failure, environment, fetch};
use crate::text::foreign::foreign;
use crate::text::host;
use clap::Args;
use hyper::StatusCode;
use std::net::IpAddr;
use std::time::Duration;

/// Ask a running `tracegen serve` whether it is ready
#[derive(Args)]
#[command(after_help = "Examples:
  tracegen health                                 the server on this machine
  tracegen health http://tracegen.example:8000

It requests /readyz, which needs no token. Exit status: 0 the server is ready; 1 it is not, and the reason is
printed; 3 it is out of reach.")]
pub struct Health {
    /// URL of the server [default: SERVER_HOST and SERVER_PORT, or http://127.0.0.1:8000]
    url: Option<String>,
}

/// The time allowed for the answer, which is shorter than the usual time-out of health checks.
const PATIENCE: Duration = Duration::from_secs(4);

impl Health {
    pub(super) fn execute(self) -> Result<Exit, Failure> {
        let base = match self.url {
            Some(url) => url,
            None => local()?,
        };
        let base = base.trim_end_matches('/');
        let answer = fetch::ask(&format!("{base}/readyz"), PATIENCE);
        let (status, body) = answer.map_err(|e| Failure::impossible(format!("{}: {e}", fetch::shown(base))))?;
        let said = String::from_utf8_lossy(&body);
        if status == StatusCode::OK {
            print(&format!("{}\n", foreign(said.trim())))?;
            return Ok(Exit::Done);
        }
        say(format_args!("{base} is not ready: {status}, {}", said.trim()));
        Ok(Exit::Wrong)
    }
}

/// Returns the URL at which this machine reaches the address in the variables of `serve`.
fn local() -> Result<String, Failure> {
    let port = environment::value("SERVER_PORT", |text| text.parse::<u16>().map_err(|_| "expected a port"))?;
    let host = environment::text("SERVER_HOST").unwrap_or("127.0.0.1".into());
    let reached = match host::bare(&host).parse() {
        Ok(IpAddr::V4(ip)) if ip.is_unspecified() => "127.0.0.1",
        Ok(IpAddr::V6(ip)) if ip.is_unspecified() => "::1",
        _ => &host,
    };
    Ok(format!("http://{}:{}", host::in_url(reached), port.unwrap_or(8000)))
}
