//! All that is known of a user, read from the services while the caller takes it: one page at a time is in memory.

use crate::clients::Peers;
use contracts::{
    baskets::v1::Basket, email::v1::Email, orders::v1::Order, payments::v1::Payment, privacy::v1::ExportedRecord,
    shipping::v1::Shipment, users::v1::User,
};
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use tonic::Status;

/// The page to read next.
enum Page {
    Orders(String),
    Baskets(String),
    Emails(String),
}

/// The records of a user, the account first.
pub fn records(peers: Peers, user: User) -> BoxStream<'static, Result<ExportedRecord, Status>> {
    let user_id = user.user_id.clone();
    let pages = stream::try_unfold(Some(Page::Orders(String::new())), move |page| {
        let (peers, user_id) = (peers.clone(), user_id.clone());
        async move {
            let Some(page) = page else { return Ok::<_, Status>(None) };
            let (records, next) = read(&peers, &user_id, page).await?;
            Ok(Some((stream::iter(records.into_iter().map(Ok)), next)))
        }
    });
    let account = ExportedRecord { user: Some(user), ..Default::default() };
    stream::iter([Ok(account)]).chain(pages.try_flatten()).boxed()
}

fn order(order: Order) -> ExportedRecord {
    ExportedRecord { order: Some(order), ..Default::default() }
}

fn shipment(shipment: Shipment) -> ExportedRecord {
    ExportedRecord { shipment: Some(shipment), ..Default::default() }
}

fn payment(payment: Payment) -> ExportedRecord {
    ExportedRecord { payment: Some(payment), ..Default::default() }
}

fn basket(basket: Basket) -> ExportedRecord {
    ExportedRecord { basket: Some(basket), ..Default::default() }
}

fn email(email: Email) -> ExportedRecord {
    ExportedRecord { email: Some(email), ..Default::default() }
}

/// The records of a page, and the page after it; none after the last one of all.
async fn read(peers: &Peers, user_id: &str, page: Page) -> Result<(Vec<ExportedRecord>, Option<Page>), Status> {
    match page {
        Page::Orders(token) => {
            let (orders, token) = peers.orders(user_id, token).await?;
            let mut records = Vec::new();
            for order in orders {
                records.extend(with_parts(peers, order).await?);
            }
            Ok((records, Some(next(token, Page::Orders, Page::Baskets))))
        }
        Page::Baskets(token) => {
            let (baskets, token) = peers.baskets(user_id, token).await?;
            let records = baskets.into_iter().map(basket).collect();
            Ok((records, Some(next(token, Page::Baskets, Page::Emails))))
        }
        Page::Emails(token) => {
            let (emails, token) = peers.emails(user_id, token).await?;
            let records = emails.into_iter().map(email).collect();
            Ok((records, Some(token).filter(|token| !token.is_empty()).map(Page::Emails)))
        }
    }
}

/// The page that a token leads to: one of the same list, or the first one of the list after it.
fn next(token: String, same: fn(String) -> Page, after: fn(String) -> Page) -> Page {
    if token.is_empty() { after(token) } else { same(token) }
}

/// An order, its shipments and its payment.
async fn with_parts(peers: &Peers, placed: Order) -> Result<Vec<ExportedRecord>, Status> {
    let mut parts = Vec::new();
    let mut shipments: Vec<&str> = placed.shipments.iter().map(|known| known.shipment_id.as_str()).collect();
    // An order that is older than splits names its only shipment alone.
    if shipments.is_empty() && !placed.shipment_id.is_empty() {
        shipments.push(&placed.shipment_id);
    }
    for id in shipments {
        parts.extend(peers.shipment(id).await?.map(shipment));
    }
    if !placed.payment_id.is_empty() {
        parts.extend(peers.payment(&placed.payment_id).await?.map(payment));
    }
    parts.insert(0, order(placed));
    Ok(parts)
}
