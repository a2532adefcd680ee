//! A gRPC server that answers every call with a message that it has ready.

use axum::{extract::Request, response::Response};
use bytes::Bytes;
use contracts::{google::r#type::Money, orders::v1 as orders, products::v1 as products, users::v1 as users};
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use prost::Message;
use std::convert::Infallible;

/// Its address.
pub async fn start() -> anyhow::Result<String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let app = axum::Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}

async fn answer(request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let sent = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    // Envoy's bridge passes JSON on as it is: then the service has to read and write it.
    let is_json = parts.headers.get("content-type").is_some_and(|kind| kind == "application/grpc+json");
    let message = match parts.uri.path().rsplit('/').next() {
        Some("GetProduct") if is_json => product_json(&sent),
        Some("GetProduct") => product(&sent),
        Some("CreateUser") => user(),
        _ => order(),
    };
    let length = u32::try_from(message.len()).expect("a small message").to_be_bytes();
    let framed = Bytes::from([&[0], length.as_slice(), &message].concat());
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let frames = [Frame::data(framed), Frame::trailers(trailers)].map(Ok::<_, Infallible>);
    let mut response = Response::new(axum::body::Body::new(StreamBody::new(futures::stream::iter(frames))));
    let kind = if is_json { "application/grpc+json" } else { "application/grpc" };
    response.headers_mut().insert("content-type", HeaderValue::from_static(kind));
    response
}

/// The replies, with the RPCs that give them.
pub fn replies() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let get_product = "/comptoir.products.v1.ProductService/GetProduct";
    vec![
        ("product of 300 B, to JSON", get_product, product_of("prd_300".to_owned())),
        ("product of 10 KB, to JSON", get_product, product_of("prd_10000".to_owned())),
        ("order of 3 lines, to JSON", "/comptoir.orders.v1.OrderService/GetOrder", order()),
    ]
}

fn product(request: &Bytes) -> Vec<u8> {
    let asked = products::GetProductRequest::decode(request.slice(5.min(request.len())..)).unwrap_or_default();
    product_of(asked.product_id)
}

/// JSON of a product of the size that its id names.
fn product_json(request: &Bytes) -> Vec<u8> {
    let asked: serde_json::Value = serde_json::from_slice(request.get(5..).unwrap_or_default()).unwrap_or_default();
    let product_id = asked["productId"].as_str().unwrap_or_default().to_owned();
    let description = "d".repeat(size(&product_id).saturating_sub(150));
    serde_json::json!({
        "productId": product_id, "sku": "CHAIR-OAK-1", "name": "Chair of oak", "description": description,
        "price": {"currencyCode": "EUR", "units": "1999"}, "status": "ACTIVE", "weightGrams": 4200, "etag": "7",
    })
    .to_string()
    .into_bytes()
}

fn size(product_id: &str) -> usize {
    product_id.trim_start_matches("prd_").parse().unwrap_or(300)
}

/// Of the size that its id names.
fn product_of(product_id: String) -> Vec<u8> {
    let size = size(&product_id);
    let price = Some(Money { currency_code: "EUR".to_owned(), units: 1999, nanos: 0 });
    let product = products::Product {
        product_id,
        sku: "CHAIR-OAK-1".to_owned(),
        name: "Chair of oak".to_owned(),
        description: "d".repeat(size.saturating_sub(150)),
        price,
        status: 1,
        weight_grams: 4200,
        etag: "7".to_owned(),
        ..Default::default()
    };
    product.encode_to_vec()
}

fn user() -> Vec<u8> {
    users::User { user_id: "usr_1".to_owned(), name: "Test Customer".to_owned(), ..Default::default() }.encode_to_vec()
}

fn order() -> Vec<u8> {
    let price = |units| Some(Money { currency_code: "EUR".to_owned(), units, nanos: 990_000_000 });
    let items = (0..3).map(|at| orders::OrderItem {
        product_id: format!("prd_{at}"),
        quantity: 2,
        product_snapshot: Some(orders::ProductSnapshot {
            name: "Chair of oak".to_owned(),
            sku: format!("CHAIR-OAK-{at}"),
            price: price(19),
            ..Default::default()
        }),
        amount: price(39),
        ..Default::default()
    });
    let order = orders::Order {
        order_id: "ord_1".to_owned(),
        user_id: "usr_1".to_owned(),
        items: items.collect(),
        total: price(119),
        etag: "7".to_owned(),
        ..Default::default()
    };
    order.encode_to_vec()
}
