//! The index of scenarios, and a scenario beside its plan.

use crate::support::browser::{Server, browse};
use fantoccini::key::Key;

const CONSUMER: &str = "/scenarios/Async%20consumer";
/// A scenario whose rates follow from the plan: no time-out is reached in it.
const PRODUCER: &str = "/scenarios/Async%20producer";

#[test]
fn the_index_leads_to_each_scenario() {
    browse(&Server::busy(), async |page| {
        page.goto("/scenarios").await;
        assert_eq!(page.count(".index tbody tr").await, 15);
        page.is_sound_everywhere().await;
        page.click(".index tbody tr:nth-child(5) a").await;
        page.wait(".code.src").await;
        assert_eq!(page.text("h1").await, "Async consumer");
        assert_eq!(page.location().await, CONSUMER);
    });
}

#[test]
fn the_index_stays_up_to_date() {
    browse(&Server::busy(), async |page| {
        page.goto("/scenarios").await;
        let made = "document.querySelector('.index tbody tr td:last-child').textContent";
        let before = page.eval(made).await;
        page.until(&format!("{made} !== {before}")).await;
    });
}

#[test]
fn a_line_and_its_instructions_find_each_other() {
    browse(&Server::busy(), async |page| {
        page.goto(CONSUMER).await;
        page.is_sound_everywhere().await;
        // Pointing at a line highlights its instructions, and a click pins them.
        page.click("#L11").await;
        page.until("document.querySelector('.lst li.pin').textContent.includes('delay  dist')").await;
        assert_eq!(page.location().await, format!("{CONSUMER}#L11"));
        // Pointing at an instruction highlights its lines.
        let failing =
            "[...document.querySelectorAll('.lst li')].find((li) => li.textContent.includes('MailboxUnavailable'))";
        page.eval(&format!("{failing}.click()")).await;
        page.until(
            "[...document.querySelectorAll('.src li.pin')].some((li) => li.textContent.includes('MailboxUnavailable'))",
        )
        .await;
        let seen = "(() => { const li = document.querySelector('.src li.pin'), l = li.parentNode; \
                    return li.offsetTop >= l.scrollTop && li.offsetTop < l.scrollTop + l.clientHeight; })()";
        page.until(seen).await;
        // Another click removes the pin.
        page.eval(&format!("{failing}.click()")).await;
        page.until("!document.querySelector('li.pin')").await;
        assert_eq!(page.location().await, CONSUMER);
        page.eval("document.querySelector('#L9').dispatchEvent(new MouseEvent('mouseover', {bubbles: true}))").await;
        page.until("document.querySelector('.lst li.on')").await;
    });
}

#[test]
fn an_address_pins_a_line() {
    browse(&Server::busy(), async |page| {
        page.goto(&format!("{CONSUMER}#L11")).await;
        assert!(page.text(".lst li.pin").await.contains("delay  dist"));
    });
}

#[test]
fn keys_go_from_line_to_line_and_across() {
    browse(&Server::busy(), async |page| {
        page.goto(CONSUMER).await;
        page.eval("document.querySelector('.code.src').focus()").await;
        page.press(Key::Home.into()).await;
        page.until("document.activeElement.id === 'L3'").await;
        page.press(Key::Down.into()).await;
        page.until("document.activeElement.id === 'L4'").await;
        page.press(Key::Enter.into()).await;
        page.until("document.querySelector('#L4.pin[aria-current]')").await;
        page.press(Key::Right.into()).await;
        page.until("document.activeElement.matches('.lst li')").await;
        page.press(Key::Escape.into()).await;
        page.until("!document.querySelector('li.pin')").await;
        page.press(Key::End.into()).await;
        page.until("document.activeElement.matches('.lst li')").await;
    });
}

#[test]
fn the_calls_are_drawn() {
    browse(&Server::busy(), async |page| {
        page.goto(CONSUMER).await;
        page.click(".seg.links a:last-child").await;
        page.wait(".graph .node").await;
        assert_eq!(page.location().await, format!("{CONSUMER}?view=graph"));
        assert_eq!(page.count(".graph .node").await, 9);
        assert_eq!(page.count(".graph .edge").await, 8);
        page.is_sound_everywhere().await;
        page.click(".seg.links a:first-child").await;
        page.wait(".code.src").await;
    });
}

#[test]
fn the_terms_of_calls_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let text = "name: calls
vars: {hit: <<random.bool(25)>>}
root_span:
  service: shop
  operation: root
  calls:
  - {when: hit, service: shop, operation: a}
  - parallel: [{repeat: 3, service: shop, operation: b}, {service: shop, operation: c, retry: {attempts: 4}}]
  - {async: true, probability: 10%, service: shop, operation: d}
";
    std::fs::write(folder.path().join("calls.yaml"), text).unwrap();
    browse(&Server::of(folder.path(), &["--seed", "1", "--rate", "5/s"]), async |page| {
        page.goto("/scenarios/calls?view=graph").await;
        let labels = "[...document.querySelectorAll('.graph .share')].map((text) => text.firstChild.data).join('; ')";
        let expected = "25 %, when hit; side by side, 3 times; side by side, 4 attempts; 10%, async";
        assert_eq!(page.eval(labels).await, expected);
        assert_eq!(page.count(".graph .edge.async").await, 1);
        page.is_sound_everywhere().await;
    });
}

#[test]
fn rates_are_observed_as_they_are_expected() {
    browse(&Server::busy(), async |page| {
        page.goto(PRODUCER).await;
        page.wait(".rate .ci circle").await;
        assert_eq!(page.count(".rate tbody tr").await, 7);
        assert_eq!(page.text(".rate tbody tr td:nth-child(5)").await, "1.41");
        let runs = "document.querySelector('.rate tbody td:nth-child(3)').textContent";
        let before = page.eval(runs).await;
        page.until(&format!("{runs} !== {before}")).await;
    });
}

#[test]
fn another_scenario_is_chosen() {
    browse(&Server::busy(), async |page| {
        page.goto(CONSUMER).await;
        page.choose("select[name=name]", "User profile: update").await;
        page.until("document.querySelector('h1').textContent === 'User profile: update'").await;
        assert_eq!(page.location().await, "/scenarios/User%20profile%3A%20update");
        // The scenario is not the first in its file, but it is scrolled into view.
        page.until("document.querySelector('.code.src').scrollTop > 0").await;
        page.click("a[href^='/playground']").await;
        page.wait("#source").await;
        assert_eq!(page.eval("document.querySelector('select[name=from]').value").await, "User profile: update");
    });
}

#[test]
fn it_reads_without_scripts() {
    browse(&Server::busy(), async |page| {
        page.scripts(false).await;
        page.goto("/scenarios").await;
        page.click(".index tbody a").await;
        page.wait(".code.src li").await;
        page.click("noscript button").await;
        page.wait(".code.lst li").await;
        page.scripts(true).await;
    });
}

#[test]
fn a_name_of_no_scenario_says_so() {
    browse(&Server::busy(), async |page| {
        page.goto("/scenarios/Nobody%2Fknows").await;
        assert_eq!(page.text("h1").await, "Not found");
        assert!(page.text("main").await.contains("Nobody/knows"));
        // The missing page is reported on the console.
        assert_eq!(page.console().await.len(), 1);
    });
}

#[test]
fn files_that_do_not_compile_and_warnings_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.yaml");
    let good = "name: One\nroot_span: {service: s, operation: <<x>>, attributes: {x: v}, \
                error_conditions: [{probability: 0.5, type: t}]}\n";
    std::fs::write(&file, good).unwrap();
    let server = Server::start(&["--rate", "20/s", folder.path().to_str().unwrap()], &[]);
    browse(&server, async |page| {
        page.goto("/scenarios").await;
        assert!(page.text("[aria-labelledby=h-warn] .diag").await.contains("W0201"));
        std::fs::write(&file, good.replace("operation: <<x>>", "operation: <<y>>")).unwrap();
        page.until("document.querySelector('.trouble .diag')?.textContent.includes('E0401')").await;
        page.is_sound_everywhere().await;
        page.goto("/scenarios/One").await;
        page.wait(".trouble .diag").await;
        assert!(page.text(".code.lst").await.contains("block0"));
        std::fs::write(&file, good.replace("name: One", "name: Two")).unwrap();
        page.goto("/scenarios").await;
        page.until("document.querySelector('.index td')?.textContent === 'Two'").await;
        assert_eq!(page.count(".trouble").await, 0);
    });
}

#[test]
fn a_plan_file_has_no_source() {
    let folder = tempfile::tempdir().unwrap();
    let plan = folder.path().join("all.plan");
    let mut compile = std::process::Command::new(env!("CARGO_BIN_EXE_tracegen"));
    let compile = compile.args(["compile", "scenarios", "-o"]).arg(&plan);
    assert!(compile.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap().status.success());
    let server = Server::start(&["--rate", "20/s", plan.to_str().unwrap()], &[]);
    browse(&server, async |page| {
        page.goto(CONSUMER).await;
        assert!(page.text(".panel header p").await.contains("there is no source"));
        assert_eq!((page.count(".code.src").await, page.count("a[href^='/playground']").await), (0, 0));
        assert!(page.text(".code.lst").await.contains("OutOfStock"));
        page.is_sound().await;
        // A text without services in scope gets no error about unknown services.
        page.goto("/playground").await;
        assert!(page.text("[data-part=state]").await.contains("compiles"));
    });
}
