//! The services page.

use crate::support::browser::{Browser, Scheme, Server, browse};
use fantoccini::key::Key;

const SERVICE: &str = ".services tbody tr:not(.op) a.svc";

/// Opens the page, and waits until it shows something.
async fn open(page: &Browser, path: &str) {
    page.goto(path).await;
    // The page updates itself until the first traces are there.
    page.wait(".map a[data-service]").await;
}

async fn services(page: &Browser) -> u64 {
    page.count(SERVICE).await
}

#[test]
fn a_box_leads_to_the_traces_of_its_service() {
    browse(&Server::busy(), async |page| {
        open(page, "/services").await;
        page.click(".map a[data-service=api-gateway] .nm").await;
        page.until("location.pathname === '/'").await;
        assert_eq!(page.location().await, "/?service=api-gateway");
        open(page, "/services").await;
        page.eval("document.querySelector('.map a[data-service=api-gateway]').focus()").await;
        page.until("document.querySelector('.map svg.lit .call.on')").await;
        assert!(page.count(".map .call:not(.on)").await > 0, "only what it is tied to lights up");
        page.press(Key::Enter.into()).await;
        page.until("location.search === '?service=api-gateway'").await;
    });
}

#[test]
fn every_edge_of_the_map_stands_in_the_list_of_calls() {
    browse(&Server::busy(), async |page| {
        open(page, "/services").await;
        page.click("[data-live]").await;
        page.click(".calls summary").await;
        page.until("document.querySelector('.calls').open").await;
        assert_eq!(page.count(".calls tbody tr").await, page.count(".map .call").await);
        assert!(page.count(".map .edge.async").await > 0);
    });
}

#[test]
fn operations_open_and_close() {
    browse(&Server::busy(), async |page| {
        for scripts in [true, false] {
            page.scripts(scripts).await;
            open(page, "/services").await;
            page.click(&format!("{SERVICE}[href*=order-service]")).await;
            page.wait(".services tr.op").await;
            assert_eq!(page.location().await, "/services?service=order-service");
            let link = page.eval("document.querySelector('.services tr.op a').getAttribute('href')").await;
            assert!(link.as_str().unwrap().starts_with("/?service=order-service&operation="), "{link}");
            page.click(&format!("{SERVICE}[aria-expanded=true]")).await;
            page.until("!document.querySelector('.services tr.op')").await;
            assert_eq!(page.location().await, "/services");
        }
    });
}

#[test]
fn columns_sort_the_table() {
    let values = "[...document.querySelectorAll('.services tbody tr')].map((r) => Number(r.cells[5].innerText.replaceAll(',', '')))";
    browse(&Server::busy(), async |page| {
        open(page, "/services").await;
        page.click(".services th:nth-child(6) a").await;
        page.wait(".services th:nth-child(6)[aria-sort=descending]").await;
        page.until(&format!("{values}.every((v, i, all) => !i || all[i - 1] >= v)")).await;
        page.click(".services th:nth-child(6) a").await;
        page.wait(".services th:nth-child(6)[aria-sort=ascending]").await;
        page.until(&format!("{values}.every((v, i, all) => !i || all[i - 1] <= v)")).await;
        assert_eq!(page.location().await, "/services?sort=p99&order=reversed");
        page.click(".services th:nth-child(1) a").await;
        page.wait(".services th:nth-child(1)[aria-sort=ascending]").await;
        assert_eq!(page.text(SERVICE).await, "api-gateway");
    });
}

#[test]
fn a_search_narrows_the_table() {
    browse(&Server::busy(), async |page| {
        open(page, "/services").await;
        page.press('/').await;
        for key in "order".chars() {
            page.press(key).await;
        }
        page.until("location.search === '?q=order'").await;
        page.until(&format!("[...document.querySelectorAll('{SERVICE}')].every((a) => /order/.test(a.innerText) || a.ariaExpanded === 'true')")).await;
        assert!(services(page).await >= 2);
        page.fill("[name=q]", "nowhere").await;
        page.wait("[data-refresh=table] .empty").await;
        page.is_sound().await;
        page.click(".empty a").await;
        page.until("location.search === ''").await;
        open(page, "/services").await;
        assert!(services(page).await > 5);
    });
}

#[test]
fn scenario_and_range_choose_what_is_counted() {
    browse(&Server::busy(), async |page| {
        open(page, "/services").await;
        page.until("document.querySelectorAll('.map a[data-service]').length > 6").await;
        page.choose("[name=scenario]", "Billing: charge an invoice").await;
        page.until("location.search.startsWith('?scenario=Billing')").await;
        page.until("!document.querySelector('.map a[data-service=grafana]')").await;
        page.wait(".map a[data-service=billing-service]").await;
        page.choose("[name=range]", "all").await;
        page.until("location.search.endsWith('&range=all')").await;
        page.scripts(false).await;
        page.goto("/services?sort=p50").await;
        page.choose("[name=range]", "1h").await;
        page.click("[data-choose] noscript button, [data-choose] button").await;
        page.until("location.search.includes('range=1h')").await;
        assert!(page.location().await.contains("sort=p50"), "what was chosen before stays");
    });
}

#[test]
fn it_is_live_until_it_is_paused() {
    let rates = "[...document.querySelectorAll('.services tbody b')].map((b) => b.innerText).join()";
    browse(&Server::busy(), async |page| {
        open(page, "/services").await;
        let before = page.eval(rates).await;
        page.until(&format!("{rates} !== {before}")).await;
        page.press(' ').await;
        page.wait("[data-live][aria-pressed=false]").await;
        // Traces under way still arrive.
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        let paused = page.eval(rates).await;
        tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
        assert_eq!(page.eval(rates).await, paused);
    });
}

#[test]
fn nothing_to_show_says_why() {
    browse(&Server::busy(), async |page| {
        page.goto("/services?scenario=Nobody").await;
        assert_eq!(page.text(".empty h2").await, "No trace in this view");
        page.is_sound().await;
        page.click(".empty a").await;
        page.wait(".map a[data-service]").await;
        open(page, "/services?range=soon").await;
        assert!(page.text(".notice").await.contains("soon"));
        page.is_sound().await;
    });
}

#[test]
fn it_is_sound_at_every_width() {
    browse(&Server::busy(), async |page| {
        open(page, "/services?service=order-service").await;
        page.wait(".services tr.op").await;
        page.is_sound_everywhere().await;
        for (width, scheme) in [(1440, Scheme::Light), (1440, Scheme::Dark), (390, Scheme::Light)] {
            page.picture("services", width, scheme).await;
        }
    });
}

#[test]
fn a_phone_shows_headings_and_where_the_map_goes_on() {
    browse(&Server::busy(), async |page| {
        for scheme in [Scheme::Light, Scheme::Dark] {
            page.screen(390, 800, scheme).await;
            open(page, "/services").await;
            let bottom = "document.querySelector('#h-list').getBoundingClientRect().bottom";
            let top = "document.querySelector('[data-search]').getBoundingClientRect().top";
            assert_eq!(page.eval(&format!("{bottom} <= {top}")).await, true, "the heading stands above the search");
            assert_eq!(page.eval("document.querySelector('#h-list').getBoundingClientRect().width > 100").await, true);
            let hint = "getComputedStyle(document.querySelector('.sideways')).display !== 'none'";
            let cut = "document.querySelector('.map').scrollWidth > document.querySelector('.map').clientWidth";
            assert_eq!((page.eval(cut).await, page.eval(hint).await), (true.into(), true.into()), "{scheme:?}");
        }
        page.screen(1440, 1000, Scheme::Light).await;
        let legend = page.text(".panel[data-key=map] .legend").await;
        assert!(legend.contains("5 % errors or more") && !legend.contains("sideways"), "{legend}");
        let red = "[...document.querySelectorAll('.map .sub.hot, .services .err')].every((e) => parseFloat(e.textContent) >= 4.95)";
        assert_eq!(page.eval(red).await, true, "what is red is what the legend says");
    });
}
