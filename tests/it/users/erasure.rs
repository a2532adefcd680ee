//! What is left of an account, as the service privacy asks for it.

use crate::payments::as_service;
use bson::{Document, doc};
use contracts::erasure::v1::{EraseUserDataRequest, ErasureReceipt};
use contracts::users::v1::user_service_client::UserServiceClient;
use kit::shop::id;
use kit::{Client, Stack, shared};
use rpc::status::reason;
use tonic::{Code, Status};

async fn erase(stack: &Stack, user_id: &str) -> Result<ErasureReceipt, Status> {
    let mut users = UserServiceClient::new(as_service(stack, "privacy", "users"));
    Ok(users.erase_user_data(EraseUserDataRequest { user_id: user_id.to_owned() }).await?.into_inner())
}

#[tokio::test]
async fn nothing_remains_of_a_deleted_account_and_what_a_crash_has_left_goes() {
    let stack = shared().await;
    let (customer, user) = Client::register(stack).await;
    let user_id = id(&user, "userId");
    let refused = erase(stack, user_id).await.expect_err("the account is open");
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::FailedPrecondition, "USER_NOT_DELETED"));
    let database = stack.connect().await.database("users");
    let tokens = database.collection::<Document>("refresh_tokens");
    let token = tokens.find_one(doc! { "user_id": user_id }).await.expect("mongod answers").expect("there is one");
    let path = format!("/v1/users/{user_id}");
    assert_eq!(customer.delete(&path).await.status, 200);
    // As a process leaves them that dies between the account and its tokens.
    tokens.delete_many(doc! { "_id": token.get("_id") }).await.expect("root may");
    tokens.insert_one(token).await.expect("root may");
    // As a release that knew no addresses leaves them.
    let accounts = database.collection::<Document>("users");
    let address = doc! {
        "name": "Test Customer", "line1": "1 Main Street", "line2": "", "city": "Paris", "region": "",
        "postal_code": "75002", "country_code": "FR",
    };
    let left = accounts.update_one(doc! { "_id": user_id }, doc! { "$set": { "addresses": [address] } }).await;
    assert_eq!(left.expect("root may").modified_count, 1);
    let receipt = erase(stack, user_id).await.expect("users answers");
    assert_eq!((receipt.service.as_str(), receipt.remaining_count), ("users", 0));
    assert!(receipt.receipt_time.is_some());
    assert_eq!(tokens.count_documents(doc! { "user_id": user_id }).await.expect("mongod answers"), 0);
    let account = accounts.find_one(doc! { "_id": user_id }).await;
    let bytes = account.expect("mongod answers").expect("its id stays").to_vec().expect("BSON");
    for text in [id(&user, "email"), "Test Customer", "1 Main Street", "75002"] {
        assert!(!bytes.windows(text.len()).any(|window| window == text.as_bytes()), "{text}");
    }
}

#[tokio::test]
async fn of_an_account_that_never_was_there_is_nothing_to_erase() {
    let receipt = erase(shared().await, "usr_absent").await.expect("users answers");
    assert_eq!((receipt.erased_count, receipt.remaining_count), (0, 0));
}
