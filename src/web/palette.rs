//! The colours of services: those of the plan get eight colours in their order, then the same as hollow symbols.

use crate::plan::Plan;
use std::collections::HashMap;

/// The number of colours in `style.css`, `s1` to `s8`.
const COLOURS: usize = 8;

/// The number of each service's colour.
pub struct Palette(HashMap<String, usize>);

impl Palette {
    pub fn of(plan: &Plan) -> Palette {
        Palette(plan.services.iter().enumerate().map(|(i, s)| (plan.text(s.name).to_string(), i)).collect())
    }

    /// Returns the classes of an element for a service: `s3`, or `s3 hollow`. A service that is not in the plan gets a
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
