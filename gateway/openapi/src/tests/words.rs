//! Comments, which are plain text, as CommonMark.

use super::{compiled, described, operation, schema, service};
use crate::comment::summary;

#[test]
fn the_summary_of_a_comment_is_its_first_sentence_without_a_full_stop() {
    for (text, first) in [
        ("Reads an order.", "Reads an order"),
        ("Reads an order. OK means little.", "Reads an order"),
        ("Takes e.g. this. Not that.", "Takes e.g. this"),
        ("First paragraph\n\nSecond. Paragraph.", "First paragraph"),
        ("", ""),
    ] {
        assert_eq!(summary(text), first);
    }
}

#[test]
fn lines_become_paragraphs_lists_stay_and_no_text_is_a_tag() {
    let messages = "// One\n// line.\n//\n// - first\n// - second,\n//   longer\n//\n// For <service>, not `<code>`.\n\
                    message Reply {}\nmessage Request {}";
    let document = described(&compiled(&service(&["get: \"/v1/a\""], messages)));
    let text = "One line.\n\n- first\n- second, longer\n\nFor \\<service>, not `<code>`.";
    assert_eq!(schema(&document, "zoo.v1.Reply")["description"], text);
}

#[test]
fn an_rpc_without_a_comment_has_its_name_for_a_summary() {
    let document = described(&compiled(&service(&["get: \"/v1/a\""], "message Reply {}\nmessage Request {}")));
    let call = operation(&document, "get", "/v1/a");
    assert_eq!(
        (&call["summary"], &call["description"]),
        (&"Call0".into(), &"Anyone may call, without a token.".into())
    );
}
