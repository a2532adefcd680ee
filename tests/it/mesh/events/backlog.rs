//! The outbox at its caps: the writer is refused, and nothing is lost.

use super::{
    fixture::Fixture,
    writer::{event, fresh_name, long_name, product},
};
use contracts::id::Kind;
use products::Product;
use store::{ChangeError, Documents, Error};
use tonic::Code;

/// Bytes that an outbox may hold.
const CAP_BYTES: usize = 256 * 1024;

/// Events in the outbox of a product.
async fn pending(fixture: &Fixture, id: &str) -> usize {
    let document = fixture.writer.collection().find_one(bson::doc! { "_id": id }).await.expect("mongod answers");
    document.expect("is there").get_array("outbox").expect("has an outbox").len()
}

#[tokio::test]
async fn a_writer_at_the_outbox_cap_is_unavailable_until_a_relay_has_emptied_it() {
    let fixture = Fixture::open().await;
    let id = fixture.writer.products(1, 64).await.remove(0);
    let refused = fixture.writer.try_update(&id, 1).await;
    let Err(ChangeError::Store(Error::Backlog(64))) = refused else { panic!("{refused:?}") };
    assert_eq!(service::store_status(Error::Backlog(64)).code(), Code::Unavailable);
    let relay = fixture.relay();
    fixture.settled().await;
    fixture.writer.try_update(&id, 1).await.expect("with the outbox in the log the write is accepted");
    fixture.settled().await;
    assert_eq!(pending(&fixture, &id).await, 1, "the writer has dropped what the log has");
    relay.kill().await;
}

#[tokio::test]
async fn a_writer_of_large_events_is_unavailable_once_their_bytes_are_too_many() {
    let fixture = Fixture::open().await;
    let id = fixture.writer.insert().await;
    for _ in 0..5 {
        fixture.writer.try_rename(&id, vec![long_name(CAP_BYTES / 6)]).await.expect("there is room");
    }
    let refused = fixture.writer.try_rename(&id, vec![long_name(CAP_BYTES / 6)]).await;
    let Err(ChangeError::Store(Error::Backlog(6))) = refused else { panic!("{refused:?}") };
    let relay = fixture.relay();
    fixture.settled().await;
    fixture.writer.try_update(&id, 1).await.expect("with the outbox in the log the write is accepted");
    assert_eq!(pending(&fixture, &id).await, 1, "six events are few, but large enough to be dropped");
    fixture.settled().await;
    relay.kill().await;
}

#[tokio::test]
async fn a_change_that_no_outbox_could_hold_is_refused_and_the_largest_other_is_published() {
    let fixture = Fixture::open().await;
    let products = Documents::<Product>::new(&fixture.db);
    let id = fixture.writer.insert().await;
    for names in [vec![long_name(CAP_BYTES)], vec![long_name(CAP_BYTES / 2); 2], vec![fresh_name(); 65]] {
        let refused = fixture.writer.try_rename(&id, names.clone()).await;
        let Err(ChangeError::Store(error @ Error::TooLarge { .. })) = refused else { panic!("{refused:?}") };
        assert_eq!(service::store_status(error).code(), Code::InvalidArgument);
        let fresh = Kind::Product.new_id();
        let refused = products.insert(&fresh, product(&fresh), names.iter().map(|name| event(name)).collect()).await;
        assert!(matches!(refused, Err(Error::TooLarge { .. })), "{refused:?}");
        assert!(products.load(&fresh).await.expect("mongod answers").is_none());
    }
    assert_eq!(pending(&fixture, &id).await, 1, "nothing was written");
    fixture.writer.try_rename(&id, vec![long_name(CAP_BYTES - 1024)]).await.expect("fits beside one small event");
    let relay = fixture.relay();
    fixture.settled().await;
    relay.kill().await;
}
