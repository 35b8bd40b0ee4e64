//! The address to listen at, and its URL.

use crate::cli::Failure;
use crate::text::host;
use crate::web::Server;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};

/// Listens at the first address of `host` that is available.
///
/// # Errors
/// The name has no address, or none can be listened at.
pub async fn bind(host: &str, port: u16) -> Result<(Server, IpAddr), Failure> {
    let bare = host::bare(host);
    let unknown = |e: std::io::Error| {
        Failure::usage(format!(
            "SERVER_HOST=`{host}`: expected an address or name of this machine, as 127.0.0.1, 0.0.0.0 or ::1 ({e})"
        ))
    };
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((bare, port)).await.map_err(unknown)?.collect();
    let mut failure = Failure::usage(format!("SERVER_HOST=`{host}`: this name has no address"));
    for address in addresses {
        match Server::bind(address).await {
            Ok(server) => return Ok((server, address.ip())),
            Err(e) => failure = Failure::impossible(explain(address, &e)),
        }
    }
    Err(failure)
}

fn explain(address: SocketAddr, error: &std::io::Error) -> String {
    let port = address.port();
    let other = port.checked_add(1).unwrap_or(8000);
    match error.kind() {
        ErrorKind::AddrInUse => format!(
            "port {port} is in use at {}, perhaps by another tracegen; take another one: SERVER_PORT={other} or --port {other} (0 finds a free one)",
            address.ip()
        ),
        ErrorKind::PermissionDenied => {
            format!("port {port} is not allowed to this user; take one from 1024 on: SERVER_PORT=8000 or --port 8000")
        }
        ErrorKind::AddrNotAvailable => {
            format!("{} is not an address of this machine; SERVER_HOST=0.0.0.0 listens at all it has", address.ip())
        }
        _ => format!("can't listen at {address}: {error}"),
    }
}

/// Returns the URL for a browser on this machine.
pub fn url(ip: IpAddr, port: u16) -> String {
    match ip {
        IpAddr::V4(v4) if v4.is_loopback() || v4.is_unspecified() => format!("http://localhost:{port}"),
        IpAddr::V6(v6) if v6.is_unspecified() => format!("http://localhost:{port}"),
        ip => format!("http://{}", SocketAddr::new(ip, port)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lead_to_the_address_of_the_server() {
        for (ip, expected) in [
            ("127.0.0.1", "http://localhost:8000"),
            ("0.0.0.0", "http://localhost:8000"),
            ("::", "http://localhost:8000"),
            ("::1", "http://[::1]:8000"),
            ("10.1.2.3", "http://10.1.2.3:8000"),
        ] {
            assert_eq!(url(ip.parse().unwrap(), 8000), expected);
        }
    }
}
