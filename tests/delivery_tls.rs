//! TLS and mutual TLS, with trust in both directions, over both protocols.

mod support {
    pub mod peer;
    pub mod pki;
    pub mod ports;
    pub mod requests;
}

use rcgen::KeyPair;
use std::time::Duration;
use support::{
    peer::{Answer, Listen, Peer},
    pki::Pki,
    requests::{ALL_PROTOCOLS, batch},
};
use tracegen::export::{
    deliver::{Account, Delivery, Options},
    target::{Protocol, Target, TargetError, TargetFlags},
};

fn deliver(url: &str, protocol: Protocol, vars: &[(&str, &str)]) -> Result<Account, TargetError> {
    let flags =
        TargetFlags { endpoint: Some(url.into()), protocol: Some(protocol.to_string()), ..TargetFlags::default() };
    let env = |name: &str| {
        vars.iter().find(|(n, _)| format!("OTEL_EXPORTER_OTLP_{n}") == name).map(|(_, value)| value.to_string())
    };
    let patience = Duration::from_secs(5);
    let options = Options { wait: patience, lost: patience, ..Options::default() };
    let delivery = Delivery::start(Target::resolve(flags, &env)?, options)?;
    for n in 0..5 {
        delivery.send(batch(protocol, n * 10..n * 10 + 10));
    }
    let account = delivery.finish();
    assert_eq!(account.in_flight.spans, 0);
    Ok(account)
}

fn why_not(account: &Account) -> String {
    assert_eq!(account.total_undelivered(), account.generated, "{account:#?}");
    account.undelivered.iter().map(|(cause, loss)| format!("{cause}: {}; ", loss.message)).collect()
}

#[test]
fn a_trusted_receiver_gets_everything() {
    let pki = Pki::new("ours");
    for protocol in ALL_PROTOCOLS {
        let peer = Peer::start_at(Listen { tls: Some(pki.server(false)), ..Listen::default() }, |_| Answer::Take);
        let account = deliver(&peer.url(), protocol, &[("CERTIFICATE", &pki.authority_file())]).unwrap();
        assert!(account.is_whole(), "{account:#?}");
        assert_eq!(peer.distinct_spans().len(), 50);
    }
}

#[test]
fn a_receiver_of_an_untrusted_authority_gets_nothing_and_the_reason_is_given() {
    let (theirs, ours) = (Pki::new("theirs"), Pki::new("ours"));
    for protocol in ALL_PROTOCOLS {
        let peer = Peer::start_at(Listen { tls: Some(theirs.server(false)), ..Listen::default() }, |_| Answer::Take);
        for vars in [&[("CERTIFICATE", ours.authority_file().as_str())][..], &[]] {
            let account = match deliver(&peer.url(), protocol, vars) {
                Ok(account) => account,
                // A system may have no authorities.
                Err(error) => {
                    assert!(vars.is_empty() && error.to_string().contains("OTEL_EXPORTER_OTLP_CERTIFICATE"), "{error}");
                    continue;
                }
            };
            let why = why_not(&account);
            assert!(why.starts_with("TLS: ") && why.contains("OTEL_EXPORTER_OTLP_CERTIFICATE"), "{protocol}: {why}");
            assert_eq!(peer.spans(), [0; 0]);
        }
    }
}

#[test]
fn a_receiver_that_asks_for_a_certificate_gets_ours() {
    let pki = Pki::new("ours");
    let (certificate, key) = pki.client_files();
    let authority = pki.authority_file();
    for protocol in ALL_PROTOCOLS {
        let peer = Peer::start_at(Listen { tls: Some(pki.server(true)), ..Listen::default() }, |_| Answer::Take);
        let vars = [("CERTIFICATE", &*authority), ("CLIENT_CERTIFICATE", &*certificate), ("CLIENT_KEY", &*key)];
        let account = deliver(&peer.url(), protocol, &vars).unwrap();
        assert!(account.is_whole(), "{account:#?}");
        assert_eq!(peer.distinct_spans().len(), 50);

        let without = why_not(&deliver(&peer.url(), protocol, &vars[..1]).unwrap());
        assert!(without.contains("set OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"), "{protocol}: {without}");
    }
}

#[test]
fn a_receiver_without_tls_is_distinguished_from_an_absent_one() {
    let pki = Pki::new("ours");
    for protocol in ALL_PROTOCOLS {
        let peer = Peer::start(|_| Answer::Take);
        let url = peer.url().replace("http:", "https:");
        let why = why_not(&deliver(&url, protocol, &[("CERTIFICATE", &pki.authority_file())]).unwrap());
        assert!(why.contains("does not speak TLS"), "{protocol}: {why}");
    }
}

#[test]
fn certificate_files_that_can_not_be_used_are_named() {
    let pki = Pki::new("ours");
    let (certificate, _) = pki.client_files();
    let error = |vars: &[(&str, &str)]| deliver("https://localhost:1", Protocol::Grpc, vars).unwrap_err().to_string();
    let missing = error(&[("CERTIFICATE", "no/such.pem")]);
    assert!(missing.starts_with("OTEL_EXPORTER_OTLP_CERTIFICATE: \"no/such.pem\": No such file"), "{missing}");
    let empty = error(&[("TRACES_CERTIFICATE", &pki.write("empty.pem", "nothing here"))]);
    assert!(
        empty.starts_with("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE") && empty.contains("no certificate in it"),
        "{empty}"
    );
    let authority = pki.authority_file();
    let swapped =
        error(&[("CERTIFICATE", &authority), ("CLIENT_CERTIFICATE", &certificate), ("CLIENT_KEY", &certificate)]);
    assert!(swapped.starts_with("OTEL_EXPORTER_OTLP_CLIENT_KEY") && swapped.contains("private key"), "{swapped}");
    let foreign_key = pki.write("foreign.key", &KeyPair::generate().unwrap().serialize_pem());
    let mismatch =
        error(&[("CERTIFICATE", &authority), ("CLIENT_CERTIFICATE", &certificate), ("CLIENT_KEY", &foreign_key)]);
    assert!(mismatch.starts_with("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"), "{mismatch}");
}
