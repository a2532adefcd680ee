//! The lists page by page, what cannot be registered, and what a deletion leaves.

use super::{Shop, endpoint_id};
use anyhow::ensure;
use kit::eventually;
use kit::shop::{TIMEOUT, fields, id, reason};
use serde_json::{Value, json};

fn ids(page: &Value, list: &str, field: &str) -> Vec<String> {
    page[list].as_array().expect("a list").iter().map(|one| id(one, field).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_are_paged_newest_first_and_narrowed_and_go_with_their_endpoint() {
    let shop = Shop::open().await;
    let webhooks = shop.serve(&[]);
    let endpoint = shop.endpoint(&["order.confirmed"]).await;
    for _ in 0..3 {
        shop.order().await;
    }
    shop.settled(&endpoint, &[("order.confirmed", "DELIVERED"); 3]).await;
    let path = format!("/v1/webhooks/deliveries?endpointId={}", endpoint_id(&endpoint));
    let get = async |query: &str| shop.admin.get(&format!("{path}{query}")).await;
    let all = ids(&get("").await.expect(200), "deliveries", "deliveryId");
    assert!(all.len() == 3 && all.is_sorted_by(|newer, older| newer > older), "{all:?}");
    let first = get("&pageSize=2").await.expect(200);
    let token = id(&first, "nextPageToken");
    let second = get(&format!("&pageSize=2&pageToken={token}")).await.expect(200);
    assert_eq!(ids(&first, "deliveries", "deliveryId"), all[..2]);
    assert_eq!(ids(&second, "deliveries", "deliveryId"), all[2..]);
    let stolen = shop.admin.get(&format!("/v1/webhooks/deliveries?state=FAILED&pageToken={token}")).await;
    assert_eq!((stolen.status, fields(&stolen)), (400, vec!["pageToken".to_owned()]), "a token is of its filters");
    for (query, count) in [("&state=DELIVERED", 3), ("&state=PENDING", 0), ("&state=FAILED", 0)] {
        assert_eq!(ids(&get(query).await.expect(200), "deliveries", "deliveryId").len(), count, "{query}");
    }
    let of_endpoint = format!("/v1/webhooks/endpoints/{}", endpoint_id(&endpoint));
    for _ in 0..2 {
        shop.admin.delete(&of_endpoint).await.expect(200);
    }
    assert_eq!(shop.admin.get(&of_endpoint).await.status, 404);
    assert_eq!(get("").await.expect(200)["deliveries"], json!([]));
    shop.order().await;
    crate::cli::verify::is_clean(&shop.stack).await;
    assert_eq!(shop.receiver.taken().len(), 3, "nothing goes to an endpoint that is deleted");
    shop.close(webhooks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_are_100_endpoints_at_most_and_their_types_are_those_of_events() {
    let shop = Shop::open().await;
    let webhooks = shop.serve(&[]);
    let first = shop.endpoint(&["client.deleted", "client.created", "client.created"]).await;
    assert_eq!(first["endpoint"]["eventTypes"], json!(["client.created", "client.deleted"]));
    let body = |types: Value| json!({ "url": shop.receiver.url("/hook"), "eventTypes": types });
    for (types, field) in [(json!(["order.eaten"]), "eventTypes[0]"), (json!([]), "eventTypes")] {
        let refused = shop.admin.post("/v1/webhooks/endpoints", body(types)).await;
        assert_eq!((refused.status, fields(&refused)), (400, vec![field.to_owned()]), "{refused:?}");
    }
    let created = futures::future::join_all((0..110).map(|_| async {
        let reply = shop.admin.post("/v1/webhooks/endpoints", body(json!(["client.created"]))).await;
        assert!(reply.status == 201 || reason(&reply) == "TOO_MANY_ENDPOINTS", "{reply:?}");
        reply.status == 201
    }));
    assert_eq!(created.await.into_iter().filter(|is_created| *is_created).count(), 99);
    let page = shop.admin.get("/v1/webhooks/endpoints?pageSize=60").await.expect(200);
    let path = format!("/v1/webhooks/endpoints?pageSize=60&pageToken={}", id(&page, "nextPageToken"));
    let rest = shop.admin.get(&path).await.expect(200);
    let found = [&page, &rest].map(|page| ids(page, "endpoints", "endpointId")).concat();
    assert!(found.len() == 100 && found.is_sorted_by(|older, newer| older < newer), "{found:?}");
    let texts = format!("{page}{rest}");
    assert!(!texts.contains("whsec_"), "a list has no secret");
    shop.admin.delete(&format!("/v1/webhooks/endpoints/{}", found[7])).await.expect(200);
    eventually(TIMEOUT, || async {
        let reply = shop.admin.post("/v1/webhooks/endpoints", body(json!(["client.created"]))).await;
        ensure!(reply.status == 201, "{reply:?}");
        Ok(())
    })
    .await;
    shop.close(webhooks).await;
}
