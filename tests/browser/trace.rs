//! The page of one trace as a waterfall.

use crate::support::browser::{Browser, Scheme, Server, browse};
use fantoccini::key::Key;

fn server() -> Server {
    Server::start(
        &["--seed", "42", "--rate", "40/s"],
        &[("INMEMORY_MAX_TRACES", "2000"), ("JAEGER_URL", "http://localhost:16686")],
    )
}

/// Opens the first trace of a list.
async fn open(page: &Browser, list: &str) {
    for _ in 0..60 {
        page.goto(list).await;
        let id = page.eval("document.querySelector('[data-list] tbody tr')?.dataset.key ?? ''").await;
        if let Some(id) = id.as_str().filter(|id| !id.is_empty()) {
            return page.goto(&format!("/traces/{id}")).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    }
    panic!("no trace in {list}");
}

/// A list of requests that were not refused, so of traces with more than ten spans, and without an error.
const GATEWAY: &str = "/?scenario=API+Gateway&status=ok&service=order-service";
const SELECTED: &str = "document.querySelector('.wf tr[aria-selected=true]')?.dataset.key";
const SHOWN: &str = "[...document.querySelectorAll('.wf tbody tr')].filter((r) => !r.hidden).length";

#[test]
fn a_trace_is_sound_in_every_width_and_scheme() {
    browse(&server(), async |page| {
        open(page, GATEWAY).await;
        page.is_sound_everywhere().await;
        open(page, "/?status=error").await;
        page.is_sound_everywhere().await;
        page.screen(390, 844, Scheme::Dark).await;
        page.click(".wf tbody tr .node").await;
        page.wait(".side.open:not(.skeleton)").await;
        page.is_sound().await;
        page.click("[data-close]").await;
        page.until("!document.querySelector('#span').matches('.open')").await;
    });
}

#[test]
fn facts_links_and_the_replay_line_are_those_of_the_trace() {
    browse(&server(), async |page| {
        open(page, GATEWAY).await;
        let id = page.location().await.replace("/traces/", "");
        assert!(page.text("#cmd").await.contains(&format!("tracegen replay {id} --manifest http://localhost:")));
        assert_eq!(page.count(&format!("a[href='/api/traces/{id}']")).await, 1);
        assert_eq!(page.count(&format!("a[href='http://localhost:16686/trace/{id}']")).await, 1);
        assert!(page.text(".facts").await.contains("of seed 42"));
        page.click(".replay button").await;
        page.until("document.querySelector('.replay button').textContent.includes('Copied')").await;
        page.click(".crumb a").await;
        page.until("location.pathname === '/'").await;
    });
}

#[test]
fn the_tree_is_walked_and_folded_with_keys() {
    browse(&server(), async |page| {
        open(page, GATEWAY).await;
        let all = page.eval(SHOWN).await.as_u64().unwrap();
        assert!(all > 10, "{all} rows");
        page.click(".wf tbody tr .node .o").await;
        let root = page.eval(SELECTED).await;
        page.press(Key::Down.into()).await;
        page.until(&format!("{SELECTED} !== {root}")).await;
        let second = page.eval(SELECTED).await;
        page.until(&format!("document.querySelector('#span').dataset.span === {second}")).await;
        page.until(&format!("location.search.includes({second})")).await;
        page.press(Key::Left.into()).await;
        page.until(&format!("{SHOWN} < {all}")).await;
        page.press(Key::Left.into()).await;
        page.until(&format!("{SELECTED} === {root}")).await;
        page.press(Key::End.into()).await;
        page.press(Key::Home.into()).await;
        page.until(&format!("{SELECTED} === {root}")).await;
        page.click("[data-fold=shut]").await;
        page.until(&format!("{SHOWN} === 1")).await;
        page.click("[data-fold=open]").await;
        page.until(&format!("{SHOWN} === {all}")).await;
        page.click(".wf tbody tr .tw").await;
        page.until(&format!("{SHOWN} === 1")).await;
        page.press(Key::Right.into()).await;
        page.until(&format!("{SHOWN} === {all}")).await;
        assert_eq!(page.count(".wf tbody tr[tabindex='0']").await, 1, "one stop for the tab key");
    });
}

#[test]
fn the_time_is_zoomed_by_pointer_keys_and_address() {
    browse(&server(), async |page| {
        open(page, GATEWAY).await;
        let mini = page
            .eval("(({x, y, width}) => [x, y, width])(document.querySelector('[data-mini]').getBoundingClientRect())")
            .await;
        let [x, y, width] = [0, 1, 2].map(|i| mini[i].as_f64().unwrap());
        page.drag((x + width * 0.25, y + 30.0), (x + width * 0.5, y + 30.0)).await;
        page.until("location.search.includes('from=') && location.search.includes('to=')").await;
        page.wait("[data-whole]").await;
        let ruler = page.eval("document.querySelector('.ruler').getAttribute('aria-label')").await;
        let address = page.location().await;
        page.goto(&address).await;
        assert_eq!(
            page.eval("document.querySelector('.ruler').getAttribute('aria-label')").await,
            ruler,
            "it can be shared"
        );
        page.eval("document.querySelector('[data-mini] [data-grip=to]').focus()").await;
        page.press(Key::Right.into()).await;
        page.until(&format!("document.querySelector('.ruler').getAttribute('aria-label') !== {ruler}")).await;
        page.until("document.activeElement.dataset.grip === 'to'").await;
        page.press(Key::Escape.into()).await;
        page.until("!location.search.includes('from=') && !document.querySelector('[data-whole]')").await;
    });
}

#[test]
fn spans_are_found_by_name_and_attribute() {
    browse(&server(), async |page| {
        open(page, GATEWAY).await;
        page.press('/').await;
        page.fill("[name=find]", "order-service").await;
        page.wait(".wf tr.found").await;
        let found = page.count(".wf tr.found").await;
        page.until(&format!("document.querySelector('[data-part=found]').textContent === '{found} found'")).await;
        page.press(Key::Enter.into()).await;
        page.until("document.querySelector('.wf tr[aria-selected=true]').matches('.found')").await;
        page.fill("[name=find]", "http.request.method=GET").await;
        page.until("location.search.includes('find=http')").await;
        page.wait(".wf tr.found").await;
    });
}

#[test]
fn a_failed_span_says_why_and_leads_to_the_source() {
    browse(&server(), async |page| {
        open(page, "/?status=error&scenario=API+Gateway").await;
        // Which failure the newest one is, and so whether it has a message, is chance: it has a type, and an instruction.
        assert!(!page.text("#span .msg").await.is_empty());
        let hit = page.text("#span .hit mark").await;
        assert!(["fail ", "propagate ", "timeout "].iter().any(|word| hit.contains(word)), "{hit}");
        page.click(".wf tbody tr .node .o").await;
        page.press('e').await;
        page.wait(".wf tr.bad[aria-selected=true]").await;
        page.click("[data-error=previous]").await;
        page.wait(".wf tr.bad[aria-selected=true]").await;
        page.click("#crit").await;
        page.until("getComputedStyle(document.querySelector('.wf .crit')).opacity === '0'").await;
        page.click("#span a[href*='#L']").await;
        page.until("location.pathname.startsWith('/scenarios/') && location.hash.startsWith('#L')").await;
    });
}

#[test]
fn links_lead_from_the_consumer_to_the_producer_and_back() {
    browse(&server(), async |page| {
        open(page, "/?scenario=Async+consumer&status=ok").await;
        let consumer = page.location().await;
        page.wait("#span .link a").await;
        assert_eq!(page.text("#span .link .tag").await, "links to");
        page.click("#span .link a").await;
        page.until(&format!("location.pathname !== {consumer:?}")).await;
        page.until("[...document.querySelectorAll('#span .link .tag')].some((t) => t.textContent === 'links here')")
            .await;
        // Other traces may link to the same producer.
        page.click(&format!("#span .link a[href^='{consumer}?']")).await;
        page.until(&format!("location.pathname === {consumer:?}")).await;
    });
}

#[test]
fn a_trace_that_is_not_kept_any_more_is_made_again() {
    let server = Server::start(&["--seed", "42", "--rate", "40/s"], &[("INMEMORY_MAX_TRACES", "20")]);
    browse(&server, async |page| {
        open(page, "/").await;
        let trace = page.location().await;
        let spans = page.count(".wf tbody tr").await;
        for _ in 0..60 {
            page.goto(&trace).await;
            if page.count(".notice").await > 0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(250)).await;
        }
        assert!(page.text(".notice").await.contains("made again from the seed"));
        assert_eq!(page.count(".wf tbody tr").await, spans);
        page.is_sound().await;
    });
}

#[test]
fn a_trace_of_many_spans_is_shown_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let mut wide =
        "scenario_name: Wide\nroot_span:\n  service: a\n  operation: all\n  delay_ms: 1\n  calls:\n".to_string();
    for i in 0..700 {
        wide.push_str(&format!("    - {{service: b, operation: leaf {i}, delay_ms: 0.1}}\n"));
    }
    std::fs::write(folder.path().join("wide.yaml"), wide).unwrap();
    let server = Server::start(&["--seed", "42", folder.path().to_str().unwrap()], &[]);
    browse(&server, async |page| {
        open(page, "/").await;
        assert_eq!(page.count(".wf tbody tr").await, 500);
        assert!(page.text(".wf-box .foot").await.contains("201 of 701 spans are not shown"));
        page.click("[data-more]").await;
        page.until("document.querySelectorAll('.wf tbody tr').length === 701").await;
        assert_eq!(page.count("[data-more]").await, 0);
        page.is_sound().await;
    });
}

#[test]
fn an_unknown_trace_is_not_found() {
    browse(&server(), async |page| {
        page.goto("/traces/0123456789abcdef0123456789abcdef").await;
        assert_eq!(page.text("h1").await, "No such trace");
        assert_eq!(page.text("main code").await, "tracegen replay");
        assert!(!page.text("main").await.contains('`'), "code is shown as code");
        page.goto("/traces/xyz").await;
        assert!(page.text("main").await.contains("32 hexadecimal digits"));
        // The pages themselves are reported on the console.
        assert!(page.console().await.iter().all(|said| said.contains("404")));
    });
}

#[test]
fn a_trace_can_be_read_without_scripts() {
    browse(&server(), async |page| {
        open(page, GATEWAY).await;
        let trace = page.location().await;
        let last = page.eval("[...document.querySelectorAll('.wf tbody tr')].at(-1).dataset.key").await;
        page.scripts(false).await;
        page.goto(&format!("{trace}?span={}&find=GET", last.as_str().unwrap())).await;
        page.scripts(true).await;
        assert_eq!(page.eval(SELECTED).await, last);
        assert_eq!(page.eval("document.querySelector('#span').dataset.span").await, last);
        assert!(page.count(".wf tr.found").await > 0);
    });
}

/// Names are longer than any place for them, and some spans take no time.
#[test]
fn long_names_and_short_spans_are_shown_inside() {
    let folder = tempfile::tempdir().unwrap();
    let operation =
        "POST /api/v1/customers/{customer}/orders/{order}/items/{item}/shipments/{shipment}/print".repeat(2);
    let text = format!(
        "name: long\nroot_span:\n  service: a-service-with-a-rather-long-name\n  operation: \"{operation}\"\n  calls:\n  - \
         {{service: db, operation: ping}}\n  - {{service: db, operation: pong, delay_ms: [0, 0.001]}}\n"
    );
    std::fs::write(folder.path().join("a.yaml"), text).unwrap();
    let server = Server::of(folder.path(), &["--seed", "1", "--rate", "20/s"]);
    browse(&server, async |page| {
        for width in [1440, 390] {
            page.screen(width, 900, Scheme::Light).await;
            page.goto("/").await;
            page.wait("[data-list] tbody tr").await;
            page.is_sound().await;
            let service = "document.querySelector('[data-list] .op span').getBoundingClientRect()";
            let cell = "document.querySelector('[data-list] td.op').getBoundingClientRect()";
            let seen =
                format!("{service}.width > 60 && {service}.top < {cell}.bottom && {service}.right <= {cell}.right + 1");
            assert_eq!(page.eval(&seen).await, true, "the service is there beside the operation at {width} px");
            page.click("[data-list] .op a").await;
            page.wait(".wf tbody tr").await;
            page.is_sound().await;
            let inside = "[...document.querySelectorAll('.wf td.lane svg rect, .mini rect.f')].every((rect) => { \
                          const box = rect.getBoundingClientRect(), lane = rect.ownerSVGElement.getBoundingClientRect(); \
                          return box.left >= lane.left - 1 && box.right <= lane.right + 1; })";
            assert_eq!(page.eval(inside).await, true, "bars lie inside at {width} px");
            assert!(page.count(".wf td.lane svg rect").await >= 3);
        }
    });
}

/// A scenario with parallel calls, one that is cut off and retried while its callee runs on, and one that nobody waits for.
const CALLS: &str = "name: calls
root_span:
  service: shop
  operation: root
  kind: SERVER
  delay_ms: 5
  calls:
  - parallel: [{service: stock, operation: a, delay_ms: 10}, {service: stock, operation: b, delay_ms: 20}]
  - delay_ms: 5
  - service: pay
    operation: charge
    kind: SERVER
    delay_ms: 40
    client: true
    timeout_ms: 20
    retry: {attempts: 2}
  - {timeout_ms: 5, service: shop, operation: slow, delay_ms: 50}
  - {async: true, service: mail, operation: send, kind: CONSUMER, delay_ms: 90}
  - delay_ms: 5
";

#[test]
fn how_spans_were_called_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("calls.yaml"), CALLS).unwrap();
    let server = Server::of(folder.path(), &["--seed", "1", "--rate", "5/s"]);
    browse(&server, async |page| {
        open(page, "/").await;
        page.is_sound_everywhere().await;
        page.screen(1440, 1000, Scheme::Light).await;
        let tags = "[...document.querySelectorAll('.wf tbody tr')].map((tr) => tr.querySelector('.o').textContent + ': ' + \
                    [...tr.querySelectorAll('.tag')].map((tag) => tag.textContent).join(', ')).join('; ')";
        let expected = "root: ; a: ∥; b: ∥; charge: cut off; charge: runs on; charge: retry 1, cut off; charge: runs on; \
                        slow: cut off; send: not awaited";
        assert_eq!(page.eval(tags).await, expected);
        assert_eq!(page.count(".wf td .cut").await, 3);
        assert_eq!(page.count(".wf td .until").await, 3);
        let own = "document.querySelector('.wf tbody tr').querySelectorAll('rect.f').length";
        assert_eq!(page.eval(own).await, 3, "own work before, between and after the calls");
        let path =
            "[...document.querySelectorAll('.wf tbody tr')].filter((tr) => tr.querySelector('rect.crit')).length";
        assert_eq!(page.eval(path).await, 7, "all but the shorter of two, and the mail");
    });
}
