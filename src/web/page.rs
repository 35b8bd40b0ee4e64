//! The pages, each a module with its data and a template in `templates/`.

mod bands;
pub mod incidents;
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

/// The frame around every page.
pub struct Chrome {
    pub tab: Tab,
    pub phase: Phase,
    /// The achieved rate in traces a second.
    pub rate: String,
    /// The scenario files do not compile in their current state.
    pub broken: bool,
    /// The number of incidents that are in force.
    pub in_force: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    Traces,
    Services,
    Scenarios,
    Incidents,
    Status,
    None,
}

impl Chrome {
    pub fn new(app: &App, tab: Tab) -> Chrome {
        let (phase, rate) = app.session.glance();
        let broken = app.library.shelf().broken.is_some();
        let in_force = crate::web::incidents::in_force(app);
        Chrome { tab, phase, rate: text::three_figures(rate), broken, in_force }
    }

    /// Returns the `aria-current` attribute of the open tab.
    fn current(&self, tab: Tab) -> &'static str {
        if self.tab == tab { " aria-current=page" } else { "" }
    }
}
