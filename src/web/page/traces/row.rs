//! A trace as a row of the list, or as a card.

use crate::store::{ShapeSpan, TraceSummary};
use crate::text;
use crate::web::palette::Palette;
use crate::web::{App, format};

pub struct Row {
    pub id: String,
    pub failed: bool,
    pub class: &'static str,
    pub operation: String,
    pub service: String,
    pub scenario: String,
    pub shape: Vec<Stroke>,
    pub spans: String,
    pub error: Option<RowError>,
    pub duration: String,
    /// The length relative to the longest trace of the page, such as `44%`.
    pub length: String,
    /// A time such as `14:32:08.214`, and the full time.
    pub clock: String,
    pub stamp: String,
}

pub struct RowError {
    pub class: &'static str,
    pub service: String,
    pub r#type: String,
    /// The number of failed spans beside the first one.
    pub more: u32,
}

/// A span of the small picture, with its geometry as SVG attributes.
#[derive(Debug, PartialEq)]
pub struct Stroke {
    pub class: &'static str,
    pub x: String,
    pub y: String,
    pub width: String,
    pub height: String,
}

impl Row {
    /// Makes a row. `longest` is the longest duration on the page in ns.
    pub fn new(app: &App, palette: &Palette, trace: TraceSummary, longest: u64) -> Row {
        let located = || Some(app.session.locate(trace.id)?.scenario_name().to_string());
        let scenario = trace.scenario.clone().or_else(located);
        Row {
            id: format::trace_id(trace.id),
            failed: trace.errors > 0,
            class: palette.class(&trace.service),
            scenario: scenario.unwrap_or_default(),
            shape: shape(palette, &trace.shape),
            spans: text::grouped(trace.spans as u64),
            error: trace.first_error.map(|e| RowError {
                class: palette.class(&e.service),
                r#type: if e.r#type.is_empty() { "error".into() } else { e.r#type },
                service: e.service,
                more: trace.errors.saturating_sub(1),
            }),
            duration: text::duration(trace.duration),
            length: format::percent(trace.duration as f64, longest as f64),
            clock: format::clock(trace.start),
            stamp: format!("{} UTC", format::date_time(trace.start)),
            operation: format::named(&trace.operation).into(),
            service: trace.service,
        }
    }

    /// Returns the first digits of the id, enough to tell ids apart at a glance.
    pub fn short_id(&self) -> &str {
        &self.id[..8]
    }
}

/// The height in px.
const HEIGHT: f64 = 20.0;

fn shape(palette: &Palette, spans: &[ShapeSpan]) -> Vec<Stroke> {
    let end = spans.iter().map(|s| s.offset.saturating_add(s.duration)).max().unwrap_or(0).max(1) as f64;
    let height = (HEIGHT * 0.8 / spans.len() as f64).clamp(1.4, 3.0);
    let pitch = (HEIGHT - height) / (spans.len().max(2) - 1) as f64;
    let top = if spans.len() == 1 { (HEIGHT - height) / 2.0 } else { 0.0 };
    let stroke = |(i, span): (usize, &ShapeSpan)| {
        let width = (span.duration as f64).max(end * 0.008);
        Stroke {
            class: palette.class(&span.service),
            // A bar at the edge stays within it.
            x: format::percent((span.offset as f64).min(end - width), end),
            y: format!("{:.1}", top + i as f64 * pitch),
            width: format::percent(width, end),
            height: format!("{height:.1}"),
        }
    };
    spans.iter().enumerate().map(stroke).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture;

    #[test]
    fn a_shape_fills_its_picture() {
        let palette = Palette::of(&fixture::plan());
        let span = |offset, duration| ShapeSpan { service: "api-gateway".into(), offset, duration };
        let strokes = shape(&palette, &[span(0, 100), span(50, 150), span(200, 0)]);
        let place = |s: &Stroke| format!("{} {} {} {}", s.x, s.y, s.width, s.height);
        let places: Vec<String> = strokes.iter().map(place).collect();
        assert_eq!(places, ["0% 0.0 50% 3.0", "25% 8.5 75% 3.0", "99.2% 17.0 0.8% 3.0"]);
        assert_eq!(place(&shape(&palette, &[span(0, 0)])[0]), "0% 8.5 0.8% 3.0");
        assert_eq!(shape(&palette, &[]), []);
    }
}
