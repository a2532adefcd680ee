//! What a running system logs and publishes, against the documents of its contracts.

use super::*;

/// An ordinary day: accounts, products, and orders that are delivered, refunded, cancelled, charged back, declined, slow and left waiting.
async fn an_ordinary_day(stack: &Stack) {
    let (staff, (customer, user)) = (Client::staff(stack).await, Client::register(stack).await);
    let product = shop::product(stack, 20).await;
    let path = format!("/v1/products/{product}");
    staff.patch(&path, json!({ "name": "Renamed" })).await.expect(200);
    let line = [(product.as_str(), 1)];
    let delivered = shop::place(&customer, &line, "tok_visa").await;
    let shipment = format!("/v1/shipments/{}", shop::id(&delivered, "shipmentId"));
    staff.post(&format!("{shipment}:dispatch"), json!({})).await.expect(200);
    shop::order_with(&customer, &delivered, "state", "SHIPPED").await;
    staff.post(&format!("{shipment}:deliver"), json!({})).await.expect(200);
    let disputed = shop::place(&customer, &line, "tok_dispute").await;
    let shipment = format!("/v1/shipments/{}:dispatch", shop::id(&disputed, "shipmentId"));
    staff.post(&shipment, json!({})).await.expect(200);
    let refund = format!("/v1/orders/{}:refund", shop::id(&delivered, "orderId"));
    staff.post(&refund, json!({ "reason": "it broke" })).await.expect(200);
    a_category(&staff).await;
    a_group(&staff).await;
    two_shipments(&customer, &staff, &product).await;
    a_coupon(&customer, &staff, &product).await;
    baskets(&customer, &product).await;
    let cancelled = shop::place(&customer, &line, "tok_visa").await;
    let cancel = format!("/v1/orders/{}:cancel", shop::id(&cancelled, "orderId"));
    customer.post(&cancel, json!({ "reason": "CHANGED_MIND" })).await.expect(200);
    for token in ["tok_declined", "tok_timeout"] {
        shop::place(&customer, &line, token).await;
    }
    let waiting = customer.post("/v1/orders", shop::draft(&line, "tok_action_required")).await.expect(201);
    shop::order_with(&customer, &waiting, "paymentState", "ACTION_REQUIRED").await;
    shop::order_with(&customer, &delivered, "state", "DELIVERED").await;
    shop::order_with(&customer, &cancelled, "state", "CANCELLED").await;
    let me = format!("/v1/users/{}", shop::id(&user, "userId"));
    customer.patch(&me, json!({ "name": "Somebody Else" })).await.expect(200);
    an_account(stack, &me).await;
    a_client(stack).await;
    crate::users::recovery::an_account_that_recovers().await;
    staff.delete(&me).await.expect(200);
    // Nothing of that one is under way, so that their erasure ends.
    let (leaving, user) = Client::register(stack).await;
    leaving.delete(&format!("/v1/users/{}", shop::id(&user, "userId"))).await.expect(200);
}

/// An account that is given a role and loses it, is locked and unlocked.
async fn an_account(stack: &Stack, path: &str) {
    let admin = Client::admin(stack).await;
    for roles in [&["support"][..], &[]] {
        admin.post(&format!("{path}:setRoles"), json!({ "roles": roles })).await.expect(200);
    }
    admin.post(&format!("{path}:lock"), json!({ "reason": "a test" })).await.expect(200);
    admin.post(&format!("{path}:unlock"), json!({})).await.expect(200);
}

/// An OAuth client that is given another secret and deleted.
async fn a_client(stack: &Stack) {
    let admin = Client::admin(stack).await;
    let made = admin.post("/v1/clients", json!({ "name": "A day", "role": "support" })).await.expect(201);
    let path = format!("/v1/clients/{}", shop::id(&made["client"], "clientId"));
    admin.post(&format!("{path}:rotateSecret"), json!({})).await.expect(200);
    admin.delete(&path).await.expect(200);
}

/// A category that is renamed and deleted.
async fn a_category(staff: &Client) {
    let made = staff.post("/v1/categories", json!({ "name": "A day" })).await.expect(201);
    let path = format!("/v1/categories/{}", shop::id(&made, "categoryId"));
    staff.patch(&path, json!({ "name": "Another day" })).await.expect(200);
    staff.delete(&path).await.expect(200);
}

/// A group of products that is renamed.
async fn a_group(staff: &Client) {
    let made = staff.post("/v1/product-groups", json!({ "name": "A day", "variesBy": ["Hour"] })).await.expect(201);
    let path = format!("/v1/product-groups/{}", shop::id(&made, "groupId"));
    staff.patch(&path, json!({ "name": "Another day" })).await.expect(200);
}

/// An order in two shipments, one of which comes back.
async fn two_shipments(customer: &Client, staff: &Client, product: &str) {
    let order = shop::place(customer, &[(product, 2)], "tok_visa").await;
    let shipment = format!("/v1/shipments/{}", shop::id(&order, "shipmentId"));
    let body = json!({ "lines": [{ "productId": product, "quantity": 1 }], "requestId": "split" });
    staff.post(&format!("{shipment}:split"), body).await.expect(200);
    let event =
        json!({ "carrier": "sandbox", "eventId": "1", "kind": "RETURNED", "occurTime": "2030-01-01T00:00:00Z" });
    staff.post(&format!("{shipment}:recordTrackingEvent"), json!({ "event": event })).await.expect(200);
}

/// A coupon that an order uses, one gives back, and staff end.
async fn a_coupon(customer: &Client, staff: &Client, product: &str) {
    let code = crate::orders::coupons::new_code();
    staff.post("/v1/coupons", json!({ "code": code, "percentage": "10" })).await.expect(201);
    for token in ["tok_visa", "tok_declined"] {
        crate::orders::coupons::buy(customer, product, &code, token).await.expect(201);
    }
    staff.post(&format!("/v1/coupons/{code}:disable"), json!({})).await.expect(200);
}

/// A guest's basket that becomes part of a user's, which is ordered, and one that is deleted.
async fn baskets(customer: &Client, product: &str) {
    let guest = crate::baskets::Guest::with(&customer.with_token(None), &[(product, 1)]).await;
    let own = customer.post("/v1/baskets", json!({})).await.expect(201);
    guest.merge(customer, json!({ "intoBasketId": own["basketId"] })).await.expect(200);
    let path = format!("/v1/baskets/{}", shop::id(&own, "basketId"));
    customer.post(&format!("{path}:checkout"), crate::baskets::checkout("tok_visa")).await.expect(200);
    let other = customer.post("/v1/baskets", json!({})).await.expect(201);
    customer.delete(&format!("/v1/baskets/{}", shop::id(&other, "basketId"))).await.expect(200);
}

async fn logged(mongodb: &mongodb::Client, service: &str) -> anyhow::Result<Vec<Document>> {
    let database = mongodb.database(&Topology::get().service[service].database);
    kit::log(&database, doc! {}).await
}

/// Compares an entry of a log with the contract of its event.
fn check(event: &Event, entry: &Document) -> anyhow::Result<()> {
    let data = entry.get_binary_generic("data")?;
    let message = DynamicMessage::decode(event.message.clone(), data.as_slice())?;
    ensure!(message.unknown_fields().next().is_none(), "{entry} has fields that its contract does not know");
    let id = event.option.id_field.split('.').try_fold(prost_reflect::Value::Message(message), |at, name| {
        at.as_message().and_then(|message| Some(message.get_field_by_name(name)?.into_owned()))
    });
    let id = id.and_then(|id| id.as_str().map(str::to_owned));
    ensure!(id.as_deref() == Some(entry.get_str("aid")?), "{} is not the id of {entry}", event.option.id_field);
    Ok(())
}

#[tokio::test]
async fn what_a_running_system_logs_is_what_the_contracts_say() {
    let stack = shared().await;
    an_ordinary_day(stack).await;
    let (catalogue, mongodb) = (catalogue(), stack.connect().await);
    let declared = declared(&catalogue);
    let seen = eventually(TIMEOUT, || async {
        let mut seen = Names::new();
        for publisher in &catalogue.publishers {
            for entry in logged(&mongodb, &publisher.service).await? {
                let text = |field: &str| entry.get_str(field).map(str::to_owned);
                let event = publisher
                    .events
                    .iter()
                    .find(|event| entry.get_str("type").is_ok_and(|name| name == event.message.full_name()));
                let event = event.ok_or_else(|| anyhow::anyhow!("the contracts have no such event: {entry}"))?;
                check(event, &entry)?;
                seen.insert((publisher.service.clone(), text("agg")?, text("name")?), text("type")?);
            }
        }
        let is_rare = |key: &(String, String, String)| RARE.contains(&(key.1.as_str(), key.2.as_str()));
        let missing: Vec<_> = declared.keys().filter(|key| !seen.contains_key(*key) && !is_rare(key)).collect();
        ensure!(missing.is_empty(), "never logged: {missing:?}");
        Ok(seen)
    })
    .await;
    let undeclared: Vec<_> = seen.iter().filter(|(key, message)| declared.get(*key) != Some(*message)).collect();
    assert!(undeclared.is_empty(), "logged, and not in the contracts: {undeclared:?}");
}

#[tokio::test]
async fn messages_on_the_streams_have_the_headers_and_subjects_that_the_documents_name() {
    let stack = shared().await;
    an_ordinary_day(stack).await;
    let nats = jetstream::new(stack.nats().await);
    for publisher in catalogue().publishers {
        let stream = nats.get_stream(topology::stream(&publisher.service)).await.expect("a publisher has a stream");
        let last = eventually(TIMEOUT, || async {
            let last = stream.get_info().await?.state.last_sequence;
            ensure!(last > 0, "nothing is on the stream of {}", publisher.service);
            Ok(stream.get_raw_message(last).await?)
        })
        .await;
        let value = |name: &str| last.headers.get(name).map(|value| value.as_str().to_owned());
        for header in HEADERS.iter().filter(|header| header.is_always_there) {
            assert!(value(header.name).is_some_and(|text| !text.is_empty()), "{} is not in {last:?}", header.name);
        }
        for (name, _) in last.headers.iter() {
            let name: &str = name.as_ref();
            let is_documented = HEADERS.iter().any(|header| header.name == name) || name.starts_with("Nats-");
            assert!(is_documented, "{name} is not in cli/src/docs/catalogue.rs");
        }
        let event =
            publisher.events.iter().find(|event| value("ce-type").as_deref() == Some(event.message.full_name()));
        let event = event.unwrap_or_else(|| panic!("the contracts have no event of {last:?}"));
        let words: Vec<&str> = last.subject.split('.').collect();
        assert_eq!(words[..3], ["evt", &publisher.service, &event.option.aggregate]);
        assert!(event.option.names.iter().any(|name| name == words[3]), "{}", last.subject);
        assert_eq!(value("ce-partitionkey").as_deref(), words.get(4).copied());
        assert_eq!(value("ce-source"), Some(format!("/comptoir/{}", publisher.service)));
    }
}
