//! The basket of a guest through the gateway, from the first product to the confirmed order, and who else may see it.

use super::{Guest, TOKEN, basket, checkout, contents, items, path};
use bson::{Document, doc};
use contracts::baskets::v1::{GetBasketRequest, basket_service_client::BasketServiceClient};
use kit::shop::{id, product, reason};
use kit::{Client, reply, shared};
use reqwest::{Method, header::HeaderValue};
use serde_json::json;
use tonic::Code;

#[tokio::test]
async fn a_guest_fills_a_basket_registers_and_orders_it_with_one_call() {
    let stack = shared().await;
    let (tea, lamp) = (product(stack, 5).await, product(stack, 5).await);
    let guest = Guest::with(&Client::anonymous(stack), &[(&tea, 1)]).await;
    assert_eq!((&guest.basket["userId"], &guest.basket["state"]), (&json!(""), &json!("OPEN")), "{}", guest.basket);
    let added = json!({ "item": { "productId": lamp, "quantity": 2 } });
    guest.call(Method::POST, ":addItem", Some(added)).await.expect(200);
    let quoted = guest.call(Method::GET, ":quote", None).await;
    // No cache knows of the header by which it is the guest's.
    assert_eq!(quoted.headers.get("cache-control"), Some(&HeaderValue::from_static("no-store")));
    let quoted = quoted.expect(200);
    assert_eq!((&quoted["refusal"], &quoted["quote"]["items"][1]["quantity"]), (&json!(""), &json!(2)), "{quoted}");
    let (customer, user) = Client::register(stack).await;
    let own = guest.merge(&customer, json!({})).await.expect(200);
    assert_eq!((&own["basketId"], &own["userId"]), (&guest.basket["basketId"], &user["userId"]));
    assert_eq!(contents(&own), [(tea.clone(), 1), (lamp.clone(), 2)]);
    assert_eq!(guest.get().await.status, 404, "its token is no good any more");
    let mut body = checkout("tok_visa");
    body["expectedTotal"] = customer.get(&format!("{}:quote", path(&own))).await.expect(200)["quote"]["total"].clone();
    let order = customer.post(&format!("{}:checkout?wait=30s", path(&own)), body).await.expect(200);
    assert_eq!((&order["state"], &order["userId"]), (&json!("CONFIRMED"), &user["userId"]), "{order}");
    assert_eq!(contents(&order), contents(&own));
    let ended = customer.get(&path(&own)).await.expect(200);
    assert_eq!((&ended["state"], &ended["orderId"]), (&json!("CHECKED_OUT"), &order["orderId"]), "{ended}");
    let names: Vec<String> = events(stack, id(&own, "basketId")).await;
    assert_eq!(names, ["created", "updated", "updated", "checked_out"]);
}

async fn events(stack: &kit::Stack, basket: &str) -> Vec<String> {
    let database = stack.connect().await.database("baskets");
    let entries = kit::eventually(kit::shop::TIMEOUT, || async {
        let entries = kit::log(&database, doc! { "agg": "basket", "aid": basket }).await?;
        anyhow::ensure!(
            entries.last().is_some_and(|entry| entry.get_str("name").is_ok_and(|name| name == "checked_out")),
            "{entries:?}"
        );
        Ok(entries)
    });
    entries.await.iter().map(|entry| entry.get_str("name").expect("a name").to_owned()).collect()
}

#[tokio::test]
async fn a_guests_basket_is_there_for_who_has_its_token_and_for_nobody_else() {
    let stack = shared().await;
    let product = product(stack, 5).await;
    let nobody = Client::anonymous(stack);
    let (guest, other) = (Guest::with(&nobody, &[(&product, 1)]).await, Guest::with(&nobody, &[]).await);
    let (customer, staff) = (Client::register(stack).await.0, Client::staff(stack).await);
    for who in [&nobody, &customer] {
        for (method, verb, body) in [
            (Method::GET, "", None),
            (Method::GET, ":quote", None),
            (Method::PATCH, "", Some(json!({ "couponCode": "SUMMER" }))),
            (Method::POST, ":addItem", Some(json!({ "item": { "productId": product, "quantity": 1 } }))),
            (Method::DELETE, "", None),
        ] {
            for token in ["", "wrong", other.token.as_str(), &guest.token[1..]] {
                let request = who.request(method.clone(), &format!("{}{verb}", guest.path())).header(TOKEN, token);
                let refused = reply(match &body {
                    Some(body) => request.json(body),
                    None => request,
                });
                assert_eq!(refused.await.status, 404, "{method} {verb} with {token:?}");
            }
        }
    }
    for (token, into) in [("wrong", ""), ("", ""), (other.token.as_str(), "")] {
        let request = customer.request(Method::POST, &format!("{}:merge", guest.path())).header(TOKEN, token);
        assert_eq!(reply(request.json(&json!({ "intoBasketId": into }))).await.status, 404, "{token:?}");
    }
    assert_eq!(staff.get(&guest.path()).await.expect(200), guest.get().await.expect(200));
    assert_eq!(contents(&guest.get().await.expect(200)), [(product, 1)], "nothing has changed");
    let ended = staff.with_token(Some("eyJhbGciOiJFZERTQSJ9.e30.AAAA"));
    let request = ended.request(Method::GET, &guest.path()).header(TOKEN, &guest.token);
    assert_eq!(reply(request).await.status, 200, "a bearer token that has ended shuts no guest out");
}

#[tokio::test]
async fn a_token_is_told_once_is_kept_as_a_digest_and_is_taken_from_no_query() {
    let stack = shared().await;
    let guest = Guest::with(&Client::anonymous(stack), &[]).await;
    assert_eq!(guest.token.len(), 43, "32 bytes");
    for reply in [guest.get().await, guest.call(Method::PATCH, "", Some(json!({ "countryCode": "DE" }))).await] {
        let basket = reply.expect(200);
        assert_eq!(basket["basketToken"], "", "{basket}");
    }
    let kept = stack.connect().await.database("baskets").collection::<Document>("baskets");
    let kept = kept.find_one(doc! { "_id": id(&guest.basket, "basketId") }).await.expect("mongod answers");
    assert!(!format!("{kept:?}").contains(&guest.token), "{kept:?}");
    let asked = Client::anonymous(stack).get(&format!("{}?basketToken={}", guest.path(), guest.token)).await;
    assert_eq!((asked.status, asked.body.to_string().contains("belongs into the header")), (400, true), "{asked:?}");
    let log = std::fs::read_to_string(stack.data().join("comptoir.log")).expect("a log");
    assert!(!log.contains(&guest.token), "the log has a token");
    let mut client = BasketServiceClient::connect(stack.grpc("baskets").to_owned()).await.expect("it listens");
    let mut request = GetBasketRequest { basket_id: id(&guest.basket, "basketId").into(), basket_token: guest.token };
    client.get_basket(request.clone()).await.expect("over gRPC it is a field");
    request.basket_token.pop();
    assert_eq!(client.get_basket(request).await.expect_err("a wrong token").code(), Code::NotFound);
}

#[tokio::test]
async fn a_users_basket_is_nobody_elses_and_only_its_user_orders_it() {
    let stack = shared().await;
    let product = product(stack, 5).await;
    let (customer, stranger) = (Client::register(stack).await.0, Client::register(stack).await.0);
    let (staff, nobody) = (Client::staff(stack).await, Client::anonymous(stack));
    let own = basket(&customer, &[(&product, 1)]).await;
    assert_eq!(own["basketToken"], "", "a user needs none");
    for who in [&stranger, &nobody] {
        let change = json!({ "items": items(&[]) });
        for reply in [
            who.get(&path(&own)).await,
            who.get(&format!("{}:quote", path(&own))).await,
            who.patch(&path(&own), change).await,
            who.delete(&path(&own)).await,
        ] {
            assert_eq!((reply.status, reason(&reply).as_str()), (404, "NOT_FOUND"), "{reply:?}");
        }
    }
    for who in [&stranger, &staff] {
        let refused = who.post(&format!("{}:checkout", path(&own)), checkout("tok_visa")).await;
        assert_eq!(refused.status, 404, "{refused:?}");
        let refused = who.post(&format!("{}:merge", path(&own)), json!({})).await;
        assert_eq!(refused.status, 404, "{refused:?}");
    }
    assert_eq!(nobody.post(&format!("{}:checkout", path(&own)), checkout("tok_visa")).await.status, 401);
    assert_eq!(nobody.get("/v1/baskets").await.status, 401);
    let ended = nobody.with_token(Some("eyJhbGciOiJFZERTQSJ9.e30.AAAA"));
    for basket in [path(&own), "/v1/baskets/bsk_absent".to_owned()] {
        assert_eq!(ended.get(&basket).await.status, 401, "a user whose token has ended signs in again");
    }
    let listed = |who: Client| async move { who.get("/v1/baskets?pageSize=200").await.expect(200)["baskets"].clone() };
    assert_eq!(listed(customer.clone()).await, json!([own]));
    assert_eq!(listed(stranger).await, json!([]));
    assert!(listed(staff.clone()).await.as_array().expect("baskets").contains(&own), "staff see everyone's");
    assert_eq!(staff.patch(&path(&own), json!({ "couponCode": "SUMMER" })).await.status, 404, "and change none");
    customer.delete(&path(&own)).await.expect(200);
    assert_eq!(listed(customer).await, json!([]), "what is deleted is left out");
}

#[tokio::test]
async fn the_token_of_a_guest_is_in_no_query_of_connect_either() {
    let stack = shared().await;
    let guest = Guest::with(&Client::anonymous(stack), &[]).await;
    let message = json!({ "basketId": guest.basket["basketId"], "basketToken": guest.token }).to_string();
    let rpc = "/comptoir.baskets.v1.BasketService/GetBasket";
    let asked = [("connect", "v1"), ("encoding", "json"), ("message", &message)];
    let asked = reply(Client::anonymous(stack).request(Method::GET, rpc).query(&asked)).await;
    assert_eq!((asked.status, &asked.headers["allow"]), (405, &HeaderValue::from_static("OPTIONS, POST")), "{asked:?}");
    let posted = Client::anonymous(stack).request(Method::POST, rpc).header("content-type", "application/json");
    assert_eq!(reply(posted.body(message)).await.expect(200)["basketId"], guest.basket["basketId"]);
}

#[tokio::test]
async fn a_user_whose_token_has_ended_is_told_so_and_gets_no_basket_of_a_guest() {
    let stack = shared().await;
    let ended = Client::anonymous(stack).with_token(Some("ended"));
    let refused = ended.post("/v1/baskets", json!({})).await;
    assert_eq!((refused.status, reason(&refused).as_str()), (401, "UNAUTHENTICATED"), "{refused:?}");
}
