//! What is sent to whom, and what becomes of a mail that the server does not take at once.

use super::{Post, message_id, server, server::Server};
use crate::{cli::verify::is_clean, gateway::tls::authority::Authority, orders::refunds};
use anyhow::ensure;
use kit::shop::{TIMEOUT, id, order_with};
use kit::{Directory, eventually};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_has_one_mail_for_each_step_in_the_language_of_its_customer() {
    let post = Post::open().await;
    let email = post.serve(&[]);
    let (customer, user) = post.customer("taken", "fr-CA").await;
    let order = post.order(&customer).await;
    let shipment = format!("/v1/shipments/{}", id(&order, "shipmentId"));
    post.staff.post(&format!("{shipment}:dispatch"), json!({})).await.expect(200);
    order_with(&customer, &order, "state", "SHIPPED").await;
    post.staff.post(&format!("{shipment}:deliver"), json!({})).await.expect(200);
    let amount = json!({ "amount": { "currencyCode": "EUR", "units": "5", "nanos": 10_000_000 } });
    post.staff.post(&format!("/v1/orders/{}:refund", id(&order, "orderId")), amount).await.expect(200);
    refunds::settled(&customer, &order).await;
    let (other, cancelled_by) = post.customer("taken", "de").await;
    let cancelled = post.order(&other).await;
    let path = format!("/v1/orders/{}:cancel", id(&cancelled, "orderId"));
    other.post(&path, json!({ "reason": "changed my mind" })).await.expect(200);
    let sent = |template| (template, "SENT", "");
    let steps = ["ORDER_CONFIRMED", "SHIPMENT_DISPATCHED", "SHIPMENT_DELIVERED", "ORDER_REFUNDED"].map(sent);
    let mails = post.settled(&user, &steps).await;
    let others = post.settled(&cancelled_by, &["ORDER_CONFIRMED", "ORDER_CANCELLED"].map(sent)).await;
    let subjects: Vec<&str> = mails.iter().map(|mail| id(mail, "subject")).collect();
    let order_id = id(&order, "orderId");
    assert!(subjects.contains(&&*format!("Votre commande {order_id} est confirmée")), "{subjects:?}");
    assert!(
        subjects.contains(&&*format!("Un remboursement de 5,01\u{a0}€ pour votre commande {order_id}")),
        "{subjects:?}"
    );
    for mail in &mails {
        assert_eq!((&mail["toAddress"], &mail["language"]), (&user["email"], &json!("fr")), "{mail}");
        assert_eq!((&mail["attempts"], &mail["orderId"]), (&json!(1), &order["orderId"]), "{mail}");
        assert_eq!(mail["shipmentId"] == order["shipmentId"], id(mail, "template").starts_with("SHIPMENT"), "{mail}");
    }
    assert!(others.iter().all(|mail| mail["language"] == "en"), "{others:?}");
    let taken = post.taken();
    assert_eq!(taken, mails.iter().chain(&others).map(|mail| (message_id(mail), 1)).collect());
    let received = post.server.mails_to(id(&user, "email"));
    for mail in &received {
        assert!(mail.contains("Content-Type: text/plain") && mail.contains("Content-Type: text/html"), "{mail}");
        let html = mail.split("text/html").nth(1).expect("a part");
        assert!(!html.contains("<b>Exemple"), "a name is no markup: {mail}");
    }
    is_clean(&post.stack).await;
    post.close(email).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_address_gets_no_more_and_what_was_not_taken_for_now_is_sent_again() {
    let post = Post::open().await;
    let email = post.serve(&[("COMPTOIR_SMTP_SECONDS", "2")]);
    let confirmed = |state, reason| ("ORDER_CONFIRMED", state, reason);
    for (kind, state, reason, attempts, taken) in [
        ("bounced", "FAILED", "BOUNCED", 1, 0),
        ("rejected", "FAILED", "REFUSED", 1, 0),
        ("relayed", "SENT", "", 2, 1),
        ("later", "SENT", "", 3, 1),
        ("hung", "SENT", "", 2, 1),
    ] {
        let (customer, user) = post.customer(kind, "en").await;
        post.order(&customer).await;
        let mails = post.settled(&user, &[confirmed(state, reason)]).await;
        assert_eq!(mails[0]["attempts"], attempts, "{kind}: {mails:?}");
        assert_eq!(post.server.mails_to(id(&user, "email")).len(), taken, "{kind}");
        post.order(&customer).await;
        let second = match kind {
            "bounced" => confirmed("SUPPRESSED", "ADDRESS_BOUNCED"),
            _ => confirmed(state, reason),
        };
        post.settled(&user, &[confirmed(state, reason), second]).await;
    }
    is_clean(&post.stack).await;
    post.close(email).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mails_wait_for_a_server_that_cannot_be_reached() {
    let post = Post::open().await;
    let (email, _, user) = post.serve_without_server().await;
    email.stop(TIMEOUT).await.expect("email drains");
    let email = post.serve(&[]);
    let mails = post.settled(&user, &[("ORDER_CONFIRMED", "SENT", "")]).await;
    assert_eq!(post.taken(), [(message_id(&mails[0]), 1)].into());
    post.close(email).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_closed_the_account_or_wants_no_mail_gets_none() {
    let post = Post::open().await;
    let (gone, left) = post.customer("taken", "en").await;
    let (silent, quiet) = post.customer("taken", "en").await;
    post.order(&gone).await;
    post.order(&silent).await;
    let path = |user| format!("/v1/users/{}", id(user, "userId"));
    assert_eq!(gone.delete(&path(&left)).await.status, 200);
    let unwanted = json!({ "preferences": { "emailNotifications": false } });
    silent.patch(&format!("{}?updateMask=preferences.emailNotifications", path(&quiet)), unwanted).await.expect(200);
    let email = post.serve(&[]);
    let mails = post.settled(&left, &[("ORDER_CONFIRMED", "SUPPRESSED", "USER_DELETED")]).await;
    assert_eq!((&mails[0]["toAddress"], &mails[0]["subject"]), (&json!(""), &json!("")), "{mails:?}");
    post.settled(&quiet, &[("ORDER_CONFIRMED", "SUPPRESSED", "NOT_WANTED")]).await;
    assert!(post.taken().is_empty());
    is_clean(&post.stack).await;
    post.close(email).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_to_a_server_whose_authority_is_not_known() {
    let (authority, pair) = (Authority::new(), Directory::new());
    authority.issue().write(&pair.0);
    let root = pair.0.join("root.pem");
    std::fs::write(&root, authority.root()).expect("the directory can be written");
    let post = Post { server: Server::encrypted(&pair.0).await, ..Post::open().await };
    let url = post.server.encrypted_url();
    let email = post.serve(&[("COMPTOIR_SMTP_URL", &url)]);
    let (customer, user) = post.customer("taken", "en").await;
    post.order(&customer).await;
    post.settled(&user, &[("ORDER_CONFIRMED", "PENDING", "SMTP_TLS")]).await;
    email.stop(TIMEOUT).await.expect("email drains");
    let root = root.display().to_string();
    let email = post.serve(&[("COMPTOIR_SMTP_URL", &url), ("COMPTOIR_SMTP_CA", &root)]);
    post.settled(&user, &[("ORDER_CONFIRMED", "SENT", "")]).await;
    let received = post.server.mails();
    assert_eq!(received.len(), 1);
    assert_eq!(server::header(&received[0], "X-Encrypted"), "True");
    post.close(email).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_that_was_tried_for_a_day_is_given_up() {
    let post = Post::open().await;
    let (email, _, user) = post.serve_without_server().await;
    let emails = post.stack.db("email").collection::<bson::Document>("emails");
    let day_ago = bson::DateTime::from_millis(bson::DateTime::now().timestamp_millis() - 24 * 3600 * 1000);
    let older = bson::doc! { "$set": { "created_at": day_ago } };
    emails.update_one(bson::doc! { "user_id": id(&user, "userId") }, older).await.expect("root may");
    post.settled(&user, &[("ORDER_CONFIRMED", "FAILED", "GAVE_UP")]).await;
    eventually(TIMEOUT, || async {
        ensure!(emails.count_documents(bson::doc! { "wake_at": { "$exists": true } }).await? == 0, "it is tried again");
        Ok(())
    })
    .await;
    post.close(email).await;
}
