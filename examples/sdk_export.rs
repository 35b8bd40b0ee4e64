//! Measures the cost of sending tracegen's traces with the OpenTelemetry SDK's OTLP/gRPC exporter, at full speed:
//! `cargo run --profile dist --example sdk_export -- URL SECONDS [SPANS]`, with SPANS a request (the SDK's default is 512).
//! Prints the number of spans that were acknowledged.
//!
//! Each request is waited for, so nothing is lost; with the SDK's batch processor, spans that exceed its queue would be dropped.

use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracegen::interpreter::{Arrivals, Interpreter, Run, Schedule};
use tracegen::plan::ResourceId;
use tracegen::trace::{Trace, View};

#[allow(dead_code)]
#[path = "../tests/support/plans.rs"]
mod plans;
#[path = "../tests/support/sdk.rs"]
mod sdk;

/// The exporter of a resource, and the spans that wait for it.
struct Exporter {
    exporter: SpanExporter,
    waiting: Vec<SpanData>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("URL is missing")?;
    let lasts = Duration::from_secs(arguments.next().ok_or("SECONDS is missing")?.parse()?);
    let most: usize = arguments.next().map_or(Ok(512), |n| n.parse())?;

    let schedule = Schedule::new(1_767_225_600_000_000_000, Arrivals::Even { count: 1_000, per_ns: 1_000_000_000 })?;
    let run = Arc::new(Run::new(Arc::new(plans::ecommerce()), 42, schedule));
    let (plan, resources) = (run.plan(), run.resources());
    let mut exporters = vec![];
    for id in (0..resources.attributes.len() as u32).map(ResourceId) {
        let mut exporter = SpanExporter::builder().with_tonic().with_endpoint(&url).build()?;
        exporter.set_resource(&sdk::resource(resources, id));
        exporters.push(Exporter { exporter, waiting: vec![] });
    }

    let (mut interpreter, mut trace) = (Interpreter::new(&run), Trace::default());
    let (mut spans, began) = (0, Instant::now());
    for index in 0.. {
        if began.elapsed() >= lasts {
            break;
        }
        interpreter.trace(index, &mut trace);
        for (id, span) in sdk::span_data(View { plan, resources, trace: &trace }) {
            let to = &mut exporters[id.index()];
            to.waiting.push(span);
            if to.waiting.len() >= most {
                spans += to.waiting.len();
                to.exporter.export(std::mem::take(&mut to.waiting)).await?;
            }
        }
    }
    for to in exporters {
        spans += to.waiting.len();
        to.exporter.export(to.waiting).await?;
    }
    println!("{spans}");
    Ok(())
}
