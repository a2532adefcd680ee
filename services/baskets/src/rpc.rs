//! The RPCs: parse, authorise, call, reply.

use crate::{
    commands::{CheckoutRequest, Commands},
    convert,
    domain::{Basket, Owner},
    error::Error,
    quote,
};
use ::rpc::{Principal, principal, refused_credential, status, validated};
use ::store::{Pager, RequestKey, Versioned, limit, now, secret};
use contracts::{
    baskets::v1::{
        self as wire, AddBasketItemRequest, BasketQuote, CheckoutBasketRequest, CreateBasketRequest,
        DeleteBasketRequest, GetBasketRequest, ListBasketsRequest, ListBasketsResponse, MergeBasketRequest,
        QuoteBasketRequest, UpdateBasketRequest, basket_service_server::BasketService,
    },
    erasure::v1::{EraseUserDataRequest, ErasureReceipt},
    id::Kind,
    orders::v1::Order,
};
use std::time::Duration;
use tonic::{Request, Response, Status};

pub struct Handler {
    pub commands: Commands,
    pub pager: Pager,
}

/// Whether the basket is the caller's: of the user, or of the guest who has its token. Support may read those of all.
fn is_own(basket: &Basket, caller: &Principal, basket_token: &str) -> bool {
    match (&basket.user_id, &basket.token_digest) {
        (Some(user_id), _) => caller.may_act_for(user_id),
        (None, Some(digest)) => caller.acts_for_all() || secret::fits(basket_token, digest),
        (None, None) => false,
    }
}

/// Who calls, and why their bearer token was refused, if it was.
struct Caller {
    principal: Principal,
    refused: Option<Status>,
}

impl Caller {
    fn of<T>(request: &Request<T>) -> Self {
        // No contract of a basket admits a service: one that calls a public RPC is a guest.
        let principal = match principal(request) {
            Principal::Service(_) => Principal::Anonymous,
            caller => caller,
        };
        Self { principal, refused: refused_credential(request) }
    }

    fn user_id(&self) -> Option<&str> {
        self.principal.user_id()
    }

    /// Whose keys the caller uses: a guest's are those of the basket.
    fn actor<'a>(&'a self, basket: &'a Versioned<Basket>) -> &'a str {
        self.user_id().unwrap_or(&basket.id)
    }

    /// A basket that is not there for the caller. A user whose token has ended is told to sign in again.
    fn finds_none(&self, id: &str) -> Error {
        self.refused.clone().map_or_else(|| Error::NotFound(id.to_owned()), Error::from)
    }
}

impl Handler {
    /// A basket that the caller may see, also one that is deleted or has expired; to others it does not exist.
    async fn own(&self, id: &str, caller: &Caller, basket_token: &str) -> Result<Versioned<Basket>, Error> {
        match self.commands.baskets.find(id).await {
            Ok(found) if is_own(&found.state, &caller.principal, basket_token) => Ok(found),
            Ok(_) | Err(Error::NotFound(_)) => Err(caller.finds_none(id)),
            Err(error) => Err(error),
        }
    }

    /// A basket that is there for the caller, after a look at a checkout that was cut off.
    async fn visible(&self, id: &str, caller: &Caller, basket_token: &str) -> Result<Versioned<Basket>, Error> {
        let found = self.own(id, caller, basket_token).await?;
        if !found.state.is_there(now()) {
            return Err(caller.finds_none(id));
        }
        Ok(self.commands.settle(found).await)
    }

    /// Changes a basket, unless somebody has since the caller has read it.
    async fn change(
        &self,
        found: Versioned<Basket>,
        etag: &str,
        request: Option<&RequestKey>,
        decide: impl Fn(&Versioned<Basket>) -> Result<Basket, Error>,
    ) -> Result<Response<wire::Basket>, Status> {
        let changed = self.commands.baskets.change(found, request, |old| {
            old.state.open()?;
            if !old.is_current(etag) {
                return Err(Error::StaleEtag);
            }
            Ok(Some(decide(old)?))
        });
        Ok(Response::new(convert::to_wire(&changed.await?)))
    }
}

#[tonic::async_trait]
impl BasketService for Handler {
    async fn create_basket(&self, request: Request<CreateBasketRequest>) -> Result<Response<wire::Basket>, Status> {
        let caller = Caller::of(&request);
        let request = validated(request)?;
        // A user whose token has ended is no guest.
        if let Some(refused) = caller.refused {
            return Err(refused);
        }
        let key = caller.user_id().and_then(|user_id| RequestKey::new(user_id, &request.request_id, &request));
        let draft = convert::draft(request.basket.unwrap_or_default())?;
        let (owner, basket_token) = match caller.user_id() {
            Some(user_id) => (Owner::User(user_id.to_owned()), String::new()),
            None => {
                let basket_token = secret::random();
                (Owner::Guest(secret::digest(&basket_token)), basket_token)
            }
        };
        let id = Kind::Basket.new_id();
        let request_key = key.as_ref().map_or(id.as_str(), RequestKey::name).to_owned();
        let basket = Basket::create(draft, owner, request_key, self.commands.clock()).map_err(Error::from)?;
        let created = self.commands.baskets.create(&id, basket, key.as_ref()).await?;
        Ok(Response::new(wire::Basket { basket_token, ..convert::to_wire(&created) }))
    }

    async fn get_basket(&self, request: Request<GetBasketRequest>) -> Result<Response<wire::Basket>, Status> {
        let caller = Caller::of(&request);
        let GetBasketRequest { basket_id, basket_token } = validated(request)?;
        let found = self.visible(&basket_id, &caller, &basket_token).await?;
        Ok(Response::new(convert::to_wire(&found)))
    }

    async fn list_baskets(
        &self,
        request: Request<ListBasketsRequest>,
    ) -> Result<Response<ListBasketsResponse>, Status> {
        let caller = principal(&request); // a service is admitted here
        let request = validated(request)?;
        let asked = Some(request.user_id.as_str()).filter(|user_id| !user_id.is_empty());
        if asked.is_some_and(|user_id| !caller.may_act_for(user_id)) {
            return Ok(Response::new(ListBasketsResponse::default())); // of somebody else there is nothing to see
        }
        let user_id = if caller.acts_for_all() { asked } else { caller.user_id() };
        let scope = user_id.unwrap_or("all");
        let limit = limit(request.page_size);
        let after = self.pager.after(scope, &request.page_token).map_err(status::page_token)?;
        let found = self.commands.baskets.list(user_id, after, limit).await?;
        let (baskets, next_page_token) =
            self.pager.page(scope, found, |basket| (basket.id.clone(), convert::to_wire(&basket)));
        Ok(Response::new(ListBasketsResponse { baskets, next_page_token }))
    }

    async fn quote_basket(&self, request: Request<QuoteBasketRequest>) -> Result<Response<BasketQuote>, Status> {
        let caller = Caller::of(&request);
        let QuoteBasketRequest { basket_id, basket_token } = validated(request)?;
        let found = self.visible(&basket_id, &caller, &basket_token).await?;
        Ok(Response::new(quote::of(&self.commands.peers, &found.state).await))
    }

    async fn update_basket(&self, request: Request<UpdateBasketRequest>) -> Result<Response<wire::Basket>, Status> {
        let caller = Caller::of(&request);
        let mut request = validated(request)?;
        let basket_token = std::mem::take(&mut request.basket_token); // and so it is not in the digest
        let wanted = request.basket.clone().unwrap_or_default();
        let found = self.visible(&wanted.basket_id, &caller, &basket_token).await?;
        let key = RequestKey::new(caller.actor(&found), &request.request_id, &request);
        let update = |old: &Versioned<Basket>| {
            let draft = convert::merge(old, &wanted, request.update_mask.as_ref())?;
            Ok(old.state.update(draft, self.commands.clock())?)
        };
        self.change(found, &wanted.etag, key.as_ref(), update).await
    }

    async fn add_basket_item(&self, request: Request<AddBasketItemRequest>) -> Result<Response<wire::Basket>, Status> {
        let caller = Caller::of(&request);
        let mut request = validated(request)?;
        let basket_token = std::mem::take(&mut request.basket_token);
        let found = self.visible(&request.basket_id, &caller, &basket_token).await?;
        let key = RequestKey::new(caller.actor(&found), &request.request_id, &request);
        let item = convert::item(request.item.clone().unwrap_or_default());
        let add = |old: &Versioned<Basket>| Ok(old.state.add(item.clone(), self.commands.clock())?);
        self.change(found, &request.etag, key.as_ref(), add).await
    }

    async fn delete_basket(&self, request: Request<DeleteBasketRequest>) -> Result<Response<()>, Status> {
        let caller = Caller::of(&request);
        let DeleteBasketRequest { basket_id, etag, basket_token } = validated(request)?;
        let found = self.own(&basket_id, &caller, &basket_token).await?;
        let found = self.commands.settle(found).await;
        let delete = |old: &Versioned<Basket>| {
            let deleted = old.state.deleted(now())?;
            if deleted.is_some() && !old.is_current(&etag) { Err(Error::StaleEtag) } else { Ok(deleted) }
        };
        self.commands.baskets.change(found, None, delete).await?;
        Ok(Response::new(()))
    }

    async fn merge_basket(&self, request: Request<MergeBasketRequest>) -> Result<Response<wire::Basket>, Status> {
        let caller = Caller::of(&request);
        let MergeBasketRequest { basket_id, basket_token, into_basket_id } = validated(request)?;
        let user_id = caller.user_id().unwrap_or_default().to_owned();
        let guest = self.commands.baskets.find(&basket_id).await?;
        // A repeat needs no token: the first one has ended it, or the basket is that of the caller.
        if let Some(before) = self.commands.merged_before(&guest, &user_id).await? {
            return Ok(Response::new(convert::to_wire(&before)));
        }
        if !guest.state.is_there(now()) || !is_own(&guest.state, &Principal::Anonymous, &basket_token) {
            return Err(Error::NotFound(basket_id).into());
        }
        let merged = self.commands.merge(&basket_id, &into_basket_id, &user_id).await?;
        Ok(Response::new(convert::to_wire(&merged)))
    }

    async fn checkout_basket(&self, request: Request<CheckoutBasketRequest>) -> Result<Response<Order>, Status> {
        let caller = Caller::of(&request);
        let CheckoutBasketRequest { basket_id, checkout, etag, wait } = validated(request)?;
        let user_id = caller.user_id().unwrap_or_default().to_owned();
        let found = self.commands.baskets.find(&basket_id).await?;
        // An order is the user's own business: nobody checks out for another.
        if found.state.user_id.as_ref() != Some(&user_id) || !found.state.is_there(now()) {
            return Err(Error::NotFound(basket_id).into());
        }
        let checkout = checkout.unwrap_or_default();
        let wait = wait.and_then(|wait| Duration::try_from(wait).ok()).unwrap_or_default();
        let order = self.commands.check_out(found, CheckoutRequest { user_id, checkout, etag, wait }).await?;
        Ok(Response::new(order))
    }

    async fn erase_user_data(
        &self,
        request: Request<EraseUserDataRequest>,
    ) -> Result<Response<ErasureReceipt>, Status> {
        let erased = self.commands.baskets.erase(&validated(request)?.user_id).await?;
        Ok(Response::new(erased.receipt("baskets")))
    }
}
