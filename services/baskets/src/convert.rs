//! Between the contract and the domain.

use crate::{
    domain::{Basket, Draft, Item, State},
    error::Error,
};
use ::rpc::update::{self, FieldMask};
use ::store::{Versioned, fields::time};
use contracts::{
    baskets::v1::{self as wire, BasketItem, basket},
    country,
    orders::v1::{Order, OrderDraftItem},
};

/// A stored basket on the wire, never with its token.
pub fn to_wire(found: &Versioned<Basket>) -> wire::Basket {
    let basket = &found.state;
    wire::Basket {
        basket_id: found.id.clone(),
        user_id: basket.user_id.clone().unwrap_or_default(),
        state: state_to_wire(basket.state).into(),
        items: items_to_wire(&basket.items),
        country_code: basket.country_code.clone(),
        coupon_code: basket.coupon_code.clone(),
        currency_code: basket.currency_code.clone(),
        order_id: basket.order_id.clone().unwrap_or_default(),
        merged_into: basket.merged_into.clone().unwrap_or_default(),
        basket_token: String::new(),
        create_time: Some(time::to_wire(basket.created_at)),
        update_time: Some(time::to_wire(basket.updated_at)),
        expire_time: basket.expires_at.map(time::to_wire),
        etag: found.etag(),
    }
}

/// What of a basket a caller can say.
pub fn draft(basket: wire::Basket) -> Result<Draft, Error> {
    let wire::Basket { items, country_code, coupon_code, currency_code, .. } = basket;
    if let Some(why) = country::fault(&country_code).filter(|_| !country_code.is_empty()) {
        return Err(Error::Country(why.to_owned()));
    }
    Ok(Draft { items: items.into_iter().map(item).collect(), country_code, coupon_code, currency_code })
}

/// What `wanted` makes of the basket `found`, under `mask`.
pub fn merge(found: &Versioned<Basket>, wanted: &wire::Basket, mask: Option<&FieldMask>) -> Result<Draft, Error> {
    draft(update::apply(&to_wire(found), wanted, mask, "basket").map_err(Error::Update)?)
}

pub fn item(item: BasketItem) -> Item {
    Item { product_id: item.product_id, quantity: item.quantity }
}

pub fn items_to_wire(items: &[Item]) -> Vec<BasketItem> {
    items.iter().map(|item| BasketItem { product_id: item.product_id.clone(), quantity: item.quantity }).collect()
}

pub fn order_item(item: &Item) -> OrderDraftItem {
    OrderDraftItem { product_id: item.product_id.clone(), quantity: item.quantity }
}

/// The lines of an order as items.
pub fn ordered(order: &Order) -> Vec<Item> {
    order.items.iter().map(|line| Item { product_id: line.product_id.clone(), quantity: line.quantity }).collect()
}

fn state_to_wire(state: State) -> basket::State {
    match state {
        State::Open => basket::State::Open,
        State::CheckingOut => basket::State::CheckingOut,
        State::CheckedOut => basket::State::CheckedOut,
        State::Merged => basket::State::Merged,
        State::Deleted => basket::State::Unspecified,
    }
}
