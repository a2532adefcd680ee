//! `ProductGroupService`. Parse, call, reply.

use crate::{
    error::Error,
    groups::{convert, store::Groups},
};
use ::rpc::{principal, status, validated};
use ::store::{Pager, RequestKey, limit};
use contracts::products::v1::{
    CreateProductGroupRequest, GetProductGroupRequest, ListProductGroupsRequest, ListProductGroupsResponse,
    ProductGroup, UpdateProductGroupRequest, product_group_service_server::ProductGroupService,
};
use tonic::{Request, Response, Status};

pub struct Handler {
    pub groups: Groups,
    pub pager: Pager,
}

#[tonic::async_trait]
impl ProductGroupService for Handler {
    async fn list_product_groups(
        &self,
        request: Request<ListProductGroupsRequest>,
    ) -> Result<Response<ListProductGroupsResponse>, Status> {
        let request = validated(request)?;
        let after = self.pager.after("", &request.page_token).map_err(status::page_token)?;
        let found = self.groups.list(after, limit(request.page_size)).await?;
        let (product_groups, next_page_token) =
            self.pager.page("", found, |group| (group.id.clone(), convert::to_wire(&group)));
        Ok(Response::new(ListProductGroupsResponse { product_groups, next_page_token }))
    }

    async fn get_product_group(
        &self,
        request: Request<GetProductGroupRequest>,
    ) -> Result<Response<ProductGroup>, Status> {
        let GetProductGroupRequest { group_id } = validated(request)?;
        let found = self.groups.get(&group_id).await?.ok_or(Error::NoGroup(group_id))?;
        Ok(Response::new(convert::to_wire(&found)))
    }

    async fn create_product_group(
        &self,
        request: Request<CreateProductGroupRequest>,
    ) -> Result<Response<ProductGroup>, Status> {
        let caller = principal(&request);
        let request = validated(request)?;
        let key = RequestKey::new(caller.actor(), &request.request_id, &request);
        let draft = convert::draft(request.product_group.unwrap_or_default());
        let stored = self.groups.create(draft, key.as_ref()).await?;
        Ok(Response::new(convert::to_wire(&stored)))
    }

    async fn update_product_group(
        &self,
        request: Request<UpdateProductGroupRequest>,
    ) -> Result<Response<ProductGroup>, Status> {
        let UpdateProductGroupRequest { product_group, update_mask } = validated(request)?;
        let group = product_group.unwrap_or_default();
        let updated = self.groups.update(&group.group_id, |old| {
            if !old.is_current(&group.etag) {
                return Err(Error::StaleEtag);
            }
            convert::merge(old, &group, update_mask.as_ref())
        });
        Ok(Response::new(convert::to_wire(&updated.await?)))
    }
}
