//! Forgetting a person, and telling them what is known of them.

mod erasing;
mod exporting;
mod killed;

use anyhow::ensure;
use bson::{Document, RawDocumentBuf, doc};
use kit::shop::{TIMEOUT, id, with_shipment};
use kit::{Client, DEMO_PASSWORD, Stack, eventually};
use serde_json::{Value, json};

/// The erasure of a user once it is in this state.
pub async fn erasure_in(stack: &Stack, user_id: &str, state: &str) -> Value {
    let staff = Client::staff(stack).await;
    eventually(TIMEOUT, || async {
        let reply = staff.get(&format!("/v1/erasures/{user_id}")).await;
        ensure!(reply.status == 200 && reply.body["state"] == state, "{reply:?}");
        Ok(reply.body)
    })
    .await
}

/// A customer of a name and address that nobody else has.
struct Person {
    client: Client,
    user_id: String,
    /// What the person can be found by, in lower case.
    words: [String; 2],
}

impl Person {
    async fn register(stack: &Stack) -> Self {
        let words =
            [format!("camille-{:016x}", rand::random::<u64>()), format!("exemple{:016x}", rand::random::<u64>())];
        let email = format!("{}@example.com", words[0]);
        let body = json!({ "email": email, "name": words[1], "password": DEMO_PASSWORD });
        let user = Client::anonymous(stack).post("/v1/users", body).await.expect(201);
        let client = Client::sign_in(stack, &email, DEMO_PASSWORD).await;
        Self { client, user_id: id(&user, "userId").to_owned(), words }
    }

    fn path(&self) -> String {
        format!("/v1/users/{}", self.user_id)
    }

    /// An order that is to be sent to the person.
    async fn order(&self, product: &str) -> Value {
        let mut body = kit::shop::draft(&[(product, 1)], "tok_visa");
        body["shippingAddress"]["name"] = json!(self.words[1]);
        let order = kit::shop::place_draft(&self.client, body).await;
        with_shipment(&self.client, order).await
    }

    async fn delete(&self) {
        self.client.delete(&self.path()).await.expect(200);
    }

    /// The collections of all databases that know the person.
    async fn traces(&self, stack: &Stack) -> Vec<String> {
        let (client, mut found) = (stack.connect().await, Vec::new());
        for store in topology::Topology::get().stores() {
            let database = client.database(topology::Topology::get().database(store).expect("it has a database"));
            for name in database.list_collection_names().await.expect("root may") {
                let collection = database.collection::<RawDocumentBuf>(&name);
                let mut documents = collection.find(doc! {}).await.expect("root may");
                while documents.advance().await.expect("mongod answers") {
                    let bytes = documents.current().as_bytes().to_ascii_lowercase();
                    if self.words.iter().any(|word| bytes.windows(word.len()).any(|part| part == word.as_bytes())) {
                        found.push(format!("{store}/{name}"));
                    }
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Names of the events of an erasure, in order, once there are as many.
async fn events_of(stack: &Stack, user_id: &str, count: usize) -> Vec<String> {
    let database = stack.connect().await.database("privacy");
    eventually(TIMEOUT, || async {
        let found: Vec<Document> = kit::log(&database, doc! { "aid": user_id }).await?;
        ensure!(found.len() >= count, "{found:?}");
        Ok(found.iter().map(|entry| entry.get_str("name").expect("a name").to_owned()).collect())
    })
    .await
}
