//! The playground: a scenario is edited, and the result is shown.

use crate::support::browser::{Browser, Server, browse};

const BROKEN: &str = "name: Lookup
root_span:
  service: api-gateway
  operation: GET /ü
  calls:
    - service: order-servce
      operation: get
";

/// Writes text in the way of a person who types.
async fn write(page: &Browser, text: &str) {
    let text = serde_json::to_string(text).unwrap();
    let set = "const t = document.querySelector('#source'); t.value = text; t.dispatchEvent(new Event('input'))";
    page.eval(&format!("(() => {{ const text = {text}; {set}; }})()")).await;
}

#[test]
fn a_misspelt_service_is_put_right() {
    browse(&Server::busy(), async |page| {
        page.goto("/playground").await;
        page.is_sound_everywhere().await;
        assert!(page.text("[data-part=state]").await.contains("compiles"));
        write(page, BROKEN).await;
        page.wait(".diag").await;
        assert!(page.text("[data-part=state]").await.contains("1 error"));
        assert_eq!(page.text(".editor .sq").await, "order-servce");
        // The last plan stays, and is marked as the last one.
        page.wait(".lst.stale").await;
        page.wait(".stale .stale-note").await;
        page.is_sound_everywhere().await;
        page.click(".diag [data-from]").await;
        let chosen = "(() => { const t = document.querySelector('#source'); \
                      return t.value.slice(t.selectionStart, t.selectionEnd); })()";
        assert_eq!(page.eval(chosen).await, "order-servce");
        page.click("button[name=apply]").await;
        page.until("document.querySelector('[data-part=state]').textContent.includes('compiles')").await;
        assert_eq!(page.eval("document.querySelector('#source').value").await, BROKEN.replace("servce", "service"));
        assert_eq!(page.count(".stale").await, 0);
        assert_eq!(page.count(".sample tbody tr").await, 2);
    });
}

#[test]
fn what_is_typed_shows_at_once_and_is_checked() {
    browse(&Server::busy(), async |page| {
        page.goto("/playground").await;
        let lines = page.count(".editor .l").await;
        page.eval("document.querySelector('#source').setSelectionRange(0, 0)").await;
        page.eval("document.querySelector('#source').focus()").await;
        page.press('#').await;
        page.press('\u{e006}').await;
        page.until(&format!("document.querySelectorAll('.editor .l').length === {}", lines + 1)).await;
        page.until("document.querySelector('.editor .l .c')").await;
        let same = "document.querySelector('[data-part=paint]').textContent.replace(/\\n$/, '') === \
                    document.querySelector('#source').value";
        page.until(same).await;
    });
}

#[test]
fn samples_follow_one_another() {
    browse(&Server::busy(), async |page| {
        page.goto("/playground?from=Async%20consumer").await;
        let about = "document.querySelector('[data-part=sample] header p').textContent";
        let first = page.eval(about).await;
        assert!(first.as_str().unwrap().contains("1 link"), "{first}");
        page.click("button[name=index]").await;
        page.until(&format!("{about} !== {first}")).await;
        page.click(".as-text summary").await;
        assert!(page.text(".as-text pre").await.contains("process orders"));
    });
}

#[test]
fn it_starts_from_a_scenario() {
    browse(&Server::busy(), async |page| {
        page.goto("/playground").await;
        page.choose("select[name=from]", "API Gateway").await;
        page.until("document.querySelector('#source')?.value.includes('API Gateway')").await;
        assert_eq!(page.location().await, "/playground?from=API%20Gateway".replace("%20", "+"));
        assert!(page.text("[data-part=state]").await.contains("compiles"));
    });
}

#[test]
fn tab_indents_and_escape_leads_out() {
    browse(&Server::busy(), async |page| {
        page.goto("/playground").await;
        page.eval("document.querySelector('#source').focus()").await;
        page.eval("document.querySelector('#source').setSelectionRange(0, 0)").await;
        page.press('\u{e004}').await;
        page.until("document.querySelector('#source').value.startsWith('  name')").await;
        page.press('\u{e00c}').await;
        page.press('\u{e004}').await;
        page.until("document.activeElement !== document.querySelector('#source')").await;
    });
}

#[test]
fn it_works_without_scripts() {
    browse(&Server::busy(), async |page| {
        page.scripts(false).await;
        page.goto("/playground").await;
        page.fill("#source", BROKEN).await;
        page.click(".no-script").await;
        page.wait(".diag button[name=apply]").await;
        page.click(".diag button[name=apply]").await;
        page.wait(".code.lst li").await;
        page.click("button[name=index]").await;
        page.wait(".sample tbody tr").await;
        page.scripts(true).await;
    });
}

#[test]
fn a_text_that_is_too_long_says_so() {
    browse(&Server::busy(), async |page| {
        page.goto("/playground").await;
        page.eval("document.querySelector('#source').value = '['.repeat(1 << 20)").await;
        page.eval("document.querySelector('#source').dispatchEvent(new Event('input'))").await;
        page.until("document.querySelector('[data-part=state]').textContent.includes('error')").await;
        page.eval("document.querySelector('#source').value = '['.repeat(2 << 20)").await;
        page.eval("document.querySelector('#source').dispatchEvent(new Event('input'))").await;
        page.until("document.querySelector('[data-part=state]').textContent.includes('1 MiB')").await;
        // The refusal is reported on the console.
        assert_eq!(page.console().await.len(), 1);
    });
}
