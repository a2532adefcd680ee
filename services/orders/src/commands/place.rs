//! Accepting an order: the user and the products as they are now, the total, and the first intent, in one insert.

use crate::{
    domain::{Order, State, Transition, UserSnapshot},
    error::Error,
    pricing::{
        pricer::{Priced, Pricer},
        quote::Basket,
    },
    sagas::definitions::{Definition, PLACE_FREE_ORDER, PLACE_ORDER, PLACE_ORDER_WITH_COUPON},
    store::Orders,
};
use ::store::{RequestKey, Versioned, now, request_key};
use contracts::{
    address::Address,
    id::Kind,
    money::Money,
    orders::v1::OrderDraft,
    payments::v1::payment::State as PaymentState,
    products::v1::Product,
    shipping::v1::shipment::State as ShipmentState,
    users::v1::{User, user},
};
use saga::Saga;
use tonic::Status;

pub struct Placement {
    pub order_id: String,
    pub user_id: String,
    pub draft: OrderDraft,
    /// Key that makes a repeat answer with the same order.
    pub request: Option<RequestKey>,
}

/// The accepted order, and whether this call accepted it.
pub enum Placed {
    /// Now; its saga must be moved.
    Now(Versioned<Order>),
    /// By an earlier request with the same key.
    Before(Versioned<Order>),
}

/// Accepts an order for the runner called `owner`, or answers the repeat of a request with the order that it placed.
pub async fn place(orders: &Orders, pricer: &Pricer, owner: &str, placement: Placement) -> Result<Placed, Error> {
    // The customer waits for the slowest of three questions, and a repeat for its own alone.
    let repeat = async {
        match answer_repeat(orders, &placement).await {
            Ok(None) => Ok(()),
            Ok(Some(before)) => Err(Ok(Placed::Before(before))),
            Err(error) => Err(Err(error)),
        }
    };
    let peers =
        async { Ok(tokio::join!(pricer.peers.user(&placement.user_id), pricer.products(&placement.draft.items))) };
    let told = match tokio::try_join!(repeat, peers) {
        Ok(((), told)) => told,
        Err(answer) => return answer,
    };
    telemetry::crash_point("orders.pricing");
    match accept(orders, pricer, owner, &placement, told).await {
        // The same request, a moment ago, may have used the coupon up, or the key.
        Err(error @ (Error::Coupon(_) | Error::Store(::store::Error::Duplicate))) => {
            answer_repeat(orders, &placement).await?.map(Placed::Before).ok_or(error)
        }
        accepted => Ok(Placed::Now(accepted?)),
    }
}

/// The order that the same request has placed before. Refused when its key was used for another request.
async fn answer_repeat(orders: &Orders, placement: &Placement) -> Result<Option<Versioned<Order>>, Error> {
    let Some(request) = &placement.request else { return Ok(None) };
    let Some(before) = orders.by_request(request.name()).await? else { return Ok(None) };
    if request.repeats(&before.state.request_digest) { Ok(Some(before)) } else { Err(Error::KeyReused) }
}

/// Stores the order of a user for products, as the peers have `told` of them, at the prices of now or of its quote.
async fn accept(
    orders: &Orders,
    pricer: &Pricer,
    owner: &str,
    placement: &Placement,
    told: (Result<User, Status>, Result<Vec<Product>, Error>),
) -> Result<Versioned<Order>, Error> {
    let Placement { order_id, user_id, draft, .. } = placement;
    let address = Address::from(draft.shipping_address.clone().unwrap_or_default());
    let address = address.checked("order.shipping_address").map_err(Error::Address)?;
    let (user, products) = (told.0?, told.1);
    if user.status() != user::Status::Active {
        return Err(Error::AccountClosed);
    }
    let user = UserSnapshot { name: user.name, email: user.email };
    let OrderDraft { items, coupon_code, currency_code, .. } = draft;
    let basket = Basket { user_id, items, country_code: &address.country_code, coupon_code, currency_code };
    let quote_id = Some(draft.quote_id.as_str()).filter(|id| !id.is_empty());
    let priced = pricer.price(basket, &products?, quote_id).await?;
    if let Some(expected) = &draft.expected_total
        && Money::from_wire(expected)? != priced.amounts.total
    {
        let (total, quote) = (priced.amounts.total.clone(), pricer.signed(basket, priced)?);
        return Err(Error::TotalChanged { total, quote: Box::new(quote.to_wire()) });
    }
    let definition = orders.sagas.newest(definition(draft, &priced)?);
    let saga = Saga::start(definition, owner, now());
    let order = new_order(placement, user, address, priced, saga);
    telemetry::crash_point("orders.accepting");
    // The insert is the acceptance. A crash before it has done nothing; after it the first intent is stored, and any
    // replica goes on.
    let accepted = orders.insert(order_id, order).await;
    telemetry::crash_point("orders.accepted");
    accepted
}

/// The saga that places the order. Refused when there is something to pay, and nothing to pay it with.
fn definition(draft: &OrderDraft, priced: &Priced) -> Result<&'static Definition, Error> {
    let total = &priced.amounts.total;
    match (total.is_positive(), draft.payment_token.is_empty()) {
        (false, _) => Ok(&PLACE_FREE_ORDER),
        (true, true) => Err(Error::NoPaymentToken(total.clone())),
        (true, false) if priced.discount.is_some() => Ok(&PLACE_ORDER_WITH_COUPON),
        (true, false) => Ok(&PLACE_ORDER),
    }
}

/// The order as it is first stored, with the first intent of its saga.
fn new_order(placement: &Placement, user: UserSnapshot, address: Address, priced: Priced, saga: Saga) -> Order {
    let Placement { order_id, user_id, draft, request } = placement;
    let Priced { items, discount, amounts, step, .. } = priced;
    let now = saga.started_at;
    Order {
        user,
        items,
        discount,
        total: amounts.total.clone(),
        step: Some(step).filter(|step| *step > 1),
        payment_token: Some(draft.payment_token.clone()).filter(|_| amounts.total.is_positive()),
        amounts: Some(amounts),
        state: State::Pending,
        reason: String::new(),
        payment_state: PaymentState::Unspecified,
        shipment_state: ShipmentState::Unspecified,
        payment_id: Kind::Payment.new_id(),
        shipment_id: Kind::Shipment.new_id(),
        address,
        hold_expires_at: None,
        saga,
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
        request_key: request.as_ref().map_or(order_id.as_str(), RequestKey::name).to_owned(),
        request_digest: request.as_ref().map_or_else(|| request_key::digest(draft), |key| key.digest().to_owned()),
        user_id: user_id.clone(),
    }
}
