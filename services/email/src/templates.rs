//! The texts of mails: files of `templates/<language>/<name>.{subject,txt,html}`, which are part of this program.
//!
//! What customers have chosen, such as names, is text: it is escaped in HTML, and has no line breaks or other control
//! characters anywhere, so that it adds nothing to a header or to the text around it.

#[cfg(test)]
mod tests;

use crate::{domain::Template, language::Language};
use minijinja::{AutoEscape, Environment, Error, UndefinedBehavior, Value, context};
use serde::Serialize;

/// `{% include %}`d or extended by the others.
const SHARED: [(&str, &str); 2] = [
    ("layout.html", include_str!("../templates/layout.html")),
    ("lines.html", include_str!("../templates/lines.html")),
];

/// The three files of a template in a language.
macro_rules! files {
    ($language:literal, $($name:literal),+) => {
        [$(
            (concat!($language, "/", $name, ".subject"), include_str!(concat!("../templates/", $language, "/", $name, ".subject"))),
            (concat!($language, "/", $name, ".txt"), include_str!(concat!("../templates/", $language, "/", $name, ".txt"))),
            (concat!($language, "/", $name, ".html"), include_str!(concat!("../templates/", $language, "/", $name, ".html"))),
        )+]
    };
}

const ENGLISH: [(&str, &str); 21] = files!(
    "en",
    "order_confirmed",
    "order_cancelled",
    "order_refunded",
    "shipment_dispatched",
    "shipment_delivered",
    "password_reset",
    "email_verification"
);

const FRENCH: [(&str, &str); 21] = files!(
    "fr",
    "order_confirmed",
    "order_cancelled",
    "order_refunded",
    "shipment_dispatched",
    "shipment_delivered",
    "password_reset",
    "email_verification"
);

/// Units of a product.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    pub name: String,
    pub quantity: i32,
    /// What the units cost; empty in mails that are about goods and not about money.
    pub amount: String,
}

/// What templates are filled in with. Amounts are written already; an empty one is not shown.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Content {
    /// The shop, as the mail's sender is called.
    pub shop: String,
    /// The customer.
    pub name: String,
    pub order_id: String,
    pub lines: Vec<Line>,
    pub subtotal: String,
    /// Below zero, as it is taken off.
    pub discount: String,
    pub shipping: String,
    pub tax: String,
    pub included_tax: String,
    pub total: String,
    pub refund: String,
    /// The token of a mail about an account, and the page that takes it; empty without such a page.
    pub code: String,
    pub link: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// All templates, parsed.
pub struct Templates(Environment<'static>);

impl Templates {
    pub fn new() -> Result<Self, Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_auto_escape_callback(|name| if is_html(name) { AutoEscape::Html } else { AutoEscape::None });
        for (name, source) in SHARED.into_iter().chain(ENGLISH).chain(FRENCH) {
            environment.add_template(name, source)?;
        }
        Ok(Self(environment))
    }

    pub fn render(&self, template: Template, language: Language, content: &Content) -> Result<Rendered, Error> {
        let content = Content {
            shop: line(&content.shop),
            name: line(&content.name),
            lines: content.lines.iter().map(|each| Line { name: line(&each.name), ..each.clone() }).collect(),
            ..content.clone()
        };
        let (language, name) = (language.code(), template.name());
        let subject =
            self.fill(&format!("{language}/{name}.subject"), context! { language, ..Value::from_serialize(&content) })?;
        let context = context! { language, subject, ..Value::from_serialize(&content) };
        Ok(Rendered {
            text: self.fill(&format!("{language}/{name}.txt"), context.clone())?,
            html: self.fill(&format!("{language}/{name}.html"), context)?,
            subject: line(&subject),
        })
    }

    fn fill(&self, name: &str, context: Value) -> Result<String, Error> {
        self.0.get_template(name)?.render(context)
    }
}

fn is_html(name: &str) -> bool {
    name.ends_with(".html")
}

/// A text of one line, in which spaces that break no line stay what they are.
pub fn line(text: &str) -> String {
    let is_kept = |character| matches!(character, '\u{a0}' | '\u{202f}');
    let is_gap = |character: char| character.is_control() || character.is_whitespace() && !is_kept(character);
    let words = text.split(is_gap);
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
