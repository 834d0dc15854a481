//! The name of a browser and its system for people: `Firefox on Windows`. From what the browser sends, which anybody can
//! change, so it helps to recognise a session and decides nothing.

use landbridge_door_pages::language::Language;

/// Browsers by a mark in `User-Agent`. Others carry Chrome's and Safari's marks too, so these come last.
const BROWSERS: [(&str, &str); 9] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Safari/", "Safari"),
];
/// Systems by a mark. Android names Linux as well, and an iPhone Mac OS.
const SYSTEMS: [(&str, &str); 7] = [
    ("Windows", "Windows"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
];

/// The name, in the language of the page.
pub(crate) fn device_name(user_agent: &str, language: Language) -> String {
    let found = |marks: &[(&str, &'static str)]| {
        marks.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name)
    };
    match (found(&BROWSERS), found(&SYSTEMS), language) {
        (Some(browser), Some(system), Language::English) => format!("{browser} on {system}"),
        (Some(browser), Some(system), Language::German) => format!("{browser} unter {system}"),
        (Some(name), None, _) | (None, Some(name), _) => name.to_owned(),
        (None, None, Language::English) => "Unknown browser".to_owned(),
        (None, None, Language::German) => "Unbekannter Browser".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_called_what_people_call_it() {
        const APPLE: &str = "AppleWebKit/605.1.15 (KHTML, like Gecko)";
        const BLINK: &str = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0";
        for (sent, name) in [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "Firefox on Windows",
            ),
            (
                &format!("Mozilla/5.0 (Windows NT 10.0; Win64; x64) {BLINK} Safari/537.36 Edg/140.0.0.0"),
                "Edge on Windows",
            ),
            (&format!("Mozilla/5.0 (X11; Linux x86_64) {BLINK} Safari/537.36"), "Chrome on Linux"),
            (&format!("Mozilla/5.0 (Linux; Android 15) {BLINK} Mobile Safari/537.36"), "Chrome on Android"),
            (
                &format!(
                    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {APPLE} Version/18.0 Safari/605.1.15"
                ),
                "Safari on macOS",
            ),
            (
                &format!(
                    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) {APPLE} Version/18.0 Mobile/15E148 Safari/604.1"
                ),
                "Safari on iPhone",
            ),
            ("curl/8.0", "Unknown browser"),
            ("", "Unknown browser"),
        ] {
            assert_eq!(device_name(sent, Language::English), name, "{sent}");
        }
        assert_eq!(device_name("Firefox/1 Linux", Language::German), "Firefox unter Linux");
    }
}
