//! The addresses for health checks and scrapers: `/readyz`, and `/metrics` in Prometheus' text format.

use super::App;
use super::response::{self, Response};
use crate::store::Store;
use crate::telemetry;
use hyper::StatusCode;

const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Answers whether pages can be served, which requires that the store answers.
pub async fn ready(app: &App) -> Response {
    match app.database.health_check().await {
        Ok(()) => response::text(StatusCode::OK, "ok"),
        Err(e) => response::text(StatusCode::SERVICE_UNAVAILABLE, &format!("store: {e}")),
    }
}

pub fn show(app: &App) -> Response {
    let metrics = telemetry::of_session(&app.session.state(), &app.database.status());
    response::with(StatusCode::OK, FORMAT, telemetry::text(&metrics))
}
