//! The resources of a run: the attributes of every service instance, computed once.

use super::code::Code;
use super::evaluate::Evaluation;
use super::random::Random;
use crate::trace::{NONE, Resources, Trace, View};

/// Evaluates the attributes of all service instances. They read no slot, time, id or draw, which the verifier guarantees.
pub(super) fn compute(code: &Code) -> Resources {
    let (mut trace, mut earlier, mut random) = (Trace::default(), Trace::default(), Random::new([0; 32]));
    let mut values = Vec::with_capacity(code.plan.resources.len());
    for resource in &code.plan.resources {
        for (key, value) in &resource.attributes {
            let (random, trace, earlier) = (&mut random, &mut trace, &mut earlier);
            let mut e = Evaluation {
                code,
                random,
                slots: &mut [],
                trace,
                earlier,
                span: NONE,
                linked: None,
                arrival: None,
                drawn: None,
            };
            values.push((*key, e.value(*value)));
        }
    }
    let none = Resources::default();
    let view = View { plan: &code.plan, resources: &none, trace: &trace };
    let mut values = values.into_iter();
    let attributes = code.plan.resources.iter().map(|resource| {
        let own = values.by_ref().take(resource.attributes.len());
        let sent = own.filter_map(|(key, value)| Some((code.plan.text(key).to_owned(), view.datum(value)?.to_owned())));
        sent.collect()
    });
    Resources { attributes: attributes.collect() }
}
