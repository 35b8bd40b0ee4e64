//! Reads policies: from files, and from flags in a shorter form.

use super::Policy;
use super::rule::{Fate, Rule};
use super::sample::Sample;
use crate::condition::{Condition, Outlook, TraceValue, Vocabulary};
use crate::language::diagnostic::{Diagnostic, Problem, Role, Severity};
use crate::language::scenario::fields::{Context, Fields};
use crate::language::source::{Loc, Located, Sources};
use crate::language::yaml::{Kind, Node};
use crate::language::{self, files};
use crate::text::quantity::duration;
use crate::verify::allowance::Allowance;
use crate::verify::change::{self, Changes, read_entry, read_flag};
use std::path::Path;

/// The maximum number of rules for traces.
const MOST_RULES: usize = 1_000;

/// The fields of a policy.
const FIELDS: [&str; 4] = ["traces", "spans", "allow", "precision"];

/// A reader of a policy that is made of any number of files and flags. It finds all mistakes before it gives a policy.
pub struct PolicyReader<'k> {
    known: &'k Vocabulary,
    /// The vocabulary, and the attributes that the declared changes have made so far.
    changed: Vocabulary,
    pub sources: Sources,
    pub diagnostics: Vec<Diagnostic>,
    policy: Policy,
    rules: Vec<Located<Rule>>,
    changes: Vec<change::Rule>,
    /// The sample of the traces on which no rule decides.
    rest: Option<Option<Sample>>,
}

impl<'k> PolicyReader<'k> {
    /// Makes a reader of a policy for runs with this vocabulary.
    pub fn new(known: &'k Vocabulary) -> PolicyReader<'k> {
        let (policy, sources) = (Policy::default(), Sources::default());
        PolicyReader {
            known,
            changed: known.clone(),
            sources,
            diagnostics: vec![],
            policy,
            rules: vec![],
            changes: vec![],
            rest: None,
        }
    }

    /// Adds a rule that keeps failed traces. Any number of the traces that no rule is for may arrive, unless a sample says
    /// how many.
    pub fn keep_errors(&mut self, flag: &str, text: &str) {
        let file = self.sources.add(flag.into(), text.into());
        let loc = Loc { file, start: 0, end: text.len() as u32 };
        self.rules.push(Located::new(Rule::keep_failed(), loc));
        self.rest.get_or_insert(None);
    }

    /// Samples the traces that no rule is for.
    pub fn sample_rest(&mut self, sample: Sample) {
        self.rest = Some(Some(sample));
    }

    /// Permits a fault or a change.
    pub fn allow(&mut self, allowance: Allowance) {
        self.policy.allow.insert(allowance);
    }

    /// Sets the unit in which times are compared, in ns.
    pub fn precision(&mut self, precision: u64) {
        self.policy.precision = Some(precision);
    }

    /// Adds the change in the text of a flag, such as `delete(payment.card) when service == 'cart'`.
    pub fn change(&mut self, flag: &str, text: &str) {
        let file = self.sources.add(flag.into(), text.into());
        let loc = Loc { file, start: 0, end: text.len() as u32 };
        let rule = read_flag(text, loc, &mut self.changed, &mut self.diagnostics);
        self.changes.extend(rule);
    }

    /// Makes spans a fault that do not belong to the run.
    pub fn deny_unexpected(&mut self) {
        self.policy.deny_unexpected = true;
    }

    /// Adds the rule in the text of a flag, such as `keep: duration_ms > 800`, or `sample: 10% when service == 'cart'`.
    pub fn rule(&mut self, flag: &str, text: &str) {
        let file = self.sources.add(flag.into(), text.into());
        let part = |from: usize, to: usize| {
            let inside = &text[from..to];
            let start = from + inside.len() - inside.trim_start().len();
            Loc { file, start: start as u32, end: (start + inside.trim().len()) as u32 }
        };
        let colon = text.find(':').unwrap_or(text.len());
        let behind = (colon + 1).min(text.len());
        let rule = match text[..colon].trim() {
            word @ ("keep" | "drop") => {
                let when = self.condition(text, part(behind, text.len()));
                when.map(|when| Rule { fate: if word == "keep" { Fate::Keep } else { Fate::Drop }, when: Some(when) })
            }
            "sample" => {
                let split = text[behind..].find(" when ").map_or(text.len(), |at| behind + at);
                let share = part(behind, split);
                let sample = share_of(&text[share.range()], share, &mut self.diagnostics);
                let when = match split < text.len() {
                    true => self.condition(text, part(split + " when ".len(), text.len())).map(Some),
                    false => Some(None),
                };
                sample.zip(when).map(|(sample, when)| Rule { fate: Fate::Sample(sample), when })
            }
            _ => {
                self.diagnostics.push(Diagnostic::new(Problem::RuleForm { found: vec![] }, part(0, colon)));
                None
            }
        };
        self.rules.extend(rule.map(|rule| Located::new(rule, part(0, text.len()))));
    }

    fn condition(&mut self, text: &str, loc: Loc) -> Option<Condition<TraceValue>> {
        Condition::parse(text, loc, self.known, &mut self.diagnostics)
    }

    /// Adds what a file says.
    pub fn file(&mut self, path: &Path) {
        let PolicyReader { known, changed, sources, diagnostics, policy, rules: read, changes: made, .. } = self;
        language::settings(files::one(path), "a policy", sources, diagnostics, |cx, node| {
            let Some(fields) = Fields::read(cx, node, "a policy", &FIELDS) else { return };
            if let Some(node) = fields.optional("traces") {
                read.extend(rules(cx, node, known));
            }
            if let Some(node) = fields.optional("spans") {
                made.extend(changes(cx, node, changed));
            }
            if let Some(node) = fields.optional("precision") {
                policy.precision = precision(cx, node).or(policy.precision);
            }
            if let Some(node) = fields.optional("allow") {
                policy.allow.extend(allowances(cx, node));
            }
        });
    }

    /// Returns the policy, or `None` if there is a mistake in it.
    pub fn finish(&mut self) -> Option<Policy> {
        self.warn_of_idle_rules();
        if let Some(first_beyond) = self.rules.get(MOST_RULES) {
            let problem = Problem::TooManyRules { limit: MOST_RULES };
            self.diagnostics.push(Diagnostic::new(problem, first_beyond.loc));
        }
        language::sort(&mut self.diagnostics);
        let mut policy = std::mem::take(&mut self.policy);
        policy.changes = Changes::new(std::mem::take(&mut self.changes));
        policy.rules.extend(self.rules.drain(..).map(|rule| rule.value));
        let is_covered = policy.rules.iter().any(|rule| rule.when.is_none());
        let rest = self.rest.filter(|sample| sample.is_some() || !is_covered);
        policy.rules.extend(rest.map(|sample| Rule { fate: Fate::Sample(sample), when: None }));
        let is_wrong = self.diagnostics.iter().any(|diagnostic| diagnostic.severity() == Severity::Error);
        (!is_wrong).then_some(policy)
    }

    /// Warns of rules that decide on no trace, whatever the run is like.
    fn warn_of_idle_rules(&mut self) {
        let mut last: Option<Loc> = None;
        for rule in self.rules.iter().take(MOST_RULES) {
            let outlook = rule.value.when.as_ref().map_or(Outlook::Always, |when| when.outlook(self.known));
            if let Some(last) = last {
                let idle = Diagnostic::new(Problem::RuleBehindLast, rule.loc);
                self.diagnostics.push(idle.related(Role::LastRule, last));
            } else if outlook == Outlook::Never {
                let is_follow_up = |other: &Diagnostic| {
                    matches!(other.problem, Problem::NeverThisValue { .. }) && rule.loc.contains(other.at)
                };
                if !self.diagnostics.iter().any(is_follow_up) {
                    let text = rule.value.to_string();
                    let reads_bound = ["duration_ms", "spans"].into_iter().any(|word| text.contains(word));
                    let bound = self.known.bound().filter(|_| reads_bound);
                    self.diagnostics.push(Diagnostic::new(Problem::RuleNeverHolds { bound }, rule.loc));
                }
            } else if outlook == Outlook::Always {
                last = Some(rule.loc);
            }
        }
    }
}

/// Reads the rules for traces.
fn rules(cx: &mut Context<'_>, node: &Node<'_>, known: &Vocabulary) -> Vec<Located<Rule>> {
    let Kind::Sequence(items) = &node.kind else {
        cx.mistyped("`traces`", "a list of rules", node, Some("write `- keep: duration_ms > 800`".into()));
        return vec![];
    };
    items.iter().filter_map(|item| Some(Located::new(rule(cx, item, known)?, item.loc))).collect()
}

/// Reads the declared changes.
fn changes(cx: &mut Context<'_>, node: &Node<'_>, known: &mut Vocabulary) -> Vec<change::Rule> {
    let Kind::Sequence(items) = &node.kind else {
        cx.mistyped("`spans`", "a list of changes", node, Some("write `- delete: user.email`".into()));
        return vec![];
    };
    items.iter().filter_map(|item| read_entry(item, cx.text, known, cx.diagnostics)).collect()
}

/// Reads the unit in which times are compared.
fn precision(cx: &mut Context<'_>, node: &Node<'_>) -> Option<u64> {
    let text = cx.text("`precision`", node)?;
    let precision = duration(&text.value).ok().filter(|precision| *precision > 0);
    if precision.is_none() {
        cx.mistyped("`precision`", "a duration", node, Some("write `1us` or `1ms`".into()));
    }
    precision
}

fn rule(cx: &mut Context<'_>, node: &Node<'_>, known: &Vocabulary) -> Option<Rule> {
    const WORDS: [&str; 3] = ["drop", "keep", "sample"];
    let before = cx.diagnostics.len();
    let fields = Fields::read(cx, node, "a rule", &["drop", "keep", "sample", "when"])?;
    let found = Vec::from_iter(WORDS.into_iter().filter(|word| fields.get(word).is_some()));
    let [word] = found[..] else {
        // A misspelt word has been reported.
        if found.len() > 1 || cx.diagnostics.len() == before {
            cx.report(Problem::RuleForm { found }, fields.head());
        }
        return None;
    };
    let value = fields.required(cx, word)?;
    if word != "sample" {
        if let Some(when) = fields.get("when") {
            cx.report(Problem::Conflict { field: word, other: "when" }, when.key.loc);
        }
        let when = condition(cx, word, &value.value, known)?;
        return Some(Rule { fate: if word == "keep" { Fate::Keep } else { Fate::Drop }, when: Some(when) });
    }
    let share = cx.text("`sample`", &value.value).and_then(|text| share_of(&text.value, text.loc, cx.diagnostics));
    let when = match fields.get("when") {
        Some(when) => condition(cx, "when", &when.value, known).map(Some),
        None => Some(None),
    };
    share.zip(when).map(|(sample, when)| Rule { fate: Fate::Sample(sample), when })
}

fn condition(cx: &mut Context<'_>, word: &str, node: &Node<'_>, known: &Vocabulary) -> Option<Condition<TraceValue>> {
    let template = cx.condition(&format!("`{word}`"), node)?;
    let Kind::Scalar { text, .. } = &node.kind else { return None };
    Condition::compile(text, &template, known, cx.diagnostics)
}

/// Reads the share of a sample; `any` is `Some(None)`.
fn share_of(text: &str, loc: Loc, diagnostics: &mut Vec<Diagnostic>) -> Option<Option<Sample>> {
    if text == "any" {
        return Some(None);
    }
    let sample = Sample::parse(text);
    if sample.is_none() {
        diagnostics.push(Diagnostic::new(Problem::BadShare { value: text.into() }, loc));
    }
    sample.map(Some)
}

/// Reads the faults that are permitted: a list, or one.
fn allowances(cx: &mut Context<'_>, node: &Node<'_>) -> Vec<Allowance> {
    let mut read = |node: &Node<'_>| {
        let text = cx.text("`allow`", node)?;
        let allowance: Result<Allowance, String> = text.value.parse();
        allowance.map_err(|reason| cx.report(Problem::BadAllowance { value: text.value, reason }, text.loc)).ok()
    };
    match &node.kind {
        Kind::Sequence(items) => items.iter().filter_map(|item| read(item)).collect(),
        _ => read(node).into_iter().collect(),
    }
}
