//! What stands around every page.

use crate::support::browser::{Server, browse};

#[test]
fn the_theme_goes_round_and_is_kept() {
    browse(&Server::busy(), async |page| {
        page.goto("/").await;
        for theme in ["light", "dark"] {
            page.press('t').await;
            assert_eq!(page.eval("document.documentElement.dataset.theme").await, theme);
        }
        page.goto("/status").await;
        assert_eq!(page.eval("document.documentElement.dataset.theme").await, "dark");
        page.click("[data-theme-toggle]").await;
        assert_eq!(page.eval("document.documentElement.dataset.theme === undefined").await, true);
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
        // the missing page itself is on the console
        let said = page.console().await;
        assert_eq!(said.len(), 1, "{said:?}");
    });
}
