//! What a basket cannot have, and texts that look like operators of the database.

use super::{Guest, basket, contents, items, path};
use kit::shop::{fields, product, reason};
use kit::{Client, shared};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn a_basket_is_bounded_in_products_and_in_units_of_each() {
    let stack = shared().await;
    let customer = Client::register(stack).await.0;
    let names: Vec<String> = (0..101).map(|number| format!("prd_{number}")).collect();
    let lines: Vec<(&str, i32)> = names.iter().map(|name| (name.as_str(), 1)).collect();
    let refused = customer.post("/v1/baskets", json!({ "items": items(&lines) })).await;
    assert_eq!((refused.status, fields(&refused)), (400, vec!["items".to_owned()]), "{refused:?}");
    let full = basket(&customer, &lines[..100]).await;
    let add = format!("{}:addItem", path(&full));
    let one_more = customer.post(&add, json!({ "item": { "productId": "prd_100", "quantity": 1 } })).await;
    assert_eq!((one_more.status, reason(&one_more).as_str()), (400, "BASKET_FULL"), "{one_more:?}");
    let units = customer.post(&add, json!({ "item": { "productId": "prd_1", "quantity": 10_000 } })).await;
    assert_eq!((units.status, reason(&units).as_str()), (400, "BASKET_QUANTITY"), "{units:?}");
    for quantity in [0, -1, 10_001] {
        let refused = customer.post(&add, json!({ "item": { "productId": "prd_1", "quantity": quantity } })).await;
        assert_eq!((refused.status, fields(&refused)), (400, vec!["item.quantity".to_owned()]), "{refused:?}");
    }
    let country = customer.patch(&path(&full), json!({ "countryCode": "ZZ" })).await;
    assert_eq!((country.status, fields(&country)), (400, vec!["countryCode".to_owned()]), "{country:?}");
    assert_eq!(customer.get(&path(&full)).await.expect(200), full, "nothing has changed");
    let guest = Guest::with(&Client::anonymous(stack), &[("prd_100", 1)]).await;
    let refused = guest.merge(&customer, json!({})).await;
    assert_eq!((refused.status, reason(&refused).as_str()), (400, "BASKET_FULL"), "{refused:?}");
    assert_eq!(contents(&guest.get().await.expect(200)), [("prd_100".to_owned(), 1)], "nothing is lost");
}

#[tokio::test]
async fn operators_of_the_database_are_ids_that_nothing_has() {
    let stack = shared().await;
    let (customer, product) = (Client::register(stack).await.0, product(stack, 1).await);
    let own = basket(&customer, &[(&product, 1)]).await;
    for operator in ["$gt", "{\"$ne\": null}", "a.$set", "$$ROOT", "$where"] {
        let lines = [(operator, 2)];
        let changed = customer.patch(&path(&own), json!({ "items": items(&lines) })).await.expect(200);
        assert_eq!(contents(&changed), [(operator.to_owned(), 2)]);
        let quoted = customer.get(&format!("{}:quote", path(&own))).await.expect(200);
        assert_eq!(quoted["lines"][0]["availability"], "NOT_SOLD", "{quoted}");
        let merged =
            customer.post(&format!("{}:merge", path(&own)), json!({ "intoBasketId": operator })).await.expect(200);
        assert_eq!(merged["basketId"], own["basketId"], "it is the caller's own already");
    }
    let guest = Guest::with(&Client::anonymous(stack), &[]).await;
    let request = Client::anonymous(stack).request(Method::GET, &guest.path()).header(super::TOKEN, "{\"$ne\": \"\"}");
    assert_eq!(kit::reply(request).await.status, 404);
}
