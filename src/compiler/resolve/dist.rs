//! Times: distributions of the plan, with the expressions in them resolved.

use super::{Resolver, State};
use crate::compiler::names::Site;
use crate::compiler::report::Report;
use crate::compiler::times::without_values;
use crate::compiler::typed::Time;
use crate::language::scenario::dist::{Dist as Written, Form};
use crate::plan::{Constant, Dist, DistForm, DistId};

impl<'m> Resolver<'m> {
    /// Returns a time that is drawn, or `None` if it is always 0, or wrong and reported.
    pub(super) fn time(
        &mut self,
        state: &State<'_, 'm>,
        site: Site,
        written: &Written,
        report: &mut Report,
    ) -> Option<Time> {
        let dist = self.dist(state, site, written, report)?;
        self.drawn(dist)
    }

    /// Returns a time that is drawn from a distribution, or `None` if it is always 0.
    pub(super) fn drawn(&mut self, dist: Dist) -> Option<Time> {
        Some(match dist {
            Dist { max: 0, .. } => return None,
            Dist { form: DistForm::Uniform { min, max }, .. } => Time::Uniform { min, max },
            dist => Time::Dist(self.tables.dist(dist)),
        })
    }

    /// Returns a time that is drawn as an entry of the table, whatever its form is, or `None` if it is wrong and reported.
    pub(super) fn dist_id(
        &mut self,
        state: &State<'_, 'm>,
        site: Site,
        written: &Written,
        report: &mut Report,
    ) -> Option<DistId> {
        let dist = self.dist(state, site, written, report)?;
        Some(self.tables.dist(dist))
    }

    /// Returns the distribution of a time. Its parts are added to the table, but it is not, because a uniform one may not
    /// need to be.
    pub(super) fn dist(
        &mut self,
        state: &State<'_, 'm>,
        site: Site,
        written: &Written,
        report: &mut Report,
    ) -> Option<Dist> {
        let form = match &written.form {
            Form::Computed { value, unit, field } => {
                let value = self.expressions(state, site, report).number_field(field, value)?;
                match self.tables.constant_of(value.expr).and_then(known) {
                    Some(number) => {
                        // The interpreter would compute the same value.
                        let time = ((number * *unit as f64).round() as u64).min(written.max);
                        DistForm::Uniform { min: time, max: time }
                    }
                    None => DistForm::Computed { value: value.expr, unit: *unit },
                }
            }
            Form::Mix { conditional, weighted } => {
                // All are resolved, so that all mistakes are reported.
                let conditional: Vec<_> = (conditional.iter())
                    .map(|(when, part)| {
                        let when = self.expressions(state, site, report).condition_field("when", when);
                        let part = self.dist(state, site, part, report);
                        Some((when?.expr, self.tables.dist(part?)))
                    })
                    .collect();
                let weighted: Vec<_> = (weighted.iter())
                    .map(|(weight, part)| {
                        let part = self.dist(state, site, part, report);
                        Some((*weight, self.tables.dist(part?)))
                    })
                    .collect();
                DistForm::Mix {
                    conditional: conditional.into_iter().collect::<Option<_>>()?,
                    weighted: weighted.into_iter().collect::<Option<_>>()?,
                }
            }
            form => without_values(form)?,
        };
        let max = if let DistForm::Uniform { max, .. } = form { max } else { written.max };
        Some(Dist { form, max })
    }
}

fn known(constant: &Constant) -> Option<f64> {
    match constant {
        Constant::Int(value) => Some(*value as f64),
        Constant::Double(value) => Some(*value),
        _ => None,
    }
}
