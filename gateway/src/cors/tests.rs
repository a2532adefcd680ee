//! Which lists of origins there are.

use super::Origins;

fn listed(text: &str) -> Vec<String> {
    match text.parse() {
        Ok(Origins::Listed(listed)) => listed,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn an_origin_is_kept_as_browsers_write_it() {
    let kept =
        listed("https://Shop.Example, HTTP://localhost:5173 ,https://shop.example:443,http://[::1]:80,app://x:80");
    let expected =
        ["https://shop.example", "http://localhost:5173", "https://shop.example", "http://[::1]", "app://x:80"];
    assert_eq!(kept, expected);
    assert_eq!(("".parse(), " , ".parse(), "*".parse()), (Ok(Origins::None), Ok(Origins::None), Ok(Origins::All)));
}

#[test]
fn what_no_browser_sends_as_an_origin_is_refused() {
    for wrong in [
        "shop.example",
        "null",
        "https://",
        "https://shop.example/",
        "https://shop.example/path",
        "https://*.example",
        "https://user@shop.example",
        "https://shop.example?x",
        "https://shop example",
        "https://café.example",
        "https://shop.example,*",
    ] {
        assert!(wrong.parse::<Origins>().is_err(), "{wrong}");
    }
}
