//! Any bytes as a plan file: it is refused, or verified, shown in every form, and written again.

use tracegen::plan::{Plan, PlanFileError};

pub fn run(bytes: &[u8]) {
    match Plan::read_file(bytes) {
        Ok(plan) => {
            let mut again = vec![];
            plan.write_file(&mut again).expect("a vector takes everything");
            assert_eq!(Plan::read_file(&again[..]).expect("what was written reads back").digest(), plan.digest());
            let _ = (plan.listing().to_string(), plan.dot().to_string());
            plan.write_json(&mut again).expect("a vector takes everything");
        }
        // A program with a recomputed digest gets through to the verifier; a mutated one is refused before.
        Err(PlanFileError::Digest { written, .. }) => assert!(written.len() <= 4 * 64),
        Err(error) => drop(error.to_string()),
    }
}
