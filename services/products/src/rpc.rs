//! The RPCs: parse, call, reply.

use crate::{
    categories::store::Categories,
    convert,
    domain::Audience,
    error::Error,
    search::{query::Query, store::Search},
    store::Products,
};
use ::rpc::{Principal, principal, status, validated};
use ::store::{Pager, RequestKey, limit, request_key::digest};
use contracts::products::v1::{
    BatchGetProductsRequest, BatchGetProductsResponse, CreateProductRequest, GetPriceHistoryRequest, GetProductRequest,
    ListProductsRequest, ListProductsResponse, LookupProductsRequest, LookupProductsResponse, PriceHistory, Product,
    SearchProductsRequest, SearchProductsResponse, UpdateProductRequest, product_service_server::ProductService,
};
use tonic::{Request, Response, Status};

pub struct Handler {
    pub products: Products,
    pub categories: Categories,
    pub search: Search,
    pub pager: Pager,
    pub search_pager: Pager,
}

fn audience(caller: &Principal) -> Audience {
    if caller.acts_for_all() { Audience::Staff } else { Audience::Public }
}

#[tonic::async_trait]
impl ProductService for Handler {
    async fn list_products(
        &self,
        request: Request<ListProductsRequest>,
    ) -> Result<Response<ListProductsResponse>, Status> {
        let audience = audience(&principal(&request));
        let request = validated(request)?;
        let limit = limit(request.page_size);
        // Whose token of staff has ended does not go on with the list of everybody.
        let scope = format!("{audience:?}");
        let after = self.pager.after(&scope, &request.page_token).map_err(status::page_token)?;
        let found = self.products.list(audience, after, limit).await?;
        let (products, next_page_token) =
            self.pager.page(&scope, found, |product| (product.id.clone(), convert::to_wire(&product)));
        Ok(Response::new(ListProductsResponse { products, next_page_token }))
    }

    async fn get_product(&self, request: Request<GetProductRequest>) -> Result<Response<Product>, Status> {
        let audience = audience(&principal(&request));
        let request = validated(request)?;
        let found = self.products.get(&request.product_id, audience).await?;
        Ok(Response::new(convert::to_wire(&found)))
    }

    async fn batch_get_products(
        &self,
        request: Request<BatchGetProductsRequest>,
    ) -> Result<Response<BatchGetProductsResponse>, Status> {
        let audience = audience(&principal(&request));
        let request = validated(request)?;
        let found = self.products.get_many(&request.product_ids, audience).await?;
        let products = found.iter().map(convert::to_wire).collect();
        Ok(Response::new(BatchGetProductsResponse { products }))
    }

    async fn get_price_history(
        &self,
        request: Request<GetPriceHistoryRequest>,
    ) -> Result<Response<PriceHistory>, Status> {
        let audience = audience(&principal(&request));
        let GetPriceHistoryRequest { product_id, currency_code } = validated(request)?;
        let found = self.products.get(&product_id, audience).await?;
        Ok(Response::new(convert::price_history(&found, &currency_code)))
    }

    async fn lookup_products(
        &self,
        request: Request<LookupProductsRequest>,
    ) -> Result<Response<LookupProductsResponse>, Status> {
        let audience = audience(&principal(&request));
        let found = self.products.by_skus(&validated(request)?.skus, audience).await?;
        Ok(Response::new(LookupProductsResponse { products: found.iter().map(convert::to_wire).collect() }))
    }

    async fn search_products(
        &self,
        request: Request<SearchProductsRequest>,
    ) -> Result<Response<SearchProductsResponse>, Status> {
        let audience = audience(&principal(&request));
        let SearchProductsRequest { page_size, page_token, query, filter, order_by } = validated(request)?;
        // A token is good for what it was made for: the query, and who asked.
        let asked = SearchProductsRequest { query, filter, order_by, ..SearchProductsRequest::default() };
        let snapshot = self.categories.tree().await?;
        let SearchProductsRequest { query, filter, order_by, .. } = &asked;
        let query = Query::parse(query, filter, order_by, audience, &snapshot.tree).map_err(Error::from)?;
        // Releases before keys had other places in an order of a currency.
        let place = query.currency.map_or("", |_| "keys ");
        let scope = format!("{audience:?} {place}{}", digest(&asked));
        let behind = self.search_pager.after(&scope, &page_token).map_err(status::page_token)?;
        let is_first = behind.is_none();
        let found = self.search.find(&query, behind, limit(page_size)).await?;
        let available = found.entries.iter().filter(|found| found.state.is_available());
        let available_product_ids = available.map(|found| found.id.clone()).collect();
        let (products, next_page_token) =
            self.search_pager.page(&scope, found, |product| (query.order.place(&product), convert::to_wire(&product)));
        let facets = match is_first {
            true => {
                let counted = self.search.count(&query, &snapshot.tree).await?;
                Some(convert::facets(counted, &snapshot.tree)?)
            }
            false => None,
        };
        Ok(Response::new(SearchProductsResponse { products, next_page_token, facets, available_product_ids }))
    }

    async fn create_product(&self, request: Request<CreateProductRequest>) -> Result<Response<Product>, Status> {
        let caller = principal(&request);
        let request = validated(request)?;
        let key = RequestKey::new(caller.actor(), &request.request_id, &request);
        let draft = convert::draft(request.product.unwrap_or_default())?;
        self.categories.tree().await?.tree.check(&draft.category_ids, &[]).map_err(Error::from)?;
        let stored = self.products.create(draft, key.as_ref()).await?;
        Ok(Response::new(convert::to_wire(&stored)))
    }

    async fn update_product(&self, request: Request<UpdateProductRequest>) -> Result<Response<Product>, Status> {
        let caller = principal(&request);
        let request = validated(request)?;
        let key = RequestKey::new(caller.actor(), &request.request_id, &request);
        let product = request.product.unwrap_or_default();
        let categories = self.categories.tree().await?;
        let updated = self.products.update(&product.product_id, key.as_ref(), |old| {
            if !old.is_current(&product.etag) {
                return Err(Error::StaleEtag);
            }
            let draft = convert::merge(old, &product, request.update_mask.as_ref())?;
            categories.tree.check(&draft.category_ids, &old.state.category_ids)?;
            Ok(draft)
        });
        Ok(Response::new(convert::to_wire(&updated.await?)))
    }
}
