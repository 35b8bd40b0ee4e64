//! The table of `--where`.

use super::Explain;
use super::human::{number, percent};
use crate::cli::table::Table;
use crate::explain::{Figure, Held};
use crate::text::count;

/// Formats how many traces there are for each condition. `rate` is in traces per second.
pub fn text(flags: &Explain, held: &[Held], rate: Option<f64>) -> String {
    let are_several = held.len() > 2;
    let mut head = vec!["where", "traces", "of all spans"];
    head.extend(rate.map(|_| "traces/s"));
    head.extend(are_several.then_some("first that holds"));
    let mut table = Table::new(1, &head);
    let shown = if are_several { held } else { &held[..1] };
    for Held { condition, traces, spans, first } in shown {
        let name = condition.as_ref().map_or("none of these".into(), ToString::to_string);
        let mut cells = vec![name, percent(*traces), percent(*spans)];
        cells.extend(rate.map(|rate| number(traces.times(rate))));
        cells.extend(are_several.then(|| percent(*first)));
        table.row(cells);
    }
    let is_sampled = shown.iter().any(|held| [held.traces, held.spans, held.first].into_iter().any(is_sampled));
    let mut out = format!("{table}\n");
    if is_sampled {
        let traces = count(flags.samples, "trace");
        out += &format!("~: of the first {traces} of seed {}, ± the 99.9 % interval.\n", flags.seed);
    }
    out
}

fn is_sampled(figure: Figure) -> bool {
    figure.interval().is_some()
}
