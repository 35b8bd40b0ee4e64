//! The login of a server with a token.

use crate::support::browser::{Server, browse};

#[test]
fn the_token_opens_every_page_and_logging_out_closes_them() {
    let server = Server::start(&["--seed", "42"], &[("SERVER_TOKEN", "a-secret-of-ours")]);
    browse(&server, async |page| {
        page.goto("/services?range=1h").await;
        assert_eq!(page.text("h1").await, "Log in");
        page.is_sound_everywhere().await;
        page.fill("#token", "a-guess").await;
        page.click("form[action='/login'] button").await;
        assert_eq!(page.text("[role=alert]").await, "This is not the token.");
        page.is_sound_everywhere().await;
        page.fill("#token", "a-secret-of-ours").await;
        page.click("form[action='/login'] button").await;
        page.until("document.querySelector('h1')?.innerText === 'Services'").await;
        assert_eq!(page.location().await, "/services?range=1h", "the page that was asked for");
        // Refused pages are reported on the console, and nothing else.
        let said = page.console().await;
        assert!(said.iter().all(|line| line.contains("401 (Unauthorized)")), "{said:?}");
        page.goto("/status").await;
        page.click("form[action='/logout'] button").await;
        page.until("document.querySelector('h1')?.innerText === 'Log in'").await;
        let said = page.console().await;
        assert!(said.iter().all(|line| line.contains("401 (Unauthorized)")), "{said:?}");
    });
}
