//! The RPCs: parse, call, reply.

use crate::{
    commands::Commands,
    convert,
    domain::{Command, Order},
    error::Error,
    rates::{Rate, Rates},
};
use ::rpc::{principal, status, validated};
use ::saga::StepCall;
use contracts::country;
use contracts::erasure::v1::{EraseUserDataRequest, ErasureReceipt};
use contracts::shipping::v1::{
    CancelShipmentRequest, CreateShipmentRequest, DeliverShipmentRequest, DispatchShipmentRequest, GetShipmentRequest,
    GetShippingRateRequest, RecordTrackingEventRequest, Shipment, ShippingRate, SplitShipmentRequest,
    SplitShipmentResponse, StopShipmentRequest, shipping_service_server::ShippingService,
};
use tonic::{Request, Response, Status};

pub struct Handler {
    pub commands: Commands,
    pub rates: Rates,
}

#[tonic::async_trait]
impl ShippingService for Handler {
    async fn create_shipment(&self, request: Request<CreateShipmentRequest>) -> Result<Response<Shipment>, Status> {
        let request = validated(request)?;
        let id = request.shipment_id.clone();
        let shipment = self.commands.shipments.create(&id, convert::new_shipment(request)).await?;
        Ok(Response::new(convert::to_wire(&shipment)))
    }

    async fn cancel_shipment(&self, request: Request<CancelShipmentRequest>) -> Result<Response<Shipment>, Status> {
        let CancelShipmentRequest { shipment_id, order_id, user_id, step_key, epoch } = validated(request)?;
        let order = Order { order_id, user_id };
        let shipment = self.commands.shipments.cancel(&shipment_id, order, &StepCall { step_key, epoch }).await?;
        Ok(Response::new(convert::to_wire(&shipment)))
    }

    async fn get_shipment(&self, request: Request<GetShipmentRequest>) -> Result<Response<Shipment>, Status> {
        let caller = principal(&request);
        let request = validated(request)?;
        let found = self.commands.shipments.get(&request.shipment_id).await?;
        if !caller.may_act_for(&found.state.user_id) {
            return Err(Error::NotFound(request.shipment_id).into());
        }
        Ok(Response::new(convert::to_wire(&found)))
    }

    // A repeated request finds the shipment moved already, so dispatch, deliver and stop need no request_id.

    async fn dispatch_shipment(&self, request: Request<DispatchShipmentRequest>) -> Result<Response<Shipment>, Status> {
        let request = validated(request)?;
        let shipment = self.commands.dispatch(&request.shipment_id).await?;
        Ok(Response::new(convert::to_wire(&shipment)))
    }

    async fn deliver_shipment(&self, request: Request<DeliverShipmentRequest>) -> Result<Response<Shipment>, Status> {
        let request = validated(request)?;
        let shipment = self.commands.shipments.change(&request.shipment_id, Command::Deliver, None).await?;
        Ok(Response::new(convert::to_wire(&shipment)))
    }

    async fn get_shipping_rate(
        &self,
        request: Request<GetShippingRateRequest>,
    ) -> Result<Response<ShippingRate>, Status> {
        let GetShippingRateRequest { country_code, weight_grams, currency_code } = validated(request)?;
        if let Some(why) = country::fault(&country_code) {
            return Err(status::violation("country_code", why));
        }
        let Rate { name, amount } = self.rates.rate(&country_code, weight_grams, &currency_code)?;
        Ok(Response::new(ShippingRate { name, amount: Some(amount.to_wire()) }))
    }

    async fn stop_shipment(&self, request: Request<StopShipmentRequest>) -> Result<Response<Shipment>, Status> {
        let request = validated(request)?;
        let shipment = self.commands.shipments.change(&request.shipment_id, Command::Cancel, None).await?;
        Ok(Response::new(convert::to_wire(&shipment)))
    }

    async fn split_shipment(
        &self,
        request: Request<SplitShipmentRequest>,
    ) -> Result<Response<SplitShipmentResponse>, Status> {
        let SplitShipmentRequest { shipment_id, lines, request_id } = validated(request)?;
        let split = convert::split_request(lines, request_id);
        let (shipment, split_off) = self.commands.shipments.split(&shipment_id, split).await?;
        let (shipment, split_off) = (Some(convert::to_wire(&shipment)), Some(convert::to_wire(&split_off)));
        Ok(Response::new(SplitShipmentResponse { shipment, split_off }))
    }

    async fn erase_user_data(
        &self,
        request: Request<EraseUserDataRequest>,
    ) -> Result<Response<ErasureReceipt>, Status> {
        let erased = self.commands.shipments.erase(&validated(request)?.user_id).await?;
        Ok(Response::new(erased.receipt("shipping")))
    }

    async fn record_tracking_event(
        &self,
        request: Request<RecordTrackingEventRequest>,
    ) -> Result<Response<Shipment>, Status> {
        let RecordTrackingEventRequest { shipment_id, event } = validated(request)?;
        let shipment = self.commands.track(&shipment_id, convert::tracking_event(event.unwrap_or_default())?).await?;
        Ok(Response::new(convert::to_wire(&shipment)))
    }
}
