use super::*;

fn resolve(flags: TargetFlags, vars: &[(&str, &str)]) -> Result<Target, TargetError> {
    Target::resolve(flags, &|name| {
        vars.iter().find(|(n, _)| format!("OTEL_EXPORTER_OTLP_{n}") == name).map(|(_, v)| v.to_string())
    })
}

fn with(vars: &[(&str, &str)]) -> Target {
    resolve(TargetFlags::default(), vars).unwrap()
}

fn error(vars: &[(&str, &str)]) -> String {
    resolve(TargetFlags::default(), vars).unwrap_err().to_string()
}

fn endpoint_flag(endpoint: &str) -> TargetFlags {
    TargetFlags { endpoint: Some(endpoint.into()), ..Default::default() }
}

#[test]
fn nothing_set_is_grpc_at_localhost() {
    let t = with(&[]);
    assert_eq!(t.to_string(), "http://localhost:4317 (grpc)");
    assert_eq!((t.timeout, t.compression, t.is_default), (Some(DEFAULT_TIMEOUT), Compression::None, true));
}

#[test]
fn default_endpoint_follows_the_protocol() {
    assert_eq!(with(&[("PROTOCOL", "http/json")]).to_string(), "http://localhost:4318/v1/traces (http/json)");
}

#[test]
fn protocol_follows_the_port_when_unset() {
    assert_eq!(with(&[("ENDPOINT", "http://c:4317")]).protocol, Protocol::Grpc);
    assert_eq!(with(&[("ENDPOINT", "http://c:4318")]).protocol, Protocol::HttpProtobuf);
    assert_eq!(with(&[("ENDPOINT", "https://c")]).protocol, Protocol::HttpProtobuf);
    assert_eq!(with(&[("ENDPOINT", "http://c:4317"), ("PROTOCOL", "HTTP/Protobuf")]).protocol, Protocol::HttpProtobuf);
}

#[test]
fn traces_path_is_appended_to_the_general_endpoint_only() {
    let url = |vars: &[(&str, &str)]| with(vars).url.to_string();
    assert_eq!(url(&[("ENDPOINT", "http://c:4318")]), "http://c:4318/v1/traces");
    assert_eq!(url(&[("ENDPOINT", "http://c:4318/otlp/?tenant=a")]), "http://c:4318/otlp/v1/traces?tenant=a");
    assert_eq!(url(&[("TRACES_ENDPOINT", "http://c:4318")]), "http://c:4318/");
    assert_eq!(url(&[("TRACES_ENDPOINT", "http://c:4318/in/")]), "http://c:4318/in/");
    let flag = |e: &str| resolve(endpoint_flag(e), &[]).unwrap().url.to_string();
    assert_eq!(flag("http://c:4318"), "http://c:4318/v1/traces");
    assert_eq!(flag("http://c:4318/v1/traces"), "http://c:4318/v1/traces");
}

#[test]
fn grpc_endpoints_lose_their_path_and_need_no_scheme() {
    let url = |vars: &[(&str, &str)]| with(vars).to_string();
    assert_eq!(url(&[("ENDPOINT", "http://c:4317/v1/traces")]), "http://c:4317 (grpc)");
    assert_eq!(url(&[("ENDPOINT", "c:4317")]), "https://c:4317 (grpc)");
    assert_eq!(url(&[("ENDPOINT", "c:4317"), ("INSECURE", "True")]), "http://c:4317 (grpc)");
    assert_eq!(url(&[("ENDPOINT", "https://c:4317"), ("INSECURE", "true")]), "https://c:4317 (grpc)");
    assert_eq!(url(&[("ENDPOINT", "[::1]:4317"), ("TRACES_INSECURE", "true")]), "http://[::1]:4317 (grpc)");
    assert!(error(&[("ENDPOINT", "c:4318")]).contains("write http://c:4318 or https://c:4318"));
}

#[test]
fn flag_beats_traces_beats_general() {
    let vars = [
        ("ENDPOINT", "http://general:4317"),
        ("TRACES_ENDPOINT", "http://traces:4317"),
        ("PROTOCOL", "http/json"),
        ("TRACES_PROTOCOL", "http/protobuf"),
        ("TIMEOUT", "1"),
        ("TRACES_TIMEOUT", "250"),
        ("COMPRESSION", "none"),
        ("TRACES_COMPRESSION", "gzip"),
    ];
    let t = with(&vars);
    assert_eq!(t.to_string(), "http://traces:4317 (http/protobuf)");
    assert_eq!((t.timeout, t.compression), (Some(Duration::from_millis(250)), Compression::Gzip));
    let flags = TargetFlags { protocol: Some("grpc".into()), ..endpoint_flag("http://flag:1") };
    assert_eq!(resolve(flags, &vars).unwrap().to_string(), "http://flag:1 (grpc)");
}

#[test]
fn an_empty_variable_is_unset() {
    let t = with(&[("TRACES_ENDPOINT", " "), ("ENDPOINT", "http://c:4317"), ("TIMEOUT", ""), ("PROTOCOL", "")]);
    assert_eq!(t.to_string(), "http://c:4317 (grpc)");
    assert_eq!(t.timeout, Some(DEFAULT_TIMEOUT));
}

#[test]
fn headers_are_baggage_and_flags_add_to_them() {
    let flags = TargetFlags { headers: vec!["X-B=of=flag %41".into(), "c=3".into()], ..Default::default() };
    let t = resolve(flags, &[("HEADERS", "Authorization = Basic%20a==, x-b=env,,"), ("COMPRESSION", "gzip")]).unwrap();
    assert_eq!(t.headers["authorization"], "Basic a==");
    assert_eq!(t.headers["x-b"], "of=flag %41");
    assert_eq!(t.headers["c"], "3");
    let t = with(&[("HEADERS", "a=general,b=1"), ("TRACES_HEADERS", "a=traces")]);
    assert_eq!(
        (t.headers["a"].to_str().unwrap(), t.headers.len()),
        ("traces", 1),
        "the traces list replaces the general"
    );
}

#[test]
fn secrets_are_never_shown() {
    let t = with(&[("HEADERS", "authorization=hunter2")]);
    assert!(!format!("{t} {t:?}").contains("hunter2"));
    for bad in ["hunter2", "a=hunter2%", "a=hunter2%0A"] {
        assert!(!error(&[("HEADERS", bad)]).contains("hunter2"), "{bad}");
    }
    let with_password = error(&[("ENDPOINT", "http://me:hunter2@c:4317")]);
    assert!(!with_password.contains("hunter2") && with_password.contains("authorization header"), "{with_password}");
}

#[test]
fn bad_values_name_the_setting_the_value_and_what_is_allowed() {
    let e = |name: &str, value: &str, wants: &str| {
        let text = error(&[(name, value)]);
        assert!(text.starts_with(&format!("OTEL_EXPORTER_OTLP_{name}: {value:?}: ")), "{text}");
        assert!(text.contains(wants), "{text}");
    };
    e("PROTOCOL", "tcp", "grpc, http/protobuf or http/json");
    e("TRACES_COMPRESSION", "zstd", "none or gzip");
    e("TIMEOUT", "10s", "milliseconds");
    e("TIMEOUT", "-1", "milliseconds");
    e("TIMEOUT", "3600001", "3600000");
    e("INSECURE", "yes", "true or false");
    e("ENDPOINT", "ftp://c:1", "http or https");
    e("ENDPOINT", "http://:4317", "HOST:PORT");
    e("ENDPOINT", "http://c:99999", "65535");
    e("ENDPOINT", "http://c:0", "65535");
    e("ENDPOINT", "unix:/tmp/sock", "");
    e("ENDPOINT", "http://a b", "http://HOST:PORT");
    e("CLIENT_KEY", "k.pem", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE");
    e("CLIENT_CERTIFICATE", "c.pem", "OTEL_EXPORTER_OTLP_CLIENT_KEY");
    assert!(error(&[("HEADERS", "content-type=a")]).contains("leave it out"));
    assert!(error(&[("HEADERS", "sp ace=a")]).contains("not a header name"));
    let flags = TargetFlags { protocol: Some("udp".into()), ..Default::default() };
    assert_eq!(
        resolve(flags, &[]).unwrap_err().to_string(),
        "--protocol: \"udp\": use grpc, http/protobuf or http/json"
    );
}

#[test]
fn zero_is_no_timeout() {
    assert_eq!(with(&[("TIMEOUT", "0")]).timeout, None);
}

#[test]
fn certificates_mix_general_and_traces() {
    let t = with(&[
        ("CERTIFICATE", "ca"),
        ("TRACES_CERTIFICATE", "ca2"),
        ("CLIENT_KEY", "k"),
        ("TRACES_CLIENT_CERTIFICATE", "c"),
    ]);
    assert_eq!(t.certificates.authorities.unwrap().path, PathBuf::from("ca2"));
    let (certificate, key) = t.certificates.client.unwrap();
    assert_eq!((certificate.path, key.path), (PathBuf::from("c"), PathBuf::from("k")));
}

proptest::proptest! {
    #[test]
    fn no_value_panics(name in "(TRACES_)?(ENDPOINT|HEADERS|PROTOCOL|TIMEOUT|INSECURE)", value in ".{0,40}") {
        let _ = resolve(TargetFlags::default(), &[(&name, &value)]);
    }

    #[test]
    fn no_endpoint_panics(value in "(https?://)?[a-z\\[\\]:0-9@/?#%.]{0,30}", protocol in "(|grpc|http/json)") {
        let _ = resolve(endpoint_flag(&value), &[("PROTOCOL", &protocol)]);
    }
}
