//! The frame around every page.

use crate::support::browser::{Scheme, Server, browse};

#[test]
fn the_theme_goes_round_and_is_kept() {
    browse(&Server::busy(), async |page| {
        page.goto("/").await;
        let background = "getComputedStyle(document.body).backgroundColor";
        // The first press selects the other theme, whatever the system's theme is.
        for (scheme, round) in [(Scheme::Light, ["dark", "light"]), (Scheme::Dark, ["light", "dark"])] {
            page.screen(1440, 1000, scheme).await;
            let before = page.eval(background).await;
            for theme in round {
                page.press('t').await;
                assert_eq!(page.eval("document.documentElement.dataset.theme").await, theme);
                assert_eq!(page.eval(background).await == before, theme == round[1], "{scheme:?} {theme}");
            }
            page.goto("/status").await;
            assert_eq!(page.eval("document.documentElement.dataset.theme").await, round[1]);
            page.click("[data-theme-toggle]").await;
            assert_eq!(page.eval("document.documentElement.dataset.theme === undefined").await, true);
        }
    });
}

#[test]
fn the_engine_stops_and_starts_from_every_page() {
    browse(&Server::busy(), async |page| {
        page.goto("/services").await;
        page.click("form[action='/engine/stop'] button").await;
        page.wait("form[action='/engine/start'] button").await;
        assert_eq!(page.location().await, "/services");
        assert!(page.text(".engine").await.contains("Stopped"));
        page.click("form[action='/engine/start'] button").await;
        page.wait("form[action='/engine/stop'] button").await;
        assert!(page.text(".engine").await.contains("Running"));
    });
}

#[test]
fn a_page_that_does_not_exist_says_so() {
    browse(&Server::busy(), async |page| {
        page.goto("/nowhere").await;
        assert_eq!(page.text("h1").await, "Not found");
        page.is_sound_everywhere().await;
        // The missing page is reported on the console.
        let said = page.console().await;
        assert_eq!(said.len(), 1, "{said:?}");
    });
}

#[test]
fn the_engine_stops_and_starts_on_a_phone() {
    browse(&Server::busy(), async |page| {
        for scheme in [Scheme::Light, Scheme::Dark] {
            page.screen(390, 800, scheme).await;
            page.goto("/services").await;
            page.click("form[action='/engine/stop'] button").await;
            page.wait("form[action='/engine/start'] button").await;
            page.click("form[action='/engine/start'] button").await;
            page.wait("form[action='/engine/stop'] button").await;
            // The mark stands beside the name of the page's author, not below it.
            let row = "['.brand', '.engine', '.top form', '[data-theme-toggle]'].map((css) => \
                       document.querySelector(css).getBoundingClientRect()).every((box) => box.bottom < 50 && box.right <= 390)";
            assert_eq!(page.eval(row).await, true);
        }
    });
}

#[test]
fn every_page_tells_that_the_files_do_not_compile() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.yaml");
    let text = "name: a\nroot_span: {service: web, operation: get}\n";
    std::fs::write(&file, text).unwrap();
    let server = Server::of(folder.path(), &["--seed", "1", "--rate", "20/s"]);
    browse(&server, async |page| {
        page.goto("/").await;
        assert_eq!(page.count(".top nav .tag").await, 0);
        std::fs::write(&file, text.replace("get", "<<nobody>>")).unwrap();
        page.wait(".top nav .tag").await;
        for path in ["/", "/services", "/scenarios", "/playground", "/status", "/nowhere"] {
            page.goto(path).await;
            assert_eq!(page.text(".top nav .tag").await, "does not compile", "{path}");
        }
        // The missing page is reported on the console.
        page.console().await;
        page.goto("/services").await;
        page.is_sound_everywhere().await;
        page.click(".top nav .tag").await;
        assert!(page.text(".trouble").await.contains("nobody"));
        std::fs::write(&file, text.replace("get", "put")).unwrap();
        page.until("!document.querySelector('.top nav .tag')").await;
    });
}
