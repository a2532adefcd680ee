//! Mails to a user whose account is deleted, as the service privacy has them erased.

use super::Post;
use crate::{cli::verify::is_clean, payments::as_service};
use anyhow::ensure;
use bson::{Document, doc};
use contracts::email::v1::email_service_client::EmailServiceClient;
use contracts::erasure::v1::EraseUserDataRequest;
use kit::shop::{TIMEOUT, id, place, product};
use kit::{Client, Stack, StackOptions, eventually};
use serde_json::Value;

async fn erase(stack: &Stack, user: &Value) -> (i64, i64) {
    let mut email = EmailServiceClient::new(as_service(stack, "privacy", "email"));
    let request = EraseUserDataRequest { user_id: id(user, "userId").to_owned() };
    let receipt = email.erase_user_data(request).await.expect("email answers").into_inner();
    (receipt.erased_count, receipt.remaining_count)
}

/// The mails that have the user's address.
async fn count_with_address(stack: &Stack, user: &Value) -> u64 {
    let emails = stack.connect().await.database("email").collection::<Document>("emails");
    emails.count_documents(doc! { "addressed.to": id(user, "email") }).await.expect("mongod answers")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mails_lose_their_address_and_a_bounced_address_is_forgotten() {
    let post = Post::open().await;
    let email = post.serve(&[("COMPTOIR_SMTP_SECONDS", "2")]);
    let ((bounced, user), (other, another)) =
        (post.customer("bounced", "en").await, post.customer("bounced", "en").await);
    for customer in [&bounced, &bounced, &other] {
        post.order(customer).await;
    }
    let failed = ("ORDER_CONFIRMED", "FAILED", "BOUNCED");
    post.settled(&user, &[failed, ("ORDER_CONFIRMED", "SUPPRESSED", "ADDRESS_BOUNCED")]).await;
    post.settled(&another, &[failed]).await;
    let addresses = post.stack.connect().await.database("email").collection::<Document>("bounced_addresses");
    let bounces = async || addresses.count_documents(doc! {}).await.expect("mongod answers");
    assert_eq!((bounces().await, erase(&post.stack, &user).await), (2, (2, 0)));
    assert_eq!(
        (bounces().await, erase(&post.stack, &user).await),
        (1, (0, 0)),
        "another's stays, and a repeat does nothing"
    );
    assert_eq!(count_with_address(&post.stack, &user).await, 0);
    assert_eq!(count_with_address(&post.stack, &another).await, 1);
    let mails = post.mails(&user).await.expect("email answers");
    assert!(
        mails.iter().all(|mail| mail["toAddress"] == "" && mail["subject"] == "" && mail["state"] != "PENDING"),
        "{mails:?}"
    );
    is_clean(&post.stack).await;
    post.close(email).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_that_may_be_under_way_remains_until_it_has_ended() {
    let post = Post::open().await;
    let (email, customer, user) = post.serve_without_server().await;
    assert_eq!(erase(&post.stack, &user).await, (0, 1));
    assert_eq!(customer.delete(&format!("/v1/users/{}", id(&user, "userId"))).await.status, 200);
    post.settled(&user, &[("ORDER_CONFIRMED", "SUPPRESSED", "USER_DELETED")]).await;
    eventually(TIMEOUT, || async {
        let (_, remaining) = erase(&post.stack, &user).await;
        ensure!(remaining == 0, "{remaining}");
        Ok(())
    })
    .await;
    assert_eq!(count_with_address(&post.stack, &user).await, 0);
    post.close(email).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_files_of_mails_are_removed() {
    let stack = Stack::start(StackOptions::default()).await;
    let product = product(&stack, 10).await;
    let ((customer, user), (other, another)) = (Client::register(&stack).await, Client::register(&stack).await);
    for customer in [&customer, &other] {
        place(customer, &[(&product, 1)], "tok_visa").await;
    }
    let files = || {
        let files = std::fs::read_dir(stack.data().join("mail")).expect("it is there").flatten();
        files.map(|file| std::fs::read_to_string(file.path()).expect("it can be read")).collect::<Vec<_>>()
    };
    let to = |user: &Value| files().iter().filter(|mail| mail.contains(id(user, "email"))).count();
    eventually(TIMEOUT, || async {
        ensure!((to(&user), to(&another)) == (1, 1), "{:?}", files());
        Ok(())
    })
    .await;
    eventually(TIMEOUT, || async {
        let (_, remaining) = erase(&stack, &user).await;
        ensure!(remaining == 0, "{remaining}");
        Ok(())
    })
    .await;
    assert_eq!((to(&user), to(&another)), (0, 1));
    stack.stop().await;
}
