//! The list of mails, page by page and by its filters, one mail, and previews.

use anyhow::ensure;
use kit::shop::{TIMEOUT, fields, id, place, product};
use kit::{Client, eventually, shared};
use serde_json::{Value, json};

/// A customer with this many confirmed orders whose mails were sent; their user.
async fn with_mails(orders: usize) -> Value {
    let stack = shared().await;
    let product = product(stack, 100).await;
    let (customer, user) = Client::register(stack).await;
    for _ in 0..orders {
        place(&customer, &[(&product, 1)], "tok_visa").await;
    }
    let staff = Client::staff(stack).await;
    eventually(TIMEOUT, || async {
        let path = format!("/v1/emails?userId={}&state=SENT", id(&user, "userId"));
        let found = staff.get(&path).await.expect(200)["emails"].as_array().cloned().unwrap_or_default();
        ensure!(found.len() == orders, "{found:?}");
        Ok(())
    })
    .await;
    user
}

fn ids(page: &Value) -> Vec<String> {
    let emails = page["emails"].as_array().expect("a list");
    emails.iter().map(|email| id(email, "emailId").to_owned()).collect()
}

#[tokio::test]
async fn a_list_is_paged_newest_first_and_a_mail_that_comes_later_moves_no_page() {
    let user = with_mails(3).await;
    let (stack, user_id) = (shared().await, id(&user, "userId"));
    let staff = Client::staff(stack).await;
    let path = format!("/v1/emails?userId={user_id}&pageSize=2");
    let all = ids(&staff.get(&format!("/v1/emails?userId={user_id}")).await.expect(200));
    let first = staff.get(&path).await.expect(200);
    assert!(all.len() == 3 && all.is_sorted_by(|newer, older| newer > older), "{all:?}");
    assert_eq!(ids(&first), all[..2]);
    let emails = stack.connect().await.database("email").collection::<bson::Document>("emails");
    let mut newer = emails.find_one(bson::doc! { "_id": &all[0] }).await.expect("answers").expect("is there");
    newer.insert("_id", "eml_ffffffffffffffffffffffffffffffff");
    emails.insert_one(&newer).await.expect("root may");
    let token = id(&first, "nextPageToken");
    let second = staff.get(&format!("{path}&pageToken={token}")).await.expect(200);
    emails.delete_one(bson::doc! { "_id": "eml_ffffffffffffffffffffffffffffffff" }).await.expect("root may");
    assert_eq!((ids(&second), &second["nextPageToken"]), (all[2..].to_vec(), &json!("")));
    let stolen = staff.get(&format!("/v1/emails?state=SENT&pageToken={token}")).await;
    assert_eq!((stolen.status, fields(&stolen)), (400, vec!["pageToken".to_owned()]), "a token is of its filters");
}

#[tokio::test]
async fn a_list_is_narrowed_and_one_mail_is_read_by_its_identifier() {
    let user = with_mails(1).await;
    let (staff, user_id) = (Client::staff(shared().await).await, id(&user, "userId"));
    let page = async |query: &str| staff.get(&format!("/v1/emails?userId={user_id}{query}")).await.expect(200);
    let all = page("").await;
    for (query, count) in [
        ("&state=SENT", 1),
        ("&state=FAILED", 0),
        ("&template=ORDER_CONFIRMED", 1),
        ("&template=ORDER_REFUNDED", 0),
        ("&state=SENT&template=ORDER_CONFIRMED", 1),
    ] {
        assert_eq!(ids(&page(query).await).len(), count, "{query}");
    }
    let mail = &all["emails"][0];
    assert_eq!(&staff.get(&format!("/v1/emails/{}", id(mail, "emailId"))).await.expect(200), mail);
    assert_eq!((&mail["toAddress"], &mail["userId"]), (&user["email"], &user["userId"]));
    assert_eq!(staff.get("/v1/emails/eml_absent").await.status, 404);
}

#[tokio::test]
async fn a_preview_shows_each_template_in_each_language() {
    let staff = Client::staff(shared().await).await;
    let preview = async |query: &str| staff.get(&format!("/v1/emails:preview?{query}")).await;
    for template in
        ["ORDER_CONFIRMED", "ORDER_CANCELLED", "ORDER_REFUNDED", "SHIPMENT_DISPATCHED", "SHIPMENT_DELIVERED"]
    {
        for (language, written, greeting) in [("fr-FR", "fr", "Bonjour"), ("de", "en", "Hello"), ("", "en", "Hello")] {
            let shown = preview(&format!("template={template}&language={language}")).await.expect(200);
            assert_eq!(shown["language"], written, "{shown}");
            assert!(
                id(&shown, "subject").contains("ord_") && id(&shown, "html").starts_with("<!DOCTYPE html>"),
                "{shown}"
            );
            assert!(id(&shown, "text").starts_with(greeting) && id(&shown, "html").contains(greeting), "{shown}");
        }
    }
    let usual = preview("language=fr").await.expect(200);
    assert_eq!(usual, preview("template=ORDER_CONFIRMED&language=fr").await.expect(200));
}
