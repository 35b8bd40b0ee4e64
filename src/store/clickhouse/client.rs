//! The connection to a ClickHouse server, and the meaning of its errors.

use super::meter::{Endless, Meter, Metered};
use super::sql::Sql;
use crate::store::StoreError;
use clickhouse::error::Error;
use clickhouse::{Client, RowOwned, RowRead};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use std::fmt;
use std::time::Duration;

/// The maximum wait for a TCP connection.
const CONNECT: Duration = Duration::from_secs(5);
/// The time that the server may work on a statement, in seconds.
const MOST_SECONDS: &str = "10";
/// The time for which an answer is waited for.
const ANSWER: Duration = Duration::from_secs(15);
/// The maximum length of a statement in bytes: it can hold the ids of [`super::scenario::MOST_SCANNED`] traces and some
/// more.
const MOST_STATEMENT: &str = "1048576";
/// The time after which an idle connection is given up, before the server does it: old versions do so after 3 s.
const IDLE: Duration = Duration::from_secs(2);
/// The maximum length of an answer in bytes: a trace as large as any that is shown whole, and more than any page asks for.
const MOST_ANSWER: u64 = 32 << 20;
/// The maximum length of a server's message that is kept, in characters.
const MESSAGE: usize = 300;

/// The address of a ClickHouse server, and the credentials for it.
#[derive(Clone, PartialEq, Eq)]
pub struct Connection {
    /// The host's name or address; an IPv6 address is in brackets.
    pub host: String,
    /// The port of the HTTP interface.
    pub port: u16,
    pub user: String,
    pub password: String,
    pub database: String,
    pub https: bool,
}

/// The debug output omits the password.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connection").field(&self.to_string()).field(&self.user).finish()
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClickHouse, {}.otel_traces at {}:{}", self.database, self.host, self.port)
    }
}

impl Connection {
    /// Makes a client with connections of its own, to be used in one runtime. With `database`, its statements run in the
    /// connection's database.
    pub(super) fn client(&self, database: bool) -> Result<Client, StoreError> {
        self.metered_client(database, Meter::new(MOST_ANSWER))
    }

    /// Makes a client whose answers are limited by the meter.
    pub(super) fn metered_client(&self, database: bool, meter: Meter) -> Result<Client, StoreError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        builder.pool_idle_timeout(IDLE);
        let client = if self.https {
            let tls = hyper_rustls::HttpsConnectorBuilder::new()
                .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
                .map_err(|e| StoreError::Unreachable(format!("{self}: no certificates to trust: {e}")))?;
            let connector = tls.https_only().enable_http1().wrap_connector(tcp);
            Client::with_http_client(builder.build(Metered { connector, meter }))
        } else {
            Client::with_http_client(builder.build(Metered { connector: tcp, meter }))
        };
        let scheme = if self.https { "https" } else { "http" };
        // The format has no names and types of columns before the rows: the crate allocates as many as are announced, which
        // ends the process where they are 2^42. The text of a statement determines the types.
        let client = client
            .with_validation(false)
            .with_url(format!("{scheme}://{}:{}", self.host, self.port))
            .with_user(&self.user)
            .with_password(&self.password)
            .with_setting("max_execution_time", MOST_SECONDS)
            .with_setting("max_query_size", MOST_STATEMENT);
        Ok(if database { client.with_database(&self.database) } else { client })
    }
}

/// The reason why a statement failed.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub error: StoreError,
    /// The fault may pass, so that a later attempt makes sense.
    pub passing: bool,
    /// The server may have executed the statement all the same.
    pub unknown: bool,
}

impl Fault {
    fn late() -> Fault {
        let error = StoreError::Unreachable(format!("no answer within {} s", ANSWER.as_secs()));
        Fault { error, passing: true, unknown: true }
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> StoreError {
        fault.error
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Fault {
        Fault { passing: matches!(error, StoreError::Unreachable(_)), unknown: false, error }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        match error {
            Error::Network(cause) => {
                if let Some(endless) = Endless::behind(&*cause) {
                    return Fault { error: StoreError::TooLarge(endless.to_string()), passing: false, unknown: false };
                }
                let connecting = cause.downcast_ref::<legacy::Error>().is_some_and(legacy::Error::is_connect);
                Fault { error: StoreError::Unreachable(innermost(&*cause)), passing: true, unknown: !connecting }
            }
            Error::TimedOut => Fault::late(),
            Error::BadResponse(message) => refusal(&message),
            other => Fault { error: StoreError::Failed(shorten(&other.to_string())), passing: false, unknown: false },
        }
    }
}

/// Classifies an answer by the number in front of ClickHouse's message, or by the status of a proxy before it.
fn refusal(message: &str) -> Fault {
    let code = message.strip_prefix("Code: ").and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
    let said = shorten(message);
    let Some(code) = code.and_then(|digits| digits.parse().ok()) else {
        let passing = !is_for_good(message);
        return Fault { error: StoreError::Failed(said), passing, unknown: passing };
    };
    let (error, passing, unknown) = match code {
        // Unknown user, wrong or missing password, missing rights, or failed authentication.
        192 | 193 | 194 | 497 | 516 => (StoreError::Refused(said), false, false),
        // Unknown column, identifier, table or database.
        16 | 47 | 60 | 81 => (StoreError::Schema(said), false, false),
        code if PASSING_BEFORE.contains(&code) => (StoreError::Failed(said), true, false),
        code if PASSING.contains(&code) => (StoreError::Failed(said), true, true),
        _ => (StoreError::Failed(said), false, false),
    };
    Fault { error, passing, unknown }
}

/// The errors of ClickHouse (`ErrorCodes.cpp`) that may pass and occur before anything is inserted: QUOTA_EXCEEDED,
/// TOO_MANY_SIMULTANEOUS_QUERIES, NO_FREE_CONNECTION, NO_ZOOKEEPER, TABLE_IS_READ_ONLY, TOO_MANY_PARTS,
/// TOO_FEW_LIVE_REPLICAS, SERVER_OVERLOADED.
const PASSING_BEFORE: [u32; 8] = [201, 202, 203, 225, 242, 252, 285, 745];

/// The errors that may pass and can occur during or after an insert: UNEXPECTED_END_OF_FILE, CANNOT_READ_ALL_DATA (of a
/// broken connection), FILE_DOESNT_EXIST, TIMEOUT_EXCEEDED, CANNOT_ALLOCATE_MEMORY, DNS_ERROR, SOCKET_TIMEOUT,
/// NETWORK_ERROR, ABORTED, MEMORY_LIMIT_EXCEEDED, NOT_ENOUGH_SPACE, UNEXPECTED_ZOOKEEPER_ERROR, NO_ACTIVE_REPLICAS,
/// ALL_CONNECTION_TRIES_FAILED, UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE, UNKNOWN_STATUS_OF_INSERT, TIMEOUT_EXCEEDED of a
/// barrier, QUERY_WAS_CANCELLED, REPLICA_STATUS_CHANGED, SYSTEM_ERROR, CANNOT_SCHEDULE_TASK, DEADLOCK_AVOIDED, S3_ERROR,
/// UNKNOWN_STATUS_OF_TRANSACTION, TABLE_IS_BEING_RESTARTED, QUERY_WAS_CANCELLED_BY_CLIENT, KEEPER_EXCEPTION, and the errors
/// of its libraries (1000 to 1002).
const PASSING: [u32; 30] = [
    3, 33, 107, 159, 173, 198, 209, 210, 236, 241, 243, 244, 254, 279, 286, 319, 335, 394, 416, 425, 439, 473, 499,
    659, 733, 735, 999, 1000, 1001, 1002,
];

/// Reports whether an answer that does not come from ClickHouse itself rules out another attempt. That is a status of 4xx,
/// except those for a request that is too early or one of too many. Other answers of a proxy (`502 Bad Gateway`, `no
/// healthy upstream`, a page) may pass.
fn is_for_good(message: &str) -> bool {
    const LATER: [u16; 3] = [408, 425, 429];
    let head = shorten(message);
    (400..500).filter(|status| !LATER.contains(status)).any(|status| {
        let reason = hyper::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        head.starts_with(&format!("{status} "))
            || reason.is_some_and(|reason| head.contains(&format!("{status} {reason}")))
    })
}

/// Returns the message of the innermost cause, which says most: `Connection refused`.
fn innermost(mut error: &(dyn std::error::Error + 'static)) -> String {
    while let Some(source) = error.source() {
        error = source;
    }
    shorten(&error.to_string())
}

fn shorten(message: &str) -> String {
    message.trim().chars().take(MESSAGE).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Returns all rows of an answer.
pub(super) async fn fetch<T: RowOwned + RowRead>(client: &Client, sql: &Sql) -> Result<Vec<T>, StoreError> {
    ask(client, sql).await.map_err(StoreError::from)
}

/// Returns all rows of an answer, or a fault that tells whether another attempt makes sense.
pub(super) async fn ask<T: RowOwned + RowRead>(client: &Client, sql: &Sql) -> Result<Vec<T>, Fault> {
    within(sql.query(client).fetch_all()).await
}

/// Returns the row of an answer that always has one.
pub(super) async fn fetch_one<T: RowOwned + RowRead>(client: &Client, sql: &Sql) -> Result<T, StoreError> {
    within(sql.query(client).fetch_one()).await.map_err(StoreError::from)
}

pub(super) async fn execute(client: &Client, sql: &Sql) -> Result<(), StoreError> {
    within(sql.query(client).execute()).await.map_err(StoreError::from)
}

pub(super) async fn within<T>(answer: impl Future<Output = Result<T, Error>>) -> Result<T, Fault> {
    match tokio::time::timeout(ANSWER, answer).await {
        Ok(result) => result.map_err(Fault::from),
        Err(_) => Err(Fault::late()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_a_server_are_classified() {
        let kind = |message: &str| refusal(message).error;
        assert!(matches!(kind("Code: 516. DB::Exception: otel: Authentication failed"), StoreError::Refused(_)));
        assert!(matches!(kind("Code: 60. DB::Exception: Unknown table"), StoreError::Schema(_)));
        assert!(matches!(kind("Code: 62. DB::Exception: Syntax error"), StoreError::Failed(_)));
        assert!(matches!(kind("502 Bad Gateway"), StoreError::Failed(_)));
    }

    #[test]
    fn passing_faults_are_retried_and_inserts_may_be_unknown() {
        let fault = |message: &str| {
            let Fault { passing, unknown, .. } = refusal(message);
            (passing, unknown)
        };
        for code in [252, 242, 202, 225, 285] {
            assert_eq!(fault(&format!("Code: {code}. DB::Exception: not now")), (true, false), "{code}");
        }
        for code in [999, 439, 159, 210, 241, 319, 1002] {
            assert_eq!(fault(&format!("Code: {code}. DB::Exception: perhaps")), (true, true), "{code}");
        }
        for code in [16, 27, 53, 60, 62, 117, 192, 516] {
            assert_eq!(fault(&format!("Code: {code}. DB::Exception: no")), (false, false), "{code}");
        }
        for proxy in [
            "500 Internal Server Error",
            "502 Bad Gateway",
            "503 Service Unavailable",
            "504 Gateway Timeout",
            "429 Too Many Requests",
            "<html>\r\n<head><title>502 Bad Gateway</title></head>",
            "no healthy upstream",
            "upstream connect error or disconnect/reset before headers",
        ] {
            assert_eq!(fault(proxy), (true, true), "{proxy}");
        }
        for proxy in ["404 page not found", "401 Unauthorized", "<h1>403 Forbidden</h1>", "413 Payload Too Large"] {
            assert_eq!(fault(proxy), (false, false), "{proxy}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let connection = Connection {
            host: "db".into(),
            port: 8123,
            user: "me".into(),
            password: "secret".into(),
            database: "otel".into(),
            https: false,
        };
        assert_eq!(format!("{connection:?}"), r#"Connection("ClickHouse, otel.otel_traces at db:8123", "me")"#);
    }
}
