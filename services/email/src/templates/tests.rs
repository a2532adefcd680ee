//! Every template in every language, and names that try to be more than names.

use crate::{
    content::{self, Pages},
    domain::Template,
    language::Language,
    templates::{Rendered, Templates},
};

const HOSTILE: &str = "<script>alert(1)</script>\r\nBcc: other@example.com\r\n\r\n\"{{ order_id }}\" & Co";

fn rendered(template: Template, language: Language, name: &str) -> Rendered {
    let from = "Tea & Cups <shop@example.com>".parse().expect("a sender");
    let mut content = content::sample(template, language, None, &from);
    content.name = name.to_owned();
    content.lines.iter_mut().for_each(|line| line.name = format!("{} {name}", line.name));
    Templates::new().expect("all can be parsed").render(template, language, &content).expect("it can be filled in")
}

#[test]
fn every_template_has_a_subject_a_text_and_html_in_each_language() {
    for template in Template::ALL {
        for language in [Language::English, Language::French] {
            let Rendered { subject, text, html } = rendered(template, language, "Customer");
            let is_refund = template == Template::OrderRefunded;
            let is_of_account = template.is_of_account();
            for part in [&text, &html] {
                assert!(!is_of_account || part.contains("4bNkYmTn0C9ZkqTn3Ww8rJvU2sXe5hPd1LfGaQoRiEs"), "{part}");
            }
            for part in [&subject, &text, &html] {
                assert_eq!(part.contains("ord_0189"), !is_of_account, "{template:?} {language:?}: {part}");
            }
            let greeting = if language == Language::French { "Bonjour Customer," } else { "Hello Customer," };
            assert!(text.contains(greeting) && html.contains(greeting), "{text}{html}");
            assert!(html.contains(&format!("<html lang=\"{}\">", language.code())) && html.contains("Tea &amp; Cups"));
            for part in [&text, &html] {
                assert_eq!(part.contains("2 × "), !is_refund && !is_of_account, "{part}");
            }
            assert!(!text.contains("&amp;") && text.trim_end().ends_with("Tea & Cups"), "{text}");
            assert_eq!(subject.lines().count(), 1, "{subject}");
        }
    }
}

#[test]
fn what_is_written_in_a_column_adds_up_to_the_total() {
    for (language, subtotal, discount, total) in [
        (Language::English, "€1,234.50", "-€123.45", "€1,115.95"),
        (Language::French, "1\u{202f}234,50\u{a0}€", "-123,45\u{a0}€", "1\u{202f}115,95\u{a0}€"),
    ] {
        let Rendered { text, html, .. } = rendered(Template::OrderConfirmed, language, "Customer");
        for part in [&text, &html] {
            assert!([subtotal, discount, total].iter().all(|amount| part.contains(amount)), "{part}");
        }
    }
}

#[test]
fn a_mail_that_is_of_no_order_ends_without_an_empty_line_for_one() {
    let rows = |template| rendered(template, Language::English, "Customer").html.matches("<tr>").count();
    assert_eq!((rows(Template::OrderRefunded), rows(Template::PasswordReset)), (3, 2));
}

#[test]
fn a_mail_about_an_account_links_to_the_page_of_the_shop_where_there_is_one() {
    let from = "shop@example.com".parse().expect("a sender");
    let pages = Pages::new("https://shop.example.com/account/").expect("an address");
    let templates = Templates::new().expect("all can be parsed");
    for (template, page) in [(Template::PasswordReset, "reset-password"), (Template::EmailVerification, "verify-email")]
    {
        for language in [Language::English, Language::French] {
            let content = content::of_account(template, "Customer", "usr_1.secret", Some(&pages), &from);
            let Rendered { text, html, .. } = templates.render(template, language, &content).expect("it is filled in");
            let link = format!("https://shop.example.com/account/{page}#token=usr_1.secret");
            assert!(text.contains(&format!("\n{link}\n")), "{text}");
            assert!(html.replace("&#x2f;", "/").contains(&format!("href=\"{link}\"")), "{html}");
        }
    }
    for address in
        ["shop.example.com", "ftp://shop.example.com", "https://shop.example.com/?a=b", "https://shop.example.com/#a"]
    {
        assert!(Pages::new(address).is_err(), "{address}");
    }
}

#[test]
fn a_confirmation_says_what_the_order_costs() {
    let english = rendered(Template::OrderConfirmed, Language::English, "Customer");
    let french = rendered(Template::OrderConfirmed, Language::French, "Customer");
    for part in [&english.text, &english.html] {
        assert!(
            part.contains("€1,234.50") && part.contains("€1,115.95") && part.contains("Tax included: €186.00"),
            "{part}"
        );
    }
    assert!(
        english.text.contains("  2 × Green tea, 100 g Customer  €119.80\n  1 × Cup Customer  €1,114.70\n"),
        "{}",
        english.text
    );
    for part in [&french.text, &french.html] {
        assert!(part.contains("1\u{202f}234,50\u{a0}€") && part.contains("1\u{202f}115,95\u{a0}€"), "{part}");
    }
    let refund = rendered(Template::OrderRefunded, Language::French, "Customer");
    assert!(refund.subject.starts_with("Un remboursement de 59,90\u{a0}€ pour"), "{}", refund.subject);
}

#[test]
fn a_name_is_text_in_html_and_one_line_in_plain_text() {
    for template in Template::ALL {
        for language in [Language::English, Language::French] {
            let Rendered { subject, text, html } = rendered(template, language, HOSTILE);
            assert!(
                !html.contains("<script>") && html.contains("&lt;script&gt;alert(1)&lt;&#x2f;script&gt;"),
                "{html}"
            );
            let line = "<script>alert(1)</script> Bcc: other@example.com \"{{ order_id }}\" & Co";
            assert!(text.contains(line), "{text}");
            assert!(!subject.contains("Bcc") && !text.lines().any(|line| line.starts_with("Bcc")), "{subject} {text}");
        }
    }
}
