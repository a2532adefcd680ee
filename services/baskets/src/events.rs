//! The events that tell of a basket: ids and quantities.

use crate::{
    convert,
    domain::{Basket, State},
};
use ::store::NewEvent;
use contracts::baskets::v1::{BasketCheckedOut, BasketCreated, BasketDeleted, BasketMerged, BasketUpdated};

pub fn created(id: &str, basket: &Basket) -> NewEvent {
    let (basket_id, user_id, items) = (id.to_owned(), user(basket), convert::items_to_wire(&basket.items));
    NewEvent::of("created", &BasketCreated { basket_id, user_id, items })
}

/// The events of a change, if anything changed that others see.
pub fn between(id: &str, old: &Basket, new: &Basket) -> Vec<NewEvent> {
    let (basket_id, user_id) = (id.to_owned(), user(new));
    let seen = |basket: &Basket| {
        let Basket { user_id, items, country_code, coupon_code, currency_code, .. } = basket.clone();
        (user_id, items, country_code, coupon_code, currency_code)
    };
    let event = match new.state {
        State::Deleted => NewEvent::of("deleted", &BasketDeleted { basket_id, user_id }),
        State::CheckedOut => {
            let (order_id, items) = (new.order_id.clone().unwrap_or_default(), convert::items_to_wire(&new.items));
            NewEvent::of("checked_out", &BasketCheckedOut { basket_id, user_id, order_id, items })
        }
        State::Open if seen(old) != seen(new) => {
            let items = convert::items_to_wire(&new.items);
            NewEvent::of("updated", &BasketUpdated { basket_id, user_id, items })
        }
        State::Open | State::CheckingOut | State::Merged => return Vec::new(),
    };
    vec![event]
}

pub fn merged(id: &str, into: &str, user_id: &str) -> NewEvent {
    let (basket_id, merged_into, user_id) = (id.to_owned(), into.to_owned(), user_id.to_owned());
    NewEvent::of("merged", &BasketMerged { basket_id, merged_into, user_id })
}

fn user(basket: &Basket) -> String {
    basket.user_id.clone().unwrap_or_default()
}
