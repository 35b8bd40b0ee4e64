//! Tests with mutated programs: a program that the verifier accepts runs within its bounds.

use super::*;
use crate::interpreter::random::Random;
use crate::plan::{Program, limits};
use serde_json::Value;

/// Collects pointers to every number and every list in the tree.
fn places(value: &Value, at: &str, out: &mut Vec<String>) {
    match value {
        Value::Number(_) => out.push(at.into()),
        Value::Array(items) => {
            out.push(at.into());
            items.iter().enumerate().for_each(|(i, item)| places(item, &format!("{at}/{i}"), out));
        }
        Value::Object(fields) => fields.iter().for_each(|(key, item)| places(item, &format!("{at}/{key}"), out)),
        _ => {}
    }
}

fn mutate(program: &mut Value, places: &[String], random: &mut Random) {
    let Some(place) = program.pointer_mut(&places[random.below32(places.len() as u32) as usize]) else { return };
    let old = place.as_u64().unwrap_or(0);
    match place {
        Value::Array(items) if !items.is_empty() => {
            let (a, b) = (random.below32(items.len() as u32) as usize, random.below32(items.len() as u32) as usize);
            match random.below32(3) {
                0 => items.swap(a, b),
                1 => drop(items.remove(a)),
                _ => items.insert(a, items[b].clone()),
            }
        }
        Value::Array(_) => {}
        number => {
            let near = [0, 1, 2, 3, 5, 10, 1 << 20, 1 << 31, u64::MAX >> 1, old + 1, old.saturating_sub(1), old * 2];
            *number = near[random.below32(near.len() as u32) as usize].into();
        }
    }
}

#[test]
fn whatever_verifies_runs_within_its_bounds() {
    let mut random = Random::new([8; 32]);
    let mut ran = 0;
    for plan in [ecommerce(), wide(), linked(), timed()] {
        let original = serde_json::to_value(&*plan).unwrap();
        let mut all = vec![];
        places(&original, "", &mut all);
        for _ in 0..1_000 {
            let mut mutant = original.clone();
            for _ in 0..1 + random.below32(3) {
                mutate(&mut mutant, &all, &mut random);
            }
            let Ok(program) = serde_json::from_value::<Program>(mutant) else { continue };
            let plan = match Plan::verify(program) {
                Ok(plan) => plan,
                // Violations can be formatted, whatever is wrong.
                Err(violations) => {
                    assert!(!violations.to_string().is_empty());
                    continue;
                }
            };
            ran += 1;
            let run = run(plan, 1, arrivals()[0]);
            let (mut interpreter, mut trace) = (Interpreter::new(&run), Trace::default());
            for index in (0..5).chain(5_000..5_003) {
                interpreter.trace(index, &mut trace);
                let bound = run.plan().bound(trace.scenario);
                assert!((bound.min_spans..=bound.max_spans).contains(&(trace.spans.len() as u32)));
                assert!(trace.end - trace.start <= bound.duration);
                assert!(trace.text.len() as u64 <= limits::TRACE_TEXT_BYTES);
                let first = shown(&run, &trace);
                interpreter.trace(index, &mut trace);
                assert_eq!(shown(&run, &trace), first);
            }
        }
    }
    assert!(ran > 300, "{ran}");
}
