//! The pages of `run --html`, `compare --html` and `report`: well-formed, with the figures in them, and in need of nothing else.

mod comparing;

use std::fs;
use std::path::Path;
use std::process::Command;

use comparing::{LOADTEST, SHORT, chain, filed, row};
use scraper::{Html, Selector};
use serde_json::Value;
use tempfile::TempDir;

/// Makes JSON and a page at once, and the page from the JSON once more.
fn made(folder: &Path, command: &str, arguments: &[&str]) -> (Value, String) {
    let file = |name: &str| folder.join(name).display().to_string();
    let (json, html, again) = (file("a.json"), file("a.html"), file("b.html"));
    let run = |arguments: &[&str]| {
        let output = Command::new(LOADTEST).args(arguments).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let files = ["--json", json.as_str(), "--html", html.as_str(), "--quiet"];
    run(&[&[command][..], &SHORT, arguments, &files].concat());
    run(&["report", json.as_str(), "--html", again.as_str()]);
    let page = fs::read_to_string(&html).expect("a page");
    assert!(
        page == fs::read_to_string(&again).expect("a page"),
        "the saved JSON makes another page"
    );
    let json = fs::read_to_string(&json).expect("JSON");
    (serde_json::from_str(&json).expect("JSON"), page)
}

fn all<'h>(page: &'h Html, selector: &str) -> Vec<scraper::ElementRef<'h>> {
    page.select(&Selector::parse(selector).expect("a selector")).collect()
}

fn text(page: &Html) -> String {
    let text: Vec<&str> = all(page, "body")[0].text().collect();
    text.concat()
}

/// HTML without faults that loads nothing, with as many plots as there should be, each twice and with titles on its axes.
fn is_sound(page: &str, titles: &[(&str, &str, &str)]) -> Html {
    let html = Html::parse_document(page);
    assert!(html.errors.is_empty(), "{:?}", html.errors);
    for reference in [
        "http:", "https:", "//", "@import", "url(", "<script", "<link", "<img", "src=", "href=",
        "<iframe",
    ] {
        assert!(!page.contains(reference), "{reference} is in the page");
    }
    assert_eq!(all(&html, "style").len(), 1);
    assert_eq!(all(&html, "h1").len(), 1);
    let figures = all(&html, "figure");
    assert_eq!(figures.len(), titles.len());
    for (figure, (title, x, y)) in figures.iter().zip(titles) {
        let of = |selector| {
            let selector = Selector::parse(selector).expect("a selector");
            figure.select(&selector).collect::<Vec<_>>()
        };
        assert_eq!(of("h3")[0].text().collect::<String>(), *title);
        assert_eq!(of("svg").len(), 2, "{title}");
        for svg in of("svg") {
            assert!(svg.value().attr("viewbox").or(svg.value().attr("viewBox")).is_some());
            let texts: Vec<String> = svg
                .text()
                .map(|text| text.trim().to_owned())
                .filter(|text| !text.is_empty())
                .collect();
            assert!(texts.iter().any(|text| text == x), "{title}: {texts:?}");
            assert!(texts.iter().any(|text| text == y), "{title}: {texts:?}");
            // The titles and the ticks of both axes.
            assert!(texts.len() >= 5, "{title}: {texts:?}");
        }
    }
    html
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

#[test]
fn a_run_becomes_a_page() {
    let folder = TempDir::new().expect("a folder");
    let (json, page) = made(
        folder.path(),
        "run",
        &["--echo", "--duration", "3s", "--username", "u", "--password", "hunter2"],
    );
    let html = is_sound(
        &page,
        &[
            ("Throughput over time", "Seconds since the load began", "Messages per second"),
            ("Latency over time", "Seconds since the load began", "Latency"),
            ("Latency by percentile", "Percentile of messages", "Latency"),
        ],
    );
    let text = text(&html);
    assert!(text.contains("20 devices sent 1,000 messages per second for 3 s. Half of them were acknowledged within"), "{text}");
    for count in ["publish_sent", "publish_arrived", "publish_received"] {
        assert_eq!(json["counts"][count], 3200, "{count}");
    }
    assert!(text.contains("3,200"), "{text}");
    for (check, shown) in [("loss", "loss"), ("down_misdelivery", "down misdelivery")] {
        assert!(
            json["checks"].as_array().expect("checks").iter().any(|found| found["name"] == check)
        );
        assert!(text.contains(&format!("{shown}passed")), "{text}");
    }
    for part in [
        "Linux",
        "open files",
        "source ports",
        "[devices]",
        "count = 20",
        "seed = 7",
        "interlingua-loadtest run --devices 20",
    ] {
        assert!(text.contains(part), "{part} isn't in {text}");
    }
    assert!(!page.contains("hunter2"), "the password is in the page");
}

#[test]
fn a_comparison_becomes_a_page() {
    let folder = TempDir::new().expect("a folder");
    let (one, two) = (filed(&chain(folder.path(), 1)), filed(&chain(folder.path(), 2)));
    let arguments = ["--a-command", &one, "--b-command", &two, "--rounds", "2"];
    let (json, page) = made(folder.path(), "compare", &arguments);
    let html = is_sound(
        &page,
        &[
            ("CPU time per message, A / B", "Round", "A / B"),
            ("CPU time per message", "Round", "µs per message"),
            ("Latency by percentile", "Percentile of messages", "Latency"),
            ("Memory per connection", "Round", "KiB per connection"),
        ],
    );
    let text = text(&html);
    let spread = &row(&json, "cpu_per_message").expect("a row")["ratio"]["spread"];
    for part in ["median", "min", "max", "lower_quartile"] {
        let shown = format!("{:.3}", number(&spread[part]));
        assert!(text.contains(&shown), "{part} {shown} isn't in {text}");
    }
    for (index, round) in json["rounds"].as_array().expect("rounds").iter().enumerate() {
        assert_eq!(round["number"], index + 1);
        for side in ["a", "b"] {
            let waited = format!("{:.1} %", number(&round[side]["waited"]) * 100.0);
            assert!(text.contains(&waited), "{waited} isn't in {text}");
        }
    }
    for part in [
        "haproxy -q -db",
        "checks passed in 6 measurements, none failed",
        "targets on core",
        "2 rounds say little",
    ] {
        assert!(text.contains(part), "{part} isn't in {text}");
    }
}

#[test]
fn a_failed_check_is_on_the_page() {
    let folder = TempDir::new().expect("a folder");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let run =
        |arguments: &[&str]| Command::new(LOADTEST).args(arguments).output().expect("it runs");
    let (json, html) = (file("a.json"), file("a.html"));
    run(&[&["run", "--sink", "--quiet", "--json", json.as_str()], &SHORT[..]].concat());
    let text = fs::read_to_string(&json).expect("JSON");
    let mut value: Value = serde_json::from_str(&text).expect("JSON");
    let loss = value["checks"].as_array_mut().expect("checks").iter_mut();
    let loss = loss.into_iter().find(|check| check["name"] == "loss").expect("a check");
    (loss["verdict"], loss["count"], loss["detail"]) =
        ("failed".into(), 3.into(), "<b> & c".into());
    fs::write(&json, value.to_string()).expect("a file");
    assert!(run(&["report", &json, "--html", &html]).status.success());
    let page = fs::read_to_string(&html).expect("a page");
    let html = Html::parse_document(&page);
    let text = crate::text(&html);
    assert!(text.contains("1 check failed.") && text.contains("3 failed: <b> & c"), "{text}");
    let refused = run(&["report", &file("none.json"), "--html", &file("c.html")]);
    assert_eq!(refused.status.code(), Some(1));
}
