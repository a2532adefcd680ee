//! Bytes that are no JSON or no message, and both at their bounds.

use super::{
    generate::{Random, message},
    zoo::{OWN, ZOO},
};
use crate::{
    Reason,
    number::whole,
    time::{parse_duration, parse_timestamp, write_timestamp},
    wire::{MAX_DEPTH, WireError},
    write::Options,
};
use prost::Message as _;
use serde_json::json;

/// Path and reason of the one fault that the JSON of a message has.
fn fault(name: &str, json: &[u8]) -> (String, Reason) {
    let mut faults = ZOO.read(name, json).expect_err("it has a fault");
    assert_eq!(faults.len(), 1, "{faults:?}");
    let fault = faults.remove(0);
    (fault.field, fault.reason)
}

/// The JSON of the message that `json` is.
fn there_and_back(name: &str, json: &str) -> serde_json::Value {
    let bytes = ZOO.read(name, json.as_bytes()).unwrap_or_else(|faults| panic!("{json}: {faults:?}"));
    let options = Options { shows_defaults: false, ..Options::default() };
    serde_json::from_slice(&ZOO.write(name, &bytes, options).unwrap()).unwrap()
}

#[test]
fn a_duplicate_key_is_refused_with_its_path_wherever_it_is() {
    for (json, path) in [
        (r#"{"scalars": {"bool": true, "bool": true}}"#, "scalars.bool"),
        (r#"{"names": {"snakeCaseName": "a", "snake_case_name": "a"}}"#, "names.snake_case_name"),
        (r#"{"maps": {"texts": {"a": "b", "\u0061": "c"}}}"#, r#"maps.texts["a"]"#),
        (r#"{"maps": {"numbers": {"1": 1, "1.0": 1}}}"#, r#"maps.numbers["1.0"]"#),
        (r#"{"known": {"structure": {"a": [{"b": 1, "b": 2}]}}}"#, r#"known.structure["a"][0]["b"]"#),
        (r#"{"choices": {"text": null, "text": "a"}}"#, "choices.text"),
        (r#"{"known": {"any": {"@type": "a/google.protobuf.Empty", "@type": "a/zoo.v1.Old"}}}"#, "known.any"),
    ] {
        assert_eq!(fault("zoo.v1.Zoo", json.as_bytes()), (path.to_owned(), Reason::BoundTwice), "{json}");
    }
}

#[test]
fn a_second_member_of_a_oneof_is_refused_and_a_null_is_none() {
    let (path, reason) = fault("zoo.v1.Choices", br#"{"number": 1, "text": ""}"#);
    assert_eq!((path.as_str(), reason), ("text", Reason::InvalidValue));
    assert_eq!(
        there_and_back("zoo.v1.Choices", r#"{"number": null, "text": "a", "yes": true}"#),
        json!({"text": "a", "yes": true})
    );
    // These are values, and null is theirs.
    let (path, _) = fault("zoo.v1.Choices", br#"{"value": null, "nothing": null}"#);
    assert_eq!(path, "nothing");
}

#[test]
fn text_that_is_no_unicode_is_refused_with_its_path() {
    for json in [
        br#"{"names": {"late": "\ud800"}}"#.as_slice(),
        br#"{"names": {"late": "\udc00 \ud800"}}"#,
        br#"{"names": {"late": "\ud800\u0041"}}"#,
        b"{\"names\": {\"late\": \"a\xffb\"}}",
        b"{\"names\": {\"late\": \"\xed\xa0\x80\"}}",
        b"{\"names\": {\"late\": \"a\nb\"}}",
    ] {
        assert_eq!(fault("zoo.v1.Zoo", json), ("names.late".to_owned(), Reason::MalformedJson));
    }
    assert_eq!(there_and_back("zoo.v1.Names", r#"{"late": "\ud83d\ude00\u00e9\/"}"#), json!({"late": "😀é/"}));
}

#[test]
fn numbers_that_do_not_fit_are_refused_and_no_digit_is_lost() {
    for (field, value) in [
        ("int32", "2147483648"),
        ("uint32", "-1"),
        ("int64", "9223372036854775808"),
        ("uint64", "18446744073709551616"),
        ("int32", "1.5"),
        ("int64", "1e19"),
        ("float", "3.5e38"),
        ("double", "1e309"),
        ("double", "\"1e309\""),
        ("double", "\"inf\""),
        ("double", "\"+1\""),
        ("bool", "1"),
        ("bool", "\"true\""),
        ("size", "\"small\""),
        ("size", "\"1\""),
        ("size", "2147483648"),
        ("bytes", "\"a\""),
        ("bytes", "\"a b=\""),
        ("string", "1"),
        ("sint64", "true"),
        ("fixed32", "4294967296"),
        ("sfixed32", "\"\""),
    ] {
        let json = format!(r#"{{"{field}": {value}}}"#);
        assert_eq!(fault("zoo.v1.Scalars", json.as_bytes()), (field.to_owned(), Reason::InvalidValue), "{json}");
    }
    let numbers = r#"{"double": -0.1, "float": "1e10", "int64": -9223372036854775808, "uint64": 18446744073709551615, "sint32": "-2.50e1",
                      "fixed64": 1E2, "bytes": "-_8", "size": -3}"#;
    let expected = json!({"double": -0.1, "float": 1e10, "int64": "-9223372036854775808", "uint64": "18446744073709551615", "sint32": -25,
                          "fixed64": "100", "bytes": "+/8=", "size": "NEGATIVE"});
    assert_eq!(there_and_back("zoo.v1.Scalars", numbers), expected);
    assert_eq!(whole("10000000000000000000000000000000000000000e-40"), Some(1));
    assert_eq!((whole("0.000e9"), whole("-0"), whole("00000000000000000000007")), (Some(0), Some(0), Some(7)));
    for none in ["", "-", "1e", "e1", "1.", ".1", "1e99999999999", "1e30", "0x1", "+1", "--1", "1e-1"] {
        assert_eq!(whole(none), None, "{none}");
    }
}

#[test]
fn json_nests_as_deep_as_a_service_reads_and_no_deeper() {
    let nested = |levels: usize| format!("{}{}", r#"{"left":"#.repeat(levels) + "{}", "}".repeat(levels));
    let deepest = MAX_DEPTH as usize;
    let bytes = ZOO.read("zoo.v1.Tree", nested(deepest).as_bytes()).unwrap();
    assert!(ZOO.write("zoo.v1.Tree", &bytes, Options::default()).is_ok());
    let (_, reason) = fault("zoo.v1.Tree", nested(deepest + 1).as_bytes());
    assert_eq!(reason, Reason::MalformedJson);
    let mut deeper = bytes;
    for _ in 0..2 {
        let inner = deeper;
        deeper = vec![0x12];
        prost::encoding::encode_varint(inner.len() as u64, &mut deeper);
        deeper.extend(inner);
    }
    assert_eq!(ZOO.write("zoo.v1.Tree", &deeper, Options::default()), Err(WireError::TooDeep));
    for (open, close) in [
        (r#"{"known":{"list":"#.to_owned() + &"[".repeat(9_000), "]".repeat(9_000)),
        ("[".repeat(100_000), String::new()),
    ] {
        let json = format!("{open}{close}");
        let (_, reason) = fault("zoo.v1.Tree", json.as_bytes());
        assert_eq!(reason, Reason::MalformedJson);
    }
    let wrapped = (0..9).fold("{}".to_owned(), |inner, _| format!(r#"{{"any": {inner}, "@type": "a/zoo.v1.Known"}}"#));
    assert_eq!(fault("zoo.v1.Known", format!(r#"{{"any": {wrapped}}}"#).as_bytes()).1, Reason::MalformedJson);
}

#[test]
fn a_body_that_breaks_off_anywhere_is_refused() {
    let mut random = Random(7);
    for seed in 0..20 {
        random.0 = seed;
        let bytes = message(&ZOO, &ZOO.message("zoo.v1.Choices"), 2, &mut random).encode_to_vec();
        let Ok(json) = ZOO.write("zoo.v1.Choices", &bytes, Options::default()) else { continue };
        for cut in 0..json.len() {
            assert!(ZOO.read("zoo.v1.Choices", &json[..cut]).is_err(), "{}", String::from_utf8_lossy(&json[..cut]));
        }
        for after in ["x", "{}", ",", "\u{0}"] {
            let json = [json.as_slice(), after.as_bytes()].concat();
            assert!(ZOO.read("zoo.v1.Choices", &json).is_err());
        }
    }
    for json in [
        "{,}",
        r#"{"late":"a",}"#,
        r#"{"late" "a"}"#,
        r#"{late:"a"}"#,
        r#"{"late":'a'}"#,
        "{]",
        "[}",
        "nul",
        "",
        " ",
        "01",
        "-",
        "1.",
    ] {
        assert!(ZOO.read("zoo.v1.Names", json.as_bytes()).is_err(), "{json}");
    }
}

#[test]
fn any_bytes_are_written_or_refused_and_never_panic() {
    let mut random = Random(11);
    for _ in 0..20_000 {
        let mut bytes = message(&ZOO, &ZOO.message("zoo.v1.Zoo"), 2, &mut random).encode_to_vec();
        for _ in 0..random.below(4) {
            let at = random.below(bytes.len().max(1));
            if let Some(byte) = bytes.get_mut(at) {
                *byte = random.next() as u8;
            }
            bytes.truncate(bytes.len() - random.below(bytes.len() / 4 + 1));
        }
        if let Ok(json) = ZOO.write("zoo.v1.Zoo", &bytes, Options::default()) {
            serde_json::from_slice::<serde_json::Value>(&json).unwrap();
        }
    }
}

#[test]
fn what_the_wire_may_not_hold_is_told() {
    let write = |name: &str, bytes: &[u8]| ZOO.write(name, bytes, Options::default()).unwrap_err();
    assert_eq!(write("zoo.v1.Scalars", &[0x72, 1, 0xff]), WireError::Utf8("string".into()));
    assert_eq!(write("zoo.v1.Scalars", &[0x72, 5, b'a']), WireError::Truncated);
    assert_eq!(write("zoo.v1.Scalars", &[0x70, 0]), WireError::WireType("string".into()));
    assert_eq!(write("zoo.v1.Scalars", &[0x80]), WireError::Varint);
    assert_eq!(write("zoo.v1.Scalars", &[0x07]), WireError::Number(0));
    assert_eq!(write("zoo.v1.Scalars", &[0x0c]), WireError::Group);
    assert_eq!(write("zoo.v1.Old", &[0x2b, 0x0a, 0]), WireError::Group);
    assert_eq!(write("zoo.v1.Known", &[0x32, 0]), WireError::NoJson("google.protobuf.Value"));
    let any = [b"\x0a\x05a/b.c\x12\x00".as_slice()].concat();
    let known = [&[0x0a, any.len() as u8], any.as_slice()].concat();
    assert_eq!(write("zoo.v1.Known", &known), WireError::UnknownType("a/b.c".into()));
    // What the contract does not name is passed over, groups too.
    let unknown = [0xa3, 0x06, 0x0a, 0x01, b'x', 0xab, 0x06, 0xac, 0x06, 0xa4, 0x06, 0x68, 0x01];
    let json = ZOO.write("zoo.v1.Scalars", &unknown, Options { shows_defaults: false, ..Options::default() }).unwrap();
    assert_eq!(json, br#"{"bool":true}"#);
}

const NO_TIMES: [&str; 20] = [
    "2023-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-00-01T00:00:00Z",
    "2026-01-32T00:00:00Z",
    "2026-01-01T24:00:00Z",
    "2026-01-01T00:60:00Z",
    "2026-01-01T00:00:60Z",
    "2026-01-01 00:00:00Z",
    "2026-01-01T00:00:00",
    "2026-01-01T00:00:00.Z",
    "2026-01-01T00:00:00.1234567890Z",
    "2026-01-01T00:00:00+0100",
    "2026-01-01T00:00:00+24:00",
    "0000-12-31T23:59:59Z",
    "0001-01-01T00:00:00+00:01",
    "9999-12-31T23:59:59-00:01",
    "26-01-01T00:00:00Z",
    "2026-1-1T00:00:00Z",
    "",
];

#[test]
fn times_are_read_as_rfc_3339_has_them() {
    for (text, seconds) in [
        ("1970-01-01T00:00:00Z", 0),
        ("2024-02-29T23:59:59+00:00", 1_709_251_199),
        ("2000-01-01T00:00:00-23:59", 946_771_140),
        ("0001-01-01T00:00:00Z", -62_135_596_800),
        ("9999-12-31T23:59:59Z", 253_402_300_799),
        ("1900-03-01T00:00:00Z", -2_203_891_200),
    ] {
        assert_eq!(parse_timestamp(text), Some((seconds, 0)), "{text}");
        let mut written = String::new();
        assert!(write_timestamp(&mut written, seconds, 0));
        assert_eq!(parse_timestamp(&written), Some((seconds, 0)), "{written}");
    }
    assert_eq!(parse_timestamp("1969-12-31T23:59:59.5Z"), Some((-1, 500_000_000)));
    for none in NO_TIMES {
        assert_eq!(parse_timestamp(none), None, "{none}");
    }
    assert_eq!(parse_duration("-0.000000001s"), Some((0, -1)));
    assert_eq!(parse_duration("315576000000s"), Some((315_576_000_000, 0)));
    for none in [
        "1",
        "s",
        "-s",
        ".5s",
        "1.s",
        "1.0000000001s",
        "315576000001s",
        "315576000000.1s",
        "+1s",
        "1e3s",
        " 1s",
        "--1s",
    ] {
        assert_eq!(parse_duration(none), None, "{none}");
    }
}

#[test]
fn a_reply_is_shown_as_the_options_say() {
    let bytes = ZOO.read("zoo.v1.Names", br#"{"snakeCaseName": "a"}"#).unwrap();
    let options = Options { shows_defaults: false, keeps_names: true, numbers_enums: true };
    assert_eq!(ZOO.write("zoo.v1.Names", &bytes, options).unwrap(), br#"{"snake_case_name":"a"}"#);
    let sizes = ZOO.read("zoo.v1.Lists", br#"{"sizes": ["SMALL", 7]}"#).unwrap();
    assert_eq!(ZOO.write("zoo.v1.Lists", &sizes, options).unwrap(), br#"{"sizes":[1,7]}"#);
    let named = Options { numbers_enums: false, ..options };
    assert_eq!(ZOO.write("zoo.v1.Lists", &sizes, named).unwrap(), br#"{"sizes":["SMALL",7]}"#);
    let own = OWN.write("comptoir.products.v1.ListProductsResponse", &[], Options::default()).unwrap();
    assert_eq!(own, br#"{"products":[],"nextPageToken":""}"#);
}
