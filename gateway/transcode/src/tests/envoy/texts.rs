//! Texts that no JSON value is written as: duplicate keys, halves of surrogate pairs, what is no JSON at all.

use super::{caller::Caller, proxy::Envoy};
use crate::tests::zoo::ZOO;

/// Who takes a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Both,
    Neither,
    /// Envoy alone, which is laxer than JSON: how.
    Envoy(&'static str),
    /// We alone: why.
    Here(&'static str),
}
use Taken::{Both, Envoy as Lax, Neither};

const TEXTS: [(&str, &[u8], Taken); 40] = [
    ("Scalars", br#"{"string":"a","string":"b"}"#, Lax("the last of two values counts")),
    ("Names", br#"{"snakeCaseName":"a","snake_case_name":"b"}"#, Lax("the last of two values counts")),
    ("Choices", br#"{"text":"a","number":1}"#, Neither),
    ("Choices", br#"{"text":"a","number":null}"#, Both),
    ("Maps", br#"{"texts":{"a":"b","a":"c"}}"#, Neither),
    ("Known", br#"{"structure":{"a":1,"a":2}}"#, Neither),
    ("Scalars", br#"{"string":"\ud800"}"#, Neither),
    ("Scalars", br#"{"string":"\udc00\ud800"}"#, Neither),
    ("Scalars", br#"{"string":"\ud83d\ude00"}"#, Both),
    ("Scalars", br#"{"string":"\u00e9\u0000\/"}"#, Both),
    ("Scalars", br#"{"string":"\x41"}"#, Lax("an escape that JSON does not have is dropped")),
    ("Scalars", b"{\"string\":\"\xff\"}", Neither),
    ("Scalars", b"{\"string\":\"\xed\xa0\x80\"}", Neither),
    ("Scalars", b"{\"string\":\"\x01\"}", Lax("a control character stands for itself")),
    ("Scalars", b"\xef\xbb\xbf{}", Neither),
    ("Scalars", br#"{"string":"a",}"#, Lax("a comma after the last one")),
    ("Lists", br#"{"ints":[1,]}"#, Lax("a comma after the last one")),
    ("Lists", br#"{"ints":[,1]}"#, Neither),
    ("Scalars", br#"{"string":'a'}"#, Lax("quotes of JavaScript")),
    ("Scalars", br#"{string:"a"}"#, Lax("a name without quotes")),
    ("Scalars", br#"{} x"#, Neither),
    ("Scalars", br#"{} {}"#, Neither),
    ("Scalars", br#"{} // more"#, Neither),
    ("Scalars", br#"{"double":NaN}"#, Neither),
    ("Scalars", br#"{"double":Infinity}"#, Neither),
    ("Scalars", br#"{"int32":01}"#, Neither),
    ("Scalars", br#"{"int32":+1}"#, Neither),
    ("Scalars", br#"{"int32":0x1}"#, Neither),
    ("Scalars", br#"{"double":.5}"#, Neither),
    ("Scalars", br#"{"double":5.}"#, Lax("a number that ends with a point")),
    ("Scalars", br#"{"double":1e400}"#, Neither),
    ("Scalars", br#"{"float":3.5e38}"#, Neither),
    ("Scalars", br#"{"bool":True}"#, Neither),
    ("Scalars", br#"{"int32":1.0,"int64":1e2,"uint64":18446744073709551615}"#, Both),
    ("Scalars", br#"{"int32":2147483648}"#, Neither),
    ("Scalars", br#"{"#, Neither),
    ("Scalars", b" \t\r\n", Neither),
    ("Scalars", b"null", Neither),
    ("Scalars", b"[]", Neither),
    ("Scalars", b"\"a\"", Neither),
];

/// Objects in objects, so many.
fn deep(levels: usize) -> Vec<u8> {
    [r#"{"left":"#.repeat(levels), "{}".to_owned(), "}".repeat(levels)].concat().into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn envoy_takes_the_same_texts() {
    let envoy = Envoy::start().await;
    let mut caller = Caller::new(&envoy, "zoo", 0);
    let levels = Taken::Here("services read 100 levels of messages beneath the outermost, Envoy one less");
    let deep = [("Tree", deep(99), Both), ("Tree", deep(100), levels), ("Tree", deep(101), Neither)];
    let texts = TEXTS.iter().map(|(of, text, taken)| (*of, text.to_vec(), *taken)).chain(deep);
    let mut wrong = Vec::new();
    for (number, (of, text, expected)) in texts.enumerate() {
        let of = format!("zoo.v1.{of}");
        let answer = caller.call(&of, &number.to_string(), &text, &[]).await;
        let is_whole = answer.status == 200 && answer.sent.is_some();
        let fits = match expected {
            Both => (true, true),
            Neither => (false, false),
            Lax(_) => (false, true),
            Taken::Here(_) => (true, false),
        };
        let found = (ZOO.read(&of, &text).is_ok(), is_whole);
        if found != fits {
            wrong.push(format!("{of} {}: {found:?}, not {expected:?}", String::from_utf8_lossy(&text)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
