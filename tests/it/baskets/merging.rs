//! The basket of a guest who signs in becomes part of the user's, once.

use super::{Guest, basket, contents, path};
use futures::future::join_all;
use kit::shop::{product, reason};
use kit::{Client, shared};
use serde_json::json;

#[tokio::test]
async fn a_merge_adds_up_within_bounds_and_its_repeat_adds_nothing() {
    let stack = shared().await;
    let (tea, lamp) = (product(stack, 1).await, product(stack, 1).await);
    let customer = Client::register(stack).await.0;
    let own = basket(&customer, &[(&tea, 9_000)]).await;
    let guest = Guest::with(&Client::anonymous(stack), &[(&lamp, 2), (&tea, 9_000)]).await;
    let merged = guest.merge(&customer, json!({})).await.expect(200);
    assert_eq!(merged["basketId"], own["basketId"]);
    assert_eq!(contents(&merged), [(tea.clone(), 10_000), (lamp.clone(), 2)]);
    assert_eq!(guest.merge(&customer, json!({})).await.expect(200), merged, "a repeat");
    let left = guest.get().await.expect(200);
    assert_eq!((&left["state"], &left["mergedInto"]), (&json!("MERGED"), &own["basketId"]), "{left}");
    let change = guest.call(reqwest::Method::PATCH, "", Some(json!({ "couponCode": "SUMMER" }))).await;
    assert_eq!((change.status, reason(&change).as_str()), (400, "BASKET_MERGED"), "{change:?}");
    let stranger = Client::register(stack).await.0;
    assert_eq!(guest.merge(&stranger, json!({})).await.status, 404, "another user comes too late");
}

#[tokio::test]
async fn two_users_who_have_the_token_at_once_do_not_both_get_the_basket() {
    let stack = shared().await;
    let product = product(stack, 1).await;
    for with_own in [true, false] {
        let guest = Guest::with(&Client::anonymous(stack), &[(&product, 3)]).await;
        let users = join_all((0..6).map(|_| Client::register(stack))).await;
        if with_own {
            join_all(users.iter().map(|(user, _)| basket(user, &[]))).await;
        }
        // Each of them in two tabs.
        let merges = users.iter().chain(&users).map(|(user, _)| guest.merge(user, json!({})));
        let replies = join_all(merges).await;
        let winners: Vec<usize> = (0..replies.len()).filter(|at| replies[*at].status == 200).collect();
        assert_eq!(winners.len(), 2, "both tabs of one user: {replies:?}");
        assert_eq!(winners[0] + users.len(), winners[1], "{replies:?}");
        assert!(replies.iter().all(|reply| matches!(reply.status, 200 | 404)), "{replies:?}");
        let mut units = 0;
        for (user, _) in &users {
            let listed = user.get("/v1/baskets").await.expect(200);
            let baskets = listed["baskets"].as_array().expect("baskets").iter().flat_map(contents);
            units += baskets.map(|(_, quantity)| quantity).sum::<i64>();
        }
        assert_eq!(units, 3);
    }
}

#[tokio::test]
async fn a_basket_that_is_named_is_the_callers_own_and_another_one() {
    let stack = shared().await;
    let product = product(stack, 1).await;
    let (customer, stranger) = (Client::register(stack).await.0, Client::register(stack).await.0);
    let (older, _newer) = (basket(&customer, &[]).await, basket(&customer, &[]).await);
    let foreign = basket(&stranger, &[]).await;
    let guest = Guest::with(&Client::anonymous(stack), &[(&product, 1)]).await;
    for into in [&foreign["basketId"], &json!("bsk_absent")] {
        assert_eq!(guest.merge(&customer, json!({ "intoBasketId": into })).await.status, 404, "{into}");
    }
    let itself = guest.merge(&customer, json!({ "intoBasketId": guest.basket["basketId"] })).await;
    assert_eq!(itself.status, 400, "{itself:?}");
    let merged = guest.merge(&customer, json!({ "intoBasketId": older["basketId"] })).await.expect(200);
    assert_eq!((&merged["basketId"], contents(&merged)), (&older["basketId"], vec![(product.clone(), 1)]));
    assert_eq!(contents(&customer.get(&path(&older)).await.expect(200)), [(product, 1)]);
}
