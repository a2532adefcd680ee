//! The RPCs: parse, call, reply.

use crate::{
    convert,
    domain::{Calendar, Layout},
    error::Error,
    reports::{self, Query},
    store::ReadModel,
};
use ::rpc::validated;
use ::store::{fields::time, now};
use contracts::analytics::v1::{
    FunnelReport, GetFunnelRequest, GetRevenueRequest, GetTopProductsRequest, RevenueReport, TopProductsReport,
    analytics_service_server::AnalyticsService,
};
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// Products of a report whose request has no limit.
const USUAL_PRODUCTS: i64 = 20;

pub struct Handler {
    pub model: Arc<ReadModel>,
    pub calendar: Calendar,
}

impl Handler {
    async fn revenue(&self, request: GetRevenueRequest) -> Result<RevenueReport, Error> {
        let (period, currency) = (convert::period(request.period()), known(&request.currency_code)?);
        let buckets = self.calendar.buckets(period, &request.start_date, &request.end_date, now())?;
        let query = Query { period, buckets: &buckets, currency };
        let sums = reports::revenue(&self.model.current().await?, &query, &self.calendar).await?;
        let layout = Layout::new(buckets, currency, sums.iter().map(|sum| sum.amount.0.currency.as_str()))?;
        let rows = layout.revenue(&sums)?.into_iter().map(convert::revenue).collect::<Result<_, _>>()?;
        Ok(RevenueReport { rows, time_zone: self.calendar.zone().to_owned() })
    }

    async fn funnel(&self, request: GetFunnelRequest) -> Result<FunnelReport, Error> {
        let (period, currency) = (convert::period(request.period()), known(&request.currency_code)?);
        let buckets = self.calendar.buckets(period, &request.start_date, &request.end_date, now())?;
        let query = Query { period, buckets: &buckets, currency };
        let sums = reports::funnel(&self.model.current().await?, &query, &self.calendar).await?;
        let layout = Layout::new(buckets, currency, sums.iter().map(|sum| sum.currency.as_str()))?;
        let rows = layout.funnel(sums)?.into_iter().map(convert::funnel).collect();
        Ok(FunnelReport { rows, time_zone: self.calendar.zone().to_owned() })
    }

    async fn products(&self, request: GetTopProductsRequest) -> Result<TopProductsReport, Error> {
        let (period, currency) = (convert::period(request.period()), known(&request.currency_code)?);
        let buckets = self.calendar.buckets(period, &request.start_date, &request.end_date, now())?;
        let query = Query { period, buckets: &buckets, currency };
        let limit = if request.limit == 0 { USUAL_PRODUCTS } else { request.limit.into() };
        let facts = self.model.current().await?;
        let sold = reports::products(&facts, &query, convert::rank(request.rank()), limit).await?;
        let (start, end) = query.range();
        Ok(TopProductsReport {
            rows: sold.into_iter().map(convert::product).collect(),
            start_time: Some(time::to_wire(start)),
            end_time: Some(time::to_wire(end)),
            time_zone: self.calendar.zone().to_owned(),
        })
    }
}

/// A currency whose decimals are known, or none.
fn known(currency: &str) -> Result<&str, Error> {
    let is_known = currency.is_empty() || contracts::money::decimals(currency).is_some();
    if is_known { Ok(currency) } else { Err(Error::Currency) }
}

#[tonic::async_trait]
impl AnalyticsService for Handler {
    async fn get_revenue(&self, request: Request<GetRevenueRequest>) -> Result<Response<RevenueReport>, Status> {
        Ok(Response::new(self.revenue(validated(request)?).await?))
    }

    async fn get_funnel(&self, request: Request<GetFunnelRequest>) -> Result<Response<FunnelReport>, Status> {
        Ok(Response::new(self.funnel(validated(request)?).await?))
    }

    async fn get_top_products(
        &self,
        request: Request<GetTopProductsRequest>,
    ) -> Result<Response<TopProductsReport>, Status> {
        Ok(Response::new(self.products(validated(request)?).await?))
    }
}
