//! Tests that every way to make a declared change wrong is found, over all kinds of change. The changes are made here anew,
//! to the messages that are sent.

use super::*;
use crate::condition::Vocabulary;
use crate::language::source::{FileId, Loc};
use crate::verify::change::{Changes, read_flag};
use opentelemetry_proto::tonic::trace::v1::Status;
use sha2::Digest;

/// A change, and what a pipeline does that makes it.
struct Case {
    flag: &'static str,
    /// Makes the change, and returns whether there was something to change.
    make: fn(&mut ResourceSpans) -> bool,
    /// Gives another value to what was changed.
    spoil: fn(&mut ResourceSpans),
}

fn find<'p>(pairs: &'p mut [KeyValue], key: &str) -> Option<&'p mut Value> {
    pairs.iter_mut().find(|pair| pair.key == key)?.value.as_mut()?.value.as_mut()
}

fn put(pairs: &mut Vec<KeyValue>, key: &str, value: Value) {
    match find(pairs, key) {
        Some(old) => *old = value,
        None => {
            pairs.push(KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..Default::default() })
        }
    }
}

fn remove(pairs: &mut Vec<KeyValue>, key: &str) -> Option<Value> {
    let at = pairs.iter().position(|pair| pair.key == key)?;
    pairs.remove(at).value?.value
}

fn attributes(single: &mut ResourceSpans) -> &mut Vec<KeyValue> {
    &mut span(single).attributes
}

fn of(text: &str) -> Value {
    Value::StringValue(text.into())
}

/// Edits an attribute that is a text, if `edit` finds something in it.
fn edit(single: &mut ResourceSpans, key: &str, edit: impl Fn(&str) -> String) -> bool {
    let Some(Value::StringValue(text)) = find(attributes(single), key) else { return false };
    let edited = edit(text);
    let changed = edited != *text;
    *text = edited;
    changed
}

fn hashed(single: &mut ResourceSpans, key: &str, hash: impl Fn(&[u8]) -> Vec<u8>) -> bool {
    let Some(value) = find(attributes(single), key) else { return false };
    let digest = match value {
        Value::StringValue(text) => hash(text.as_bytes()),
        Value::IntValue(number) => hash(&number.to_le_bytes()),
        other => panic!("{other:?}"),
    };
    *value = Value::StringValue(digest.iter().map(|byte| format!("{byte:02x}")).collect());
    true
}

fn shown(value: &Value) -> String {
    match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        other => panic!("{other:?}"),
    }
}

fn retain(single: &mut ResourceSpans, keep: impl Fn(usize, &KeyValue) -> bool) -> bool {
    let pairs = attributes(single);
    let before = pairs.len();
    let mut at = 0..;
    pairs.retain(|pair| keep(at.next().unwrap(), pair));
    pairs.len() < before
}

/// Returns the text with each run of digits replaced by asterisks.
fn masked(text: &str) -> String {
    let mut out = String::new();
    let mut in_run = false;
    for c in text.chars() {
        match c.is_ascii_digit() {
            true if !in_run => out += "****",
            true => {}
            false => out.push(c),
        }
        in_run = c.is_ascii_digit();
    }
    out
}

/// Returns the text with each `item` that has a number behind it named `thing`.
fn things(text: &str) -> String {
    let mut parts = text.split("item ");
    let mut out = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let number = part.strip_prefix('-').unwrap_or(part);
        out += if number.starts_with(|c: char| c.is_ascii_digit()) { "thing " } else { "item " };
        out += part;
    }
    out
}

const CASES: &[Case] = &[
    Case {
        flag: "set(k, 'w')",
        make: |single| {
            put(attributes(single), "k", of("w"));
            true
        },
        spoil: |single| put(attributes(single), "k", of("W")),
    },
    Case {
        flag: "set(resource.deployment.environment.name, 'staging')",
        make: |single| {
            put(&mut single.resource.as_mut().unwrap().attributes, "deployment.environment.name", of("staging"));
            true
        },
        spoil: |single| {
            put(&mut single.resource.as_mut().unwrap().attributes, "deployment.environment.name", of("production"))
        },
    },
    Case {
        flag: "set(added, 5) when n > 0",
        make: |single| {
            let holds = matches!(find(attributes(single), "n"), Some(Value::IntValue(1..)));
            if holds {
                put(attributes(single), "added", Value::IntValue(5));
            }
            holds
        },
        spoil: |single| put(attributes(single), "added", of("5")),
    },
    Case {
        flag: "set(name, '<<k>>: <<n>>')",
        make: |single| {
            let values = ["k", "n"].map(|key| find(attributes(single), key).map(|value| shown(value)));
            let [Some(k), Some(n)] = values else { return false };
            span(single).name = format!("{k}: {n}");
            true
        },
        spoil: |single| span(single).name.insert(0, ' '),
    },
    Case {
        flag: "set(kind, 'CONSUMER')",
        make: |single| {
            span(single).kind = 5;
            true
        },
        spoil: |single| span(single).kind = 4,
    },
    Case {
        flag: "set(status, 'error: late') when not failed",
        make: |single| {
            let failed = span(single).status.as_ref().is_some_and(|status| status.code == 2);
            if !failed {
                span(single).status = Some(Status { message: "late".into(), code: 2 });
            }
            !failed
        },
        spoil: |single| span(single).status.as_mut().unwrap().message.push('r'),
    },
    Case {
        flag: "delete(text)",
        make: |single| remove(attributes(single), "text").is_some(),
        spoil: |single| put(attributes(single), "text", of("")),
    },
    Case {
        flag: "delete('events.attributes.*')",
        make: |single| {
            let events = &mut span(single).events;
            let before: usize = events.iter().map(|event| event.attributes.len()).sum();
            events.iter_mut().for_each(|event| event.attributes.clear());
            before > 0
        },
        spoil: |single| span(single).events[0].attributes.push(text("n", "")),
    },
    Case {
        flag: "rename(n, m)",
        make: |single| match remove(attributes(single), "n") {
            Some(value) => {
                put(attributes(single), "m", value);
                true
            }
            None => false,
        },
        spoil: |single| put(attributes(single), "m", of("")),
    },
    Case {
        flag: "move(k, resource.k)",
        make: |single| match remove(attributes(single), "k") {
            Some(value) => {
                put(&mut single.resource.as_mut().unwrap().attributes, "k", value);
                true
            }
            None => false,
        },
        spoil: |single| put(&mut single.resource.as_mut().unwrap().attributes, "k", of("V")),
    },
    Case {
        flag: "sha256(text, n)",
        make: |single| {
            let text = hashed(single, "text", |bytes| sha2::Sha256::digest(bytes).to_vec());
            hashed(single, "n", |bytes| sha2::Sha256::digest(bytes).to_vec()) || text
        },
        spoil: |single| put(attributes(single), "text", of("e3b0")),
    },
    Case {
        flag: "hash_md5(text) when kind == 'SERVER'",
        make: |single| span(single).kind == 2 && hashed(single, "text", |bytes| md5::Md5::digest(bytes).to_vec()),
        spoil: |single| put(attributes(single), "text", of("d41d")),
    },
    Case {
        flag: "sha1(k)",
        make: |single| hashed(single, "k", |bytes| sha1::Sha1::digest(bytes).to_vec()),
        spoil: |single| put(attributes(single), "k", of("da39")),
    },
    Case {
        flag: "truncate(attributes, 40)",
        make: |single| {
            let mut cut = false;
            for pair in attributes(single) {
                if let Some(Value::StringValue(text)) = &mut pair.value.as_mut().unwrap().value
                    && text.len() > 40
                {
                    text.truncate(40);
                    cut = true;
                }
            }
            cut
        },
        spoil: |single| {
            edit(single, "text", |text| text[..39].into());
        },
    },
    Case {
        flag: "limit(attributes, 3, text)",
        make: |single| {
            if attributes(single).len() <= 3 {
                return false;
            }
            let has_text = find(attributes(single), "text").is_some();
            let others =
                Vec::from_iter(attributes(single).iter().map(|pair| pair.key.clone()).filter(|key| key != "text"));
            let kept = Vec::from_iter(others.into_iter().take(if has_text { 2 } else { 3 }));
            retain(single, |_, pair| pair.key == "text" || kept.contains(&pair.key))
        },
        spoil: |single| drop(attributes(single).pop()),
    },
    Case {
        flag: "keep_keys(attributes, k, n)",
        make: |single| retain(single, |_, pair| ["k", "n"].contains(&pair.key.as_str())),
        spoil: |single| put(attributes(single), "price", Value::DoubleValue(0.0)),
    },
    Case {
        flag: "replace(text, 'item (-?[0-9]+)', 'thing $1')",
        make: |single| edit(single, "text", things),
        spoil: |single| {
            edit(single, "text", |text| text.replace("thing", "think"));
        },
    },
    Case {
        flag: "mask(k)",
        make: |single| {
            let there = find(attributes(single), "k").is_some();
            if there {
                put(attributes(single), "k", of("****"));
            }
            there
        },
        spoil: |single| put(attributes(single), "k", of("***")),
    },
    Case {
        flag: "mask(text, '[0-9]+')",
        make: |single| edit(single, "text", masked),
        spoil: |single| {
            edit(single, "text", |text| text.replacen("****", "*****", 1));
        },
    },
    Case {
        flag: "drop_events(name == 'second' or n > 0)",
        make: |single| {
            let events = &mut span(single).events;
            let before = events.len();
            events.retain_mut(|event| {
                let n = matches!(find(&mut event.attributes, "n"), Some(Value::IntValue(1..)));
                event.name != "second" && !n
            });
            events.len() < before
        },
        spoil: |single| drop(span(single).events.pop()),
    },
];

/// A way to make a change wrong.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    NotMade,
    /// It is made on some of the spans only.
    Partly,
    OtherValue,
    /// A field that the change does not name is changed, too.
    OtherField,
}

fn changes<'f>(flags: impl Iterator<Item = &'f str>) -> Changes {
    let rule = |flag: &str| {
        let loc = Loc { file: FileId(0), start: 0, end: flag.len() as u32 };
        read_flag(flag, loc, &mut Vocabulary::default(), &mut vec![]).expect(flag)
    };
    Changes::new(flags.map(rule).collect())
}

fn declared(cases: &[usize]) -> Policy {
    Policy { changes: changes(cases.iter().map(|case| CASES[*case].flag)), ..Policy::default() }
}

fn judged(run: &Run, traces: u64, sent: &[ResourceSpans], policy: Policy) -> Report {
    let mut verifier = Verifier::new(archive(run, traces), Fidelity::Otlp, policy);
    for group in sent.chunks(5) {
        let body = ExportTraceServiceRequest { resource_spans: group.to_vec() }.encode_to_vec();
        verifier.request(&body, None).unwrap();
    }
    verifier.finish()
}

/// Returns the group with its attributes in the order of their keys, which has no meaning.
fn sorted(single: &ResourceSpans) -> ResourceSpans {
    let mut single = single.clone();
    let by_key = |pairs: &mut Vec<KeyValue>| pairs.sort_by(|a, b| a.key.cmp(&b.key));
    by_key(&mut single.resource.as_mut().unwrap().attributes);
    by_key(attributes(&mut single));
    span(&mut single).events.iter_mut().for_each(|event| by_key(&mut event.attributes));
    single
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_declared_change_is_clean_where_it_is_made_and_found_where_it_is_made_wrongly(
        cases in prop::collection::vec(0..CASES.len(), 1..4),
        at: prop::sample::Index,
        wrong in prop::sample::select(vec![Wrong::NotMade, Wrong::Partly, Wrong::OtherValue, Wrong::OtherField]),
        spared in prop::collection::vec(any::<bool>(), 7),
        first in 0..1_000u64,
    ) {
        let run = run(plans::wide());
        let mut interpreter = Interpreter::new(&run);
        let made = Vec::from_iter((first..first + 8).map(|index| {
            let mut trace = Trace::default();
            interpreter.trace(index, &mut trace);
            trace
        }));
        let wrong_at = at.index(cases.len());
        let (mut right, mut other, mut touched) = (vec![], vec![], vec![0; cases.len()]);
        for (i, single) in singles(&run, &made).into_iter().enumerate() {
            let (mut good, mut bad) = (single.clone(), single);
            let is_spared = i == 0 || spared[i % spared.len()];
            for (number, case) in cases.iter().map(|case| &CASES[*case]).enumerate() {
                touched[number] += (case.make)(&mut good) as u64;
                if number != wrong_at {
                    (case.make)(&mut bad);
                    continue;
                }
                match wrong {
                    Wrong::NotMade => {}
                    Wrong::Partly if is_spared => {}
                    Wrong::Partly => {
                        (case.make)(&mut bad);
                    }
                    Wrong::OtherValue => {
                        if (case.make)(&mut bad) {
                            (case.spoil)(&mut bad);
                        }
                    }
                    Wrong::OtherField => {
                        (case.make)(&mut bad);
                        span(&mut bad).trace_state = "a=b".into();
                    }
                }
            }
            right.push(good);
            other.push(bad);
        }
        let report = judged(&run, 2_000, &right, declared(&cases));
        prop_assert_eq!((report.altered, report.delivered), (0, right.len() as u64), "{:?}", report.fields);
        let counted = Vec::from_iter(report.changes.iter().map(|change| (change.spans, change.wrong)));
        prop_assert_eq!(counted, Vec::from_iter(touched.iter().map(|touched| (*touched, 0))));
        let report = judged(&run, 2_000, &other, declared(&cases));
        let differ = right.iter().zip(&other).filter(|(right, other)| sorted(right) != sorted(other)).count();
        prop_assert_eq!(report.altered, differ as u64, "{:?}", report.fields);
        let alone = cases.len() == 1 && touched[0] > 0;
        prop_assert!(differ > 0 || !alone, "nothing is wrong");
        if alone && !matches!(wrong, Wrong::OtherField) {
            for field in &report.fields {
                let declared = field.declared.as_ref();
                prop_assert_eq!(declared.map(|declared| declared.rule.as_str()), Some(CASES[cases[0]].flag));
            }
            prop_assert_eq!(report.changes[0].wrong, differ as u64);
        }
    }
}

/// Returns the report on spans, given the flags of a policy.
fn by_flags(run: &Run, sent: &[ResourceSpans], flags: &[&str], allow: &[&str]) -> Report {
    let changes = changes(flags.iter().copied());
    let allow = allow.iter().map(|allowance| allowance.parse().unwrap()).collect();
    judged(run, 10, sent, Policy { changes, allow, ..Policy::default() })
}

#[test]
fn dropped_spans_are_not_missed_and_their_children_are_no_orphans() {
    let run = run(plans::wide());
    let made = traces(&run, 10);
    let all = singles(&run, &made);
    let sent = |dropped: &dyn Fn(&mut Span) -> bool| {
        let mut sent = all.clone();
        sent.retain_mut(|single| !dropped(span(single)));
        sent
    };
    for (flag, dropped) in [
        ("drop_spans(kind == 'CLIENT')", &(|span: &mut Span| span.kind == 3) as &dyn Fn(&mut Span) -> bool),
        ("drop_spans(is_root)", &|span: &mut Span| span.parent_span_id.is_empty()),
        ("drop_spans(true)", &|_: &mut Span| true),
    ] {
        let sent = sent(dropped);
        let report = by_flags(&run, &sent, &[flag], &[]);
        assert_eq!(report.verdict, Verdict::Clean, "{flag}: {report:#?}");
        let gone = all.len() - sent.len();
        assert_eq!((report.expected, report.orphaned), (sent.len() as u64, 0), "{flag}");
        assert_eq!((report.changes[0].spans, report.changes[0].wrong), (gone as u64, 0), "{flag}");
        // Of what is dropped, one span arrives twice.
        let mut leaking = sent.clone();
        let mut leak = all.iter().find(|single| !sent.contains(single)).unwrap().clone();
        leaking.extend([leak.clone(), leak.clone()]);
        let report = by_flags(&run, &leaking, &[flag], &[]);
        assert_eq!((report.leaked, report.copies, report.lost, report.duplicated), (1, 1, 0, 0), "{flag}");
        assert_eq!(report.verdict, Verdict::Short { faults: vec![Fault::Leaked], unchecked: vec![] }, "{flag}");
        span(&mut leak).name.push('!');
        let report = by_flags(&run, &[sent.clone(), vec![leak]].concat(), &[flag], &["leaked"]);
        assert_eq!((report.leaked, report.altered, report.verdict), (1, 0, Verdict::Clean), "{flag}");
    }
    let report = by_flags(&run, &sent(&|span| span.kind != 1), &["drop_spans(kind == 'CLIENT')"], &[]);
    assert!(report.lost > 0 && report.traces.partly == 10, "{report:?}");
}

#[test]
fn a_dropped_span_is_one_that_earlier_changes_made_so() {
    let run = run(plans::wide());
    let made = traces(&run, 10);
    let mut sent = singles(&run, &made);
    sent.retain_mut(|single| span(single).name != "three");
    sent.iter_mut().for_each(|single| span(single).kind = 1);
    let flags = ["set(level, 'low') when name == 'three'", "set(kind, 'INTERNAL')", "drop_spans(level == 'low')"];
    assert_eq!(by_flags(&run, &sent, &flags, &[]).verdict, Verdict::Clean);
}

#[test]
fn a_field_with_any_value_must_be_there() {
    let run = run(plans::wide());
    let mut sent = singles(&run, &traces(&run, 10));
    for (i, single) in sent.iter_mut().enumerate() {
        put(&mut single.resource.as_mut().unwrap().attributes, "k8s.pod.name", of(&format!("pod-{i}")));
        span(single).start_time_unix_nano += 1;
    }
    let flags = ["any(resource.k8s.pod.name, start)"];
    let report = by_flags(&run, &sent, &flags, &[]);
    assert_eq!((&report.verdict, report.changes[0].spans), (&Verdict::Clean, sent.len() as u64), "{report:#?}");
    remove(&mut sent[7].resource.as_mut().unwrap().attributes, "k8s.pod.name");
    let report = by_flags(&run, &sent, &flags, &[]);
    let field = &report.fields[0];
    assert_eq!((report.altered, field.field.as_str(), field.found.as_str()), (1, "resource.k8s.pod.name", "(absent)"));
    assert_eq!((field.expected.as_str(), report.changes[0].wrong), ("(any value)", 1));
}

#[test]
fn a_change_of_spans_that_it_is_not_for_is_charged_to_its_rule() {
    let run = run(plans::wide());
    let mut sent = singles(&run, &traces(&run, 10));
    sent.iter_mut().for_each(|single| drop(remove(attributes(single), "k")));
    let flags = ["delete(k) when kind == 'SERVER'"];
    let report = by_flags(&run, &sent, &flags, &[]);
    let (field, rule) = (&report.fields[0], &report.changes[0]);
    assert_eq!((report.altered, report.fields.len(), rule.spans, rule.wrong), (20, 1, 20, 20), "{report:#?}");
    assert!(field.declared.as_ref().is_some_and(|declared| !declared.for_these_spans), "{field:?}");
    // An allowance covers what it names, and nothing that is declared.
    assert_eq!(by_flags(&run, &sent, &flags, &["altered=attributes.k"]).verdict, Verdict::Clean);
    let report = by_flags(&run, &sent, &["delete(k)"], &["altered=attributes.k"]);
    assert_eq!((report.altered, report.unused_allowances.len()), (0, 1));
}

#[test]
fn times_are_compared_in_units_of_the_precision() {
    let run = run(plans::wide());
    let mut sent = singles(&run, &traces(&run, 10));
    for single in &mut sent {
        let span = span(single);
        span.start_time_unix_nano -= span.start_time_unix_nano % 1_000;
        span.end_time_unix_nano -= span.end_time_unix_nano % 1_000;
        span.events.iter_mut().for_each(|event| event.time_unix_nano -= event.time_unix_nano % 1_000);
    }
    let judge = |precision| judged(&run, 10, &sent, Policy { precision, ..Policy::default() });
    assert_eq!(judge(Some(1_000)).verdict, Verdict::Clean);
    assert_eq!(judge(Some(1_000_000)).verdict, Verdict::Clean);
    assert!(judge(None).altered > 30);
}

#[test]
fn changes_of_resources_are_the_same_in_json() {
    let run = run(plans::wide());
    let made = traces(&run, 10);
    let mut resources = run.resources().clone();
    for attributes in &mut resources.attributes {
        attributes.push(("env".into(), crate::trace::OwnedDatum::Text("test".into())));
    }
    let mut encoder = crate::export::Json::new(run.plan(), &resources);
    let mut lines = vec![];
    made.iter().for_each(|trace| encoder.add(run.origin().view(trace), &mut |batch| lines.push(batch.body)));
    encoder.flush(&mut |batch| lines.push(batch.body));
    let judged = |flag: &'static str| {
        let policy = Policy { changes: changes([flag].into_iter()), ..Policy::default() };
        let mut verifier = Verifier::new(archive(&run, 10), Fidelity::Otlp, policy);
        for line in &lines {
            let mut groups = Groups::new(line.as_slice());
            while let Some(found) = groups.read().unwrap() {
                let Found::Group(_, text) = found else { panic!("{found:?}") };
                verifier.json_group(text, None).unwrap();
            }
        }
        verifier.finish()
    };
    let report = judged("set(resource.env, 'test')");
    let change = &report.changes[0];
    assert_eq!((&report.verdict, change.spans, change.wrong), (&Verdict::Clean, report.delivered, 0));
    let report = judged("set(resource.env, 'tests')");
    assert_eq!((report.altered, report.changes[0].wrong), (report.delivered, report.delivered));
}
