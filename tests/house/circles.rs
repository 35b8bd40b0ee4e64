//! Parts of a module that import each other in a circle.

use crate::modules::Mention;
use std::collections::{BTreeMap, BTreeSet};

/// The arrows from one part of a module to others, each with the files and names as lines for a reader.
type Arrows<'a> = BTreeMap<&'a str, BTreeMap<&'a str, BTreeSet<String>>>;

/// Returns each circle among the parts of a module. A part is a direct submodule with everything inside. Parts may use what
/// their module itself defines, and the module may use its parts: they are one unit. A name that a module only re-exports
/// makes no arrow.
pub fn circles(mentions: &[Mention]) -> Vec<String> {
    let mut inside: BTreeMap<&[String], Arrows> = BTreeMap::new();
    for mention in mentions.iter().filter(|mention| mention.is_item && !mention.exported) {
        let common = mention.from.iter().zip(&mention.to).take_while(|(from, to)| from == to).count();
        if let (1.., Some(from), Some(to)) = (common, mention.from.get(common), mention.to.get(common)) {
            let arrows = inside.entry(&mention.from[..common]).or_default();
            let tie = format!("{} -> {}: {}", mention.file, mention.to_file, mention.path);
            arrows.entry(from).or_default().entry(to).or_default().insert(tie);
        }
    }
    inside.into_iter().flat_map(|(module, arrows)| circles_inside(&module.join("::"), &arrows)).collect()
}

fn circles_inside(module: &str, arrows: &Arrows) -> Vec<String> {
    let reached: BTreeMap<&str, BTreeSet<&str>> = arrows.keys().map(|part| (*part, reachable(part, arrows))).collect();
    let mut found = BTreeSet::new();
    for (part, others) in &reached {
        let leads_back = |other: &&&str| reached.get(**other).is_some_and(|from_there| from_there.contains(part));
        let circle: BTreeSet<&str> = others.iter().filter(leads_back).copied().collect();
        if !circle.is_empty() {
            found.insert(circle);
        }
    }
    found.into_iter().map(|circle| described(module, &circle, arrows)).collect()
}

/// Returns the parts that can be reached from one by arrows, including itself if one leads back.
fn reachable<'a>(part: &'a str, arrows: &Arrows<'a>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![part];
    while let Some(part) = open.pop() {
        for next in arrows.get(part).into_iter().flat_map(|targets| targets.keys().copied()) {
            if reached.insert(next) {
                open.push(next);
            }
        }
    }
    reached
}

fn described(module: &str, circle: &BTreeSet<&str>, arrows: &Arrows) -> String {
    let parts: Vec<&str> = circle.iter().copied().collect();
    let mut lines = vec![format!("in `{module}`: {}", parts.join(", "))];
    for part in circle {
        let targets = arrows.get(part).into_iter().flatten().filter(|(target, _)| circle.contains(*target));
        lines.extend(targets.flat_map(|(_, ties)| ties).map(|tie| format!("  {tie}")));
    }
    lines.join("\n")
}
