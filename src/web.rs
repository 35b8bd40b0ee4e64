//! The UI and the JSON API over plain hyper. Pages are rendered on the server and assets are embedded, so there is no build
//! step.
//!
//! A request goes from `server` through `guard` and `route` to a page or the API, which read [`App`].

mod api;
mod assets;
mod cache;
mod diagnostic;
mod filter;
mod format;
mod guard;
mod highlight;
mod incidents;
mod library;
mod live;
mod metrics;
mod page;
mod palette;
mod request;
mod response;
mod route;
mod sandbox;
mod server;
mod settings;
mod words;

pub use cache::Cache;
pub use guard::{Host, Token};
pub use library::{Change, Edition, Library};
pub use live::Live;
pub use server::Server;

use crate::engine::Session;
use crate::store::Database;
use std::sync::Arc;

/// The state that all requests share.
pub struct App {
    pub session: Session,
    pub database: Arc<Database>,
    pub library: Arc<Library>,
    pub live: Live,
    pub cache: Cache,
    /// The settings with which the server was started, for the status page, without secrets.
    pub configuration: Vec<Setting>,
    pub host: Host,
    /// The token that every request must have, if one is set.
    pub token: Option<Token>,
    /// The base URL of a Jaeger in which traces can be viewed.
    pub jaeger: Option<String>,
    /// The number of traces on a page.
    pub fetch_limit: u32,
    /// The number of cards on a page of traces.
    pub card_limit: u32,
    /// The interval between status events in ns.
    pub status_interval: u64,
    /// The server's own URL, such as `http://localhost:8000`, as printed in commands.
    pub url: String,
}

/// A variable or flag with its value in effect.
#[derive(Clone, Debug)]
pub struct Setting {
    pub name: &'static str,
    pub value: SettingValue,
    /// The source of the value: `default`, `environment` or `flag`.
    pub source: &'static str,
}

#[derive(Clone, Debug)]
pub enum SettingValue {
    Shown(String),
    /// The value is set, and secret.
    Hidden,
    NotSet,
}
