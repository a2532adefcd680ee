//! A basket becomes one order, however often and by however many at once it is checked out.

use super::{basket, checkout, contents, items, path};
use bson::{Document, doc};
use futures::future::join_all;
use kit::shop::{fields, id, product, reason};
use kit::{Client, Reply, shared};
use serde_json::{Value, json};

/// How many orders a user has.
pub async fn orders(customer: &Client) -> usize {
    let listed = customer.get("/v1/orders?pageSize=200").await.expect(200);
    listed["orders"].as_array().expect("orders").len()
}

async fn check_out(customer: &Client, basket: &Value, body: Value) -> Reply {
    customer.post(&format!("{}:checkout", path(basket)), body).await
}

#[tokio::test]
async fn many_checkouts_at_once_with_different_bodies_are_one_order() {
    let stack = shared().await;
    let (customer, product) = (Client::register(stack).await.0, product(stack, 100).await);
    let own = basket(&customer, &[(&product, 2)]).await;
    let tokens = ["tok_visa", "tok_declined", "tok_visa", "tok_insufficient_funds"];
    let replies = join_all((0..12).map(|tab| check_out(&customer, &own, checkout(tokens[tab % 4])))).await;
    let ids: Vec<String> = replies.into_iter().map(|reply| id(&reply.expect(200), "orderId").to_owned()).collect();
    assert!(ids.iter().all(|order| *order == ids[0]), "{ids:?}");
    let later = check_out(&customer, &own, checkout("tok_visa")).await.expect(200);
    assert_eq!(later["orderId"], ids[0].as_str());
    assert_eq!(orders(&customer).await, 1);
    for (refused, why) in [
        (customer.patch(&path(&own), json!({ "items": items(&[]) })).await, "BASKET_CHECKED_OUT"),
        (customer.delete(&path(&own)).await, "BASKET_CHECKED_OUT"),
    ] {
        assert_eq!((refused.status, reason(&refused).as_str()), (400, why), "{refused:?}");
    }
    let orders = stack.connect().await.database("orders").collection::<Document>("orders");
    let key = doc! { "request_key": format!("baskets/{}", id(&own, "basketId")) };
    assert_eq!(orders.count_documents(key).await.expect("mongod answers"), 1);
}

#[tokio::test]
async fn what_was_added_is_in_the_order_however_refused_and_good_checkouts_cross() {
    let stack = shared().await;
    let (customer, first, more) =
        (Client::register(stack).await.0, product(stack, 100).await, product(stack, 1_000).await);
    let mut dearer = checkout("tok_visa");
    dearer["expectedTotal"] = json!({ "currencyCode": "EUR", "units": "1" });
    for _ in 0..20 {
        let own = basket(&customer, &[(&first, 1)]).await;
        let add = format!("{}:addItem", path(&own));
        let adding = async {
            let mut added = 0;
            for _ in 0..12 {
                let body = json!({ "item": { "productId": more, "quantity": 1 } });
                added += i64::from(customer.post(&add, body).await.status == 200);
            }
            added
        };
        let crossing = (0..8).map(|tab| {
            let body = if tab % 2 == 0 { dearer.clone() } else { checkout("tok_visa") };
            check_out(&customer, &own, body)
        });
        let (added, replies) = tokio::join!(adding, join_all(crossing));
        assert!(replies.iter().any(|reply| reply.status == 200), "{replies:?}");
        let ordered = customer.get(&path(&own)).await.expect(200);
        let units = contents(&ordered).into_iter().find(|(id, _)| *id == more).map_or(0, |(_, units)| units);
        assert_eq!((&ordered["state"], units), (&json!("CHECKED_OUT"), added), "{ordered}");
    }
}

#[tokio::test]
async fn a_refused_checkout_leaves_the_basket_open_and_the_next_one_orders_it() {
    let stack = shared().await;
    let (customer, product) = (Client::register(stack).await.0, product(stack, 10).await);
    let own = basket(&customer, &[(&product, 1)]).await;
    let mut foreign = checkout("tok_visa");
    foreign["quoteId"] = json!("AAAA");
    let mut dearer = checkout("tok_visa");
    dearer["expectedTotal"] = json!({ "currencyCode": "EUR", "units": "1" });
    let mut nowhere = checkout("tok_visa");
    nowhere["shippingAddress"]["postalCode"] = json!("none");
    for (body, why) in [
        (foreign, "QUOTE_INVALID"),
        (dearer, "TOTAL_CHANGED"),
        (nowhere, "INVALID_FIELD"),
        (checkout(""), "INVALID_FIELD"),
    ] {
        let refused = check_out(&customer, &own, body).await;
        assert_eq!((refused.status, reason(&refused).as_str()), (400, why), "{refused:?}");
        if why == "INVALID_FIELD" {
            assert!(fields(&refused).iter().all(|field| !field.starts_with("order")), "{refused:?}");
        }
        let open = customer.get(&path(&own)).await.expect(200);
        assert_eq!((&open["state"], contents(&open)), (&json!("OPEN"), contents(&own)), "{open}");
        assert_ne!(open["expireTime"], Value::Null);
    }
    let empty = basket(&customer, &[]).await;
    let refused = check_out(&customer, &empty, checkout("tok_visa")).await;
    assert_eq!((refused.status, reason(&refused).as_str()), (400, "BASKET_EMPTY"), "{refused:?}");
    assert_eq!(orders(&customer).await, 0);
    check_out(&customer, &own, checkout("tok_visa")).await.expect(200);
    assert_eq!(orders(&customer).await, 1);
}

#[tokio::test]
async fn a_checkout_of_what_the_caller_has_not_seen_is_412() {
    let stack = shared().await;
    let (customer, product) = (Client::register(stack).await.0, product(stack, 10).await);
    let own = basket(&customer, &[(&product, 1)]).await;
    customer.patch(&path(&own), json!({ "items": items(&[(&product, 9)]) })).await.expect(200);
    let request = customer.request(reqwest::Method::POST, &format!("{}:checkout", path(&own)));
    let request = request.header("if-match", format!("\"{}\"", id(&own, "etag")));
    assert_eq!(kit::reply(request.json(&checkout("tok_visa"))).await.status, 412);
    assert_eq!(orders(&customer).await, 0);
    assert_eq!(customer.get(&path(&own)).await.expect(200)["state"], "OPEN");
}

#[tokio::test]
async fn the_quote_of_a_basket_is_the_price_of_its_order() {
    let stack = shared().await;
    let (customer, product) = (Client::register(stack).await.0, product(stack, 10).await);
    let own = basket(&customer, &[(&product, 2)]).await;
    let quote = customer.get(&format!("{}:quote", path(&own))).await.expect(200);
    let dearer = json!({ "price": { "currencyCode": "EUR", "units": "99" } });
    Client::staff(stack).await.patch(&format!("/v1/products/{product}"), dearer).await.expect(200);
    let mut body = checkout("tok_visa");
    body["quoteId"] = quote["quote"]["quoteId"].clone();
    let order = check_out(&customer, &own, body).await.expect(200);
    assert_eq!(order["total"], quote["quote"]["total"], "{order}");
}
