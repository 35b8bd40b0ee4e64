use super::*;
use crate::interpreter::Arrivals;
use crate::plan::fixture;

const EVERY_SECOND: Arrivals = Arrivals::Even { count: 1, per_ns: 1_000_000_000 };

fn epoch(first: u64) -> Epoch {
    Epoch::new(first, 1_767_225_600_000_000_000 + first, EVERY_SECOND)
}

fn begun(plan: &Arc<Plan>) -> Archive {
    Archive::of(&Run::new(plan.clone(), 42, only(epoch(0)).unwrap()), Selection::default(), None)
}

#[test]
fn forgotten_eras_are_missing_and_the_others_replay() {
    let mut archive = begun(&Arc::new(fixture::plan()));
    for n in 1..=150 {
        let plan = Arc::new(fixture::plan().with_weights([n as f64, 1.0]).unwrap());
        archive.begin(epoch(10 * n), &plan, BTreeMap::new());
        archive.forget();
    }
    let manifest = archive.manifest(None);
    assert_eq!((manifest.plans.len(), manifest.eras.len()), (Plans::MOST, Plans::MOST));
    let mut opened = Archive::open(&manifest).unwrap();
    for (index, known) in [(0, true), (9, true), (10, false), (519, false), (520, true), (1_509, true)] {
        assert_eq!(opened.remake(index).is_some(), known, "{index}");
        assert_eq!(archive.remake(index).is_some(), known, "{index}");
    }
}

#[test]
fn eras_without_a_trace_leave_nothing_behind() {
    let mut archive = begun(&Arc::new(fixture::plan()));
    for n in 1..100 {
        let plan = Arc::new(fixture::plan().with_weights([n as f64, 1.0]).unwrap());
        archive.begin(epoch(10), &plan, BTreeMap::new());
        archive.forget();
    }
    assert_eq!((archive.eras.len(), archive.plans.len()), (2, 2));
    let run = archive.run(10).unwrap();
    assert_eq!(run.plan().scenarios[0].weight, 99.0);
    archive.begin(epoch(10), &Arc::new(fixture::plan()), BTreeMap::new());
    assert_ne!(archive.run(10).unwrap().plan().scenarios[0].weight, 99.0, "a run kept ready is not the era's");
}

#[test]
fn too_many_eras_or_shards_are_refused_at_once() {
    let mut manifest = begun(&Arc::new(fixture::plan())).manifest(None);
    let era = manifest.eras[0].clone();
    manifest.eras = (0..100_000).map(|i| Era { epoch: epoch(i), end: Some(i + 1), ..era.clone() }).collect();
    assert!(matches!(Archive::open(&manifest), Err(ManifestError::TooMany { .. })));
    manifest.eras = vec![era];
    manifest.selection.shard = (0, 1 << 40);
    assert!(matches!(Archive::open(&manifest), Err(ManifestError::Shard(0, _))));
}
