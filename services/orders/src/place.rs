//! Accepting an order: the user and the products as they are now, the total, and the first intent, in one insert.

use crate::{
    address,
    clients::Peers,
    convert,
    coupons::Coupons,
    domain::{self, Item, Order, Quote, State, Transition, UserSnapshot},
    error::Error,
    sagas::{PLACE_ORDER, PLACE_ORDER_WITH_COUPON, newest},
    store::Orders,
};
use ::store::{Versioned, now};
use contracts::{
    id::Kind,
    money::Money,
    orders::v1::OrderDraft,
    payments::v1::payment::State as PaymentState,
    products::v1::{Product, product},
    shipping::v1::shipment::State as ShipmentState,
    users::v1::user,
};
use prost::Message;
use saga::Saga;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use tonic::{Code, Status};

/// A request to place an order.
pub struct Placement {
    /// Who places it.
    pub user_id: String,
    /// What they want.
    pub draft: OrderDraft,
    /// Key that makes a repeat answer with the same order; may be empty.
    pub request_id: String,
}

/// The accepted order, and whether this call accepted it.
pub enum Placed {
    /// Now; its saga must be moved.
    Now(Versioned<Order>),
    /// By an earlier request with the same key.
    Before(Versioned<Order>),
}

/// Accepts an order for the runner called `owner`.
pub async fn place(
    orders: &Orders,
    coupons: &Coupons,
    peers: &Peers,
    owner: &str,
    placement: Placement,
) -> Result<Placed, Error> {
    let id = Kind::Order.new_id();
    let digest = digest(&placement.draft);
    let Placement { user_id, draft, request_id } = placement;
    let request_key = if request_id.is_empty() { id.clone() } else { format!("{user_id}/{request_id}") };
    if !request_id.is_empty()
        && let Some(before) = orders.by_request(&request_key).await?
    {
        return same(before, &digest);
    }
    let address = address::checked(convert::address(draft.shipping_address.clone().unwrap_or_default()));
    let address = address.map_err(Error::Address)?;
    let wanted: Vec<String> = draft.items.iter().map(|item| item.product_id.clone()).collect();
    let (user, products) = tokio::join!(peers.user(&user_id), peers.products(distinct(&wanted)));
    let user = user?;
    if user.status() != user::Status::Active {
        return Err(Error::AccountClosed);
    }
    let products = products.map_err(|status| unknown_products(status, &wanted))?;
    let items = items(&draft, &products)?;
    let subtotal = domain::total(&items)?;
    let discount = coupons.discount(&draft.coupon_code, &user_id, &subtotal).await;
    if matches!(discount, Err(Error::Coupon(_)))
        && let Some(before) = orders.by_request(&request_key).await?
    {
        return same(before, &digest); // the same request, a moment ago, may have used it up
    }
    let discount = discount?;
    let total = domain::less(subtotal, discount.as_ref())?;
    let saga = if discount.is_some() { &PLACE_ORDER_WITH_COUPON } else { &PLACE_ORDER };
    if let Some(expected) = &draft.expected_total
        && Money::from_wire(expected)? != total
    {
        return Err(Error::TotalChanged(Box::new(Quote { items, total })));
    }
    let now = now();
    let order = Order {
        user: UserSnapshot { name: user.name, email: user.email },
        items,
        discount,
        total,
        state: State::Pending,
        reason: String::new(),
        payment_state: PaymentState::Unspecified,
        shipment_state: ShipmentState::Unspecified,
        payment_id: Kind::Payment.new_id(),
        shipment_id: Kind::Shipment.new_id(),
        address,
        payment_token: Some(draft.payment_token),
        hold_expires_at: None,
        saga: Saga::start(newest(saga), owner, now),
        cancellation: None,
        refunds: Vec::new(),
        shipments: Vec::new(),
        frozen: None,
        history: vec![Transition {
            from: None,
            to: State::Pending,
            reason: String::new(),
            actor: user_id.clone(),
            at: now,
            trace_id: None,
        }],
        created_at: now,
        updated_at: now,
        request_key: request_key.clone(),
        request_digest: digest.clone(),
        user_id,
    };
    telemetry::crash_point("orders.accepting");
    let accepted = orders.insert(&id, order).await;
    telemetry::crash_point("orders.accepted");
    match accepted {
        Err(Error::Store(::store::Error::Duplicate)) => {
            let before = orders.by_request(&request_key).await?;
            same(before.ok_or(Error::Store(::store::Error::Conflict))?, &digest)
        }
        placed => Ok(Placed::Now(placed?)),
    }
}

fn same(before: Versioned<Order>, digest: &str) -> Result<Placed, Error> {
    if before.state.request_digest == digest { Ok(Placed::Before(before)) } else { Err(Error::KeyReused) }
}

/// Tells whether a request with a known key is the same request.
pub fn digest(request: &impl Message) -> String {
    Sha256::digest(request.encode_to_vec()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn distinct(ids: &[String]) -> Vec<String> {
    ids.iter().cloned().collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

/// Prices come from the catalogue, never from the caller.
fn items(draft: &OrderDraft, products: &[Product]) -> Result<Vec<Item>, Error> {
    let by_id: BTreeMap<&str, &Product> =
        products.iter().map(|product| (product.product_id.as_str(), product)).collect();
    let lines = || draft.items.iter().enumerate().map(|(index, item)| (index, item.product_id.clone()));
    let unknown: Vec<_> = lines().filter(|(_, id)| !by_id.contains_key(id.as_str())).collect();
    if !unknown.is_empty() {
        return Err(Error::UnknownProducts(unknown));
    }
    let is_sold = |id: &str| by_id.get(id).is_some_and(|product| product.status() == product::Status::Active);
    let archived: Vec<_> = lines().filter(|(_, id)| !is_sold(id)).collect();
    if !archived.is_empty() {
        return Err(Error::ArchivedProducts(archived));
    }
    let item = |line: &contracts::orders::v1::OrderDraftItem| {
        let product = by_id[line.product_id.as_str()];
        let price = Money::from_wire(&product.price.clone().unwrap_or_default())?;
        let amount = price.times(u32::try_from(line.quantity).unwrap_or(0))?;
        Ok(Item {
            product_id: line.product_id.clone(),
            quantity: line.quantity,
            name: product.name.clone(),
            sku: product.sku.clone(),
            price,
            amount,
        })
    };
    draft.items.iter().map(item).collect()
}

/// The catalogue names the absent products; the caller wants to know which lines they are.
fn unknown_products(status: Status, wanted: &[String]) -> Error {
    if status.code() != Code::NotFound {
        return status.into();
    }
    let is_named = |id: &&String| status.message().contains(id.as_str());
    let lines = wanted.iter().enumerate().filter(|(_, id)| is_named(id));
    Error::UnknownProducts(lines.map(|(index, id)| (index, id.clone())).collect())
}
