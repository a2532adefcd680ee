//! The RPCs: parse, call, reply.

use crate::{
    commands::Commands,
    convert,
    domain::{self, Command},
    error::Error,
    reconcile,
    webhooks::{self, Webhooks},
};
use ::rpc::{principal, status, validated};
use ::saga::StepCall;
use ::store::{Pager, Time, fields::time, limit};
use contracts::money::Money;
use contracts::payments::v1::{
    AuthorizePaymentRequest, CancelPaymentRequest, CapturePaymentRequest, CompletePaymentActionRequest,
    GetPayableAmountsRequest, GetPaymentRequest, ListWebhooksRequest, ListWebhooksResponse, PayableAmounts, Payment,
    ReconcilePaymentsRequest, ReconcilePaymentsResponse, RefundPaymentRequest, ReleasePaymentRequest,
    payment_service_server::PaymentService,
};
use std::sync::Arc;
use tonic::{Request, Response, Status};

pub struct Handler {
    pub commands: Commands,
    pub webhooks: Arc<Webhooks>,
    pub pager: Pager,
}

#[tonic::async_trait]
impl PaymentService for Handler {
    async fn authorize_payment(&self, request: Request<AuthorizePaymentRequest>) -> Result<Response<Payment>, Status> {
        let request = validated(request)?;
        let id = request.payment_id.clone();
        let payment = self.commands.authorize(&id, convert::start(request)?).await?;
        Ok(Response::new(convert::to_wire(&payment)?))
    }

    async fn capture_payment(&self, request: Request<CapturePaymentRequest>) -> Result<Response<Payment>, Status> {
        let CapturePaymentRequest { payment_id, step_key, epoch, amount, capture_id } = validated(request)?;
        let command = Command::Capture(convert::portion(amount, capture_id)?);
        let found = self.commands.payments.get(&payment_id).await?;
        let payment = self.commands.command(found, &command, Some(&StepCall { step_key, epoch })).await?;
        Ok(Response::new(convert::to_wire(&payment)?))
    }

    async fn refund_payment(&self, request: Request<RefundPaymentRequest>) -> Result<Response<Payment>, Status> {
        let RefundPaymentRequest { payment_id, step_key, epoch, amount, refund_id } = validated(request)?;
        let command = Command::Refund(convert::portion(amount, refund_id)?);
        let found = self.commands.payments.get(&payment_id).await?;
        let payment = self.commands.command(found, &command, Some(&StepCall { step_key, epoch })).await?;
        Ok(Response::new(convert::to_wire(&payment)?))
    }

    async fn release_payment(&self, request: Request<ReleasePaymentRequest>) -> Result<Response<Payment>, Status> {
        let ReleasePaymentRequest { payment_id, step_key, epoch } = validated(request)?;
        let found = self.commands.payments.get(&payment_id).await?;
        let payment = self.commands.command(found, &Command::Release, Some(&StepCall { step_key, epoch })).await?;
        Ok(Response::new(convert::to_wire(&payment)?))
    }

    async fn cancel_payment(&self, request: Request<CancelPaymentRequest>) -> Result<Response<Payment>, Status> {
        let CancelPaymentRequest { payment_id, order_id, user_id, step_key, epoch } = validated(request)?;
        let payment = self.commands.cancel(&payment_id, order_id, user_id, &StepCall { step_key, epoch }).await?;
        Ok(Response::new(convert::to_wire(&payment)?))
    }

    async fn get_payment(&self, request: Request<GetPaymentRequest>) -> Result<Response<Payment>, Status> {
        let caller = principal(&request);
        let request = validated(request)?;
        let found = self.commands.payments.get(&request.payment_id).await?;
        // A payment of somebody else is not found, as if it did not exist.
        if !caller.may_act_for(&found.state.user_id) {
            return Err(Error::NotFound(request.payment_id).into());
        }
        Ok(Response::new(convert::to_wire(&found)?))
    }

    async fn reconcile_payments(
        &self,
        request: Request<ReconcilePaymentsRequest>,
    ) -> Result<Response<ReconcilePaymentsResponse>, Status> {
        let since = validated(request)?.since.as_ref().map_or(Time::from_millis(0), time::from_wire);
        let found = reconcile::run(&self.commands, since).await?;
        Ok(Response::new(reconcile::to_wire(&found)))
    }

    async fn get_payable_amounts(
        &self,
        request: Request<GetPayableAmountsRequest>,
    ) -> Result<Response<PayableAmounts>, Status> {
        let currency = validated(request)?.currency_code;
        // A code that is none is refused as such, and the provider is not asked about it.
        Money::zero(&currency).map_err(domain::Error::Amount)?;
        let payable = self.commands.provider.payable(&currency);
        let payable = payable.ok_or_else(|| Error::CurrencyNotPayable(currency.clone()))?;
        Ok(Response::new(convert::payable(&currency, payable)?))
    }

    async fn list_webhooks(
        &self,
        request: Request<ListWebhooksRequest>,
    ) -> Result<Response<ListWebhooksResponse>, Status> {
        let request = validated(request)?;
        let disposition = webhooks::disposition(request.state());
        let (limit, scope) = (limit(request.page_size), disposition.name());
        let after = self.pager.after(scope, &request.page_token).map_err(status::page_token)?;
        let found = self.webhooks.store.list(disposition, after.as_deref(), limit).await.map_err(Error::from)?;
        let waiting = self.webhooks.store.waiting().await.map_err(Error::from)?;
        let (webhooks, next_page_token) =
            self.pager.page(scope, found, |event| (webhooks::place(&event), webhooks::to_wire(&event, disposition)));
        let (waiting_count, waiting_bytes) = (waiting.count, waiting.bytes);
        Ok(Response::new(ListWebhooksResponse { webhooks, next_page_token, waiting_count, waiting_bytes }))
    }

    async fn complete_payment_action(
        &self,
        request: Request<CompletePaymentActionRequest>,
    ) -> Result<Response<Payment>, Status> {
        let caller = principal(&request);
        let request = validated(request)?;
        let found = self.commands.payments.get(&request.payment_id).await?;
        if !caller.may_act_for(&found.state.user_id) {
            return Err(Error::NotFound(request.payment_id).into());
        }
        let command = Command::CompleteAction { approve: request.approve };
        let payment = self.commands.command(found, &command, None).await?;
        Ok(Response::new(convert::to_wire(&payment)?))
    }
}
