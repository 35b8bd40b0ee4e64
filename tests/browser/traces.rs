//! The list of traces.

use crate::support::browser::{Browser, Server, browse};
use serde_json::Value;

/// Starts a server with many more traces than a page holds.
fn server() -> Server {
    Server::start(&["--seed", "42", "--rate", "40/s"], &[("INMEMORY_MAX_TRACES", "2000")])
}

/// Opens the list, and waits until a page is full of rows.
async fn open(page: &Browser, path: &str) {
    for _ in 0..40 {
        page.goto(path).await;
        if page.count("[data-list] tbody tr").await > 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    }
    panic!("no rows at {path}");
}

async fn texts(page: &Browser, css: &str) -> Vec<String> {
    let texts = page.eval(&format!("[...document.querySelectorAll({css:?})].map((e) => e.textContent.trim())")).await;
    texts.as_array().unwrap().iter().map(|t| t.as_str().unwrap().to_string()).collect()
}

#[test]
fn the_list_is_sound_in_every_width_and_scheme() {
    browse(&server(), async |page| {
        open(page, "/").await;
        page.is_sound_everywhere().await;
        open(page, "/?view=cards").await;
        page.is_sound_everywhere().await;
        page.goto("/?status=never&max=soon&from=x").await;
        page.is_sound_everywhere().await;
        page.goto("/?q=nothing-has-this").await;
        page.is_sound_everywhere().await;
    });
}

#[test]
fn filters_apply_at_once_and_stand_in_the_address() {
    browse(&server(), async |page| {
        open(page, "/").await;
        page.choose("#service", "api-gateway").await;
        page.until("location.search.includes('service=api-gateway')").await;
        page.wait("[data-list] tbody tr").await;
        assert_eq!(page.eval("document.activeElement.id").await, "service", "the focus stays");
        page.choose("#scenario", "API Gateway").await;
        page.until("location.search.includes('scenario=API')").await;
        page.wait("[data-list] tbody tr").await;
        assert!(texts(page, "[data-list] td.sc").await.iter().all(|s| s == "API Gateway"));
        page.choose("#operation", "GET /api/v1/orders/{order_id}").await;
        page.until("location.search.includes('operation=GET')").await;
        page.choose("#range", "1h").await;
        page.until("location.search.includes('range=1h')").await;
        assert_eq!(page.location().await.matches('=').count(), 4, "nothing empty is sent");
        open(page, "/?status=error").await;
        let rows = page.count("[data-list] tbody tr").await;
        assert_eq!(page.count("[data-list] td.st .err").await, rows);
        assert_eq!(page.count("[data-list] td.why .err").await, rows);
        page.click("a[href='/']:not(.brand)").await;
        page.until("location.search === ''").await;
    });
}

#[test]
fn a_search_finds_text_attributes_and_ids() {
    browse(&server(), async |page| {
        open(page, "/").await;
        page.press('/').await;
        assert_eq!(page.eval("document.activeElement.name").await, "q");
        page.fill("[name=q]", "user.id=admin").await;
        page.click(".filters button").await;
        page.until("location.search === '?q=user.id%3Dadmin'").await;
        open(page, "/").await;
        let id = page.eval("document.querySelector('[data-list] tbody tr').dataset.key").await;
        let id = id.as_str().unwrap();
        open(page, &format!("/?q={}", &id[..12])).await;
        assert_eq!(page.eval("document.querySelector('[data-list] tbody tr').dataset.key").await, id);
        page.goto(&format!("/?q={id}")).await;
        assert_eq!(page.location().await, format!("/traces/{id}"));
    });
}

#[test]
fn what_can_not_be_read_is_named_at_its_field() {
    browse(&server(), async |page| {
        page.goto("/?max=soon&status=error").await;
        assert!(page.text(".problems").await.contains("duration to soon"));
        assert_eq!(
            page.eval("document.querySelector('[name=max]').getAttribute('aria-describedby')").await,
            "wrong-max"
        );
        assert_eq!(page.eval("document.querySelector('#status-error').checked").await, true, "the rest applies");
        page.goto("/?service=nobody").await;
        assert!(page.text(".empty").await.contains("service nobody"));
        page.click(".empty a[href='/']").await;
        page.until("location.search === ''").await;
    });
}

#[test]
fn sorts_pages_and_views_are_links() {
    browse(&server(), async |page| {
        open(page, "/").await;
        page.click("th a[href*='sort=duration']").await;
        page.wait("th[aria-sort=descending] a[href*='sort=duration']").await;
        let lengths =
            "[...document.querySelectorAll('[data-list] .len rect')].map((r) => parseFloat(r.getAttribute('width')))";
        let sorted = format!("{lengths}.every((w, i, all) => i === 0 || all[i - 1] >= w)");
        page.until(&sorted).await;
        page.click("th[aria-sort=descending] a").await;
        page.wait("th[aria-sort=ascending] a").await;
        open(page, "/").await;
        page.click("a[rel=next]").await;
        page.until("location.search.includes('page=2') && location.search.includes('until=')").await;
        let second = page.eval("document.querySelector('[data-list] tbody tr').dataset.key").await;
        page.click("a[rel=next]").await;
        page.until("location.search.includes('page=3')").await;
        page.click("a[rel=prev]").await;
        page.until("location.search.includes('page=2')").await;
        // At most, traces that began before the reference time and ended since then may stand above it.
        let kept = format!("tr[data-key={second}]");
        assert_eq!(page.count(&kept).await, 1, "pages hold still");
        page.click("nav[aria-label=View] a[href*=cards]").await;
        page.wait("[data-list].cards").await;
        assert_eq!(page.count("[data-list] tbody tr").await, 10);
    });
}

#[test]
fn durations_are_brushed_by_pointer_and_by_keys() {
    browse(&server(), async |page| {
        open(page, "/").await;
        let chart = page.eval("(({x, y, width, height}) => [x, y, width, height])(document.querySelector('[data-brush]').getBoundingClientRect())").await;
        let [x, y, width, height] = [0, 1, 2, 3].map(|i| chart[i].as_f64().unwrap());
        page.drag((x + width * 0.4, y + height / 2.0), (x + width * 0.6, y + height / 2.0)).await;
        page.until("location.search.includes('min=') && location.search.includes('max=')").await;
        page.wait("[data-brushed]").await;
        let before = page.location().await;
        page.eval("document.querySelector('#grip-max').focus()").await;
        page.press(fantoccini::key::Key::Right.into()).await;
        page.until(&format!("location.pathname + location.search !== {before:?}")).await;
        page.until("document.activeElement.id === 'grip-max'").await;
        page.press(fantoccini::key::Key::Escape.into()).await;
        page.until("location.search === ''").await;
    });
}

#[test]
fn new_traces_come_by_themselves_and_wait_while_paused() {
    browse(&server(), async |page| {
        open(page, "/").await;
        let first = "document.querySelector('[data-list] tbody tr').dataset.key";
        let before = page.eval(first).await;
        page.until(&format!("{first} !== {before}")).await;
        page.press(' ').await;
        page.wait("[data-live][aria-pressed=false]").await;
        let held = page.eval(first).await;
        page.until("!document.querySelector('.fresh').hidden").await;
        assert!(page.text(".fresh").await.contains("new trace"));
        assert_eq!(page.eval(first).await, held, "no row moves");
        page.click(".fresh").await;
        page.until(&format!("{first} !== {held}")).await;
        page.click("[data-live]").await;
        let shown = page.eval(first).await;
        page.eval("document.activeElement.blur()").await;
        page.until(&format!("{first} !== {shown}")).await;
    });
}

#[test]
fn keys_lead_through_the_rows_which_hold_still() {
    browse(&server(), async |page| {
        open(page, "/").await;
        page.press('j').await;
        page.press('j').await;
        page.press('k').await;
        let focused = "document.activeElement.closest('tr')?.dataset.key";
        let id = page.eval(focused).await;
        assert!(matches!(id, Value::String(_)), "a row has the focus");
        tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
        assert_eq!(
            page.eval("document.querySelector('[data-list] tbody tr').dataset.key").await,
            id,
            "it is still the first"
        );
        page.press(fantoccini::key::Key::Enter.into()).await;
        page.until("location.pathname.startsWith('/traces/')").await;
        assert!(page.location().await.contains(id.as_str().unwrap()));
    });
}

#[test]
fn filters_fold_away_on_a_phone() {
    browse(&server(), async |page| {
        page.screen(390, 844, crate::support::browser::Scheme::Light).await;
        open(page, "/").await;
        let shown = "document.querySelector('#service').getClientRects().length > 0";
        assert_eq!(page.eval(shown).await, false);
        page.click("label[for=unfold]").await;
        page.until(shown).await;
        page.is_sound().await;
    });
}

#[test]
fn the_list_can_be_read_without_scripts() {
    browse(&server(), async |page| {
        open(page, "/").await;
        page.scripts(false).await;
        page.goto("/?status=ok&sort=duration").await;
        page.scripts(true).await;
        assert!(page.count("[data-list] tbody tr").await > 0);
        assert_eq!(page.count(".filters button").await, 1);
    });
}

#[test]
fn an_empty_store_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let slow = "scenario_name: Slow\nroot_span: {service: a, operation: wait, delay_ms: 600000}\n";
    std::fs::write(folder.path().join("slow.yaml"), slow).unwrap();
    let server = Server::start(&["--seed", "42", folder.path().to_str().unwrap()], &[]);
    browse(&server, async |page| {
        page.goto("/").await;
        assert!(page.text(".empty").await.contains("No traces yet"));
        page.click("form[action='/engine/stop'] button").await;
        page.wait(".empty form[action='/engine/start']").await;
        page.is_sound_everywhere().await;
        page.click(".empty form button").await;
        page.wait("form[action='/engine/stop']").await;
    });
}

#[test]
fn charts_say_what_they_count() {
    let server = Server::start(&["--seed", "42", "--rate", "40/s"], &[("INMEMORY_MAX_TRACES", "50")]);
    browse(&server, async |page| {
        open(page, "/").await;
        assert!(!page.text(".strip").await.contains("kept"), "without a filter, all that came are counted");
        open(page, "/?service=api-gateway").await;
        for chart in ["#h-arr + p", "#h-dur + p"] {
            assert!(page.text(chart).await.contains("kept traces only"), "{chart}");
        }
    });
}
