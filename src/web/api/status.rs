//! The state of the session, its exporter and its store at one moment.

use super::nanos;
use crate::clock::now;
use crate::engine::ExporterState;
use crate::histogram::Percentiles;
use crate::language::diagnostic::Severity;
use crate::store::DatabaseStatus;
use crate::web::{App, Setting, SettingValue};
use serde_json::{Value, json};

pub fn of(app: &App) -> Value {
    let state = app.session.state();
    let shelf = app.library.shelf();
    let errors =
        shelf.broken.as_ref().map(|(_, found)| found.iter().filter(|d| d.severity() == Severity::Error).count());
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "began_unix_nano": nanos(state.began),
        "uptime_seconds": now().saturating_sub(state.began) / 1_000_000_000,
        "phase": state.phase,
        "phase_since_unix_nano": nanos(state.phase_since),
        "seed": state.seed,
        "tag": format!("{:08x}", state.tag),
        "plan": state.plan.digest_hex(),
        "scenario_errors": errors,
        "next_index": state.next_index,
        "rate": { "target": state.target_rate, "achieved": state.achieved_rate },
        "lateness_ns": percentiles(state.lateness),
        "generated": { "traces": state.traces, "spans": state.spans },
        "pending": state.pending,
        "waiting": state.waiting,
        "exporter": state.exporter.as_ref().map(exporter),
        "store": store(&app.database.status()),
        "configuration": app.configuration.iter().map(setting).collect::<Vec<_>>(),
    })
}

fn percentiles(percentiles: Percentiles) -> Value {
    json!({ "p50": percentiles.p50, "p99": percentiles.p99, "max": percentiles.max, "count": percentiles.count })
}

fn exporter(state: &ExporterState) -> Value {
    json!({
        "endpoint": state.endpoint,
        "protocol": state.protocol,
        "link": state.link,
        "account": state.account,
        "last_error": state.last_error.as_ref().map(|(at, why)| json!({ "at_unix_nano": nanos(*at), "message": why })),
        "recovered_unix_nano": state.recovered.map(nanos),
        "latency_ns": percentiles(state.latency),
    })
}

fn store(status: &DatabaseStatus) -> Value {
    let outage = status.outage.as_ref().map(|outage| {
        json!({
            "since_unix_nano": nanos(outage.since),
            "cause": outage.cause.to_string(),
            "tries": outage.tries,
            "next_try_unix_nano": nanos(outage.next_try),
        })
    });
    json!({
        "wanted": status.wanted.as_deref().unwrap_or("memory"),
        "outage": outage,
        "memory": {
            "traces": status.memory.traces,
            "capacity": status.memory.limits.traces,
            "bytes": status.memory.bytes,
            "capacity_bytes": status.memory.limits.bytes,
            "too_large": status.memory.too_large,
        },
        "counting": status.counting.map(|counting| json!({ "hours": counting.hours, "all": counting.total })),
        "written": status.written.as_ref().map(|written| json!({ "waiting": written.waiting.spans, "written": written.written.spans, "lost": written.total_lost().spans })),
    })
}

fn setting(setting: &Setting) -> Value {
    let (value, hidden) = match &setting.value {
        SettingValue::Shown(value) => (Some(value), false),
        SettingValue::Hidden => (None, true),
        SettingValue::NotSet => (None, false),
    };
    json!({ "name": setting.name, "value": value, "hidden": hidden, "from": setting.source })
}
