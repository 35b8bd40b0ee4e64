//! The effects of incidents on the spans that they select.

use super::{Resolver, State};
use crate::compiler::report::Report;
use crate::plan::{Change, Constant, Dist, DistForm, DistId, Expr, ExprId, IncidentId, Operator, limits};

/// A time of a span that incidents may change.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Its own work before its calls, which can be replaced and lengthened.
    Own,
    /// Any other time that it takes itself, which is only multiplied.
    Other,
}

impl<'m> Resolver<'m> {
    /// Returns a time of the span at `at`, as the incidents change it that select the span.
    pub(super) fn under_incidents(
        &mut self,
        state: &State<'_, 'm>,
        at: usize,
        part: Part,
        time: Option<Dist>,
        report: &mut Report,
    ) -> Option<Dist> {
        let changes: Vec<Change> = (state.names.spans[at].incidents.iter())
            .filter_map(|&incident| self.change(state, at, incident, part, report))
            .collect();
        let is_longer = |change: &Change| change.base.is_some() || change.add.is_some();
        let takes_time = time.as_ref().is_some_and(|time| time.max > 0);
        if changes.is_empty() || !takes_time && !changes.iter().any(is_longer) {
            return time;
        }
        let time = time.unwrap_or(Dist { form: DistForm::Uniform { min: 0, max: 0 }, max: 0 });
        let base = self.tables.dist(time);
        let longest = |dist: DistId| self.tables.program.dists[dist.index()].max;
        let bases = changes.iter().filter_map(|change| change.base).chain([base]);
        let factor: f64 = changes.iter().map(|change| change.times.max(1.0)).product();
        let most = bases.map(longest).max().unwrap_or(0) as f64 * factor;
        let added: u64 = changes.iter().filter_map(|change| change.add).map(longest).fold(0, u64::saturating_add);
        // The cast limits what is too long.
        let max = (most.ceil() as u64).saturating_add(added).min(limits::DELAY);
        Some(Dist { form: DistForm::Changed { base, changes: changes.into() }, max })
    }

    /// Returns the change that an incident makes to a time of the span at `at`, if it makes one.
    fn change(
        &mut self,
        state: &State<'_, 'm>,
        at: usize,
        incident: usize,
        part: Part,
        report: &mut Report,
    ) -> Option<Change> {
        let names = state.names;
        let (written, site) = (&names.model.incidents[incident], names.spans[at].incident_site(at));
        let (mut base, mut add) = (None, None);
        let times = written.latency.as_ref().map_or(1.0, |latency| latency.times);
        if part == Part::Own {
            let lengthening = written.latency.as_ref().and_then(|latency| latency.add.as_ref());
            base = written.delay.as_ref().and_then(|delay| self.dist_id(state, site, delay, report));
            add = lengthening.and_then(|time| self.dist_id(state, site, time, report));
        }
        if times == 1.0 && base.is_none() && add.is_none() {
            return None;
        }
        let when = self.in_force(state, at, incident, report)?;
        Some(Change { when, base, times, add })
    }

    /// Returns the condition under which an incident is in force for the span at `at`.
    pub(super) fn in_force(
        &mut self,
        state: &State<'_, 'm>,
        at: usize,
        incident: usize,
        report: &mut Report,
    ) -> Option<ExprId> {
        let written = &state.names.model.incidents[incident];
        let is_in_force = self.on_instance(state, at, incident);
        let Some(when) = &written.when else { return Some(is_in_force) };
        let when = self.condition(state, state.names.spans[at].incident_site(at), when, report)?;
        Some(self.tables.expr(Expr::Binary { operator: Operator::And, left: is_in_force, right: when }))
    }

    /// Returns the condition under which an incident is in force for the instance of the span at `at`.
    pub(super) fn on_instance(&mut self, state: &State<'_, 'm>, at: usize, incident: usize) -> ExprId {
        let left = self.tables.expr(Expr::Incident { incident: IncidentId(incident as u32) });
        let selected = state.names.model.incidents[incident].instances();
        if selected.is_empty() || state.names.instances_of(at) == 1 {
            return left;
        }
        let items =
            selected.iter().map(|instance| self.tables.constant(Constant::Int(instance.value.into()))).collect();
        let operand = self.tables.expr(Expr::InstanceIndex);
        let right = self.tables.expr(Expr::In { operand, items });
        self.tables.expr(Expr::Binary { operator: Operator::And, left, right })
    }
}
