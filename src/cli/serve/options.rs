//! The options of `serve` from flags and variables, and the table that shows them in effect.

use super::Serve;
use super::level::Level;
use crate::cli::pace::{self, ArrivalsFlag, Pace};
use crate::cli::{Failure, database, draw_seed, environment, metrics, scenarios};
use crate::engine::{self, Settings};
use crate::export::target::{Target, TargetFlags};
use crate::interpreter::LoadTerms;
use crate::plan::Plan;
use crate::store::{MemoryLimits, Wanted};
use crate::text::quantity::{self, SECOND};
use crate::web::{Setting, SettingValue};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;

/// The options of `serve`.
pub struct Options {
    pub seed: u64,
    pub settings: Settings,
    pub database: Wanted,
    pub target: Option<Target>,
    pub metrics: Option<metrics::Wanted>,
    pub host: String,
    pub port: u16,
    /// Further names of this server.
    pub names: Vec<String>,
    pub token: Option<String>,
    pub jaeger: Option<String>,
    pub fetch_limit: u32,
    pub card_limit: u32,
    /// The interval between status events in ns.
    pub status_interval: u64,
    pub level: Level,
    pub configuration: Vec<Setting>,
}

impl Options {
    /// Resolves all options, and returns the failures; an option with a bad value gets its default. Without a plan, the flags
    /// for its load are not read.
    pub fn resolve(flags: &Serve, paths: &[PathBuf], plan: Option<&Arc<Plan>>) -> (Options, Vec<Failure>) {
        let mut table = Table::default();
        let variable = if environment::text("SCENARIOS_DIR").is_none() && environment::text("SCENARIOS_PATH").is_some()
        {
            "SCENARIOS_PATH"
        } else {
            "SCENARIOS_DIR"
        };
        table.row(variable, "PATH", !flags.paths.is_empty(), scenarios::shown(paths));
        let seed = flags.seed.unwrap_or_else(draw_seed);
        table.add("--seed", SettingValue::Shown(seed.to_string()), if flags.seed.is_some() { "flag" } else { "drawn" });
        let settings = settings(flags, plan, &mut table);
        let (min_ns, max_ns) = pace::INTERVAL;
        let pace = engine::Pace::Interval { min_ns, max_ns };
        let weights = BTreeMap::new();
        let default = Settings { pace, lanes: pace::LANES, by_files: true, factor: LoadTerms::ONE, weights };
        let settings = table.or(settings, default);
        let traces = table.number("INMEMORY_MAX_TRACES", 1..=10_000_000, 100) as usize;
        let mib = table.number("INMEMORY_MAX_MIB", 1..=1_048_576, (MemoryLimits::BYTES >> 20) as u32);
        let memory = MemoryLimits { traces, bytes: u64::from(mib) << 20 };
        let target = target(&mut table);
        let target = table.or_default(target);
        let metrics = table.or_default(metrics::wanted());
        table.optional("OTEL_METRICS_EXPORTER", metrics.as_ref().map(|wanted| format!("otlp, to {}", wanted.target)));
        let in_memory = Wanted { memory, clickhouse: None, written: false };
        let database = table.or(database::wanted(memory, target.is_some()), in_memory);
        store(&database, &mut table);
        let host = flags.host.clone().or_else(|| environment::text("SERVER_HOST")).unwrap_or("127.0.0.1".into());
        table.row("SERVER_HOST", "--host", flags.host.is_some(), &host);
        let variable =
            environment::value("SERVER_PORT", |text| text.parse().map_err(|_| "expected a port, 0 to 65535"));
        let port = flags.port.or(table.or_default(variable)).unwrap_or(8000);
        table.row("SERVER_PORT", "--port", flags.port.is_some(), port);
        let names = table.or_default(environment::value("SERVER_NAMES", names)).unwrap_or_default();
        table.optional("SERVER_NAMES", (!names.is_empty()).then(|| names.join(", ")));
        let token = environment::text("SERVER_TOKEN");
        if token.as_ref().is_some_and(|token| !token.bytes().all(|b| b.is_ascii_graphic())) {
            table.bad.push(Failure::usage("SERVER_TOKEN: expected visible ASCII characters without spaces"));
        }
        table.secret("SERVER_TOKEN");
        let fetch_limit = table.number("TRACE_FETCH_LIMIT", 1..=1_000, 30);
        let card_limit = table.number("CARD_DISPLAY_LIMIT", 1..=1_000, 10);
        let status_interval = environment::value("STATUS_UPDATE_INTERVAL", |text| match quantity::seconds(text) {
            Ok(ns) if (SECOND / 5..=3_600 * SECOND).contains(&ns) => Ok(ns),
            _ => Err("expected seconds from 0.2 to 3600, as `2.0`"),
        });
        let status_interval = table.or_default(status_interval).unwrap_or(2 * SECOND);
        table.row("STATUS_UPDATE_INTERVAL", "", false, format!("{} s", status_interval as f64 / 1e9));
        let jaeger = table.or_default(environment::value("JAEGER_URL", url));
        table.optional("JAEGER_URL", jaeger.clone());
        let level = table.or_default(environment::value("LOG_LEVEL", Level::parse)).unwrap_or(Level::Info);
        table.row("LOG_LEVEL", "", false, level);
        if let Some(path) = &flags.manifest {
            table.add("--manifest", SettingValue::Shown(path.display().to_string()), "flag");
        }
        let options = Options {
            seed,
            settings,
            database,
            target,
            metrics,
            host,
            port,
            names,
            token,
            jaeger,
            fetch_limit,
            card_limit,
            status_interval,
            level,
            configuration: table.rows,
        };
        (options, table.bad)
    }
}

fn settings(flags: &Serve, plan: Option<&Arc<Plan>>, table: &mut Table) -> Result<Settings, Failure> {
    let by_files = pace::resolve(flags.rate, flags.interval, flags.lanes, true)? == Pace::Load;
    let by_load = by_files && plan.is_some_and(|plan| plan.shared_source().is_some());
    let (pace, lanes) = pace(flags, by_load, table)?;
    let (weights, factor) = match plan {
        Some(plan) => (flags.load.weights(plan)?, flags.load.factor(plan)?),
        None => (BTreeMap::new(), LoadTerms::ONE),
    };
    if flags.load.is_given() {
        table.add("--scenario, --weight, --load-factor", SettingValue::Shown(flags.load.words().join(" ")), "flag");
    }
    Ok(Settings { pace, lanes, by_files, factor, weights })
}

/// Resolves the pace and the number of lanes, which the load of the files may replace (`by_load`).
fn pace(flags: &Serve, by_load: bool, table: &mut Table) -> Result<(engine::Pace, u32), Failure> {
    let poisson = flags.arrivals == Some(ArrivalsFlag::Poisson);
    let by_flag = if flags.rate.is_some() { "--rate" } else { "--interval" };
    let (pace, lanes) = match pace::resolve(flags.rate, flags.interval, flags.lanes, false)? {
        Pace::Even { count, period: per } => (engine::Pace::Rate { count, per_ns: per, poisson }, pace::LANES),
        Pace::Interval { .. } if poisson => {
            return Err(Failure::usage("--arrivals poisson needs a rate: --rate 50/s"));
        }
        Pace::Interval { min, max, lanes } => (engine::Pace::Interval { min_ns: min, max_ns: max }, lanes),
        Pace::Max | Pace::Load => {
            return Err(Failure::usage("--rate max is for `tracegen run`; give serve a rate, as --rate 1000/s"));
        }
    };
    match pace {
        _ if by_load => table.add("load", SettingValue::Shown("as the scenario files say".into()), "files"),
        engine::Pace::Rate { count, per_ns, poisson } => {
            let spread = if poisson { ", Poisson" } else { "" };
            table.add(
                "--rate",
                SettingValue::Shown(format!("{}{spread}", quantity::format_rate(count, per_ns))),
                "flag",
            );
        }
        engine::Pace::Interval { min_ns, max_ns } => {
            let given = flags.interval.is_some();
            table.row("TRACE_INTERVAL_MIN", by_flag, given, quantity::format_duration(min_ns));
            table.row("TRACE_INTERVAL_MAX", by_flag, given, quantity::format_duration(max_ns));
            table.row("TRACE_NUM_WORKERS", "--lanes", flags.lanes.is_some(), lanes);
        }
    }
    Ok((pace, lanes))
}

fn store(wanted: &Wanted, table: &mut Table) {
    let Some(connection) = &wanted.clickhouse else { return table.row("DATABASE_TYPE", "", false, "inmemory") };
    table.row("DATABASE_TYPE", "", false, "clickhouse");
    let scheme = if connection.https { "https://" } else { "" };
    table.row(database::variable("HOST"), "", false, format!("{scheme}{}", connection.host));
    table.row(database::variable("PORT"), "", false, connection.port);
    table.row(database::variable("USER"), "", false, &connection.user);
    table.secret(database::variable("PASSWORD"));
    table.row(database::variable("NAME"), "", false, &connection.database);
}

/// Resolves the target; traces are exported only if an endpoint is set.
fn target(table: &mut Table) -> Result<Option<Target>, Failure> {
    let target = Target::resolve(TargetFlags::default(), &environment::text);
    let target = target.map_err(|e| Failure::usage(e.to_string()))?;
    if target.is_default {
        table.optional("OTEL_EXPORTER_OTLP_ENDPOINT", None);
        return Ok(None);
    }
    let of_traces = environment::text("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").is_some();
    let name = if of_traces { "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" } else { "OTEL_EXPORTER_OTLP_ENDPOINT" };
    table.optional(name, Some(target.to_string()));
    table.secret("OTEL_EXPORTER_OTLP_HEADERS");
    if environment::text("OTEL_EXPORTER_OTLP_TRACES_HEADERS").is_some() {
        table.secret("OTEL_EXPORTER_OTLP_TRACES_HEADERS");
    }
    Ok(Some(target))
}

/// Parses a comma-separated list of host names.
fn names(text: &str) -> Result<Vec<String>, &'static str> {
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_ascii_lowercase()).collect();
    let is_name =
        |name: &String| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    let problem = "expected names of hosts with commas between them and without ports, as `tracegen,demo.example`";
    if names.iter().all(is_name) { Ok(names) } else { Err(problem) }
}

/// Parses a base URL to which pages may link.
fn url(text: &str) -> Result<String, &'static str> {
    let parsed: Option<hyper::Uri> = text.parse().ok();
    let web = parsed.filter(|url| matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some());
    web.map(|_| text.trim_end_matches('/').to_string()).ok_or("expected a URL, as `http://localhost:16686`")
}

#[derive(Default)]
struct Table {
    rows: Vec<Setting>,
    bad: Vec<Failure>,
}

impl Table {
    /// Returns the value that was read, or the default and records the failure.
    fn or<T>(&mut self, read: Result<T, Failure>, default: T) -> T {
        read.unwrap_or_else(|failure| {
            self.bad.push(failure);
            default
        })
    }

    fn or_default<T: Default>(&mut self, read: Result<T, Failure>) -> T {
        self.or(read, T::default())
    }

    fn add(&mut self, name: &'static str, value: SettingValue, source: &'static str) {
        self.rows.push(Setting { name, value, source });
    }

    /// Adds a row for a variable, or for the flag that beats it.
    fn row(&mut self, variable: &'static str, flag: &'static str, by_flag: bool, value: impl Display) {
        let value = SettingValue::Shown(value.to_string());
        match by_flag {
            true => self.add(flag, value, "flag"),
            false => self.add(variable, value, source(variable)),
        }
    }

    fn optional(&mut self, variable: &'static str, value: Option<String>) {
        self.add(variable, value.map_or(SettingValue::NotSet, SettingValue::Shown), source(variable));
    }

    fn secret(&mut self, variable: &'static str) {
        let value = if environment::text(variable).is_some() { SettingValue::Hidden } else { SettingValue::NotSet };
        self.add(variable, value, source(variable));
    }

    fn number(&mut self, name: &'static str, allowed: RangeInclusive<u32>, default: u32) -> u32 {
        let expected = format!("expected a number from {} to {}", allowed.start(), allowed.end());
        let parse = |text: &str| text.parse().ok().filter(|n| allowed.contains(n)).ok_or_else(|| expected.clone());
        let value = self.or_default(environment::value(name, parse)).unwrap_or(default);
        self.row(name, "", false, value);
        value
    }
}

fn source(variable: &str) -> &'static str {
    if environment::text(variable).is_some() { "environment" } else { "default" }
}
