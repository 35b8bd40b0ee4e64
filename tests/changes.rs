//! Incidents that people start, and chances that they change, while `serve` runs: what arrives is what the manifest says.
#![cfg(target_os = "linux")]

mod support {
    pub mod collector;
    pub mod folder;
    pub mod http;
    pub mod ports;
    pub mod requests;
    pub mod serve;
}

use prost::Message;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::thread::sleep;
use std::time::{Duration, Instant};
use support::collector::{Collector, Output};
use support::folder::Folder;
use support::http::{Answer, get, send};
use support::serve::Server;
use tracegen::journal::{Archive, Manifest};
use tracegen::verify::{Fidelity, Policy, Verdict, Verifier};

const FILE: &str = r#"
services: {shop: {}, stock: {instances: 3}, bank: {}}
incidents:
  - {name: stock slow, at: +9d, for: 1h, every: 9d, select: {service: stock}, latency: x20}
  - {name: sale, at: +9d, for: 1h}
  - {name: rush, at: +9d, for: 1h, rate: x3}
load: {rate: 40/s}
scenarios:
  - name: Checkout
    weight: 3
    root_span:
      service: shop
      operation: POST /checkout
      delay_ms: [1, 5]
      calls:
        - service: stock
          operation: reserve
          kind: SERVER
          delay_ms: [1, 5]
          error_conditions: [{probability: 1, type: sold_out}, {probability: 2, type: timeout}]
        - {when: incident.sale, service: shop, operation: discount}
        - {service: bank, operation: charge, delay_ms: 2}
  - name: Search
    root_span: {service: shop, operation: GET /search, delay_ms: [1, 5]}
"#;

fn folder() -> Folder {
    let folder = Folder::new();
    fs::write(folder.path("shop.yaml"), FILE).expect("a file");
    folder
}

fn post(server: &Server, body: &Value) -> Answer {
    send(server.address(), "POST", "/api/engine/incidents", &[("content-type", "application/json")], &body.to_string())
}

fn incidents(server: &Server) -> Value {
    get(server.address(), "/api/engine/incidents").json()
}

/// Returns an incident by its name.
fn incident(server: &Server, name: &str) -> Value {
    let all = incidents(server);
    let found = all["incidents"].as_array().expect("incidents").iter().find(|incident| incident["name"] == name);
    found.unwrap_or(&Value::Null).clone()
}

fn set(server: &Server, body: &Value) -> Answer {
    send(server.address(), "PUT", "/api/engine/conditions", &[("content-type", "application/json")], &body.to_string())
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        sleep(Duration::from_millis(50));
    }
}

/// Returns the operations of the services report, with the share of failed spans and p50 in ms.
fn operation(server: &Server, name: &str) -> Option<(u64, u64, f64)> {
    let report = get(server.address(), "/api/services?range=all").json();
    let services = report["services"].as_array().expect("services");
    let all = services.iter().flat_map(|service| service["operations"].as_array().expect("operations"));
    let found = all.into_iter().find(|operation| operation["name"] == name)?.clone();
    let figure = |name: &str| found[name].as_u64().unwrap_or_else(|| panic!("{name}: {found}"));
    Some((figure("spans"), figure("errors"), 0.0))
}

#[test]
fn what_is_changed_replays_and_verifies() {
    let folder = folder();
    let manifest = folder.path("run.json").display().to_string();
    let Some(mut collector) = Collector::start(Output::Protobuf) else { return };
    let path = folder.path("shop.yaml").display().to_string();
    let args = [&path, "--seed", "42", "--manifest", &manifest];
    let variables =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.grpc_url()), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc".into())];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    let mut server = Server::start(&args, &variables);
    let did = |body: Value| assert_eq!(post(&server, &body).status, 200, "{body}");
    did(json!({ "start": { "name": "stock slow", "minutes": 5 } }));
    sleep(Duration::from_millis(900));
    did(json!({ "start": { "name": "sale", "minutes": 5 } }));
    did(json!({ "start": { "name": "rush", "minutes": 5 } }));
    sleep(Duration::from_millis(900));
    did(json!({ "make": { "minutes": 5, "select": { "service": "bank" }, "down": true } }));
    sleep(Duration::from_millis(900));
    did(json!({ "end": { "name": "stock slow" } }));
    let chance = json!({ "scenario": "Checkout", "service": "stock", "operation": "reserve", "error": "timeout", "percent": 60 });
    assert_eq!(set(&server, &json!({ "conditions": [chance] })).status, 200);
    sleep(Duration::from_millis(900));
    // While it is short, it ends by itself.
    did(json!({ "make": { "name": "blip", "minutes": 0.02, "select": { "operation": "GET *" }, "errors": 50 } }));
    wait_until("it is over", || incident(&server, "blip").is_null());
    sleep(Duration::from_millis(600));
    let (_, failed, _) = operation(&server, "reserve").expect("it was called");
    assert!(failed > 10, "{failed}");
    assert!(operation(&server, "discount").is_some(), "a flag is on while it is started");
    assert!(server.end("INT").success(), "{}", server.said());
    collector.stop();
    let manifest = Manifest::read(File::open(&manifest).expect("a manifest")).expect("a manifest");
    assert!(manifest.eras.len() >= 6, "{}", manifest.eras.len());
    let archive = Archive::open(&manifest).expect("a manifest");
    let mut verifier = Verifier::new(archive, Fidelity::Otlp, Policy::default());
    for request in collector.requests() {
        verifier.request(&request.encode_to_vec(), None).expect("it is whole");
    }
    let report = verifier.finish();
    assert_eq!(report.verdict, Verdict::Clean, "{report:#?}");
    assert!(report.traces.expected > 500, "{report:#?}");
}

#[test]
fn windows_and_origins_are_listed() {
    let folder = folder();
    let server = Server::of(folder.path("").as_path(), &["--seed", "1"]);
    let slow = incident(&server, "stock slow");
    assert_eq!((&slow["origin"], &slow["in_force"]), (&json!("file"), &json!(false)));
    assert_eq!(slow["changes"], json!([{ "service": "stock", "operation": "reserve", "change": "20 times as long" }]));
    assert_eq!(slow["every_ns"], (9 * 24 * 3_600_000_000_000_u64).to_string());
    assert_eq!(incident(&server, "rush")["rate"], "3 times the rate of all scenarios");
}

#[test]
fn what_is_wrong_is_said_and_changes_nothing() {
    let folder = folder();
    let server = Server::of(folder.path("").as_path(), &["--seed", "1"]);
    let refused = |status: u16, body: Value| {
        let answer = post(&server, &body);
        let message = answer.json()["error"]["message"].as_str().expect("a message").to_owned();
        assert_eq!(answer.status, status, "{body}: {message}");
        assert!(!["struct", "Wish", "Effect", "u64", "f64"].iter().any(|name| message.contains(name)), "{message}");
        message
    };
    let before = incidents(&server)["incidents"].clone();
    let make = |more: Value| {
        let mut make = json!({ "minutes": 5, "times": 2 });
        make.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        json!({ "make": make })
    };
    for (body, said) in [
        (make(json!({ "select": { "service": "bnk" } })), "did you mean `bank`"),
        (make(json!({ "select": { "operation": "PUT *" } })), "the operation `PUT *`"),
        (make(json!({ "select": { "service": "stock", "instance": 3 } })), "no selected span has an instance 3"),
        (make(json!({ "select": { "service": "shop" }, "down": true })), "can't be down"),
        (make(json!({ "times": 5_000 })), "from 0 to 1000"),
        (make(json!({ "errors": 140 })), "from 0 to 100"),
        (make(json!({ "minutes": 0 })), "more than 0 and at most 1440 minutes"),
        (make(json!({ "minutes": 1441 })), "more than 0 and at most 1440 minutes"),
        (make(json!({ "name": "sale" })), "two incidents named `sale`"),
        (json!({ "make": { "minutes": 5 } }), "Say what it does"),
        (json!({ "start": { "name": "sael", "minutes": 5 } }), "no incident `sael`"),
        (json!({ "start": { "name": "sale", "minutes": -1 } }), "more than 0 and at most 1440 minutes"),
        (json!({ "end": { "name": "sale" } }), "No incident `sale` was started here"),
    ] {
        let message = refused(400, body);
        assert!(message.to_lowercase().contains(&said.to_lowercase()), "{message}: {said}");
    }
    assert_eq!(incidents(&server)["incidents"], before);
    assert_eq!(post(&server, &json!({ "start": { "name": "sale", "minutes": 5 } })).status, 200);
    assert!(
        refused(409, json!({ "start": { "name": "sale", "minutes": 5 } })).contains("has been started already, until")
    );
    let foreign = [("content-type", "application/json"), ("origin", "http://elsewhere.example")];
    let body = json!({ "end": { "name": "sale" } }).to_string();
    assert_eq!(send(server.address(), "POST", "/api/engine/incidents", &foreign, &body).status, 403);
    for (condition, said) in [
        (json!({ "error": "sold_out", "percent": 101 }), "from 0 to 100"),
        (json!({ "error": "sold_out", "percent": 99 }), "more than 100 % together"),
        (json!({ "error": "lost", "percent": 9 }), "no error `lost`"),
    ] {
        let mut whole = json!({ "scenario": "Checkout", "service": "stock", "operation": "reserve" });
        whole.as_object_mut().expect("an object").extend(condition.as_object().expect("an object").clone());
        let answer = set(&server, &json!({ "conditions": [whole] }));
        assert!(answer.status == 400 && answer.body.contains(said), "{said}: {}", answer.body);
    }
}

/// An incident for something that the files no longer have is over, and the others go on.
#[test]
fn an_incident_is_over_when_the_files_lose_what_it_is_for() {
    let folder = folder();
    let server = Server::of(folder.path("").as_path(), &["--seed", "1"]);
    let make = |name: &str, service: &str| json!({ "make": { "name": name, "minutes": 9, "select": { "service": service }, "times": 3 } });
    assert_eq!(post(&server, &make("slow bank", "bank")).status, 200);
    assert_eq!(post(&server, &make("slow shop", "shop")).status, 200);
    let text = FILE.replace("bank: {}", "till: {}").replace("service: bank", "service: till");
    fs::write(folder.path("shop.yaml"), text).expect("a file");
    server.wait_for("incident slow bank is over: the scenario files no longer have what it is for");
    assert!(incident(&server, "slow bank").is_null());
    assert_eq!(incident(&server, "slow shop")["origin"], "made");
    let past = &incidents(&server)["past"][0];
    assert_eq!((&past["name"], &past["services"]), (&json!("slow bank"), &json!(["bank"])));
    // Files that do not compile can't be changed, and what is in use stays.
    fs::write(folder.path("shop.yaml"), "name: <<x>>").expect("a file");
    server.wait_for("scenarios do not compile");
    let answer = post(&server, &make("again", "shop"));
    assert!(answer.status == 409 && answer.body.contains("mend them first"), "{}", answer.body);
    assert_eq!(incident(&server, "slow shop")["in_force"], true);
    fs::write(folder.path("shop.yaml"), FILE).expect("a file");
    server.wait_for("scenarios changed");
    assert_eq!(incident(&server, "slow shop")["in_force"], true);
}

#[test]
fn chances_are_changed_and_taken_back() {
    let folder = folder();
    let server = Server::of(folder.path("").as_path(), &["--seed", "1"]);
    let conditions = || get(server.address(), "/api/engine/conditions").json()["conditions"].clone();
    let percents = |of: &str| {
        let all = conditions();
        all.as_array().expect("conditions").iter().map(|c| c[of].as_f64().expect("a number")).collect::<Vec<_>>()
    };
    assert_eq!((percents("percent"), percents("percent_in_file")), (vec![1.0, 2.0], vec![1.0, 2.0]));
    let mut condition = conditions()[0].clone();
    condition.as_object_mut().expect("an object").remove("percent_in_file");
    for (percent, expected) in [(json!(100 - 2), 98.0), (json!(0), 0.0), (json!(12.5), 12.5)] {
        condition["percent"] = percent;
        assert_eq!(set(&server, &json!({ "conditions": [condition] })).status, 200);
        assert_eq!((percents("percent"), percents("percent_in_file")), (vec![expected, 2.0], vec![1.0, 2.0]));
    }
    condition.as_object_mut().expect("an object").remove("percent");
    assert_eq!(set(&server, &json!({ "conditions": [condition] })).status, 200);
    assert_eq!(percents("percent"), [1.0, 2.0]);
}
