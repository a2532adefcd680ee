//! What a mail says: of an order as orders tells it, or of one that is made up.

use crate::{
    domain::{Email, Template},
    language::Language,
    templates::{Content, Line},
};
use contracts::{google::r#type::Money as WireMoney, money::Money, orders::v1::Order};
use lettre::message::Mailbox;
use url::Url;

#[cfg(test)]
mod tests;

/// What the mail says to a customer of this name.
pub fn of(email: &Email, name: &str, order: &Order, language: Language, from: &Mailbox) -> Content {
    let amount = |wire: &Option<WireMoney>| amount(wire.as_ref(), language);
    let name_of = |product_id: &str| {
        let item = order.items.iter().find(|item| item.product_id == product_id);
        let product = item.and_then(|item| item.product_snapshot.as_ref());
        product.map_or_else(|| product_id.to_owned(), |product| product.name.clone())
    };
    let lines = if email.shipment_id.is_some() {
        let line = |line: &crate::domain::Line| Line {
            name: name_of(&line.product_id),
            quantity: line.quantity,
            amount: String::new(),
        };
        email.lines.iter().map(line).collect()
    } else {
        let lines = order.items.iter();
        lines
            .map(|item| Line { name: name_of(&item.product_id), quantity: item.quantity, amount: amount(&item.amount) })
            .collect()
    };
    Content {
        shop: shop(from),
        name: name.to_owned(),
        order_id: email.order_id.clone(),
        lines,
        subtotal: amount(&order.subtotal),
        discount: deduction(order.discount.as_ref(), language),
        shipping: amount(&order.shipping),
        tax: amount(&order.tax),
        included_tax: amount(&order.included_tax),
        total: order
            .total
            .as_ref()
            .and_then(|wire| Money::from_wire(wire).ok())
            .map_or_else(String::new, |total| language.amount(&total)),
        refund: email.refund.as_ref().map_or_else(String::new, |refund| language.amount(&refund.0)),
        ..Content::default()
    }
}

/// The shop's pages that mails link to.
#[derive(Debug, Clone)]
pub struct Pages(Url);

impl Pages {
    /// The pages below this address, `https://shop.example.com/account`.
    pub fn new(address: &str) -> Result<Self, String> {
        let address = Url::parse(address).map_err(|error| format!("{address:?}: {error}"))?;
        let is_bare = address.query().is_none() && address.fragment().is_none();
        if !matches!(address.scheme(), "https" | "http") || !is_bare {
            return Err(format!("{address} must be an http or https address without ? and #"));
        }
        Ok(Self(address))
    }

    /// The page for the token of a mail. What follows `#` is sent to no server and so is in no log.
    fn link(&self, template: Template, token: &str) -> String {
        let page = if template == Template::PasswordReset { "reset-password" } else { "verify-email" };
        format!("{}/{page}#token={token}", self.0.as_str().trim_end_matches('/'))
    }
}

/// What a mail about an account says to a customer of this name.
pub fn of_account(template: Template, name: &str, token: &str, pages: Option<&Pages>, from: &Mailbox) -> Content {
    Content {
        shop: shop(from),
        name: name.to_owned(),
        code: token.to_owned(),
        link: pages.map_or_else(String::new, |pages| pages.link(template, token)),
        ..Content::default()
    }
}

/// An amount as it is written; empty when there is none, or nothing.
fn amount(wire: Option<&WireMoney>, language: Language) -> String {
    positive(wire).map_or_else(String::new, |money| language.amount(&money))
}

/// An amount that is taken off, with its sign: what is written in a column adds up to the total.
fn deduction(wire: Option<&WireMoney>, language: Language) -> String {
    let below_zero =
        positive(wire).and_then(|money| Money::zero(&money.currency).and_then(|zero| zero.minus(&money)).ok());
    below_zero.map_or_else(String::new, |money| language.amount(&money))
}

fn positive(wire: Option<&WireMoney>) -> Option<Money> {
    wire.and_then(|wire| Money::from_wire(wire).ok()).filter(Money::is_positive)
}

/// What the shop is called: by the name of the sender, or by the address without one.
fn shop(from: &Mailbox) -> String {
    from.name.clone().unwrap_or_else(|| from.email.to_string())
}

/// An order or a token that is made up, for a preview.
pub fn sample(template: Template, language: Language, pages: Option<&Pages>, from: &Mailbox) -> Content {
    if template.is_of_account() {
        let token = "usr_01890000000070008000000000000000.4bNkYmTn0C9ZkqTn3Ww8rJvU2sXe5hPd1LfGaQoRiEs";
        return of_account(template, "Customer", token, pages, from);
    }
    let euros = |minor| Money::from_minor("EUR", minor).map_or_else(|_| String::new(), |money| language.amount(&money));
    let is_of_shipment = matches!(template, Template::ShipmentDispatched | Template::ShipmentDelivered);
    let line = |name: &str, quantity, minor| Line {
        name: name.to_owned(),
        quantity,
        amount: if is_of_shipment { String::new() } else { euros(minor) },
    };
    let (tea, cup) = match language {
        Language::English => ("Green tea, 100 g", "Cup"),
        Language::French => ("Thé vert, 100 g", "Tasse"),
    };
    Content {
        shop: shop(from),
        name: "Customer".to_owned(),
        order_id: "ord_01890000000070008000000000000000".to_owned(),
        lines: vec![line(tea, 2, 11_980), line(cup, 1, 111_470)],
        subtotal: euros(123_450),
        discount: euros(-12_345),
        shipping: euros(490),
        tax: String::new(),
        included_tax: euros(18_600),
        total: euros(111_595),
        refund: euros(5_990),
        ..Content::default()
    }
}
