//! Baskets of a user whose account is deleted, as the service privacy has them erased.

use super::{basket, contents, ordered, path};
use crate::payments::{as_service, event_names};
use bson::{DateTime, Document, doc};
use contracts::baskets::v1::basket_service_client::BasketServiceClient;
use contracts::erasure::v1::EraseUserDataRequest;
use kit::shop::{id, product};
use kit::{Client, Stack, shared};
use serde_json::Value;

async fn erase(stack: &Stack, user: &Value) -> (i64, i64) {
    let mut baskets = BasketServiceClient::new(as_service(stack, "privacy", "baskets"));
    let request = EraseUserDataRequest { user_id: id(user, "userId").to_owned() };
    let receipt = baskets.erase_user_data(request).await.expect("baskets answers").into_inner();
    (receipt.erased_count, receipt.remaining_count)
}

#[tokio::test]
async fn open_baskets_are_deleted_and_one_that_is_being_checked_out_when_it_is_open_again() {
    let stack = shared().await;
    let ((customer, user), (other, _)) = (Client::register(stack).await, Client::register(stack).await);
    let product = product(stack, 10).await;
    let lines = [(product.as_str(), 2)];
    let [open, paying, another] =
        [basket(&customer, &lines).await, basket(&customer, &lines).await, basket(&other, &lines).await];
    let (bought, _) = ordered(&customer, &lines).await;
    let baskets = stack.connect().await.database("baskets").collection::<Document>("baskets");
    let one = doc! { "_id": id(&paying, "basketId") };
    let begun = doc! {
        "$set": { "state": "CheckingOut", "checkout": { "attempts": ["one"], "at": DateTime::now(), "rev": 1_i64 } },
        "$unset": { "expires_at": "" },
    };
    baskets.update_one(one.clone(), begun).await.expect("root may");
    assert_eq!(erase(stack, &user).await, (1, 1));
    assert_eq!(erase(stack, &user).await, (0, 1), "a repeat finds nothing to do");
    let ended = doc! {
        "$set": { "state": "Open", "expires_at": DateTime::from_millis(DateTime::now().timestamp_millis() + 60_000) },
        "$unset": { "checkout": "" },
    };
    baskets.update_one(one, ended).await.expect("root may");
    assert_eq!(erase(stack, &user).await, (1, 0));
    for deleted in [&open, &paying] {
        customer.get(&path(deleted)).await.expect(404);
        let found = baskets.find_one(doc! { "_id": id(deleted, "basketId") }).await.expect("mongod answers");
        assert!(found.expect("it is forgotten later").get_array("items").expect("a list").is_empty());
    }
    let database = stack.connect().await.database("baskets");
    assert_eq!(event_names(&database, id(&open, "basketId"), 2).await, ["created", "deleted"]);
    assert_eq!(customer.get(&path(&bought)).await.expect(200)["state"], "CHECKED_OUT");
    assert_eq!(contents(&other.get(&path(&another)).await.expect(200)), contents(&another), "others keep theirs");
}
