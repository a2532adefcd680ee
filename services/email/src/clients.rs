//! The peers that email asks when it sends: users for address, name and language, orders for the lines of an order.

use contracts::{
    orders::v1::{GetOrderRequest, Order, order_service_client::OrderServiceClient},
    users::v1::{GetUserRequest, User, user::Status as UserStatus, user_service_client::UserServiceClient},
};
use rpc::Channel;
use service::Service;
use tonic::{Code, Status};

/// Clients of the two peers. Cheap to clone.
#[derive(Clone)]
pub struct Peers {
    users: UserServiceClient<Channel>,
    orders: OrderServiceClient<Channel>,
}

impl Peers {
    pub fn new(service: &Service) -> Result<Self, service::Error> {
        let (users, orders) = (service.peer("users")?, service.peer("orders")?);
        Ok(Self { users: UserServiceClient::new(users), orders: OrderServiceClient::new(orders) })
    }

    /// The account; none when it is closed, or was never there.
    pub async fn user(&self, user_id: &str) -> Result<Option<User>, Status> {
        let request = GetUserRequest { user_id: user_id.to_owned() };
        let user = found(self.users.clone().get_user(request).await)?;
        Ok(user.filter(|user| user.status() != UserStatus::Deleted && !user.email.is_empty()))
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
