//! The pages: each a module with its data, its template in `templates/`.

pub mod login;
pub mod outage;
pub mod playground;
pub mod problem;
pub mod scenarios;
pub mod services;
pub mod status;
pub mod trace;
pub mod traces;

use super::App;
use crate::engine::Phase;
use crate::text;

/// What stands around every page.
pub struct Chrome {
    pub tab: Tab,
    pub phase: Phase,
    /// Traces a second, as achieved.
    pub rate: String,
    /// The scenario files do not compile as they are.
    pub broken: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    Traces,
    Services,
    Scenarios,
    Status,
    None,
}

impl Chrome {
    pub fn new(app: &App, tab: Tab) -> Chrome {
        let (phase, rate) = app.session.glance();
        let broken = app.library.shelf().broken.is_some();
        Chrome { tab, phase, rate: text::three_figures(rate), broken }
    }

    /// `aria-current` of the tab that is open.
    fn current(&self, tab: Tab) -> &'static str {
        if self.tab == tab { " aria-current=page" } else { "" }
    }
}
