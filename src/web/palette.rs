//! Which colour stands for which service: the plan's services in its order, eight colours, then the same hollow.

use crate::plan::Plan;
use std::collections::HashMap;

/// Colours of `style.css`: `s1` to `s8`.
const COLOURS: usize = 8;

pub struct Palette(HashMap<String, usize>);

impl Palette {
    pub fn of(plan: &Plan) -> Palette {
        Palette(plan.services.iter().enumerate().map(|(i, s)| (plan.text(s.name).to_string(), i)).collect())
    }

    /// Classes of an element that stands for the service: `s3`, or `s3 hollow`. One that the plan does not know gets a
    /// colour by its name.
    pub fn class(&self, service: &str) -> &'static str {
        const CLASSES: [&str; 2 * COLOURS] = [
            "s1",
            "s2",
            "s3",
            "s4",
            "s5",
            "s6",
            "s7",
            "s8",
            "s1 hollow",
            "s2 hollow",
            "s3 hollow",
            "s4 hollow",
            "s5 hollow",
            "s6 hollow",
            "s7 hollow",
            "s8 hollow",
        ];
        let by_name = || service.bytes().fold(7usize, |h, b| h.wrapping_mul(31).wrapping_add(b as usize));
        CLASSES[self.0.get(service).copied().unwrap_or_else(by_name) % CLASSES.len()]
    }
}
