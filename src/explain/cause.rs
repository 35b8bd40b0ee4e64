//! The root causes of incidents: what each of them changes, and of which spans. They are read from the plan's code.

use crate::plan::{BlockId, Chance, Constant, DistForm, DistId, Expr, ExprId, IncidentId, Inst, Plan};
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

/// What an incident changes of the spans of an operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    pub service: String,
    /// The operation, or `*` for all of the service.
    pub operation: String,
    /// The changes, each once.
    pub changes: Vec<Effect>,
}

/// A change of spans.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Times are multiplied, replaced by others, or lengthened by a time.
    Slower { times: f64, is_replaced: bool, is_longer: bool },
    /// Spans fail with an error of this type, with this probability; 1 if a condition alone decides.
    Fails { error: String, chance: f64 },
    /// There are no spans, and calls fail.
    Down,
    /// Instances run another version.
    Version { version: String },
    /// A condition or a value reads whether the incident is in force.
    Decides,
}

/// Returns the root causes of an incident, by service and operation.
pub fn causes(plan: &Plan, incident: IncidentId) -> Vec<Cause> {
    let mut found: BTreeMap<(String, String), Vec<Effect>> = BTreeMap::new();
    let search = Search { plan, incident };
    for scenario in plan.scenario_ids() {
        for &block in plan.blocks_of(scenario) {
            for (pc, inst) in plan.block(block).code.iter().enumerate() {
                for (block, effect) in search.effects(block, pc, inst) {
                    let at = (plan.service_of(block).to_owned(), plan.operation(block));
                    let effects = found.entry(at).or_default();
                    if !effects.contains(&effect) {
                        effects.push(effect);
                    }
                }
            }
        }
    }
    for service in &plan.services {
        let rolled = (service.rollouts.iter().zip(service.resources().skip(service.instances as usize)))
            .find(|(rollout, _)| rollout.incident == incident);
        let version = rolled.and_then(|(_, resource)| {
            let attributes = &plan.resources[resource.index()].attributes;
            let (_, value) = attributes.iter().find(|(key, _)| plan.text(*key) == "service.version")?;
            match &plan.exprs[value.index()] {
                Expr::Const { value: Constant::Text(version) } => Some(plan.text(*version).to_owned()),
                _ => None,
            }
        });
        if let Some(version) = version {
            let at = (plan.text(service.name).to_owned(), "*".to_owned());
            found.entry(at).or_default().push(Effect::Version { version });
        }
    }
    found.into_iter().map(|((service, operation), changes)| Cause { service, operation, changes }).collect()
}

impl Display for Effect {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Effect::Slower { times, is_replaced, is_longer } => {
                let times = format!("{times} times as long");
                let words = [
                    (*is_replaced, "a time of its own"),
                    (times != "1 times as long", &times[..]),
                    (*is_longer, "a time longer"),
                ];
                let words: Vec<&str> =
                    words.into_iter().filter(|(applies, _)| *applies).map(|(_, word)| word).collect();
                f.write_str(&words.join(", "))
            }
            Effect::Fails { error, chance } if *chance == 1.0 => write!(f, "fails with {error}"),
            Effect::Fails { error, chance } => {
                write!(f, "fails with {error} ({} %)", (chance * 1e6).round() / 1e4)
            }
            Effect::Down => f.write_str("down"),
            Effect::Version { version } => write!(f, "version {version}"),
            Effect::Decides => f.write_str("decides"),
        }
    }
}

struct Search<'a> {
    plan: &'a Plan,
    incident: IncidentId,
}

impl Search<'_> {
    /// Returns the effects of the instruction at `pc` of `block`, each with the block of the spans that it changes.
    fn effects(&self, block: BlockId, pc: usize, inst: &Inst) -> Vec<(BlockId, Effect)> {
        let plan = self.plan;
        let span = plan.span_block(block);
        if let Inst::Test { value, .. } = *inst {
            // A test before a roll only spares the draw.
            let mut rest = plan.block(block).code[pc + 1..].iter();
            let guarded = rest.find(|inst| !matches!(inst, Inst::Test { .. }));
            return match guarded {
                _ if !self.reads(value) => vec![],
                Some(Inst::Roll) => vec![],
                Some(Inst::Fail { chance, .. }) => {
                    let at =
                        plan.block(block).code.iter().enumerate().skip(pc).find(|(_, inst)| inst.error().is_some());
                    let error = at.map_or_else(String::new, |(pc, _)| plan.failure_name(block, pc));
                    vec![(span, Effect::Fails { error, chance: chance.0 as f64 / Chance::ONE.0 as f64 })]
                }
                _ => vec![(span, Effect::Decides)],
            };
        }
        let mut effects: Vec<(BlockId, Effect)> =
            plan.drawn(inst).flat_map(|dist| self.changes(dist)).map(|effect| (span, effect)).collect();
        let down = inst.spec().and_then(|spec| plan.specs[spec.index()].down);
        if let (Some(callee), Some(down)) = (inst.callee(), down)
            && self.reads(down.when)
        {
            effects.push((plan.span_block(callee), Effect::Down));
        }
        if effects.is_empty() && plan.evaluated(inst).any(|value| self.reads(value)) {
            effects.push((span, Effect::Decides));
        }
        effects
    }

    /// Returns the changes that the incident makes to a distribution.
    fn changes(&self, dist: DistId) -> Vec<Effect> {
        let DistForm::Changed { changes, .. } = &self.plan.dists[dist.index()].form else { return vec![] };
        let own = changes.iter().filter(|change| self.reads(change.when));
        own.map(|change| Effect::Slower {
            times: change.times,
            is_replaced: change.base.is_some(),
            is_longer: change.add.is_some(),
        })
        .collect()
    }

    /// Reports whether an expression reads whether the incident is in force.
    fn reads(&self, value: ExprId) -> bool {
        let expr = &self.plan.exprs[value.index()];
        *expr == Expr::Incident { incident: self.incident } || expr.operands().any(|operand| self.reads(operand))
    }
}
