//! The RPCs: parse, call, reply.

use crate::{
    convert,
    domain::{Command, Order},
    error::Error,
    rates::{Rate, Rates},
    store::Shipments,
};
use ::rpc::{principal, validated};
use ::saga::Caller;
use contracts::shipping::v1::{
    CancelShipmentRequest, CreateShipmentRequest, DeliverShipmentRequest, DispatchShipmentRequest, GetShipmentRequest,
    GetShippingRateRequest, Shipment, ShippingRate, shipping_service_server::ShippingService,
};
use tonic::{Request, Response, Status};

/// Answers `ShippingService`.
pub struct Handler {
    /// The shipments.
    pub shipments: Shipments,
    /// What it costs to send a parcel.
    pub rates: Rates,
}

#[tonic::async_trait]
impl ShippingService for Handler {
    async fn create_shipment(&self, request: Request<CreateShipmentRequest>) -> Result<Response<Shipment>, Status> {
        let request = validated(request)?;
        let id = request.shipment_id.clone();
        let shipment = self.shipments.create(&id, convert::plan(request)).await?;
        Ok(Response::new(convert::to_wire(&shipment)))
    }

    async fn cancel_shipment(&self, request: Request<CancelShipmentRequest>) -> Result<Response<Shipment>, Status> {
        let CancelShipmentRequest { shipment_id, order_id, user_id, step_key, epoch } = validated(request)?;
        let order = Order { order_id, user_id };
        let shipment = self.shipments.cancel(&shipment_id, order, &Caller { step_key, epoch }).await?;
        Ok(Response::new(convert::to_wire(&shipment)))
    }

    async fn get_shipment(&self, request: Request<GetShipmentRequest>) -> Result<Response<Shipment>, Status> {
        let caller = principal(&request);
        let request = validated(request)?;
        let found = self.shipments.get(&request.shipment_id).await?;
        if !caller.may_act_for(&found.state.user_id) {
            return Err(Error::NotFound(request.shipment_id).into());
        }
        Ok(Response::new(convert::to_wire(&found)))
    }

    // A repeated request finds the shipment moved already, so dispatch and deliver need no request_id.

    async fn dispatch_shipment(&self, request: Request<DispatchShipmentRequest>) -> Result<Response<Shipment>, Status> {
        let request = validated(request)?;
        let shipment = self.shipments.change(&request.shipment_id, Command::Dispatch, None).await?;
        Ok(Response::new(convert::to_wire(&shipment)))
    }

    async fn deliver_shipment(&self, request: Request<DeliverShipmentRequest>) -> Result<Response<Shipment>, Status> {
        let request = validated(request)?;
        let shipment = self.shipments.change(&request.shipment_id, Command::Deliver, None).await?;
        Ok(Response::new(convert::to_wire(&shipment)))
    }
    async fn get_shipping_rate(
        &self,
        request: Request<GetShippingRateRequest>,
    ) -> Result<Response<ShippingRate>, Status> {
        let GetShippingRateRequest { country_code, weight_grams, currency_code } = validated(request)?;
        let Rate { name, amount } = self.rates.rate(&country_code, weight_grams, &currency_code)?;
        Ok(Response::new(ShippingRate { name, amount: Some(amount.to_wire()) }))
    }
}
