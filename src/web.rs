//! The UI and the JSON API, on plain hyper: pages rendered here, assets embedded, nothing to build.
//!
//! A request goes `server` -> `guard` -> `route` -> a page or the API; what they read is in [`App`].

mod api;
mod assets;
mod cache;
mod diagnostic;
mod filter;
mod format;
mod guard;
mod highlight;
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

/// What all requests read.
pub struct App {
    pub session: Session,
    pub database: Arc<Database>,
    pub library: Arc<Library>,
    pub live: Live,
    pub cache: Cache,
    /// What it was started with, for the status page; secrets are not in here.
    pub configuration: Vec<Setting>,
    pub host: Host,
    /// Needed for every request, where it is set.
    pub token: Option<Token>,
    /// Where a trace can be looked at in Jaeger: its base URL.
    pub jaeger: Option<String>,
    /// Rows of a page of traces, and cards of one.
    pub fetch_limit: u32,
    pub card_limit: u32,
    /// Between two status events, ns.
    pub status_interval: u64,
    /// This server's own URL, as printed in commands: `http://localhost:8000`.
    pub url: String,
}

/// A variable or flag as it is in effect.
#[derive(Clone, Debug)]
pub struct Setting {
    pub name: &'static str,
    pub value: SettingValue,
    /// `default`, `environment`, `flag`.
    pub from: &'static str,
}

#[derive(Clone, Debug)]
pub enum SettingValue {
    Shown(String),
    /// Set, and secret.
    Hidden,
    NotSet,
}
