//! The links of a span in both directions: to its causes, and from its effects.

use crate::store::Store;
use crate::text;
use crate::trace::{Attributes, StoredSpan, StoredTrace, TraceId};
use crate::web::palette::Palette;
use crate::web::{App, format};

/// The maximum number of links in each direction that are followed.
const MOST: usize = 20;

pub struct LinkRow {
    /// `links to` or `links here`.
    pub direction: &'static str,
    pub class: &'static str,
    pub name: String,
    /// The address of the other span; `None` if its trace can't be shown.
    pub href: Option<String>,
    /// A text such as `billing-service, trace 18,440, 1.9 s later`.
    pub about: String,
    /// The attributes of the link.
    pub attributes: Attributes,
}

pub async fn of(app: &App, trace: &StoredTrace, span: &StoredSpan, palette: &Palette) -> Vec<LinkRow> {
    let mut rows = vec![];
    for link in span.links.iter().take(MOST) {
        let target = target(app, link.trace_id, link.span_id).await;
        let href = format!("/traces/{}?span={}", format::trace_id(link.trace_id), format::span_id(link.span_id));
        let trace_words = number(app, link.trace_id);
        rows.push(match target {
            Some(target) => LinkRow {
                direction: "links to",
                class: palette.class(&target.service),
                about: format!("{}, {trace_words}, {}", target.service, apart(target.start, span.start)),
                attributes: link.attributes.clone(),
                name: target.name,
                href: Some(href),
            },
            None => LinkRow {
                direction: "links to",
                class: "k-bar",
                name: format::span_id(link.span_id),
                about: format!("{trace_words}, not kept"),
                attributes: link.attributes.clone(),
                href: None,
            },
        });
    }
    // Only the store knows the spans that link here; without it, the other direction is still shown.
    let back = app.database.links_to(trace.id).await.unwrap_or_default();
    for link in back.into_iter().filter(|link| link.target_span == span.id).take(MOST) {
        rows.push(LinkRow {
            direction: "links here",
            class: palette.class(&link.service),
            href: Some(format!("/traces/{}?span={}", format::trace_id(link.trace_id), format::span_id(link.span_id))),
            about: format!("{}, {}, {}", link.service, number(app, link.trace_id), apart(link.start, span.start)),
            name: link.name,
            attributes: vec![],
        });
    }
    rows
}

struct Target {
    service: String,
    name: String,
    start: u64,
}

/// Returns the span that a link leads to: a kept one, or one of this session that is generated again.
async fn target(app: &App, id: TraceId, span: u64) -> Option<Target> {
    let kept = app.database.trace(id).await.ok().flatten();
    let trace = kept.or_else(|| super::remake(app, &app.session.locate(id)?)?.ok())?;
    let span = trace.spans.into_iter().find(|s| s.id == span)?;
    Some(Target { service: span.service, name: span.name, start: span.start })
}

/// Returns the number of a trace, or else its id.
fn number(app: &App, id: TraceId) -> String {
    match app.session.locate(id) {
        Some(located) => format!("trace {}", text::grouped(located.index)),
        None => format!("trace {}", &format::trace_id(id)[..8]),
    }
}

fn apart(there: u64, here: u64) -> String {
    match there.checked_sub(here) {
        Some(later) => format!("{} later", text::duration(later)),
        None => format!("{} earlier", text::duration(here - there)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_differences_have_a_direction() {
        assert_eq!(apart(3_000_000_000, 1_100_000_000), "1.90 s later");
        assert_eq!(apart(1, 3), "2 ns earlier");
    }
}
