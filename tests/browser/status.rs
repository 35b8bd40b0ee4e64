//! The status page.

use crate::support::browser::{Browser, Scheme, Server, browse};

async fn phase(page: &Browser, phase: &str) {
    page.until(&format!("document.querySelector('[data-refresh=phase]')?.innerText === '{phase}'")).await;
}

async fn value(page: &Browser, css: &str) -> String {
    page.eval(&format!("document.querySelector({css:?}).value")).await.as_str().unwrap().into()
}

/// Returns the selector of the figure with this name.
fn figure(name: &str) -> String {
    format!(
        "[...document.querySelectorAll('.big div')].find((d) => d.innerText.startsWith('{name}')).querySelector('dd').innerText"
    )
}

#[test]
fn the_engine_is_paused_stopped_and_started() {
    browse(&Server::busy(), async |page| {
        page.goto("/status").await;
        phase(page, "Running").await;
        for (button, then) in [("/engine/pause", "Paused"), ("/engine/stop", "Stopped")] {
            page.click(&format!("[formaction='{button}']")).await;
            phase(page, then).await;
            assert_eq!(page.location().await, "/status");
        }
        assert_eq!(page.count("[data-refresh=buttons] :disabled").await, 2);
        page.is_sound().await;
        page.click("[data-refresh=buttons] .primary").await;
        phase(page, "Running").await;
    });
}

#[test]
fn settings_take_effect() {
    browse(&Server::busy(), async |page| {
        for scripts in [true, false] {
            page.scripts(scripts).await;
            page.goto("/status").await;
            page.click("label:has([name=pace][value=rate])").await;
            page.fill("[name=rate]", "33").await;
            page.choose("[name=arrivals]", "poisson").await;
            page.fill("[name='weight.API Gateway']", "0").await;
            page.click(".form .primary").await;
            page.wait(".notice.good").await;
            page.until(&format!("{} === '33 traces/s'", figure("Target"))).await;
            assert_eq!(value(page, "[name='weight.API Gateway']").await, "0");
            assert_eq!(value(page, "[name=arrivals]").await, "poisson");
            page.click("label:has([name=pace][value=interval])").await;
            page.until("document.querySelector('[name=rate]').offsetParent === null").await;
            page.fill("[name=min]", "100ms").await;
            page.fill("[name=max]", "0.3").await;
            page.fill("#lanes", "2").await;
            page.fill("[name='weight.API Gateway']", "").await;
            page.click(".form .primary").await;
            page.until(&format!("{} === '10 traces/s'", figure("Target"))).await;
            assert_eq!((value(page, "[name=min]").await, value(page, "#lanes").await), ("0.1".into(), "2".into()));
            assert_ne!(value(page, "[name='weight.API Gateway']").await, "0", "empty is as the file says");
        }
    });
}

#[test]
fn a_mistake_stands_at_its_field_and_changes_nothing() {
    browse(&Server::busy(), async |page| {
        page.goto("/status").await;
        page.fill("[name=rate]", "fast").await;
        page.fill("[name='weight.API Gateway']", "-1").await;
        page.click(".form .primary").await;
        assert!(page.text("#e-rate").await.starts_with("expected traces per second"));
        assert_eq!(page.count(".weights .wrong").await, 1);
        assert_eq!(value(page, "[name=rate]").await, "fast", "what was written stays");
        assert_eq!(page.location().await, "/status", "so that the page follows on");
        assert_eq!(page.eval(&figure("Target")).await, "20 traces/s");
        page.is_sound_everywhere().await;
        // The refused form is reported on the console.
        page.console().await;
    });
}

#[test]
fn a_form_that_is_edited_is_left_alone() {
    let up = "document.querySelector('[data-refresh=facts]').innerText";
    browse(&Server::busy(), async |page| {
        page.goto("/status").await;
        page.fill("[name=rate]", "77").await;
        let before = page.eval(up).await;
        page.until(&format!("{up} !== {before}")).await;
        assert_eq!(value(page, "[name=rate]").await, "77");
        page.click(".form [type=reset]").await;
        assert_eq!(value(page, "[name=rate]").await, "20");
    });
}

#[test]
fn the_account_is_told_in_spans_and_in_traces() {
    browse(&Server::busy(), async |page| {
        page.goto("/status").await;
        assert!(page.text("[data-refresh=account] header p").await.starts_with("spans"));
        page.click("nav.seg a[href*=traces]").await;
        page.until("document.querySelector('[data-refresh=account] header p').innerText.startsWith('traces')").await;
        assert_eq!(page.location().await, "/status?unit=traces");
        page.until("document.querySelector('.sum').innerText.includes('Kept')").await;
        assert_eq!(page.count(".closed").await, 0, "what is kept is no check of what was made");
    });
}

#[test]
fn a_collector_that_is_away_is_shown() {
    let away =
        Server::start(&["--seed", "42", "--rate", "50/s"], &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")]);
    browse(&away, async |page| {
        page.goto("/status").await;
        page.until("document.querySelector('[data-refresh=exporter] .tag.err')").await;
        assert!(page.text("[data-refresh=exporter]").await.contains("refused"));
        assert!(page.text(".sum").await.contains("In flight"));
        assert!(page.text(".closed").await.starts_with("The account closes"));
        phase(page, "Running").await;
        page.is_sound_everywhere().await;
        for (width, scheme) in [(1440, Scheme::Light), (1440, Scheme::Dark), (390, Scheme::Light)] {
            page.picture("status", width, scheme).await;
        }
    });
}

#[test]
fn a_store_that_is_away_is_shown_and_looked_for() {
    let away = Server::start(
        &["--seed", "42", "--rate", "20/s"],
        &[("DATABASE_TYPE", "clickhouse"), ("DATABASE_HOST", "127.0.0.1"), ("DATABASE_PORT", "1")],
    );
    browse(&away, async |page| {
        page.goto("/status").await;
        assert!(page.text(".warnings .notice").await.contains("is out of reach, traces are kept in memory"));
        assert!(page.text("[data-refresh=store]").await.contains("Fallback"));
        page.is_sound_everywhere().await;
        page.click(".warnings button").await;
        page.until("document.querySelector('[data-refresh=store]').innerText.match(/([0-9]+) tries/)").await;
        assert_eq!(page.location().await, "/status");
        phase(page, "Running").await;
    });
}

#[test]
fn files_that_do_not_compile_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("one.yaml");
    let good = "name: One\nroot_span: {service: one, operation: do it}\n";
    std::fs::write(&file, good).unwrap();
    browse(&Server::start(&[folder.path().to_str().unwrap()], &[]), async |page| {
        page.goto("/status").await;
        phase(page, "Running").await;
        assert_eq!(page.count(".warnings .notice").await, 0);
        std::fs::write(&file, "name: One\nroot_span: {service: one, operatoin: do it}\n").unwrap();
        page.wait(".warnings .notice.bad a[href='/scenarios']").await;
        assert!(page.text(".warnings").await.contains("1 error"));
        page.is_sound().await;
        std::fs::write(&file, good).unwrap();
        page.until("!document.querySelector('.warnings .notice')").await;
    });
}

#[test]
fn a_share_fills_its_part_of_the_bar() {
    let folder = tempfile::tempdir().unwrap();
    for (name, weight) in [("often", 2), ("seldom", 1)] {
        let text = format!("name: {name}\nweight: {weight}\nroot_span: {{service: web, operation: get}}\n");
        std::fs::write(folder.path().join(format!("{name}.yaml")), text).unwrap();
    }
    let server = Server::of(folder.path(), &["--seed", "1", "--rate", "20/s"]);
    browse(&server, async |page| {
        page.goto("/status").await;
        let row = "[...document.querySelectorAll('.weights li:not(.hd)')].map((row) => [parseFloat(row.querySelector('rect')\
                   .getAttribute('width')), parseFloat(row.querySelector('.num').textContent)])";
        let near = format!(
            "{row}.every(([bar, share]) => Math.abs(bar - share) < 0.2) && {row}.some(([bar]) => bar > 50 && bar < 80)"
        );
        page.until(&near).await;
    });
}
