//! The peers that orders calls: users and products before an order is accepted, the rest from its sagas, each of whose
//! calls carries the key of the step and the epoch of the claim.

use crate::{
    domain::{Disposition, Item, Order, Refund},
    error::Error,
};
use contracts::{
    inventory::v1::{
        CommitReservationRequest, ExtendReservationRequest, HoldStockRequest, ReleaseReservationRequest, Reservation,
        ReservationLine, RestockReservationRequest, ShipReservationRequest,
        inventory_service_client::InventoryServiceClient,
    },
    money::Money,
    payments::v1::{
        AuthorizePaymentRequest, CancelPaymentRequest, CapturePaymentRequest, GetPayableAmountsRequest,
        GetPaymentRequest, PayableAmounts, Payment, RefundPaymentRequest, ReleasePaymentRequest,
        payment_service_client::PaymentServiceClient,
    },
    products::v1::{BatchGetProductsRequest, Product, product_service_client::ProductServiceClient},
    shipping::v1::{
        CancelShipmentRequest, CreateShipmentRequest, GetShipmentRequest, GetShippingRateRequest, Shipment,
        ShipmentLine, shipping_service_client::ShippingServiceClient,
    },
    users::v1::{GetUserRequest, User, user_service_client::UserServiceClient},
};
use rpc::Channel;
use saga::StepCall;
use service::Service;
use tonic::Status;

/// Clients of the five peers. Cheap to clone.
#[derive(Clone)]
pub struct Peers {
    users: UserServiceClient<Channel>,
    products: ProductServiceClient<Channel>,
    inventory: InventoryServiceClient<Channel>,
    payments: PaymentServiceClient<Channel>,
    shipping: ShippingServiceClient<Channel>,
}

impl Peers {
    pub fn new(service: &Service) -> Result<Self, service::Error> {
        Ok(Self {
            users: UserServiceClient::new(service.peer("users")?),
            products: ProductServiceClient::new(service.peer("products")?),
            inventory: InventoryServiceClient::new(service.peer("inventory")?),
            payments: PaymentServiceClient::new(service.peer("payments")?),
            shipping: ShippingServiceClient::new(service.peer("shipping")?),
        })
    }

    pub async fn user(&self, user_id: &str) -> Result<User, Status> {
        let request = GetUserRequest { user_id: user_id.to_owned() };
        Ok(self.users.clone().get_user(request).await?.into_inner())
    }

    /// Products in the order of `product_ids`.
    pub async fn products(&self, product_ids: Vec<String>) -> Result<Vec<Product>, Status> {
        let request = BatchGetProductsRequest { product_ids };
        Ok(self.products.clone().batch_get_products(request).await?.into_inner().products)
    }

    /// The price of sending a weight to a country.
    pub async fn shipping_rate(&self, country: &str, weight_grams: i64, currency: &str) -> Result<Money, Error> {
        let (country_code, currency_code) = (country.to_owned(), currency.to_owned());
        let request = GetShippingRateRequest { country_code, weight_grams, currency_code };
        let rate = self.shipping.clone().get_shipping_rate(request).await?.into_inner();
        Ok(Money::from_wire(&rate.amount.unwrap_or_default())?)
    }

    pub async fn hold(&self, id: &str, order: &Order, call: StepCall) -> Result<Reservation, Status> {
        let line = |item: &Item| ReservationLine { product_id: item.product_id.clone(), quantity: item.quantity };
        let lines = order.items.iter().map(line).collect();
        let request =
            HoldStockRequest { reservation_id: id.to_owned(), lines, step_key: call.step_key, epoch: call.epoch };
        Ok(self.inventory.clone().hold_stock(request).await?.into_inner())
    }

    pub async fn extend_hold(&self, id: &str, call: StepCall) -> Result<Reservation, Status> {
        let request =
            ExtendReservationRequest { reservation_id: id.to_owned(), step_key: call.step_key, epoch: call.epoch };
        Ok(self.inventory.clone().extend_reservation(request).await?.into_inner())
    }

    pub async fn commit(&self, id: &str, call: StepCall) -> Result<Reservation, Status> {
        let request =
            CommitReservationRequest { reservation_id: id.to_owned(), step_key: call.step_key, epoch: call.epoch };
        Ok(self.inventory.clone().commit_reservation(request).await?.into_inner())
    }

    pub async fn release(&self, id: &str, call: StepCall) -> Result<Reservation, Status> {
        let request =
            ReleaseReservationRequest { reservation_id: id.to_owned(), step_key: call.step_key, epoch: call.epoch };
        Ok(self.inventory.clone().release_reservation(request).await?.into_inner())
    }

    pub async fn ship(&self, id: &str, call: StepCall) -> Result<Reservation, Status> {
        let request =
            ShipReservationRequest { reservation_id: id.to_owned(), step_key: call.step_key, epoch: call.epoch };
        Ok(self.inventory.clone().ship_reservation(request).await?.into_inner())
    }

    pub async fn authorize(&self, id: &str, order: &Order, call: StepCall) -> Result<Payment, Status> {
        let request = AuthorizePaymentRequest {
            payment_id: order.payment_id.clone(),
            order_id: id.to_owned(),
            user_id: order.user_id.clone(),
            amount: Some(order.total.to_wire()),
            payment_token: order.payment_token.clone().unwrap_or_default(),
            step_key: call.step_key,
            epoch: call.epoch,
        };
        Ok(self.payments.clone().authorize_payment(request).await?.into_inner())
    }

    /// Takes the total, or the share of the shipment whose turn it is: under its id, so that shares are taken once each.
    pub async fn capture(&self, order: &Order, call: StepCall) -> Result<Payment, Status> {
        let (StepCall { step_key, epoch }, payment_id) = (call, order.payment_id.clone());
        // The id of the shipment makes the key its own: each share is captured once, however often sagas repeat the
        // call.
        let (step_key, capture_id, amount) = match order.capturing() {
            Some((id, amount)) => (format!("{step_key}/{id}"), id.to_owned(), Some(amount.to_wire())),
            None => (step_key, String::new(), None),
        };
        let request = CapturePaymentRequest { payment_id, step_key, epoch, amount, capture_id };
        Ok(self.payments.clone().capture_payment(request).await?.into_inner())
    }

    /// Gives back what is set aside and not taken.
    pub async fn release_payment(&self, order: &Order, call: StepCall) -> Result<Payment, Status> {
        let request =
            ReleasePaymentRequest { payment_id: order.payment_id.clone(), step_key: call.step_key, epoch: call.epoch };
        Ok(self.payments.clone().release_payment(request).await?.into_inner())
    }

    pub async fn refund(&self, order: &Order, refund: &Refund, call: StepCall) -> Result<Payment, Status> {
        let request = RefundPaymentRequest {
            payment_id: order.payment_id.clone(),
            amount: Some(refund.amount.to_wire()),
            refund_id: refund.id.clone(),
            step_key: call.step_key,
            epoch: call.epoch,
        };
        Ok(self.payments.clone().refund_payment(request).await?.into_inner())
    }

    /// Puts back on the shelf what came back to be sold again: each line under a key of its own.
    pub async fn restock(&self, id: &str, refund: &Refund) -> Result<(), Status> {
        let sold_again = refund.returned.iter().filter(|line| line.disposition == Disposition::Restock);
        self.put_back(id, &refund.id, sold_again.map(|line| (line.product_id.as_str(), line.quantity))).await
    }

    /// Puts back on the shelf what was stopped: it was taken off with the rest of the order.
    pub async fn restock_stopped(&self, id: &str, order: &Order) -> Result<(), Status> {
        for shipment in order.stopped() {
            let lines = shipment.lines.iter().map(|line| (line.product_id.as_str(), line.quantity));
            self.put_back(id, &shipment.id, lines).await?;
        }
        Ok(())
    }

    async fn put_back(&self, id: &str, key: &str, lines: impl Iterator<Item = (&str, i32)>) -> Result<(), Status> {
        for (index, (product_id, quantity)) in lines.enumerate() {
            // Each line has a key of its own: a repeat after a crash puts back only the lines that are missing.
            let request = RestockReservationRequest {
                reservation_id: id.to_owned(),
                product_id: product_id.to_owned(),
                quantity,
                request_id: format!("{key}/{index}"),
            };
            self.inventory.clone().restock_reservation(request).await?;
        }
        Ok(())
    }

    pub async fn cancel_payment(&self, id: &str, order: &Order, call: StepCall) -> Result<Payment, Status> {
        let request = CancelPaymentRequest {
            payment_id: order.payment_id.clone(),
            order_id: id.to_owned(),
            user_id: order.user_id.clone(),
            step_key: call.step_key,
            epoch: call.epoch,
        };
        Ok(self.payments.clone().cancel_payment(request).await?.into_inner())
    }

    pub async fn payable_amounts(&self, currency: &str) -> Result<PayableAmounts, Status> {
        let request = GetPayableAmountsRequest { currency_code: currency.to_owned() };
        Ok(self.payments.clone().get_payable_amounts(request).await?.into_inner())
    }

    pub async fn payment(&self, payment_id: &str) -> Result<Payment, Status> {
        let request = GetPaymentRequest { payment_id: payment_id.to_owned() };
        Ok(self.payments.clone().get_payment(request).await?.into_inner())
    }

    pub async fn create_shipment(&self, id: &str, order: &Order, call: StepCall) -> Result<Shipment, Status> {
        let line = |item: &Item| ShipmentLine { product_id: item.product_id.clone(), quantity: item.quantity };
        let request = CreateShipmentRequest {
            shipment_id: order.shipment_id.clone(),
            order_id: id.to_owned(),
            user_id: order.user_id.clone(),
            lines: order.items.iter().map(line).collect(),
            address: Some((&order.address).into()),
            step_key: call.step_key,
            epoch: call.epoch,
        };
        Ok(self.shipping.clone().create_shipment(request).await?.into_inner())
    }

    pub async fn cancel_shipment(&self, id: &str, order: &Order, call: StepCall) -> Result<Shipment, Status> {
        let request = CancelShipmentRequest {
            shipment_id: order.shipment_id.clone(),
            order_id: id.to_owned(),
            user_id: order.user_id.clone(),
            step_key: call.step_key,
            epoch: call.epoch,
        };
        Ok(self.shipping.clone().cancel_shipment(request).await?.into_inner())
    }

    pub async fn shipment(&self, shipment_id: &str) -> Result<Shipment, Status> {
        let request = GetShipmentRequest { shipment_id: shipment_id.to_owned() };
        Ok(self.shipping.clone().get_shipment(request).await?.into_inner())
    }
}
