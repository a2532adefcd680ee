//! The RPCs: parse, authorise, call, reply.

use crate::{
    clients::Peers,
    commands::{
        Commands,
        place::{Placed, Placement, place},
    },
    convert,
    domain::{Cancellation, Order, RefundRequest},
    error::Error,
    pricing::{pricer::Pricer, quote::Basket},
    sagas,
    watch::{self, Watched},
};
use ::rpc::{Principal, Role, principal, server::MESSAGE_BYTES, status, validated};
use ::store::{ChangeNotifier, Pager, RequestKey, Versioned, limit, request_key};
use contracts::country;
use contracts::erasure::v1::{EraseUserDataRequest, ErasureReceipt};
use contracts::id::Kind;
use contracts::orders::v1::{
    self as wire, CancelOrderRequest, CreateOrderOfBasketRequest, CreateOrderRequest, GetOrderDetailsRequest,
    GetOrderOfBasketRequest, GetOrderRequest, GetOrderSagaRequest, ListOrdersRequest, ListOrdersResponse, OrderDetails,
    OrderQuote, QuoteOrderOfBasketRequest, QuoteOrderRequest, RefundOrderRequest, WatchOrderRequest,
    order_service_server::OrderService,
};
use contracts::products::v1::product;
use prost::Message;
use std::time::Duration;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

pub struct Handler {
    pub commands: Commands,
    pub pricer: Pricer,
    pub changes: ChangeNotifier,
    pub pager: Pager,
    pub shutdown: CancellationToken,
}

impl Handler {
    /// An order that the caller may see; to others it does not exist.
    async fn visible(&self, id: &str, caller: &Principal) -> Result<Versioned<Order>, Status> {
        let order = self.commands.orders.get(id).await?;
        if caller.may_act_for(&order.state.user_id) { Ok(order) } else { Err(Error::NotFound(id.to_owned()).into()) }
    }

    /// Places an order, and answers with it at once, or after `wait` when its outcome is not known before.
    async fn placed(&self, placement: Placement, wait: Duration) -> Result<Response<wire::Order>, Status> {
        let Commands { orders, runner } = &self.commands;
        let (order, moving) = match place(orders, &self.pricer, runner.owner(), placement).await? {
            Placed::Now(order) => (order.clone(), Some(runner.spawn(order))),
            Placed::Before(order) => (order, None),
        };
        let decided = watch::until_decided(orders, &self.changes, Watched { order, moving }, wait).await?;
        Ok(Response::new(convert::to_wire(&decided)))
    }

    async fn quoted(&self, user_id: &str, request: &QuoteOrderRequest) -> Result<Response<OrderQuote>, Status> {
        let QuoteOrderRequest { items, country_code, coupon_code, currency_code } = request;
        if let Some(why) = country::fault(country_code) {
            return Err(status::violation("country_code", why));
        }
        let quote = self.pricer.quote(Basket { user_id, items, country_code, coupon_code, currency_code }).await;
        let quote = quote.map_err(|error: Error| {
            // Prices are refused as those of an order; this request has no field of that name.
            ::rpc::status::renamed(error.into(), |field| field.strip_prefix("order.").unwrap_or(field).to_owned())
        });
        Ok(Response::new(quote?.to_wire()))
    }
}

#[tonic::async_trait]
impl OrderService for Handler {
    type WatchOrderStream = ReceiverStream<Result<wire::Order, Status>>;

    async fn create_order(&self, request: Request<CreateOrderRequest>) -> Result<Response<wire::Order>, Status> {
        let caller = principal(&request);
        let request = validated(request)?;
        let user_id = caller.user_id().unwrap_or_default().to_owned();
        let draft = request.order.unwrap_or_default();
        let key = RequestKey::new(caller.actor(), &request.request_id, &draft);
        let placement = Placement { order_id: Kind::Order.new_id(), user_id, draft, request: key };
        let wait = request.wait.and_then(|wait| Duration::try_from(wait).ok()).unwrap_or_default();
        self.placed(placement, wait).await
    }

    async fn create_order_of_basket(
        &self,
        request: Request<CreateOrderOfBasketRequest>,
    ) -> Result<Response<wire::Order>, Status> {
        let caller = principal(&request);
        let CreateOrderOfBasketRequest { basket_id, user_id, order, wait } = validated(request)?;
        // The draft is no part of the key: a basket has one order, whatever a repeat says.
        let basket = GetOrderOfBasketRequest { basket_id, user_id };
        let key = RequestKey::new(caller.actor(), &basket.basket_id, &basket);
        let (user_id, draft) = (basket.user_id, order.unwrap_or_default());
        let wait = wait.and_then(|wait| Duration::try_from(wait).ok()).unwrap_or_default();
        self.placed(Placement { order_id: Kind::Order.new_id(), user_id, draft, request: key }, wait).await
    }

    async fn get_order_of_basket(
        &self,
        request: Request<GetOrderOfBasketRequest>,
    ) -> Result<Response<wire::Order>, Status> {
        let caller = principal(&request);
        let GetOrderOfBasketRequest { basket_id, user_id } = validated(request)?;
        let found = self.commands.orders.by_request(&RequestKey::name_of(caller.actor(), &basket_id)).await?;
        let found = found.filter(|order| order.state.user_id == user_id);
        let order = found.ok_or_else(|| Error::NotFound(format!("of {basket_id}")))?;
        Ok(Response::new(convert::to_wire(&order)))
    }

    async fn quote_order_of_basket(
        &self,
        request: Request<QuoteOrderOfBasketRequest>,
    ) -> Result<Response<OrderQuote>, Status> {
        let QuoteOrderOfBasketRequest { user_id, quote } = validated(request)?;
        self.quoted(&user_id, &quote.unwrap_or_default()).await
    }

    async fn quote_order(&self, request: Request<QuoteOrderRequest>) -> Result<Response<OrderQuote>, Status> {
        let caller = principal(&request);
        let request = validated(request)?;
        self.quoted(caller.user_id().unwrap_or_default(), &request).await
    }

    async fn get_order(&self, request: Request<GetOrderRequest>) -> Result<Response<wire::Order>, Status> {
        let caller = principal(&request);
        let order = self.visible(&validated(request)?.order_id, &caller).await?;
        Ok(Response::new(convert::to_wire(&order)))
    }

    async fn list_orders(&self, request: Request<ListOrdersRequest>) -> Result<Response<ListOrdersResponse>, Status> {
        let caller = principal(&request);
        let request = validated(request)?;
        let asked = Some(request.user_id.as_str()).filter(|user_id| !user_id.is_empty());
        if asked.is_some_and(|user_id| !caller.may_act_for(user_id)) {
            return Ok(Response::new(ListOrdersResponse::default())); // of somebody else there is nothing to see
        }
        let user_id = if caller.acts_for_all() { asked } else { caller.user_id() };
        let scope = user_id.unwrap_or("staff");
        let limit = limit(request.page_size);
        let after = self.pager.after(scope, &request.page_token).map_err(status::page_token)?;
        let found = self.commands.orders.list(user_id, after, limit).await?;
        let (orders, next_page_token) =
            self.pager.page(scope, found, |order| (order.id.clone(), convert::to_wire(&order)));
        Ok(Response::new(ListOrdersResponse { orders, next_page_token }))
    }

    async fn cancel_order(&self, request: Request<CancelOrderRequest>) -> Result<Response<wire::Order>, Status> {
        let caller = principal(&request);
        let request = validated(request)?;
        let order = self.visible(&request.order_id, &caller).await?;
        let key = RequestKey::new(caller.actor(), &request.request_id, &request);
        let reason = if request.reason.is_empty() { "CANCELLED".to_owned() } else { request.reason };
        let cancellation = Cancellation { reason, actor: caller.actor().to_owned() };
        let cancelled = self.commands.cancel(order, key.as_ref(), cancellation).await?;
        Ok(Response::new(convert::to_wire(&cancelled)))
    }

    async fn refund_order(&self, request: Request<RefundOrderRequest>) -> Result<Response<wire::Order>, Status> {
        let actor = principal(&request).actor().to_owned();
        let request = validated(request)?;
        let digest = request_key::digest(&request);
        let RefundOrderRequest { order_id, items, amount, reason, request_id } = request;
        let extent = convert::extent(items, amount)?;
        let refund = RefundRequest { id: Kind::Refund.new_id(), request_id, digest, extent, reason, actor };
        let refunded = self.commands.refund(&order_id, refund).await?;
        Ok(Response::new(convert::to_wire(&refunded)))
    }

    async fn watch_order(
        &self,
        request: Request<WatchOrderRequest>,
    ) -> Result<Response<Self::WatchOrderStream>, Status> {
        let caller = principal(&request);
        let order = self.visible(&validated(request)?.order_id, &caller).await?;
        let changes = watch::follow(self.commands.orders.clone(), &self.changes, order, self.shutdown.clone());
        Ok(Response::new(ReceiverStream::new(changes)))
    }

    async fn get_order_saga(&self, request: Request<GetOrderSagaRequest>) -> Result<Response<wire::Saga>, Status> {
        let caller = principal(&request);
        let order = self.visible(&validated(request)?.order_id, &caller).await?;
        let mut saga = sagas::convert::saga(&order);
        if caller.role() < Role::Staff {
            saga.interventions.clear(); // who did what and why is between members of staff
        }
        Ok(Response::new(saga))
    }

    async fn get_order_details(
        &self,
        request: Request<GetOrderDetailsRequest>,
    ) -> Result<Response<OrderDetails>, Status> {
        let caller = principal(&request);
        let order = self.visible(&validated(request)?.order_id, &caller).await?;
        Ok(Response::new(details(&self.pricer.peers, &order).await))
    }

    async fn erase_user_data(
        &self,
        request: Request<EraseUserDataRequest>,
    ) -> Result<Response<ErasureReceipt>, Status> {
        let erased = self.commands.orders.erase(&validated(request)?.user_id).await?;
        Ok(Response::new(erased.receipt("orders")))
    }
}

/// Asks all peers at the same time; what does not answer is named, not guessed.
async fn details(peers: &Peers, order: &Versioned<Order>) -> OrderDetails {
    let mut product_ids: Vec<String> = Vec::new();
    for item in &order.state.items {
        if !product_ids.contains(&item.product_id) {
            product_ids.push(item.product_id.clone());
        }
    }
    let (payment_id, shipment_id) = (convert::payment_id(&order.state), convert::shipment_id(&order.state));
    let payment = async { if payment_id.is_empty() { Ok(None) } else { peers.payment(&payment_id).await.map(Some) } };
    let shipment =
        async { if shipment_id.is_empty() { Ok(None) } else { peers.shipment(&shipment_id).await.map(Some) } };
    let (user, products, payment, shipment) =
        tokio::join!(peers.user(&order.state.user_id), peers.products(product_ids), payment, shipment);
    let missing = [
        ("user", user.is_err()),
        ("products", products.is_err()),
        ("payment", payment.is_err()),
        ("shipment", shipment.is_err()),
    ];
    let mut details = OrderDetails {
        order: Some(convert::to_wire(order)),
        user: user.ok(),
        products: products.unwrap_or_default(),
        payment: payment.ok().flatten(),
        shipment: shipment.ok().flatten(),
        unavailable: missing.iter().filter(|(_, is_missing)| *is_missing).map(|(name, _)| (*name).to_owned()).collect(),
    };
    // What has become a draft again is seen by staff only; the order has the name that it was sold by.
    details.products.retain(|product| product.status() != product::Status::Draft);
    // A reply above the limit would fail as a whole; products are the part that clients can read elsewhere.
    if details.encoded_len() > MESSAGE_BYTES {
        details.products.clear();
        details.unavailable.push("products".to_owned());
    }
    details
}
