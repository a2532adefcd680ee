//! Accepting an order: the user and the products as they are now, the total, and the first intent, in one insert.

use crate::{
    address, convert,
    domain::{Order, State, Transition, UserSnapshot},
    error::Error,
    prices::{Priced, Prices},
    quotes::Basket,
    sagas::definitions::{Definition, PLACE_FREE_ORDER, PLACE_ORDER, PLACE_ORDER_WITH_COUPON},
    store::Orders,
};
use ::store::{RequestKey, Versioned, now, request_key};
use contracts::{
    id::Kind, money::Money, orders::v1::OrderDraft, payments::v1::payment::State as PaymentState,
    shipping::v1::shipment::State as ShipmentState, users::v1::user,
};
use saga::Saga;

/// A request to place an order.
pub struct Placement {
    /// Who places it.
    pub user_id: String,
    /// What they want.
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

/// Accepts an order for the runner called `owner`.
pub async fn place(orders: &Orders, prices: &Prices, owner: &str, placement: Placement) -> Result<Placed, Error> {
    let id = Kind::Order.new_id();
    let Placement { user_id, draft, request } = placement;
    if let Some(before) = placed_before(orders, request.as_ref()).await? {
        return Ok(Placed::Before(before));
    }
    let request_digest = request_key::digest(&draft);
    let request_key = request.as_ref().map_or(id.as_str(), RequestKey::name).to_owned();
    let address = address::checked(convert::address(draft.shipping_address.clone().unwrap_or_default()));
    let address = address.map_err(Error::Address)?;
    let (user, products) = tokio::join!(prices.peers.user(&user_id), prices.products(&draft.items));
    let user = user?;
    if user.status() != user::Status::Active {
        return Err(Error::AccountClosed);
    }
    let basket = Basket {
        user_id: &user_id,
        items: &draft.items,
        country_code: &address.country_code,
        coupon_code: &draft.coupon_code,
    };
    let priced = prices.price(basket, &products?, &draft.quote_id).await;
    if matches!(priced, Err(Error::Coupon(_)))
        && let Some(before) = placed_before(orders, request.as_ref()).await?
    {
        return Ok(Placed::Before(before)); // the same request, a moment ago, may have used it up
    }
    let priced = priced?;
    if let Some(expected) = &draft.expected_total
        && Money::from_wire(expected)? != priced.amounts.total
    {
        return Err(Error::TotalChanged(Box::new(prices.sealed(basket, priced)?)));
    }
    let Priced { items, discount, amounts, step, .. } = priced;
    let (payment_token, saga) = means(draft.payment_token, &amounts.total, discount.is_some())?;
    let now = now();
    let order = Order {
        user: UserSnapshot { name: user.name, email: user.email },
        items,
        discount,
        total: amounts.total.clone(),
        step: Some(step).filter(|step| *step > 1),
        amounts: Some(amounts),
        state: State::Pending,
        reason: String::new(),
        payment_state: PaymentState::Unspecified,
        shipment_state: ShipmentState::Unspecified,
        payment_id: Kind::Payment.new_id(),
        shipment_id: Kind::Shipment.new_id(),
        address,
        payment_token,
        hold_expires_at: None,
        saga: Saga::start(orders.sagas.newest(saga), owner, now),
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
        request_key,
        request_digest,
        user_id,
    };
    telemetry::crash_point("orders.accepting");
    let accepted = orders.insert(&id, order).await;
    telemetry::crash_point("orders.accepted");
    match accepted {
        Err(Error::Store(::store::Error::Duplicate)) => {
            let before = placed_before(orders, request.as_ref()).await?;
            before.map(Placed::Before).ok_or(Error::Store(::store::Error::Conflict))
        }
        placed => Ok(Placed::Now(placed?)),
    }
}

/// What the total is paid with, if anything is to be paid, and the saga that places the order.
fn means(token: String, total: &Money, has_coupon: bool) -> Result<(Option<String>, &'static Definition), Error> {
    match (total.is_positive(), token.is_empty()) {
        (false, _) => Ok((None, &PLACE_FREE_ORDER)),
        (true, true) => Err(Error::NoPaymentToken(total.clone())),
        (true, false) if has_coupon => Ok((Some(token), &PLACE_ORDER_WITH_COUPON)),
        (true, false) => Ok((Some(token), &PLACE_ORDER)),
    }
}

/// The order of the same request. Refused when its key was used for another one.
async fn placed_before(orders: &Orders, request: Option<&RequestKey>) -> Result<Option<Versioned<Order>>, Error> {
    let Some(request) = request else { return Ok(None) };
    let Some(before) = orders.by_request(request.name()).await? else { return Ok(None) };
    if request.repeats(&before.state.request_digest) { Ok(Some(before)) } else { Err(Error::KeyReused) }
}
