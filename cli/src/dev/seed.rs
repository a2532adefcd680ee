//! A small shop for the first start: products with stock, and an account of each role.
//!
//! Every request has an id of its own that never changes, and what exists already counts as done: a seeding that was
//! interrupted is completed by the next start. The file `seeded` says that there is nothing left to do.

use super::{data::DataDir, keys::Keys, system::System};
use anyhow::{Context, anyhow};
use contracts::{
    google::r#type::Money,
    inventory::v1::{AdjustStockRequest, inventory_service_client::InventoryServiceClient},
    products::v1::{CreateProductRequest, ListProductsRequest, Product, product_service_client::ProductServiceClient},
    users::v1::{CreateUserRequest, user_service_client::UserServiceClient},
};
use futures::{StreamExt, TryStreamExt, stream};
use rpc::{issuer::user_key_id, token::Signer};
use serde::Deserialize;
use std::time::Duration;
use tonic::{
    Code, Request, Status,
    transport::{Channel, Endpoint},
};

/// The customer's e-mail address.
pub const CUSTOMER: &str = "customer@example.com";

/// The e-mail address of the member of staff.
pub const STAFF: &str = "staff@example.com";

/// The e-mail addresses of those who help customers, and of those who give roles.
pub const SUPPORT: &str = "support@example.com";
pub const ADMIN: &str = "admin@example.com";

const MARKER: &str = "seeded";

/// Who seeds, in histories: an id that no account has.
const SEEDER: &str = "usr_00000000000000000000000000000000";

/// Longest time for one request. Hashing a password on a busy machine is the slowest.
const DEADLINE: Duration = Duration::from_secs(20);

/// Products that are made at the same time.
const CONCURRENCY: usize = 8;

#[derive(Debug, Deserialize)]
struct Shop {
    product: Vec<Row>,
}

/// One product of `cli/seed/products.toml`.
#[derive(Debug, Deserialize)]
struct Row {
    sku: String,
    name: String,
    description: String,
    price_cents: i64,
    stock: i32,
}

/// The product of the printed example, when the shop has been seeded.
pub fn example_product(data: &DataDir) -> anyhow::Result<Option<String>> {
    Ok(data.read(MARKER)?.map(|text| text.trim().to_owned()))
}

/// Makes the shop, and notes that it is there. Returns how many products it has.
pub async fn run(data: &DataDir, system: &System, password: &str) -> anyhow::Result<usize> {
    let seeder = Seeder::new(system)?;
    let shop: Shop = toml::from_str(include_str!("../../seed/products.toml")).context("read cli/seed/products.toml")?;
    tokio::try_join!(
        seeder.user(CUSTOMER, "Demo Customer", password, &[]),
        seeder.user(SUPPORT, "Demo Support", password, &["support"]),
        seeder.user(STAFF, "Demo Staff", password, &["staff"]),
        seeder.user(ADMIN, "Demo Admin", password, &["admin"]),
    )?;
    // In the order of the file, so that the first one is the example that the banner prints.
    let products = stream::iter(&shop.product).map(|row| seeder.product(row)).buffered(CONCURRENCY);
    let ids: Vec<String> = products.try_collect().await?;
    let example = ids.first().ok_or_else(|| anyhow!("cli/seed/products.toml has no product"))?;
    // Last: an interrupted seeding has no marker, and the next start completes it.
    data.write(MARKER, example)?;
    Ok(ids.len())
}

struct Seeder {
    users: UserServiceClient<Channel>,
    products: ProductServiceClient<Channel>,
    inventory: InventoryServiceClient<Channel>,
    bearer: String,
}

impl Seeder {
    fn new(system: &System) -> anyhow::Result<Self> {
        let channel = |name: &str| {
            let endpoint = Endpoint::new(system.endpoints[name].uri())?.timeout(DEADLINE);
            anyhow::Ok(endpoint.connect_lazy())
        };
        Ok(Self {
            users: UserServiceClient::new(channel("users")?),
            products: ProductServiceClient::new(channel("products")?),
            inventory: InventoryServiceClient::new(channel("inventory")?),
            bearer: admin_bearer(&system.keys)?,
        })
    }

    fn request<T>(&self, message: T) -> anyhow::Result<Request<T>> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.bearer.parse()?);
        Ok(request)
    }

    async fn user(&self, email: &str, name: &str, password: &str, roles: &[&str]) -> anyhow::Result<()> {
        let request = self.request(CreateUserRequest {
            email: email.to_owned(),
            name: name.to_owned(),
            password: password.to_owned(),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            request_id: format!("seed-user-{name}").replace(' ', "-"),
            ..Default::default()
        })?;
        new_or_there(self.users.clone().create_user(request).await)
            .with_context(|| format!("seed the account {email}"))?;
        Ok(())
    }

    /// Makes a product and its stock; its id.
    async fn product(&self, row: &Row) -> anyhow::Result<String> {
        let request = self.request(CreateProductRequest {
            product: Some(Product {
                sku: row.sku.clone(),
                name: row.name.clone(),
                description: row.description.clone(),
                price: Some(euros(row.price_cents)?),
                ..Default::default()
            }),
            request_id: format!("seed-product-{}", row.sku),
        })?;
        let made = new_or_there(self.products.clone().create_product(request).await)
            .with_context(|| format!("seed the product {}", row.sku))?;
        let id = match made {
            Some(product) => product.product_id,
            None => self.find(&row.sku).await?,
        };
        let request = self.request(AdjustStockRequest {
            product_id: id.clone(),
            delta: row.stock,
            reason: "first delivery".to_owned(),
            request_id: format!("seed-stock-{}", row.sku),
        })?;
        new_or_there(self.inventory.clone().adjust_stock(request).await)
            .with_context(|| format!("seed the stock of {}", row.sku))?;
        Ok(id)
    }

    /// The id of a product that exists, by its SKU.
    async fn find(&self, sku: &str) -> anyhow::Result<String> {
        let mut page_token = String::new();
        loop {
            let request = self.request(ListProductsRequest { page_size: 200, page_token })?;
            let page = self.products.clone().list_products(request).await.context("list the products")?.into_inner();
            if let Some(product) = page.products.into_iter().find(|product| product.sku == sku) {
                return Ok(product.product_id);
            }
            if page.next_page_token.is_empty() {
                return Err(anyhow!("the SKU {sku} is taken and not listed"));
            }
            page_token = page.next_page_token;
        }
    }
}

/// `None` when it was there already.
fn new_or_there<T>(reply: Result<tonic::Response<T>, Status>) -> Result<Option<T>, Status> {
    match reply {
        Ok(reply) => Ok(Some(reply.into_inner())),
        Err(status) if status.code() == Code::AlreadyExists => Ok(None),
        Err(status) => Err(status),
    }
}

/// An authorization header of an admin, good for the time that seeding takes.
fn admin_bearer(keys: &Keys) -> anyhow::Result<String> {
    let file = keys.user_token_file();
    let signer = Signer::new(user_key_id(&file), &std::fs::read_to_string(&file)?)?;
    let token = signer.user_token(SEEDER, &["admin".to_owned()], Duration::from_secs(600))?;
    Ok(format!("Bearer {token}"))
}

fn euros(cents: i64) -> anyhow::Result<Money> {
    let nanos = i32::try_from(cents % 100).context("a remainder of 100 fits")? * 10_000_000;
    Ok(Money { currency_code: "EUR".to_owned(), units: cents / 100, nanos })
}
