//! Reports as `text/csv`, for callers who ask for it.

use kit::{Client, shared};
use reqwest::{
    Method,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY},
};

const PATH: &str = "/v1/analytics/revenue?currencyCode=EUR&startDate=2001-01-01&endDate=2001-02-10";

const CSV: &str = "text/csv; charset=utf-8; header=present";

async fn get(client: &Client, path: &str, accept: &str) -> reqwest::Response {
    client.request(Method::GET, path).header(ACCEPT, accept).send().await.expect("the gateway answers")
}

fn header(response: &reqwest::Response, name: reqwest::header::HeaderName) -> String {
    let all = response.headers().get_all(name);
    all.iter().map(|value| value.to_str().expect("ASCII")).collect::<Vec<_>>().join(", ")
}

/// Whether caches are told that the reply depends on `Accept`, and not just on `Accept-Encoding`.
fn varies_with_accept(response: &reqwest::Response) -> bool {
    header(response, VARY).split(',').any(|name| name.trim().eq_ignore_ascii_case("accept"))
}

#[tokio::test]
async fn a_report_is_a_table_for_who_likes_csv_no_less_than_json() {
    let staff = Client::staff(shared().await).await;
    for accept in ["text/csv", "text/csv, application/json", "Text/CSV;q=0.5, */*;q=0.1"] {
        let reply = get(&staff, PATH, accept).await;
        assert_eq!((reply.status().as_u16(), header(&reply, CONTENT_TYPE).as_str()), (200, CSV), "{accept}");
        assert!(varies_with_accept(&reply), "{accept}: {:?}", reply.headers());
        let text = reply.text().await.expect("a body");
        let lines: Vec<&str> = text.split_terminator("\r\n").collect();
        assert_eq!(lines.len(), 1 + 40, "a line for each day: {text}");
        assert!(lines[0].starts_with("period,startTime,endTime,currencyCode,orders,units,gross.amount,"), "{text}");
        let day =
            "2001-02-01,2001-02-01T00:00:00Z,2001-02-02T00:00:00Z,EUR,0,0,0.00,EUR,0.00,EUR,0.00,EUR,0.00,EUR,,,0,0";
        assert_eq!(lines[32], day);
    }
    for accept in ["*/*", "application/json", "text/csv;q=0.5, application/json", "text/csv;q=0", "text/html, text/*"] {
        let reply = get(&staff, PATH, accept).await;
        assert_eq!(header(&reply, CONTENT_TYPE), "application/json", "{accept}");
        assert!(varies_with_accept(&reply), "{accept}: {:?}", reply.headers());
    }
}

#[tokio::test]
async fn a_failure_and_what_is_no_table_are_json_whoever_asks_for_csv() {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    let refused = get(&staff, "/v1/analytics/revenue?startDate=x", "text/csv").await;
    assert_eq!((refused.status().as_u16(), header(&refused, CONTENT_TYPE).as_str()), (400, "application/json"));
    let orders = get(&staff, "/v1/orders", "text/csv").await;
    assert_eq!((orders.status().as_u16(), header(&orders, CONTENT_TYPE).as_str()), (200, "application/json"));
    let nobody = get(&Client::anonymous(stack), PATH, "text/csv").await;
    assert_eq!(nobody.status().as_u16(), 401);
}

#[tokio::test]
async fn a_table_is_compressed_and_its_head_can_be_asked_for() {
    let staff = Client::staff(shared().await).await;
    let request = staff.request(Method::GET, PATH).header(ACCEPT, "text/csv").header(ACCEPT_ENCODING, "gzip");
    let reply = request.send().await.expect("the gateway answers");
    assert_eq!((header(&reply, CONTENT_ENCODING).as_str(), header(&reply, CONTENT_TYPE).as_str()), ("gzip", CSV));
    let head = staff.request(Method::HEAD, PATH).header(ACCEPT, "text/csv").send().await.expect("the gateway answers");
    assert_eq!((head.status().as_u16(), header(&head, CONTENT_TYPE).as_str()), (200, CSV));
}
