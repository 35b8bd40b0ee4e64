//! A connection as one writes it in a line: `http://user:password@host:8123/database`.

use super::Connection;
use hyper::Uri;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

const FORM: &str = "write http://[USER:PASSWORD@]HOST[:PORT][/DATABASE]";

impl Connection {
    /// Parses a URL of the HTTP interface. Missing parts have the server's defaults: port 8123 (https: 8443) and the user
    /// `default` without a password; the database is `otel`, as the collector's. The database may also be given by
    /// `?database=`.
    ///
    /// # Errors
    /// The text is not such a URL. The message never contains the password.
    pub fn parse(text: &str) -> Result<Connection, String> {
        let text = if text.contains("://") { text.to_string() } else { format!("http://{text}") };
        let url: Uri = text.parse().map_err(|_| format!("not a URL; {FORM}"))?;
        let https = match url.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(format!("the scheme must be http or https, because the HTTP interface is used; {FORM}")),
        };
        let authority = url.authority().filter(|authority| !authority.host().is_empty());
        let authority = authority.ok_or_else(|| format!("the host is missing; {FORM}"))?;
        let (access, place) = authority.as_str().rsplit_once('@').unwrap_or(("", authority.as_str()));
        let port = match place.strip_prefix(authority.host()).and_then(|rest| rest.strip_prefix(':')) {
            None => {
                if https {
                    8443
                } else {
                    8123
                }
            }
            Some(port) => match port.parse() {
                Ok(9000 | 9440) => {
                    return Err(
                        "9000 and 9440 are ports of the native protocol; the HTTP interface is on 8123 or 8443".into(),
                    );
                }
                Ok(port) if port > 0 => port,
                _ => return Err("the port must be a number from 1 to 65535".into()),
            },
        };
        let (user, password) = access.split_once(':').unwrap_or((access, ""));
        let database = database(&url)?;
        Ok(Connection {
            host: authority.host().into(),
            port,
            user: decoded(user).map(|user| if user.is_empty() { "default".into() } else { user })?,
            password: decoded(password)?,
            database: if database.is_empty() { "otel".into() } else { database },
            https,
        })
    }
}

impl Connection {
    /// Returns a URL of the server, without user and password.
    pub fn url(&self) -> String {
        let scheme = if self.https { "https" } else { "http" };
        let database = utf8_percent_encode(&self.database, NON_ALPHANUMERIC);
        format!("{scheme}://{}:{}/{database}", self.host, self.port)
    }
}

/// Returns the database that the URL names, or an empty text if it names none.
fn database(url: &Uri) -> Result<String, String> {
    let mut database = decoded(url.path().trim_matches('/'))?;
    for (parameter, name) in form_urlencoded::parse(url.query().unwrap_or_default().as_bytes()) {
        match &*parameter {
            "database" if database.is_empty() => database = name.into(),
            "database" => return Err(format!("more than one database is named; {FORM}")),
            _ => return Err(format!("the only parameter is database; {FORM}")),
        }
    }
    if database.contains('/') { Err(format!("more than a database is named; {FORM}")) } else { Ok(database) }
}

fn decoded(text: &str) -> Result<String, String> {
    percent_decode_str(text).decode_utf8().map(Into::into).map_err(|_| format!("not UTF-8; {FORM}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_parts_have_the_servers_defaults() {
        for (text, expected) in [
            ("localhost", "default::otel at localhost:8123 false"),
            ("http://db:80", "default::otel at db:80 false"),
            ("https://db/", "default::otel at db:8443 true"),
            ("http://[::1]:8124/traces", "default::traces at [::1]:8124 false"),
            ("https://me:p%40ss:w@db?database=a%20b", "me:p@ss:w:a b at db:8443 true"),
            ("http://me@db/otel", "me::otel at db:8123 false"),
        ] {
            let Connection { host, port, user, password, database, https } = Connection::parse(text).unwrap();
            assert_eq!(format!("{user}:{password}:{database} at {host}:{port} {https}"), expected, "{text}");
            let parsed = Connection::parse(text).unwrap();
            let again = Connection::parse(&parsed.url()).unwrap();
            assert!(Connection { user: again.user.clone(), password: String::new(), ..parsed } == again, "{text}");
        }
    }

    #[test]
    fn mistakes_are_reported_without_the_password() {
        for (text, expected) in [
            ("", "not a URL"),
            ("http://", "not a URL"),
            ("tcp://me:secret@db:9000", "the scheme must be http or https"),
            ("http://me:secret@db:9000", "native protocol"),
            ("http://me:secret@:8123", "the host is missing"),
            ("http://me:secret@db:99999", "the port"),
            ("http://me:secret@db:x", "the port"),
            ("http://me:se cret@db", "not a URL"),
            ("http://db/a/b", "more than a database"),
            ("http://db/a?database=b", "more than one database"),
            ("http://db?user=me&password=secret", "the only parameter"),
            ("http://db/%ff", "not UTF-8"),
        ] {
            let error = Connection::parse(text).expect_err(text);
            assert!(error.contains(expected) && !error.contains("secret"), "{text}: {error}");
        }
    }
}
