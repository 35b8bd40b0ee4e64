//! The promises of the shipped files, written down by hand: the percentages of spans with certain properties. No figure
//! here comes from the compiler.

use tracegen::plan::SpanKind;
use tracegen::trace::{Datum, SpanView};

const MS: f64 = 1e6;

/// A share of a scenario's spans.
pub struct Promise {
    pub scenario: &'static str,
    /// The promise in words, for people.
    pub says: &'static str,
    /// Reports whether the promise is about a span.
    pub concerns: fn(&Seen) -> bool,
    /// Reports whether a span has the promised property.
    pub holds: fn(&Seen) -> bool,
    /// The percentage of spans that have it.
    pub percent: f64,
}

/// A span, and facts about it that are not in its record.
pub struct Seen<'a> {
    pub span: SpanView<'a>,
    /// The duration of its own work before its first call, or in total if it made none, in ns.
    pub own: u64,
}

impl Seen<'_> {
    fn is(&self, operation: &str, kind: SpanKind) -> bool {
        self.span.kind() == kind && self.span.name() == operation
    }

    fn server(&self, operation: &str) -> bool {
        self.is(operation, SpanKind::Server)
    }

    fn client(&self, operation: &str) -> bool {
        self.is(operation, SpanKind::Client)
    }

    fn root(&self) -> bool {
        self.span.parent().is_none()
    }

    fn attribute(&self, key: &str) -> Option<Datum<'_>> {
        self.span.attributes().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    fn text(&self, key: &str) -> &str {
        match self.attribute(key) {
            Some(Datum::Text(text)) => text,
            _ => "",
        }
    }

    fn int(&self, key: &str) -> Option<i64> {
        match self.attribute(key) {
            Some(Datum::Int(value)) => Some(value),
            _ => None,
        }
    }

    fn is_true(&self, key: &str) -> bool {
        matches!(self.attribute(key), Some(Datum::Bool(true)))
    }

    /// Reports whether the request was answered with this code.
    fn http(&self, status: i64) -> bool {
        self.int("http.response.status_code") == Some(status)
    }

    /// Reports whether the call was answered with this code.
    fn rpc(&self, status: &str) -> bool {
        self.text("rpc.response.status_code") == status
    }

    fn to(&self, host: &str) -> bool {
        self.text("server.address") == host
    }

    fn first_attempt(&self) -> bool {
        self.attribute("http.request.resend_count").is_none()
    }

    /// Reports whether it failed with an error of this type.
    fn fails(&self, r#type: &str) -> bool {
        self.span.failure().is_some_and(|(failed, _)| failed == r#type)
    }

    /// Reports whether its own work took at most this time.
    fn within(&self, ms: f64) -> bool {
        self.own as f64 <= ms * MS
    }
}

/// The promises, one in each line.
macro_rules! promises {
    ($($scenario:literal: { $($says:literal, $concerns:expr => $holds:expr, $percent:literal;)+ })+) => {
        &[$($(Promise { scenario: $scenario, says: $says, concerns: $concerns, holds: $holds, percent: $percent },)+)+]
    };
}

pub const PROMISES: &[Promise] = promises! {
    "API Gateway": {
        "requests over the limit", |s| s.root() => |s| s.http(429), 1.0;
        "the root's work, below its median", |s| s.root() => |s| s.within(0.6), 50.0;
        "the root's work, below its 99th percentile", |s| s.root() => |s| s.within(5.0), 99.0;
        "tokens from the cache", |s| s.is("middleware authenticate", SpanKind::Internal) => |s| s.is_true("token.cached"), 60.0;
        "orders from the cache", |s| s.server("GET /orders/{order_id}") => |s| s.is_true("order.cached"), 35.0;
        "a service that drains", |s| s.server("GET /orders/{order_id}") => |s| s.fails("503"), 0.4;
        "no connection", |s| s.to("orders.internal") => |s| s.fails("connection_refused"), 0.4;
        "cancelled statements", |s| s.client("SELECT orders") => |s| s.fails("57014"), 3.0;
        "reads from memory", |s| s.client("SELECT orders") => |s| s.within(9.0), 97.0;
        "orders not sent yet", |s| s.server("shipping.v1.Tracking/Get") => |s| s.rpc("NOT_FOUND"), 16.0;
        "a client fails by what is not found", |s| s.client("shipping.v1.Tracking/Get") => |s| s.fails("NOT_FOUND"), 16.0;
        "no recommendations", |s| s.server("GET /recommendations") => |s| s.http(404), 15.0;
    }
    "Billing: charge an invoice": {
        "declined cards", |s| s.server("POST /charges") => |s| s.text("payment.outcome") == "declined", 4.0;
        "closed connections", |s| s.to("api.bank.example") => |s| s.fails("ECONNRESET"), 0.5;
        "devices that are not known", |s| s.to("devices.example") => |s| s.fails("404"), 16.0;
        "a score within its median", |s| s.is("score transaction", SpanKind::Internal) => |s| s.within(18.0), 50.0;
        "a score within its 99th percentile", |s| s.is("score transaction", SpanKind::Internal) => |s| s.within(90.0), 99.0;
        "hooks that are gone", |s| s.to("hooks.customer.example") && s.first_attempt() => |s| s.http(404), 3.0;
        "hooks that break", |s| s.to("hooks.customer.example") && s.first_attempt() => |s| s.http(500), 6.0;
        "invoices that are locked", |s| s.client("SELECT invoices") => |s| s.fails("55P03"), 0.8;
    }
    "Search: batch indexing": {
        "images that are gone", |s| s.to("images.shop.example") => |s| s.http(404), 4.0;
        "no connection", |s| s.client("SELECT products") => |s| s.fails("53300"), 2.0;
        "time that follows the rows", |s| s.client("SELECT products") => |s| s.within(8.001 + rows(s) * 0.06), 100.0;
        "refused documents", |s| s.span.name().starts_with("bulk ") => |s| s.fails("es_rejected_execution_exception"), 1.0;
    }
    "Async producer": {
        "articles not in stock", |s| s.server("GET /stock") => |s| s.http(404), 3.0;
        "transactions that collide", |s| s.client("INSERT orders") => |s| s.fails("40001"), 0.5;
        "full queues", |s| s.is("send orders", SpanKind::Producer) => |s| s.fails("QUEUE_FULL"), 1.2;
        "the root's work, below its median", |s| s.root() => |s| s.within(2.0), 50.0;
    }
    "Async consumer": {
        "empty shelves", |s| s.server("POST /picks") => |s| s.http(409), 3.5;
        "picks that wait for a lock", |s| s.server("POST /picks") => |s| !s.within(1_499.0), 1.0;
        "devices that are gone", |s| s.to("push.mobile.example") => |s| s.fails("410"), 17.0;
    }
    "Grafana Tempo: TraceQL search": {
        "ingesters that are away", |s| s.server("tempopb.Querier/SearchRecent") && s.int("tempo.inspected.traces").is_some()
            => |s| s.rpc("UNAVAILABLE"), 8.0;
        "pages from the cache", |s| s.to("memcached-parquet") => |s| s.is_true("cache.hit"), 60.0;
        "slowed reads", |s| s.client("S3.GetObject") => |s| s.fails("SlowDown"), 0.8;
        "too many requests", |s| s.server("GET /api/search") => |s| s.fails("503"), 2.0;
    }
    "Grafana Tempo: trace by id": {
        "ingesters that are away", |s| s.server("tempopb.Querier/FindTraceByID") && s.attribute("tempo.trace_id").is_none()
            => |s| s.rpc("UNAVAILABLE"), 3.0;
    }
    "Analytics: nightly revenue": {
        "slowed reads", |s| s.client("S3.GetObject") => |s| s.fails("SlowDown"), 1.2;
        "replicas in conflict", |s| s.client("SELECT orders") => |s| s.fails("40001"), 8.0;
        "extracts below their median", |s| s.client("SELECT orders") => |s| s.within(24_000.0), 50.0;
    }
    "User profile: read": {
        "no picture", |s| s.to("avatars.shop.example") => |s| s.fails("404"), 20.0;
        "profiles from the cache", |s| s.client("HGETALL") => |s| s.int("db.response.returned_rows") == Some(1), 80.0;
        "cancelled statements", |s| s.client("SELECT users") => |s| s.fails("57014"), 8.0;
    }
    "User profile: create": {
        "addresses that are taken", |s| s.client("INSERT users") => |s| s.fails("23505"), 3.0;
        "no worker", |s| s.root() => |s| s.fails("503") && s.own == s.span.record().end - s.span.record().start, 2.0;
    }
    "User profile: update": {
        "transactions that collide", |s| s.client("UPDATE users") => |s| s.fails("40001"), 1.5;
        "pictures that time out", |s| s.client("S3.PutObject") => |s| s.fails("RequestTimeout"), 3.0;
    }
    "User profile: delete": {
        "no session", |s| s.server("identity.v1.Sessions/RevokeAll") => |s| s.rpc("NOT_FOUND"), 38.0;
        "rows that are referred to", |s| s.client("DELETE users") => |s| s.fails("23503"), 2.0;
    }
    "Configuration: read": {
        "refusals", |s| s.root() => |s| s.rpc("PERMISSION_DENIED"), 2.5;
        "no experiment", |s| s.server(RANGE) && s.text("store.key").starts_with("/exp") => |s| s.rpc("NOT_FOUND"), 16.0;
        "no override", |s| s.server(RANGE) && s.text("store.key").starts_with("/over") => |s| s.rpc("NOT_FOUND"), 14.0;
        "broken cache entries", |s| s.is("lookup cache", SpanKind::Internal) => |s| s.fails("CacheCorrupted"), 0.5;
    }
    "Configuration: publish": {
        "stale revisions", |s| s.root() => |s| s.rpc("FAILED_PRECONDITION"), 5.0;
        "writes without an answer", |s| s.server("config.store.v1.Store/Put") => |s| s.fails("UNAVAILABLE"), 4.0;
        "nobody who listens", |s| s.is("send config.changed", SpanKind::Producer) => |s| s.fails("NoResponders"), 2.0;
    }
    "Search: slow rebuild": {
        "rebuilds that run already", |s| s.client("search.v1.Indexer/Rebuild") => |s| s.fails("UNAVAILABLE"), 2.0;
        "refused documents", |s| s.span.name().starts_with("bulk ") && !s.fails("timeout")
            => |s| s.fails("es_rejected_execution_exception"), 3.0;
    }
};

const RANGE: &str = "config.store.v1.Store/Range";

fn rows(seen: &Seen) -> f64 {
    seen.int("db.response.returned_rows").unwrap_or(0) as f64
}
