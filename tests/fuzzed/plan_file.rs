//! Any bytes as a plan file: refused or verified, and what is verified can be shown in every form and written again.

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
        // A program with another digest has been through the verifier; a mutated one comes this far, not further.
        Err(PlanFileError::Digest { written, .. }) => assert!(written.len() <= 4 * 64),
        Err(error) => drop(error.to_string()),
    }
}
