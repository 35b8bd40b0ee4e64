//! The page of incidents, and the bands and marks that they leave on other pages.

use crate::support::browser::{Browser, Scheme, Server, browse};
use std::path::Path;
use tempfile::TempDir;

/// Starts a server of a shop with incidents. None of them is in force by itself, at whatever time of day the tests run.
fn shop() -> (TempDir, Server) {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/alerts/shop.yaml");
    let text = std::fs::read_to_string(shipped).unwrap();
    let later = |line: &str| if line.starts_with("    at: ") { "    at: +20h".into() } else { line.to_string() };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.yaml");
    std::fs::write(&path, Vec::from_iter(text.lines().map(later)).join("\n")).unwrap();
    let server = Server::start(&[path.to_str().unwrap(), "--seed", "42", "--rate", "20/s"], &[]);
    (folder, server)
}

/// Returns the selector of the row of an incident.
fn row(name: &str) -> String {
    format!("[data-refresh=incidents] li[data-key='{name}']")
}

async fn in_force(page: &Browser, name: &str) {
    page.wait(&format!("{} .tag.warn", row(name))).await;
}

#[test]
fn an_incident_of_the_files_is_started_and_ended() {
    let (_folder, server) = shop();
    browse(&server, async |page| {
        for scripts in [true, false] {
            page.scripts(scripts).await;
            page.goto("/incidents").await;
            let slow = row("payment provider slow");
            assert_eq!(page.count(&format!("{slow} .tag")).await, 0);
            page.fill(&format!("{slow} [name=minutes]"), "7").await;
            page.click(&format!("{slow} [value=start]")).await;
            page.wait(".notice.good").await;
            in_force(page, "payment provider slow").await;
            assert!(page.text(&slow).await.contains("started here"));
            assert!(page.text(&slow).await.contains("7 min, once"));
            assert!(page.text("nav [href='/incidents']").await.contains('1'));
            if scripts {
                page.is_sound().await;
            }
            page.click(&format!("{slow} [value=end]")).await;
            page.wait(&format!("{slow}:not(:has(.tag))")).await;
            page.wait(".incidents.past li").await;
        }
    });
}

#[test]
fn an_incident_is_made_up_and_seen_on_other_pages() {
    let (_folder, server) = shop();
    browse(&server, async |page| {
        page.goto("/incidents").await;
        page.fill("#m-service", "stock").await;
        page.fill("[name=times]", "4").await;
        page.fill("[name=errors]", "50").await;
        page.click("[value=make]").await;
        in_force(page, "stock fails").await;
        assert!(page.text(&row("stock fails")).await.contains("made up here"));
        assert!(page.text(&row("stock fails")).await.contains("fails with incident (50 %)"));
        page.is_sound_everywhere().await;
        page.goto("/").await;
        page.wait(".chart .band").await;
        assert!(page.text(".banded").await.contains("stock fails since"));
        page.is_sound_everywhere().await;
        page.goto("/services").await;
        page.wait("a[data-service=stock] .warn").await;
        let marked = "document.querySelectorAll('.services td .warn, td .svc .warn').length";
        assert_eq!(page.eval(marked).await, 1);
        let told = page.eval("document.querySelector('a[data-service=stock]').getAttribute('aria-label')").await;
        assert!(told.as_str().unwrap().contains("Incident: stock fails, since"), "{told}");
        page.is_sound_everywhere().await;
        page.goto("/status").await;
        page.until("document.querySelector('.chart .band') !== null").await;
        page.is_sound().await;
    });
}

#[test]
fn a_mistake_in_an_incident_stands_at_its_field() {
    let (_folder, server) = shop();
    browse(&server, async |page| {
        for scripts in [true, false] {
            page.scripts(scripts).await;
            page.goto("/incidents").await;
            page.fill("#m-service", "stok").await;
            page.fill("[name=times]", "4").await;
            page.click("[value=make]").await;
            page.wait("#e-service").await;
            assert!(page.text("#e-service").await.contains("did you mean `stock`"));
            assert_eq!(page.eval("document.querySelector('#m-service').value").await, "stok", "what was written stays");
            if scripts {
                page.is_sound_everywhere().await;
            }
            page.fill("#m-service", "stock").await;
            page.fill("#m-minutes", "0").await;
            page.click("[value=make]").await;
            page.wait("#e-minutes").await;
            // The refused forms are reported on the console.
            page.console().await;
        }
    });
}

#[test]
fn chances_are_set_by_sliders_and_by_numbers() {
    let (_folder, server) = shop();
    browse(&server, async |page| {
        page.goto("/incidents").await;
        page.click(".chances summary").await;
        let first = ".chances li:first-child";
        let value = format!("document.querySelector(\"{first} .field input\").value");
        let before = page.eval(&value).await;
        // The slider follows the keys as any slider does, and the number follows it.
        page.eval(&format!("document.querySelector(\"{first} [type=range]\").focus()")).await;
        page.press('\u{E010}').await;
        page.until(&format!("{value} === '100' || {value} !== '{}'", before.as_str().unwrap())).await;
        page.fill(&format!("{first} .field input"), "12.5").await;
        let told = format!("document.querySelector(\"{first} [type=range]\").getAttribute('aria-valuetext')");
        assert_eq!(page.eval(&told).await, "12.5");
        page.is_sound_everywhere().await;
        page.click("[action='/engine/conditions'] .primary").await;
        page.wait(".notice.good").await;
        page.wait(".chances[open]").await;
        assert_eq!(page.eval(&value).await, "12.5");
        assert!(page.text(".chances summary").await.contains("1 changed"));
        page.fill(&format!("{first} .field input"), "").await;
        page.click("[action='/engine/conditions'] .primary").await;
        page.until("document.querySelector('.chances[open]') === null").await;
        page.scripts(false).await;
        page.goto("/incidents").await;
        page.click(".chances summary").await;
        assert_eq!(page.eval(&value).await, before, "an empty field takes that of the file");
    });
}

#[test]
fn the_page_of_incidents_is_pictured() {
    let (_folder, server) = shop();
    browse(&server, async |page| {
        page.goto("/incidents").await;
        page.click(&format!("{} [value=start]", row("slow disk"))).await;
        in_force(page, "slow disk").await;
        for (width, scheme) in [(1440, Scheme::Light), (1440, Scheme::Dark), (390, Scheme::Light)] {
            page.picture("incidents", width, scheme).await;
        }
    });
}
