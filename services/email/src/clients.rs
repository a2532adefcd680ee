//! The peers that email asks when it sends: users for address, name, language and tokens, orders for the lines of an order.

use crate::domain::Template;
use contracts::{
    orders::v1::{GetOrderRequest, Order, order_service_client::OrderServiceClient},
    users::v1::{
        CreateEmailTokenRequest, GetUserRequest, User, create_email_token_request::Purpose,
        recovery_service_client::RecoveryServiceClient, user::Status as UserStatus,
        user_service_client::UserServiceClient,
    },
};
use rpc::Channel;
use service::Service;
use tonic::{Code, Status};

/// Clients of the two peers. Cheap to clone.
#[derive(Clone)]
pub struct Peers {
    users: UserServiceClient<Channel>,
    recovery: RecoveryServiceClient<Channel>,
    orders: OrderServiceClient<Channel>,
}

impl Peers {
    pub fn new(service: &Service) -> Result<Self, service::Error> {
        let (users, orders) = (service.peer("users")?, service.peer("orders")?);
        let recovery = RecoveryServiceClient::new(users.clone());
        Ok(Self { users: UserServiceClient::new(users), recovery, orders: OrderServiceClient::new(orders) })
    }

    /// The account; none when it is closed, or was never there.
    pub async fn user(&self, user_id: &str) -> Result<Option<User>, Status> {
        let request = GetUserRequest { user_id: user_id.to_owned() };
        let user = found(self.users.clone().get_user(request).await)?;
        Ok(user.filter(|user| user.status() != UserStatus::Deleted && !user.email.is_empty()))
    }

    /// The token that a mail about an account carries; none when there is no reason to send one any more. Each is a new one.
    pub async fn token(&self, user_id: &str, template: Template) -> Result<Option<String>, Status> {
        let purpose = match template {
            Template::EmailVerification => Purpose::EmailVerification,
            _ => Purpose::PasswordReset,
        };
        let request = CreateEmailTokenRequest { user_id: user_id.to_owned(), purpose: purpose.into() };
        match self.recovery.clone().create_email_token(request).await {
            Err(status) if status.code() == Code::FailedPrecondition => Ok(None),
            answer => Ok(found(answer)?.map(|found| found.token)),
        }
    }

    pub async fn order(&self, order_id: &str) -> Result<Option<Order>, Status> {
        let request = GetOrderRequest { order_id: order_id.to_owned() };
        found(self.orders.clone().get_order(request).await)
    }
}

fn found<T>(answer: Result<tonic::Response<T>, Status>) -> Result<Option<T>, Status> {
    match answer {
        Ok(found) => Ok(Some(found.into_inner())),
        Err(status) if status.code() == Code::NotFound => Ok(None),
        Err(status) => Err(status),
    }
}
