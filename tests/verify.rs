//! `tracegen verify` on files: their content is reported in any packing, and nothing is claimed that is not known.

mod support {
    pub mod binary;
    pub mod collector;
    pub mod ports;
}

use base64::Engine;
use flate2::{Compression, write::GzEncoder};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use support::binary::{bare_spans, scenarios, tracegen};
use support::collector::{Collector, Output, read_delimited};
use tempfile::TempDir;

const START: &str = "2026-01-01T00:00:00Z";
const TRACES: &str = "300";

/// A run in files: protobuf, JSON lines and its manifest.
struct Made {
    folder: TempDir,
    requests: Vec<ExportTraceServiceRequest>,
}

impl Made {
    fn new() -> Made {
        Made::with_seed(42)
    }

    fn with_seed(seed: u64) -> Made {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["all.bin", "all.jsonl"] {
            tracegen()
                .args(["run", "--seed", &seed.to_string(), "--count", TRACES, "--start", START])
                .args(["--rate", "100/s", "--quiet"])
                .arg(format!("--exporter=file={}", folder.path().join(name).display()))
                .arg("--manifest")
                .arg(folder.path().join("run.json"))
                .arg(scenarios())
                .assert()
                .success();
        }
        let requests = read_delimited(&fs::read(folder.path().join("all.bin")).expect("a file"));
        Made { folder, requests }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect("a file")
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        fs::write(self.path(name), bytes).expect("written");
        self.path(name)
    }

    /// Writes requests to a protobuf file.
    fn written(&self, name: &str, requests: &[ExportTraceServiceRequest]) -> PathBuf {
        let bytes: Vec<u8> = requests.iter().flat_map(|request| framed(&request.encode_to_vec())).collect();
        self.write(name, &bytes)
    }

    /// Returns the spans for which `keeps` returns true, with its edits.
    fn edited(&self, mut keeps: impl FnMut(&mut Span) -> bool) -> Vec<ExportTraceServiceRequest> {
        let mut requests = self.requests.clone();
        for group in requests.iter_mut().flat_map(|request| &mut request.resource_spans) {
            group.scope_spans.iter_mut().for_each(|scope| scope.spans.retain_mut(|span| keeps(span)));
        }
        requests
    }

    fn spans(&self) -> Vec<&Span> {
        bare_spans(&self.requests).collect()
    }

    /// Returns for each trace whether a span failed.
    fn failed(&self) -> BTreeMap<&[u8], bool> {
        let mut traces = BTreeMap::new();
        for span in self.spans() {
            *traces.entry(&span.trace_id[..]).or_default() |= is_failed(span);
        }
        traces
    }

    /// Returns the output of verify and the exit status.
    fn verify(&self, from: &[&Path], more: &[&str]) -> (String, String, i32) {
        let mut command = tracegen();
        command.arg("verify").arg("--manifest").arg(self.path("run.json")).arg("--from").args(from).args(more);
        let output = command.output().expect("it runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        (text(output.stdout), text(output.stderr), output.status.code().expect("a status"))
    }

    /// Returns the report and the exit status.
    fn report(&self, from: &Path, more: &[&str]) -> (Value, i32) {
        let more = [&["--format", "json"], more].concat();
        let (out, said, exit) = self.verify(&[from], &more);
        (serde_json::from_str(&out).unwrap_or_else(|_| panic!("{said}")), exit)
    }
}

fn is_failed(span: &Span) -> bool {
    span.status.as_ref().is_some_and(|status| status.code == 2)
}

fn framed(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes(), body].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(vec![], Compression::fast());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

fn counts(report: &Value) -> [u64; 6] {
    let keys = ["expected", "delivered", "lost", "duplicated", "altered", "orphaned"];
    keys.map(|key| report[key].as_u64().unwrap_or_else(|| panic!("{key}: {report}")))
}

fn assert_clean((report, exit): (Value, i32), spans: u64) {
    assert_eq!((counts(&report), exit), ([spans, spans, 0, 0, 0, 0], 0), "{report}");
    assert_eq!((report["verdict"]["is"].as_str(), report["unexpected"].as_u64()), (Some("clean"), Some(0)));
}

#[test]
fn a_clean_run_is_clean_whatever_it_is_packed_in() {
    let made = Made::new();
    let spans = made.spans().len() as u64;
    let (protobuf, json) = (made.read("all.bin"), made.read("all.jsonl"));
    let halves = |bytes: &[u8]| (bytes[..bytes.len() / 2].to_vec(), bytes[bytes.len() / 2..].to_vec());
    let ((a, b), (c, d)) = (halves(&protobuf), halves(&json));
    let each = |pack: &dyn Fn(&[u8]) -> Vec<u8>| -> Vec<u8> {
        made.requests.iter().flat_map(|request| framed(&pack(&request.encode_to_vec()))).collect()
    };
    // zstd may have empty frames.
    let skipped = [&b"\x50\x2a\x4d\x18\x03\0\0\0abc"[..], &zstd(&d)].concat();
    for (name, bytes) in [
        ("protobuf", protobuf.clone()),
        ("json", json.clone()),
        ("protobuf.gz", gzip(&protobuf)),
        ("json.gz", [gzip(&c), gzip(&d)].concat()),
        ("protobuf.zst", [zstd(&a), zstd(&b)].concat()),
        ("json.zst", [zstd(&c), skipped].concat()),
        ("each.zst", each(&zstd)),
        ("unended.json", json.trim_ascii_end().to_vec()),
    ] {
        assert_clean(made.report(&made.write(name, &bytes), &[]), spans);
    }
    // The file is cut into parts in any order; then it is read from standard input, and the run is named by its flags.
    let lines: Vec<&[u8]> = json.split_inclusive(|byte| *byte == b'\n').collect();
    let (first, second) = lines.split_at(lines.len() / 2);
    let (first, second) = (made.write("1", &first.concat()), made.write("2", &second.concat()));
    let (out, _, exit) = made.verify(&[&second, &first], &[]);
    assert!(exit == 0 && out.ends_with("nothing is lost, doubled or changed\n"), "{out}");
    let flags = ["--seed", "42", "--count", TRACES, "--start", START, "--rate", "100/s"];
    let piped = tracegen().arg("verify").args(["--from", "-"]).args(flags).arg(scenarios()).write_stdin(json).assert();
    piped.success();
}

/// JSON is pretty-printed, in arrays, several values on a line, in Tempo's form, with the marks and zeros of some writers,
/// and with `null` for absent values.
#[test]
fn json_is_read_in_any_layout() {
    let made = Made::new();
    let spans = made.spans().len() as u64;
    let json = String::from_utf8(made.read("all.jsonl")).expect("text");
    let lines: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let pretty = |value: &Value| serde_json::to_string_pretty(value).expect("JSON");
    let all: Vec<Value> =
        lines.iter().flat_map(|line| line["resourceSpans"].as_array().expect("groups").clone()).collect();
    let mut tempo = all.clone();
    each_span(&mut tempo, &mut |span| {
        for id in ["traceId", "spanId", "parentSpanId"] {
            let digits = span[id].as_str().unwrap_or_default().as_bytes();
            let digit = |byte: u8| (byte as char).to_digit(16).expect("hexadecimal") as u8;
            let bytes: Vec<u8> = digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect();
            span[id] = base64::engine::general_purpose::STANDARD.encode(bytes).into();
        }
        let kinds = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
        let kind = span["kind"].as_u64().unwrap_or_default() as usize;
        span["kind"] = format!("SPAN_KIND_{}", kinds[kind]).into();
    });
    let mut nulls = all.clone();
    each_span(&mut nulls, &mut |span| {
        for field in ["events", "links", "attributes", "status", "traceState", "droppedEventsCount", "parentSpanId"] {
            let of = span.as_object_mut().expect("a span");
            of.entry(field).or_insert(Value::Null);
        }
    });
    for (name, text) in [
        ("pretty", lines.iter().map(pretty).collect::<Vec<_>>().join("\n")),
        ("array", pretty(&json!(lines))),
        ("one line", json.replace('\n', "")),
        ("marked", format!("\u{feff}{json}")),
        ("zeros", format!("{}{json}", "\0".repeat(10_001))),
        ("one request", json!({"resourceSpans": all}).to_string()),
        ("tempo", pretty(&json!({"batches": tempo}))),
        ("tempo 2", json!({"trace": {"resourceSpans": tempo}, "metrics": {"inspectedBytes": "7"}}).to_string()),
        ("nulls", json!({"resourceSpans": nulls}).to_string()),
    ] {
        let file = made.write(name, text.as_bytes());
        assert_clean(made.report(&file, &[]), spans);
    }
    // Damage is reported once a file, with the number of places and the offset of the first.
    let torn = json.replacen("\"traceId\":\"", "\"traceId\":7,\"was\":\"", 3);
    let at = torn.find("\"traceId\":7").expect("torn") + 10;
    let (report, exit) = made.report(&made.write("torn", torn.as_bytes()), &[]);
    let said = format!("{}: 3 places can't be read, the first at byte {at}: ", made.path("torn").display());
    let damage = report["damage"].as_array().expect("a list");
    assert!(damage.len() == 1 && damage[0].as_str().is_some_and(|text| text.starts_with(&said)), "{said}\n{damage:?}");
    assert_eq!((counts(&report)[1], exit), (spans - 3, 3), "what is missing may be there");
}

fn each_span(groups: &mut [Value], edit: &mut dyn FnMut(&mut Value)) {
    for group in groups {
        for scope in group["scopeSpans"].as_array_mut().expect("scopes") {
            scope["spans"].as_array_mut().expect("spans").iter_mut().for_each(&mut *edit);
        }
    }
}

#[test]
fn what_was_done_is_said_and_counted() {
    let made = Made::new();
    let spans = made.spans().len() as u64;
    // Every seventh span is dropped, also among parents.
    let mut n = 0;
    let mut gone = BTreeSet::new();
    let file = made.written(
        "dropped",
        &made.edited(|span| {
            n += 1;
            let keep = n % 7 != 0;
            if !keep {
                gone.insert(span.span_id.clone());
            }
            keep
        }),
    );
    let kept = |span: &&&Span| !gone.contains(&span.span_id);
    let orphans = made.spans().iter().filter(kept).filter(|span| gone.contains(&span.parent_span_id)).count() as u64;
    let (report, exit) = made.report(&file, &[]);
    let lost = gone.len() as u64;
    assert_eq!((counts(&report), exit), ([spans, spans - lost, lost, 0, 0, orphans], 1), "{report}");
    assert!(orphans > 0);
    // The first lost trace is shown with the command that replays it.
    let (out, _, exit) = made.verify(&[&file], &["--details"]);
    let first = report["losses"]["first_trace"].as_str().expect("an id");
    let command = format!("first: tracegen replay {first} --manifest {}", made.path("run.json").display());
    assert!(exit == 1 && out.contains(&command) && out.contains("their parents are among the lost"), "{out}");
    // Every request is there twice.
    let twice = [made.requests.clone(), made.requests.clone()].concat();
    let twice = made.written("twice", &twice);
    let (report, exit) = made.report(&twice, &[]);
    assert_eq!((counts(&report), exit), ([spans, spans, 0, spans, 0, 0], 1), "{report}");
    assert_eq!(made.report(&twice, &["--allow", "duplicates"]).1, 0);
    // An attribute of some spans is changed.
    let mut altered = 0;
    let requests = made.edited(|span| {
        for attribute in &mut span.attributes {
            if attribute.key == "http.request.method" {
                attribute.value = None;
                altered += 1;
            }
        }
        true
    });
    let file = made.written("altered", &requests);
    let (report, exit) = made.report(&file, &[]);
    assert_eq!((counts(&report), exit), ([spans, spans, 0, 0, altered, 0], 1), "{report}");
    let field = &report["fields"][0];
    assert_eq!(
        (field["field"].as_str(), field["spans"].as_u64(), field["found"].as_str()),
        (Some("attributes.http.request.method"), Some(altered), Some("(no value)")),
    );
    assert_eq!(made.report(&file, &["--allow", "altered=attributes.*"]).1, 0);
    assert_eq!(made.report(&file, &["--allow", "altered=attributes.http.request.*"]).1, 0);
    for neighbour in ["attributes.http.route", "attributes.http.request", "attributes.http.request.method.*"] {
        let allowance = format!("altered={neighbour}");
        let (report, exit) = made.report(&file, &["--allow", &allowance]);
        assert_eq!((exit, &report["unused_allowances"]), (1, &json!([allowance])), "{neighbour}");
    }
    // The spans of another run are added to all of this run's.
    let other = made.edited(|span| {
        span.trace_id.reverse();
        true
    });
    let file = made.written("others", &[made.requests.clone(), other].concat());
    let (report, exit) = made.report(&file, &[]);
    assert_eq!((counts(&report), exit, report["unexpected"].as_u64()), ([spans, spans, 0, 0, 0, 0], 0, Some(spans)));
    assert_eq!(made.report(&file, &["--deny", "unexpected"]).1, 1);
    // The counts by scenario and by service add up to the total.
    for table in ["scenarios", "services"] {
        let of = |key: &str| -> u64 {
            let rows = report[table].as_object().expect("a table").values();
            rows.map(|row| row[key].as_u64().expect("a count")).sum()
        };
        assert_eq!((of("expected"), of("delivered"), of("lost")), (spans, spans, 0), "{table}");
    }
}

#[test]
fn a_sampling_policy_is_tested_by_what_must_survive() {
    let made = Made::new();
    let failed = made.failed();
    let errors = failed.values().filter(|failed| **failed).count() as u64;
    assert!(errors > 10);
    let tenth = |id: &[u8]| id[15].is_multiple_of(10);
    let keeps = |span: &mut Span| failed[&span.trace_id[..]] || tenth(&span.trace_id);
    let kept = made.written("kept", &made.edited(keeps));
    let policy = ["--expect", "keep-errors", "--expect", "sample=10%+-5"];
    let (report, exit) = made.report(&kept, &policy);
    let sampled = failed.iter().filter(|(id, failed)| !**failed && tenth(id)).count() as u64;
    assert_eq!((exit, report["lost"].as_u64()), (0, Some(0)), "{report}");
    let of = |key: &str| report["sampled"][key].as_u64();
    assert_eq!((of("traces"), of("arrived")), (Some(failed.len() as u64 - errors), Some(sampled)));
    // Without a declaration, everything that was sampled out is lost.
    let (unsaid, exit) = made.report(&kept, &[]);
    assert_eq!((exit, &unsaid["lost"]), (1, &report["sampled_out"]));
    // The failure rate is that of the kept traces; a scenario without kept traces has none.
    let only = made.written("only", &made.edited(|span| span.trace_id == *failed.keys().next().expect("a trace")));
    let (out, ..) = made.verify(&[&only], &["--expect", "keep-errors", "--details"]);
    let rows = Vec::from_iter(out.lines().skip_while(|line| !line.starts_with("scenario ")).take(12));
    assert!(
        rows[0].contains(" failed of kept ") && rows.iter().filter(|row| row.contains("  -  ")).count() > 5,
        "{out}"
    );
    let (out, ..) = made.verify(&[&made.path("all.bin")], &["--details"]);
    assert!(out.contains("  failed   by the plan"), "{out}");
    // The share is not the expected one.
    let (report, exit) = made.report(&kept, &["--expect", "keep-errors", "--expect", "sample=50%"]);
    assert_eq!((exit, &report["verdict"]["of"]), (1, &serde_json::json!(["sample"])));
    // A failed trace and a part of another are missing.
    let one = *failed.iter().find(|(_, failed)| **failed).expect("a failed trace").0;
    let without = made.written("without", &made.edited(|span| keeps(span) && span.trace_id != one));
    let (report, exit) = made.report(&without, &policy);
    assert_eq!(
        (exit, &report["verdict"]["of"], &report["losses"]["traces"]),
        (1, &serde_json::json!(["lost"]), &1.into())
    );
    let part = *failed.iter().find(|(id, failed)| !**failed && tenth(id)).expect("a sampled trace").0;
    let root = |span: &Span| span.trace_id == part && span.parent_span_id.is_empty();
    let without = made.written("part", &made.edited(|span| keeps(span) && !root(span)));
    let (report, exit) = made.report(&without, &policy);
    assert_eq!((exit, report["lost"].as_u64(), report["traces"]["partly"].as_u64()), (1, Some(1), Some(1)), "{report}");
}

#[test]
fn an_unchecked_run_is_never_clean() {
    let made = Made::new();
    let spans = made.spans().len() as u64;
    let whole = made.read("all.bin");
    let unchecked = |from: &Path, why: &str| {
        let (out, said, exit) = made.verify(&[from], &[]);
        assert!(exit == 3 && (out.contains(why) || said.contains(why)), "{exit} {out}{said}");
        assert!(!out.contains("nothing is lost"), "{out}");
    };
    unchecked(&made.write("empty", b""), "no spans at all");
    unchecked(&made.path("nowhere"), "No such file");
    unchecked(made.folder.path(), "a directory");
    // The end is cut off; then a message is damaged, and the following ones are read.
    unchecked(&made.write("cut", &whole[..whole.len() - 9]), "nothing after it is read");
    let first = u32::from_be_bytes(whole[..4].try_into().expect("four bytes")) as usize;
    let mut damaged = whole.clone();
    damaged[4..4 + first].fill(0xff);
    unchecked(&made.write("damaged", &damaged), "damaged: byte 4: not an ExportTraceServiceRequest");
    let (report, _) = made.report(&made.path("damaged"), &[]);
    let behind = bare_spans(&made.requests[1..]).count() as u64;
    assert_eq!((report["delivered"].as_u64(), report["lost"].as_u64()), (Some(behind), Some(spans - behind)));
    // An undamaged file contains everything. The damaged one may still hide a changed span.
    let both = [made.path("cut"), made.path("all.bin")];
    let both = [&*both[0], &*both[1]];
    let (out, _, exit) = made.verify(&both, &["--allow", "duplicated"]);
    assert!(exit == 3 && out.contains("may hold changed spans and invented ones (`--allow damaged`"), "{out}");
    let (out, _, exit) = made.verify(&both, &["--allow", "duplicated", "--allow", "altered", "--allow", "invented"]);
    assert!(exit == 0 && out.ends_with("beyond what is allowed\n"), "{out}");
    let (out, _, exit) = made.verify(&both, &["--allow", "duplicated", "--allow", "damaged"]);
    assert!(exit == 0 && out.ends_with("beyond what is allowed\n"), "{out}");
    // A duplicated span is certain in any case, and the report also says that the remainder is unknown.
    let cut = [&*made.path("cut"), &*made.path("cut")];
    let (out, _, exit) = made.verify(&cut, &[]);
    assert!(exit == 1 && out.contains("duplicated: ") && out.contains("not checked: what could not be read"), "{out}");
    let (junit, ..) = made.verify(&cut, &["--format", "junit"]);
    assert!(junit.contains("failures=\"1\" errors=\"5\""), "{junit}");
    // A line that a killed writer left is directly followed by the next one.
    let json = made.read("all.jsonl");
    let line = json.iter().position(|byte| *byte == b'\n').expect("a line");
    let glued = [&json[..line / 2], &json].concat();
    let (report, exit) = made.report(&made.write("glued", &glued), &[]);
    assert_eq!((counts(&report), exit), ([spans, spans, 0, 0, 0, 0], 3), "{report}");
    assert_eq!(report["damage"].as_array().map(Vec::len), Some(1));
    assert_eq!(made.report(&made.path("glued"), &["--allow", "damaged"]).1, 0);
    // There are only traces of others, so the manifest may be that of another run.
    let others = made.written(
        "others",
        &made.edited(|span| {
            span.trace_id.reverse();
            true
        }),
    );
    let (out, _, exit) = made.verify(&[&others], &[]);
    assert!(exit == 3 && out.contains("not checked: nothing of this run arrived"), "{out}");
    assert!(!out.contains("dropped") && !out.contains("lost"), "{out}");
}

#[test]
fn a_run_that_sent_nothing_and_a_sample_of_nothing() {
    let made = Made::new();
    let empty = made.write("empty", b"");
    // Nothing is expected and nothing arrived, which is right unless failed traces were to be kept.
    let (report, exit) = made.report(&empty, &["--expect", "sample=0%"]);
    assert_eq!((exit, &report["verdict"]["is"]), (0, &"clean".into()), "{report}");
    for expected in [&["--expect", "sample=0%", "--expect", "keep-errors"][..], &["--expect", "sample=1%+-1"], &[]] {
        let (report, exit) = made.report(&empty, expected);
        assert_eq!((exit, &report["verdict"]["is"]), (3, &"unchecked".into()), "{expected:?} {report}");
    }
    assert_eq!(made.report(&made.path("all.bin"), &["--expect", "sample=0%"]).1, 1, "all of it came");
    let mut manifest: Value = serde_json::from_slice(&made.read("run.json")).expect("JSON");
    manifest["eras"][0]["end"] = 0.into();
    made.write("run.json", manifest.to_string().as_bytes());
    for from in [&empty, &made.path("all.bin")] {
        let (out, _, exit) = made.verify(&[from], &[]);
        assert!(exit == 3 && out.contains("not checked: the run has sent no span"), "{out}");
    }
}

#[test]
fn forbidden_changes_are_named_first_among_many_allowed_ones() {
    let made = Made::new();
    let (mut n, mut culprits) = (0, vec![]);
    let requests = made.edited(|span| {
        n += 1;
        (0..20).for_each(|i| span.attributes.push(text(&format!("k8s.{i}"), "x")));
        if n % 100 == 0 {
            span.name.push('!');
            culprits.push(hex(&span.trace_id));
        }
        true
    });
    let file = made.written("annotated", &requests);
    let allowed = ["--allow", "altered=attributes.k8s.*"];
    let (report, exit) = made.report(&file, &allowed);
    let changed = culprits.len() as u64;
    assert!(changed > 3);
    assert_eq!((exit, &report["altered_not_allowed"], &report["altered"]), (1, &changed.into(), &n.into()));
    let fields = report["fields"].as_array().expect("fields");
    let said =
        |at: usize| (fields[at]["field"].as_str(), fields[at]["allowed"].as_bool(), fields[at]["spans"].as_u64());
    assert_eq!((fields.len(), said(0)), (21, (Some("name"), Some(false), Some(changed))));
    assert_eq!(said(1), (Some("attributes.k8s.0"), Some(true), Some(n)));
    let said = format!("{changed} spans changed, in name. first: tracegen replay {}", culprits[0]);
    for format in ["human", "junit"] {
        let (out, ..) = made.verify(&[&file], &[&allowed[..], &["--format", format]].concat());
        assert!(out.contains(&said), "{out}");
    }
    // Everything except names may be changed; a name that is changed only in a copy is still found.
    let (mut once, twice) = (
        made.requests.clone(),
        made.edited(|span| {
            span.name.push('!');
            true
        }),
    );
    once.iter_mut()
        .flat_map(|request| &mut request.resource_spans)
        .flat_map(|group| &mut group.scope_spans)
        .for_each(|scope| scope.spans.iter_mut().for_each(|span| span.attributes.push(text("k8s.0", "x"))));
    let file = made.written("copied", &[once, twice].concat());
    let (report, exit) = made.report(&file, &[&allowed[..], &["--allow", "duplicated"]].concat());
    assert_eq!((exit, &report["verdict"]["of"]), (1, &json!(["altered"])), "{report}");
    assert_eq!((&report["altered_not_allowed"], &report["fields"][0]["field"]), (&n.into(), &"name".into()));
}

fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(value.into())) });
    KeyValue { key: key.into(), value, ..Default::default() }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_span_that_was_invented_in_a_trace_of_the_run_is_a_fault_and_a_strangers_is_not() {
    let made = Made::new();
    let spans = made.spans().len() as u64;
    let mut invented = made.requests[0].clone();
    let group = &mut invented.resource_spans[0];
    let mut span = group.scope_spans[0].spans[0].clone();
    span.span_id = vec![7; 8];
    group.scope_spans = vec![opentelemetry_proto::tonic::trace::v1::ScopeSpans {
        spans: vec![span.clone(), Span { span_id: vec![9; 8], ..span.clone() }],
        ..Default::default()
    }];
    invented.resource_spans.truncate(1);
    let file = made.written("invented", &[made.requests.clone(), vec![invented]].concat());
    let (report, exit) = made.report(&file, &[]);
    assert_eq!((counts(&report), exit), ([spans, spans, 0, 0, 0, 0], 1), "{report}");
    assert_eq!(
        (&report["invented"], &report["unexpected"], &report["verdict"]["of"]),
        (&2.into(), &0.into(), &json!(["invented"]))
    );
    let example = format!("{}/{}", hex(&span.trace_id), hex(&[7; 8]));
    assert_eq!(report["strangers"]["invented"]["examples"][0], example, "{report}");
    let (out, ..) = made.verify(&[&file], &[]);
    assert!(
        out.contains(&format!("invented: 2 spans are in traces of the run, which never sent them, as {example}")),
        "{out}"
    );
    assert_eq!(made.report(&file, &["--allow", "invented"]).1, 0);
}

/// Runs whose traces are in one place, each with its manifest, have a report each. What belongs to none is unexpected.
#[test]
fn several_runs_in_one_place_are_verified_together() {
    let (monday, tuesday, stranger) = (Made::new(), Made::with_seed(43), Made::with_seed(44));
    let folder = tempfile::tempdir().expect("a folder");
    let all = folder.path().join("all.bin");
    let manifest = |made: &Made| made.path("run.json").display().to_string();
    let verify = |requests: &[&[ExportTraceServiceRequest]], more: &[&str]| {
        let requests = requests.iter().copied().flatten();
        let bytes: Vec<u8> = requests.flat_map(|request| framed(&request.encode_to_vec())).collect();
        fs::write(&all, bytes).expect("written");
        let mut command = tracegen();
        command.args(["verify", "--manifest", &manifest(&monday), "--manifest", &manifest(&tuesday), "--from"]);
        let output = command.arg(&all).args(more).output().expect("it runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        (text(output.stdout) + &text(output.stderr), output.status.code().expect("a status"))
    };
    let of = |made: &Made| made.spans().len() as u64;
    let deny = ["--deny", "unexpected"];
    let json = ["--deny", "unexpected", "--format", "json"];

    let both = [&monday.requests[..], &tuesday.requests];
    let (out, exit) = verify(&both, &json);
    let reports: Value = serde_json::from_str(&out).expect(&out);
    assert_eq!((exit, reports["runs"].as_array().map(Vec::len)), (0, Some(2)), "{out}");
    for (report, made, other) in [(&reports["runs"][0], &monday, &tuesday), (&reports["runs"][1], &tuesday, &monday)] {
        assert_clean((report.clone(), 0), of(made));
        assert_eq!(report["manifest"], manifest(made));
        assert_eq!(report["strangers"]["companions"]["spans"], of(other));
    }
    let (out, exit) = verify(&both, &deny);
    assert_eq!((exit, out.matches("nothing is lost, doubled or changed\n").count()), (0, 2), "{out}");
    assert!(out.starts_with(&manifest(&monday)) && out.contains(" of the other manifests, which is expected"), "{out}");

    // Each fault is told of the run that it is in, and the worst decides on the exit status.
    let lossy = monday.edited(|span| !is_failed(span));
    let (out, exit) = verify(&[&lossy, &tuesday.requests], &json);
    let reports: Value = serde_json::from_str(&out).expect(&out);
    assert_eq!((exit, &reports["runs"][0]["verdict"]["is"]), (1, &"short".into()), "{out}");
    assert_clean((reports["runs"][1].clone(), 0), of(&tuesday));
    let (out, exit) = verify(&[&lossy], &json);
    let reports: Value = serde_json::from_str(&out).expect(&out);
    let verdicts = [0, 1].map(|at| reports["runs"][at]["verdict"]["is"].as_str().expect("a verdict").to_string());
    assert_eq!((exit, verdicts), (1, ["short".to_string(), "unchecked".into()]), "a fault beats what is not checked");
    assert_eq!(verify(&[&monday.requests], &deny).1, 3);

    // A third run, whose manifest is not given, is denied, as spans of no run are.
    let (out, exit) = verify(&[&monday.requests, &tuesday.requests, &stranger.requests], &json);
    let reports: Value = serde_json::from_str(&out).expect(&out);
    assert_eq!((exit, &reports["runs"][1]["unexpected"]), (1, &of(&stranger).into()), "{out}");
    let (out, exit) = verify(&[&monday.requests, &tuesday.requests, &stranger.requests], &["--format", "junit"]);
    assert_eq!((exit, out.matches("<testsuite ").count()), (0, 2), "{out}");
    assert!(out.contains(&format!("<testsuite name=\"tracegen verify {}\"", manifest(&tuesday))), "{out}");

    // The source is read once a run, and each run has one manifest.
    let (out, exit) = verify(&both, &["--from", "-"]);
    assert!(exit == 2, "{out}");
    let twice = |from: &str, other: &str| {
        let mut command = tracegen();
        command.args(["verify", "--manifest", &manifest(&monday), "--manifest", other, "--from", from]);
        let output = command.output().expect("it runs");
        (String::from_utf8(output.stderr).expect("text"), output.status.code())
    };
    let (said, exit) = twice("-", &manifest(&tuesday));
    assert!(exit == Some(2) && said.contains("standard input can be read only once"), "{said}");
    let (said, exit) = twice(&all.display().to_string(), &manifest(&monday));
    assert!(exit == Some(2) && said.contains("are of the same run"), "{said}");
}

#[test]
fn a_run_that_goes_on_by_its_flags_is_not_judged() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("all.bin");
    let flags = ["--seed", "42", "--rate", "10/s", "--start", "-20s"];
    let start = jiff::Timestamp::now().checked_sub(jiff::SignedDuration::from_secs(20)).expect("a time").to_string();
    let flags = [&flags[..5], &[&start]].concat();
    let end = format!("--exporter=file={}", file.display());
    tracegen().args(["run", "--quiet", "--count", "100", &end]).args(&flags).arg(scenarios()).assert().success();
    let verify = |bound: &[&str]| {
        let mut command = tracegen();
        command.arg("verify").arg("--from").arg(&file).args(&flags).args(bound).arg(scenarios());
        let output = command.output().expect("it runs");
        (String::from_utf8(output.stdout).expect("text"), output.status.code())
    };
    let (out, exit) = verify(&["--count", "100"]);
    assert!(exit == Some(0), "{out}");
    for bound in [&["--count", "100000"][..], &["--duration", "1h"], &[]] {
        let (out, exit) = verify(bound);
        assert!(exit == Some(3) && out.contains("not checked: ") && !out.contains("lost:"), "{bound:?} {out}");
    }
}

/// A password in a source's URL is never shown, whatever is wrong with the source.
#[test]
fn no_password_of_a_source_is_shown() {
    let made = Made::new();
    let run = made.path("run.json").display().to_string();
    for store in ["jaeger", "clickhouse"] {
        for place in [
            "http://me:hush@127.0.0.1:1",
            "https://me:hush@[::1]:1/x",
            "me:hush@127.0.0.1:1",
            "http://127.0.0.1:1?key=hush",
        ] {
            let from = format!("--from={store}={place}");
            for more in [&[][..], &[&*run], &["--from=-"], &["--format=json"]] {
                let output =
                    tracegen().args(["verify", "--manifest", &run, &from]).args(more).output().expect("it runs");
                let said = [output.stdout, output.stderr].concat();
                let said = String::from_utf8_lossy(&said);
                let code = output.status.code();
                assert!(matches!(code, Some(2 | 3)) && !said.contains("hush"), "{from} {more:?}: {code:?} {said}");
            }
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_report_that_cannot_be_written_is_not_a_verdict() {
    let made = Made::new();
    for format in ["human", "json", "junit"] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("a device");
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_tracegen"))
            .args(["verify", "--format", format, "--manifest"])
            .arg(made.path("run.json"))
            .arg("--from")
            .arg(made.path("all.bin"))
            .stdout(full)
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code() == Some(3) && said.contains("tracegen: stdout: No space left"),
            "{format}: {said}"
        );
    }
}

#[test]
fn a_manifest_that_does_not_tell_the_end_gives_no_clean_verdict() {
    let made = Made::new();
    let manifest: Value = serde_json::from_slice(&made.read("run.json")).expect("JSON");
    let edited = |edit: &dyn Fn(&mut Value)| {
        let mut edited = manifest.clone();
        edit(&mut edited);
        made.write("run.json", edited.to_string().as_bytes());
        made.verify(&[&made.path("all.bin")], &[])
    };
    let open = |manifest: &mut Value| {
        manifest["ended"] = Value::Null;
        manifest["eras"][0]["end"] = Value::Null;
    };
    // It makes no difference whether the count is known: more copies of what has come may follow.
    let endless = |manifest: &mut Value| {
        open(manifest);
        manifest["selection"]["count"] = Value::Null;
    };
    for edit in [&open as &dyn Fn(&mut Value), &endless] {
        let (out, _, exit) = edited(edit);
        assert!(exit == 3 && out.contains("not checked: the run has not ended"), "{out}");
        // Traces that it has not begun are not missing.
        assert!(out.contains("  missing             0\n") && !out.contains("  lost "), "{out}");
    }
    let (_, said, exit) = edited(&|manifest| manifest["tag"] = "00000000".into());
    assert!(exit == 3 && said.contains("it was edited"), "{said}");
    let (_, said, exit) = edited(&|manifest| manifest["format"] = 99.into());
    assert!(exit == 3 && said.contains("format 99"), "{said}");
    // At full speed only the end tells when later traces began, so nothing can be compared.
    let (out, _, exit) = edited(&|manifest| {
        open(manifest);
        manifest["full_speed"] = true.into();
        manifest["eras"][0]["epoch"]["first"] = 0.into();
    });
    assert!(exit == 3 && out.contains("not checked: the run was at --rate max"), "{out}");
    made.write("run.json", manifest.to_string().as_bytes());
    for (words, why) in [
        (&["--from", "-", "--from", "a"][..], "can't be combined with another --from"),
        (&["--from", "clickhouse=ftp://x"], "--from clickhouse: "),
        (&["--from", "a", "--expect", "sample=2"], "expected `keep-errors`"),
        (
            &["--from", "a", "--allow", "altered=attributes"],
            "`altered=attributes.*` covers all fields that begin with it",
        ),
        (&["--from", "a", "--expect", "sample=2%", "--expect", "sample=3%"], "only one sample"),
        (&[], "--from"),
    ] {
        let output = tracegen().arg("verify").arg("--manifest").arg(made.path("run.json")).args(words).output();
        let output = output.expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(why), "{said}");
    }
}

#[test]
fn a_run_that_was_stopped_is_clean_without_the_traces_that_had_not_ended() {
    let made = Made::new();
    // The run was stopped half way according to its manifest, so traces that had not ended by then were not sent.
    let mut manifest: Value = serde_json::from_slice(&made.read("run.json")).expect("JSON");
    let stop = manifest["eras"][0]["epoch"]["opening"].as_u64().expect("a time") + 1_500_000_000;
    manifest["eras"][0]["stopped"] = stop.into();
    made.write("run.json", manifest.to_string().as_bytes());
    let mut ends: BTreeMap<&[u8], u64> = BTreeMap::new();
    for span in made.spans() {
        let end = ends.entry(&span.trace_id).or_default();
        *end = span.end_time_unix_nano.max(*end);
    }
    let file = made.written("stopped", &made.edited(|span| ends[&span.trace_id[..]] <= stop));
    let sent = made.spans().iter().filter(|span| ends[&span.trace_id[..]] <= stop).count() as u64;
    assert!(sent > 100 && sent < made.spans().len() as u64);
    assert_clean(made.report(&file, &[]), sent);
    let (report, _) = made.report(&made.path("all.bin"), &[]);
    let never = report["strangers"]["never_sent"]["spans"].as_u64().expect("a count");
    assert_eq!((report["lost"].as_u64(), never), (Some(0), made.spans().len() as u64 - sent));
}

#[test]
fn losses_in_the_runs_own_account_are_explained() {
    let made = Made::new();
    let mut manifest: Value = serde_json::from_slice(&made.read("run.json")).expect("JSON");
    let account = &mut manifest["ended"]["account"];
    account["resent_unknown"]["spans"] = 7.into();
    account["undelivered"] = json!({"timeout": {"spans": 11, "traces": 1, "message": ""}});
    made.write("run.json", manifest.to_string().as_bytes());
    let all = made.path("all.bin");
    let (clean, ..) = made.verify(&[&all], &[]);
    assert!(!clean.contains("tracegen itself"), "nothing is to be explained: {clean}");
    let (twice, ..) = made.verify(&[&all, &all], &[]);
    assert!(twice.contains(" 7   were sent again by tracegen itself after an unknown outcome"), "{twice}");
    let mut sizes: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    made.spans().iter().for_each(|span| *sizes.entry(span.trace_id.clone()).or_default() += 1);
    let (first, spans) = sizes.into_iter().min_by_key(|(_, spans)| *spans).expect("a trace");
    let short = made.written("short", &made.edited(|span| span.trace_id != first));
    let (short, ..) = made.verify(&[&short], &[]);
    assert!(short.contains("11   of the run were not delivered by tracegen itself"), "{short}");
    // The missing spans may be these, so the pipeline is not blamed.
    assert!(
        spans < 11 && short.contains("1 trace did not arrive, no more than the 11 spans that tracegen itself"),
        "{short}"
    );
    let none = made.written("none", &made.requests[..1]);
    let (none, ..) = made.verify(&[&none], &[]);
    let missing = made.spans().len() - bare_spans(&made.requests[..1]).count();
    let rest = format!("so the pipeline dropped at least {} spans", missing - 11);
    assert!(
        none.contains("tracegen itself did not deliver 11 spans, ") && none.replace(',', "").contains(&rest),
        "{none}"
    );
    manifest["ended"]["account"] = Value::Null;
    made.write("run.json", manifest.to_string().as_bytes());
    let (unknown, ..) = made.verify(&[&made.path("short")], &[]);
    assert!(unknown.contains("how much of it tracegen itself did not deliver is not known"), "{unknown}");
}

#[test]
fn the_report_for_ci_is_a_suite_with_a_case_for_each_check() {
    let made = Made::new();
    let half = made.written("half", &made.requests[..1]);
    let junit = |from: &Path| made.verify(&[from], &["--format", "junit"]).0;
    let clean = junit(&made.path("all.bin"));
    assert!(
        clean.starts_with("<?xml") && clean.contains("tests=\"6\" failures=\"0\" errors=\"0\" skipped=\"0\""),
        "{clean}"
    );
    let short = junit(&half);
    assert!(
        short.contains("failures=\"1\"") && short.contains("<failure type=\"lost\" message=\"the pipeline dropped "),
        "{short}"
    );
    let unchecked = junit(&made.write("empty", b""));
    assert!(unchecked.contains("errors=\"6\"") && unchecked.contains("<error type=\"unchecked\""), "{unchecked}");
}

#[test]
fn all_formats_of_the_collectors_file_exporter_are_read() {
    let outputs = vec![Output::Json, Output::Protobuf, Output::ZstdJson, Output::ZstdProtobuf];
    let Some(mut collector) = Collector::with(outputs, &[]) else { return };
    let made = Made::new();
    tracegen()
        .args(["run", "--seed", "42", "--count", TRACES, "--start", START, "--rate", "100/s", "--quiet"])
        .args(["--endpoint", &collector.http_url()])
        .arg(scenarios())
        .assert()
        .success();
    collector.stop();
    let files = collector.files();
    assert_eq!(files.len(), 4);
    for file in files {
        assert_clean(made.report(&file, &[]), made.spans().len() as u64);
    }
}

/// Returns the maximum resident memory of a process so far in KiB, or `None` if it has ended.
#[cfg(target_os = "linux")]
fn most_resident_kib(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[test]
#[cfg(target_os = "linux")]
#[ignore = "takes minutes"]
fn a_hundred_million_spans_are_verified_in_256_mib() {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};
    const MOST_KIB: u64 = 256 << 10;
    let traces = std::env::var("TRACEGEN_VERIFY_TRACES").unwrap_or("12200000".into());
    let flags = ["--seed", "42", "--count", &traces, "--start", "2020-01-01", "--rate", "100000/s"];
    let tracegen = |command: &str| {
        let mut process = Command::new(env!("CARGO_BIN_EXE_tracegen"));
        process.env_clear().arg(command).args(flags).arg(scenarios()).stdout(Stdio::piped());
        process
    };
    let began = Instant::now();
    let mut run = tracegen("run").args(["--exporter", "file=-", "--quiet"]).spawn().expect("it runs");
    let from = run.stdout.take().expect("a pipe");
    let mut verify = tracegen("verify");
    let mut verify = verify.args(["--from", "-", "--format", "json", "--quiet"]).stdin(from).spawn().expect("it runs");
    let mut most = 0;
    while verify.try_wait().expect("a status").is_none() {
        most = most_resident_kib(verify.id()).unwrap_or(most);
        std::thread::sleep(Duration::from_millis(100));
    }
    let output = verify.wait_with_output().expect("an output");
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert!(run.wait().expect("a status").success());
    let spans = report["expected"].as_u64().expect("a count");
    let seconds = began.elapsed().as_secs_f64();
    eprintln!("{spans} spans in {seconds:.0} s, {:.0} a second, at most {most} KiB", spans as f64 / seconds);
    assert_clean((report, output.status.code().expect("a status")), spans);
    assert!(most <= MOST_KIB, "{most} KiB");
}
