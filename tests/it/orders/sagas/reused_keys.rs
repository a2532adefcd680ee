//! The same key with another body: whoever gets it refuses, and what the first body did stays.

use crate::payments::as_orders;
use contracts::{
    id::Kind,
    inventory::v1::{HoldStockRequest, ReservationLine, inventory_service_client::InventoryServiceClient},
    money::Money,
    payments::v1::{AuthorizePaymentRequest, payment_service_client::PaymentServiceClient},
    shipping::v1::{Address, CreateShipmentRequest, ShipmentLine, shipping_service_client::ShippingServiceClient},
};
use kit::shop::{draft, id, product, reason, stock};
use kit::{Client, Stack, shared};
use tonic::{Code, Status};

fn hold(id: &str, product: &str, quantity: i32) -> HoldStockRequest {
    let lines = vec![ReservationLine { product_id: product.to_owned(), quantity }];
    HoldStockRequest { reservation_id: id.to_owned(), lines, step_key: "hold/do".into(), epoch: 1 }
}

fn authorize(id: &str, cents: i64) -> AuthorizePaymentRequest {
    AuthorizePaymentRequest {
        payment_id: id.to_owned(),
        order_id: "ord_1".into(),
        user_id: "usr_1".into(),
        amount: Some(Money::new("EUR", rust_decimal::Decimal::new(cents, 2)).expect("money").to_wire()),
        payment_token: "tok_visa".into(),
        step_key: "authorize/do".into(),
        epoch: 1,
    }
}

fn ship(id: &str, city: &str) -> CreateShipmentRequest {
    let name = "Test Customer".to_owned();
    let (line1, postal_code, country_code) = ("1 rue de la Paix".into(), "75002".into(), "FR".into());
    CreateShipmentRequest {
        shipment_id: id.to_owned(),
        order_id: "ord_1".into(),
        user_id: "usr_1".into(),
        lines: vec![ShipmentLine { product_id: "prd_1".into(), quantity: 1 }],
        address: Some(Address { name, line1, city: city.into(), postal_code, country_code, ..Default::default() }),
        step_key: "ship/do".into(),
        epoch: 1,
    }
}

#[track_caller]
fn is_refused<T: std::fmt::Debug>(reply: Result<T, Status>, why: &str) {
    let status = reply.expect_err("the body is another one");
    assert_eq!((status.code(), rpc::status::reason(&status).as_str()), (Code::AlreadyExists, why));
}

#[tokio::test]
async fn the_same_key_with_another_body_is_refused_by_orders_and_by_every_participant() {
    let stack = shared().await;
    placing_an_order(stack, &product(stack, 9).await).await;
    let product = product(stack, 9).await;
    let before = stock(stack, &product).await;
    let mut inventory = InventoryServiceClient::new(as_orders(stack, "inventory"));
    let order = Kind::Order.new_id();
    inventory.hold_stock(hold(&order, &product, 2)).await.expect("there are enough");
    is_refused(inventory.hold_stock(hold(&order, &product, 3)).await, "RESERVATION_MISMATCH");
    let held = [before[0], before[1] + 2, before[2], before[3] - 2];
    assert_eq!(stock(stack, &product).await, held);
    let again = inventory.hold_stock(hold(&order, &product, 2)).await.expect("the same body").into_inner();
    assert_eq!(again.lines[0].quantity, 2);

    let mut payments = PaymentServiceClient::new(as_orders(stack, "payments"));
    let payment = Kind::Payment.new_id();
    payments.authorize_payment(authorize(&payment, 1000)).await.expect("authorizes");
    is_refused(payments.authorize_payment(authorize(&payment, 1001)).await, "PAYMENT_MISMATCH");
    let again = payments.authorize_payment(authorize(&payment, 1000)).await.expect("the same body").into_inner();
    assert_eq!(again.ledger.len(), 1);

    let mut shipping = ShippingServiceClient::new(as_orders(stack, "shipping"));
    let shipment = Kind::Shipment.new_id();
    shipping.create_shipment(ship(&shipment, "Paris")).await.expect("plans");
    is_refused(shipping.create_shipment(ship(&shipment, "Lyon")).await, "SHIPMENT_MISMATCH");
    let again = shipping.create_shipment(ship(&shipment, "Paris")).await.expect("the same body").into_inner();
    assert_eq!(again.address.expect("an address").city, "Paris");
}

async fn placing_an_order(stack: &Stack, product: &str) {
    let (customer, _) = Client::register(stack).await;
    let one = draft(&[(product, 1)], "tok_visa");
    let order = customer.post_with_key("/v1/orders?wait=25s", one.clone(), "the key").await.expect(201);
    let other = customer.post_with_key("/v1/orders", draft(&[(product, 2)], "tok_visa"), "the key").await;
    assert_eq!((other.status, reason(&other).as_str()), (409, "IDEMPOTENCY_KEY_REUSED"));
    let again = customer.post_with_key("/v1/orders?wait=25s", one, "the key").await;
    assert_eq!(id(&again.body, "orderId"), id(&order, "orderId"));
    assert_eq!(customer.get("/v1/orders").await.expect(200)["orders"].as_array().map(Vec::len), Some(1));
}
