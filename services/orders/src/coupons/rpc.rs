//! `CouponService`: what staff do with coupons. Parse, call, reply.

use crate::{
    coupons::{convert, store::Coupons},
    error::Error,
};
use ::rpc::{principal, status, validated};
use ::store::{Pager, RequestKey, limit};
use contracts::orders::v1::{
    Coupon, CreateCouponRequest, DisableCouponRequest, GetCouponRequest, ListCouponsRequest, ListCouponsResponse,
    coupon_service_server::CouponService,
};
use tonic::{Request, Response, Status};

pub struct Handler {
    pub coupons: Coupons,
    pub pager: Pager,
}

#[tonic::async_trait]
impl CouponService for Handler {
    async fn create_coupon(&self, request: Request<CreateCouponRequest>) -> Result<Response<Coupon>, Status> {
        let caller = principal(&request);
        let request = validated(request)?;
        let key = RequestKey::new(caller.actor(), &request.request_id, &request);
        let coupon = request.coupon.unwrap_or_default();
        let code = coupon.code.clone();
        let stored = self.coupons.create(&code, convert::terms(coupon).map_err(Error::from)?, key.as_ref()).await?;
        Ok(Response::new(convert::to_wire(&stored)))
    }

    async fn get_coupon(&self, request: Request<GetCouponRequest>) -> Result<Response<Coupon>, Status> {
        let found = self.coupons.get(&validated(request)?.code).await?;
        Ok(Response::new(convert::to_wire(&found)))
    }

    async fn list_coupons(
        &self,
        request: Request<ListCouponsRequest>,
    ) -> Result<Response<ListCouponsResponse>, Status> {
        let request = validated(request)?;
        let limit = limit(request.page_size);
        let after = self.pager.after("", &request.page_token).map_err(status::page_token)?;
        let found = self.coupons.list(after, limit).await?;
        let (coupons, next_page_token) =
            self.pager.page("", found, |coupon| (coupon.id.clone(), convert::to_wire(&coupon)));
        Ok(Response::new(ListCouponsResponse { coupons, next_page_token }))
    }

    async fn disable_coupon(&self, request: Request<DisableCouponRequest>) -> Result<Response<Coupon>, Status> {
        let caller = principal(&request);
        let request = validated(request)?;
        let key = RequestKey::new(caller.actor(), &request.request_id, &request);
        let disabled = self.coupons.disable(&request.code, &request.etag, key.as_ref()).await?;
        Ok(Response::new(convert::to_wire(&disabled)))
    }
}
