//! The last thing that `comptoir dev` prints: where everything is, who can sign in, and the first order to paste.

use super::{
    data::{DataDir, LOG},
    seed,
    stores::Stores,
    system::System,
};
use crate::services::{GATEWAY, SANDBOX_PSP};
use std::{fmt::Write as _, io::Write as _};

pub struct Banner<'a> {
    pub system: &'a System,
    pub stores: &'a Stores,
    pub data: &'a DataDir,
    pub password: &'a str,
    /// A product to order, when the shop is seeded.
    pub product: Option<&'a str>,
}

impl Banner<'_> {
    /// Prints it to standard output; the last line is `ready`.
    pub fn print(&self) -> anyhow::Result<()> {
        let mut text = String::new();
        self.addresses(&mut text)?;
        if let Some(product) = self.product {
            self.accounts(&mut text)?;
            self.commands(&mut text, product)?;
        }
        writeln!(text, "\nready")?;
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()?;
        Ok(())
    }

    fn addresses(&self, text: &mut String) -> std::fmt::Result {
        let row = |text: &mut String, name: &str, address: &str, note: &str| {
            writeln!(text, "{}", format!("  {name:<14} {address:<28} {note}").trim_end())
        };
        let elsewhere = |name: &str| if self.system.here.contains(name) { "" } else { "not in this process" };
        writeln!(text, "\nAddresses")?;
        row(text, GATEWAY, &self.system.gateway.uri(), elsewhere(GATEWAY))?;
        for (name, endpoint) in &self.system.endpoints {
            row(text, name, &format!("grpc://{}", endpoint.address), elsewhere(name))?;
        }
        row(text, SANDBOX_PSP, &self.system.sandbox_psp.uri(), "the payment provider")?;
        row(text, "mongod", &format!("mongodb://127.0.0.1:{}", self.stores.mongod.port), "")?;
        row(text, "nats-server", &self.stores.nats.url, "")?;
        row(text, "data", &self.data.path().display().to_string(), "")?;
        row(text, "log", &self.data.join(LOG).display().to_string(), "")
    }

    fn accounts(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "\nAccounts")?;
        let accounts = [seed::CUSTOMER, seed::SUPPORT, seed::STAFF, seed::ADMIN];
        accounts.iter().try_for_each(|account| writeln!(text, "  {account:<28} password {}", self.password))
    }

    fn commands(&self, text: &mut String, product: &str) -> std::fmt::Result {
        let gateway = self.system.gateway.uri();
        let user = quoted(&format!("username={}", seed::CUSTOMER));
        let password = quoted(&format!("password={}", self.password));
        let order = format!(
            r#"{{"items":[{{"productId":"{product}","quantity":2}}],"shippingAddress":{{"name":"Customer","line1":"12 rue des Lilas","city":"Lyon","postalCode":"69003","countryCode":"FR"}},"paymentToken":"tok_visa"}}"#
        );
        writeln!(text, "\nGet a token")?;
        writeln!(text, "  TOKEN=$(curl -s {gateway}/oauth2/token -d grant_type=password \\")?;
        writeln!(text, "    --data-urlencode {user} --data-urlencode {password} | {})", field("access_token"))?;
        writeln!(text, "\nPlace an order")?;
        writeln!(text, "  ORDER=$(curl -s '{gateway}/v1/orders?wait=5s' -H \"Authorization: Bearer $TOKEN\" \\")?;
        writeln!(text, "    -H \"Idempotency-Key: order-$(date +%s)\" -H 'Content-Type: application/json' \\")?;
        writeln!(text, "    -d '{order}' \\")?;
        writeln!(text, "    | tee /dev/stderr | {}); echo", field("orderId"))?;
        writeln!(text, "\nWatch it")?;
        writeln!(text, "  curl -sN \"{gateway}/v1/orders/${{ORDER}}:watch\" -H \"Authorization: Bearer $TOKEN\"")
    }
}

/// A command that takes the first string called `name` out of JSON, without a JSON parser.
fn field(name: &str) -> String {
    format!(r#"grep -o '"{name}": *"[^"]*"' | head -n 1 | cut -d '"' -f 4"#)
}

/// As one word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
