//! The peers: those that are asked to erase, and what they are asked for an export, page by page.

use crate::domain::definition::Step;
use contracts::{
    baskets::v1::{Basket, ListBasketsRequest, basket_service_client::BasketServiceClient},
    email::v1::{Email, ListEmailsRequest, email_service_client::EmailServiceClient},
    erasure::v1::{EraseUserDataRequest, ErasureReceipt},
    orders::v1::{ListOrdersRequest, Order, order_service_client::OrderServiceClient},
    payments::v1::{GetPaymentRequest, Payment, payment_service_client::PaymentServiceClient},
    shipping::v1::{GetShipmentRequest, Shipment, shipping_service_client::ShippingServiceClient},
    users::v1::{GetUserRequest, User, user::Status as UserStatus, user_service_client::UserServiceClient},
};
use rpc::Channel;
use service::Service;
use std::time::Duration;
use tonic::{Code, Response, Status};

/// How long a service may take to erase a user's data, or the first thousand documents of it; less than a saga's attempt.
const ERASE_DEADLINE: Duration = Duration::from_secs(10);

/// Entries of a page. An order is followed by its shipments, which may be a hundred.
const PAGE: i32 = 10;

/// Clients of the six peers. Cheap to clone.
#[derive(Clone)]
pub struct Peers {
    users: UserServiceClient<Channel>,
    email: EmailServiceClient<Channel>,
    baskets: BasketServiceClient<Channel>,
    orders: OrderServiceClient<Channel>,
    shipping: ShippingServiceClient<Channel>,
    payments: PaymentServiceClient<Channel>,
}

impl Peers {
    pub fn new(service: &Service) -> Result<Self, service::Error> {
        let peer = |name| Ok::<_, service::Error>(service.peer(name)?.with_deadline(ERASE_DEADLINE));
        Ok(Self {
            users: UserServiceClient::new(peer("users")?),
            email: EmailServiceClient::new(peer("email")?),
            baskets: BasketServiceClient::new(peer("baskets")?),
            orders: OrderServiceClient::new(peer("orders")?),
            shipping: ShippingServiceClient::new(peer("shipping")?),
            payments: PaymentServiceClient::new(peer("payments")?),
        })
    }

    /// Has the service of a step erase what it keeps of a user. None of the pause, which calls nobody.
    pub async fn erase(&self, step: Step, user_id: &str) -> Result<Option<ErasureReceipt>, Status> {
        let request = EraseUserDataRequest { user_id: user_id.to_owned() };
        let receipt = match step {
            Step::Users => self.users.clone().erase_user_data(request).await?,
            Step::Email => self.email.clone().erase_user_data(request).await?,
            Step::Baskets => self.baskets.clone().erase_user_data(request).await?,
            Step::Orders => self.orders.clone().erase_user_data(request).await?,
            Step::Shipping => self.shipping.clone().erase_user_data(request).await?,
            Step::Pause => return Ok(None),
        };
        Ok(Some(receipt.into_inner()))
    }

    /// The account; none when it is deleted, or was never there.
    pub async fn user(&self, user_id: &str) -> Result<Option<User>, Status> {
        let request = GetUserRequest { user_id: user_id.to_owned() };
        let user = found(self.users.clone().get_user(request).await)?;
        Ok(user.filter(|user| user.status() != UserStatus::Deleted))
    }

    /// A page of the user's orders, with the token of the next one.
    pub async fn orders(&self, user_id: &str, page_token: String) -> Result<(Vec<Order>, String), Status> {
        let request = ListOrdersRequest { user_id: user_id.to_owned(), page_size: PAGE, page_token };
        let page = self.orders.clone().list_orders(request).await?.into_inner();
        Ok((page.orders, page.next_page_token))
    }

    pub async fn baskets(&self, user_id: &str, page_token: String) -> Result<(Vec<Basket>, String), Status> {
        let request = ListBasketsRequest { user_id: user_id.to_owned(), page_size: PAGE, page_token };
        let page = self.baskets.clone().list_baskets(request).await?.into_inner();
        Ok((page.baskets, page.next_page_token))
    }

    pub async fn emails(&self, user_id: &str, page_token: String) -> Result<(Vec<Email>, String), Status> {
        let request =
            ListEmailsRequest { user_id: user_id.to_owned(), page_size: PAGE, page_token, ..Default::default() };
        let page = self.email.clone().list_emails(request).await?.into_inner();
        Ok((page.emails, page.next_page_token))
    }

    /// A shipment; none when it is still to be made.
    pub async fn shipment(&self, shipment_id: &str) -> Result<Option<Shipment>, Status> {
        let request = GetShipmentRequest { shipment_id: shipment_id.to_owned() };
        found(self.shipping.clone().get_shipment(request).await)
    }

    /// A payment; none when it is still to be made.
    pub async fn payment(&self, payment_id: &str) -> Result<Option<Payment>, Status> {
        let request = GetPaymentRequest { payment_id: payment_id.to_owned() };
        found(self.payments.clone().get_payment(request).await)
    }
}

fn found<T>(answer: Result<Response<T>, Status>) -> Result<Option<T>, Status> {
    match answer {
        Ok(found) => Ok(Some(found.into_inner())),
        Err(status) if status.code() == Code::NotFound => Ok(None),
        Err(status) => Err(status),
    }
}
