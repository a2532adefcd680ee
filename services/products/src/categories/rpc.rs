//! `CategoryService`. Parse, call, reply.

use crate::{
    categories::{convert, store::Categories},
    error::Error,
};
use ::rpc::{principal, status, validated};
use ::store::{Pager, RequestKey, limit};
use contracts::products::v1::{
    Category, CreateCategoryRequest, DeleteCategoryRequest, ListCategoriesRequest, ListCategoriesResponse,
    UpdateCategoryRequest, category_service_server::CategoryService,
};
use tonic::{Request, Response, Status};

pub struct Handler {
    pub categories: Categories,
    pub pager: Pager,
}

#[tonic::async_trait]
impl CategoryService for Handler {
    async fn list_categories(
        &self,
        request: Request<ListCategoriesRequest>,
    ) -> Result<Response<ListCategoriesResponse>, Status> {
        let request = validated(request)?;
        let after = self.pager.after("", &request.page_token).map_err(status::page_token)?;
        let snapshot = self.categories.tree().await?;
        let found = snapshot.page(after.as_deref(), limit(request.page_size));
        let (categories, next_page_token) =
            self.pager.page("", found, |category| (category.id.clone(), convert::to_wire(&category, &snapshot.tree)));
        Ok(Response::new(ListCategoriesResponse { categories, next_page_token }))
    }

    async fn create_category(&self, request: Request<CreateCategoryRequest>) -> Result<Response<Category>, Status> {
        let caller = principal(&request);
        let request = validated(request)?;
        let key = RequestKey::new(caller.actor(), &request.request_id, &request);
        let draft = convert::draft(request.category.unwrap_or_default());
        let stored = self.categories.create(draft, key.as_ref()).await?;
        Ok(Response::new(convert::to_wire(&stored, &self.categories.tree().await?.tree)))
    }

    async fn update_category(&self, request: Request<UpdateCategoryRequest>) -> Result<Response<Category>, Status> {
        let UpdateCategoryRequest { category, update_mask } = validated(request)?;
        let category = category.unwrap_or_default();
        let updated = self.categories.update(&category.category_id, |old, tree| {
            if !old.is_current(&category.etag) {
                return Err(Error::StaleEtag);
            }
            convert::merge(old, tree, &category, update_mask.as_ref())
        });
        let updated = updated.await?;
        Ok(Response::new(convert::to_wire(&updated, &self.categories.tree().await?.tree)))
    }

    async fn delete_category(&self, request: Request<DeleteCategoryRequest>) -> Result<Response<()>, Status> {
        let DeleteCategoryRequest { category_id, etag } = validated(request)?;
        self.categories.delete(&category_id, &etag).await?;
        Ok(Response::new(()))
    }
}
