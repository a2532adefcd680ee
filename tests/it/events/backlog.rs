//! The outbox at its cap: the writer is refused, and nothing is lost.

use super::shop::Shop;
use store::{ChangeError, Error};
use tonic::Code;

#[tokio::test]
async fn a_writer_at_the_outbox_cap_is_unavailable_until_a_relay_has_emptied_it() {
    let shop = Shop::open().await;
    let id = shop.written.products(1, 64).await.remove(0);
    let refused = shop.written.try_update(&id, 1).await;
    let Err(ChangeError::Store(Error::Backlog(64))) = refused else { panic!("{refused:?}") };
    assert_eq!(tonic::Status::from(Error::Backlog(64)).code(), Code::Unavailable);
    let relay = shop.relay();
    shop.settled().await;
    shop.written.try_update(&id, 1).await.expect("with the outbox in the log the write is accepted");
    shop.settled().await;
    let document = shop.written.collection().find_one(bson::doc! { "_id": &id }).await.expect("mongod answers");
    let pending = document.expect("is there").get_array("outbox").expect("has an outbox").len();
    assert_eq!(pending, 1, "the writer has dropped what the log has");
    relay.kill().await;
}
