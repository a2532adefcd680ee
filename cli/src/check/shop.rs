//! What there is to order; and, for a shop that is still empty, an account and a product.

use super::visitor::Visitor;
use anyhow::{Context, anyhow};
use rpc::{Signer, issuer::user_key_id};
use serde_json::{Value, json};
use std::{path::Path, time::Duration};

/// Who makes the product, in histories: an id that no account has.
const CHECKER: &str = "usr_00000000000000000000000000000000";

/// Life of the token of the member of staff who makes the product.
const TOKEN_LIFE: Duration = Duration::from_secs(300);

/// Its SKU. One product for all checks; what they order they cancel.
const SKU: &str = "COMPTOIR-CHECK";

/// Products that are looked at.
const NEWEST: usize = 50;

/// The newest product that is in stock.
pub async fn in_stock(customer: &Visitor) -> anyhow::Result<String> {
    for product in products(customer).await? {
        let id = product["productId"].as_str().unwrap_or_default().to_owned();
        if available(customer, &id).await? > 0 {
            return Ok(id);
        }
    }
    Err(anyhow!("none of the {NEWEST} newest products is in stock; name one with --product"))
}

/// A new account, signed in; a product with stock; the account's e-mail address.
pub async fn open(visitor: &Visitor, key_file: &Path) -> anyhow::Result<(Visitor, String, String)> {
    let pem = std::fs::read_to_string(key_file).with_context(|| format!("read {}", key_file.display()))?;
    let token = Signer::new(user_key_id(key_file), &pem)?.user_token(CHECKER, &["staff".to_owned()], TOKEN_LIFE)?;
    let product = stocked(&visitor.with_token(&token)).await?;
    let (email, password) = (format!("check-{:016x}@example.com", rand::random::<u64>()), random_password());
    let account = json!({ "email": email, "name": "Comptoir Check", "password": password });
    visitor.post("/v1/users", account).await?;
    Ok((visitor.sign_in(&email, &password).await?, product, email))
}

fn random_password() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// The product of the checks, with at least one unit to sell.
async fn stocked(staff: &Visitor) -> anyhow::Result<String> {
    let known = products(staff).await?.into_iter().find(|product| product["sku"] == SKU);
    let product = match known {
        Some(product) => product,
        None => {
            let price = json!({ "currencyCode": "EUR", "units": "1" });
            staff.post("/v1/products", json!({ "name": "Comptoir check", "sku": SKU, "price": price })).await?
        }
    };
    let id = product["productId"].as_str().context("the product has no productId")?.to_owned();
    if available(staff, &id).await? < 1 {
        staff.post(&format!("/v1/stock/{id}:adjust"), json!({ "delta": 10, "reason": "comptoir check" })).await?;
    }
    Ok(id)
}

async fn products(visitor: &Visitor) -> anyhow::Result<Vec<Value>> {
    let page = visitor.get(&format!("/v1/products?page_size={NEWEST}")).await?;
    Ok(page["products"].as_array().cloned().unwrap_or_default())
}

/// Units that can be sold; a product that never had stock has none.
async fn available(visitor: &Visitor, id: &str) -> anyhow::Result<i64> {
    let stock = visitor.find(&format!("/v1/stock/{id}")).await?;
    Ok(stock.and_then(|stock| stock["available"].as_i64()).unwrap_or(0))
}
