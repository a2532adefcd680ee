//! A product as far as a line tells it.

use anyhow::{Context, bail};
use contracts::{
    Normalize as _, Validate as _,
    money::Money,
    products::v1::{CreateProductRequest, Product, ProductOption, product::Status},
};
use csv::StringRecord;
use prost::{Message as _, Name as _};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};
use serde_json::{Map, Value, json};

/// The fields that a file tells, by their names in the contract and in CSV. A price has a second column, the currency.
pub const FIELDS: [&str; 12] = [
    "sku",
    "name",
    "description",
    "price",
    "status",
    "tax_category",
    "weight_grams",
    "category_ids",
    "media",
    "group_id",
    "options",
    "other_prices",
];

/// The column beside the price.
const CURRENCY: &str = "currency";

type Object = Map<String, Value>;

/// What a line says.
#[derive(Debug, Clone)]
pub struct Record {
    /// In its canonical form.
    pub product: Product,
    /// The fields that it tells, but for the SKU.
    fields: Vec<&'static str>,
}

impl Record {
    /// The fields in which `found` is not as the line says.
    pub fn differences(&self, found: &Product) -> Vec<String> {
        let wanted = &self.product;
        let differs = |field: &&&str| match **field {
            "name" => wanted.name != found.name,
            "description" => wanted.description != found.description,
            "price" => wanted.price != found.price,
            "status" => wanted.status != found.status,
            "tax_category" => wanted.tax_category != found.tax_category,
            "weight_grams" => wanted.weight_grams != found.weight_grams,
            "category_ids" => wanted.category_ids != found.category_ids,
            "group_id" => wanted.group_id != found.group_id,
            "options" => sorted(&wanted.options) != sorted(&found.options),
            "other_prices" => wanted.other_prices != found.other_prices,
            _ => wanted.media != found.media,
        };
        self.fields.iter().filter(differs).map(|field| (*field).to_owned()).collect()
    }

    /// What a new product needs and the line does not tell.
    pub fn missing(&self) -> Vec<&'static str> {
        ["name", "price"].into_iter().filter(|field| !self.fields.contains(field)).collect()
    }
}

/// The columns of a CSV file.
pub struct Columns(Vec<String>);

impl Columns {
    pub fn new(names: &StringRecord) -> anyhow::Result<Self> {
        let names: Vec<String> = names.iter().map(|name| name.trim().to_owned()).collect();
        for (place, name) in names.iter().enumerate() {
            if !FIELDS.contains(&name.as_str()) && name != CURRENCY {
                bail!("there is no column {name:?}; known: {}, {CURRENCY}", FIELDS.join(", "));
            }
            if names.iter().take(place).any(|before| before == name) {
                bail!("there are two columns {name:?}");
            }
        }
        let has = |wanted: &str| names.iter().any(|name| name == wanted);
        if !has("sku") {
            bail!("there is no column \"sku\", by which products are known");
        }
        if has("price") != has(CURRENCY) {
            bail!("the columns \"price\" and {CURRENCY:?} need each other");
        }
        Ok(Self(names))
    }

    /// A line as the JSON of a product.
    pub fn object(&self, cells: &StringRecord) -> Result<Object, String> {
        let mut object = Object::new();
        let of = |wanted: &str| self.0.iter().zip(cells).find(|(name, _)| *name == wanted).map_or("", |(_, cell)| cell);
        for (name, cell) in self.0.iter().zip(cells) {
            let value = match name.as_str() {
                CURRENCY => continue,
                "name" | "price" | "status" if cell.trim().is_empty() => continue,
                "price" => price(of(CURRENCY), cell)?,
                "weight_grams" if cell.trim().is_empty() => json!(0),
                "weight_grams" => json!(cell.trim()),
                "category_ids" => cell.split_whitespace().collect(),
                "media" => cell.lines().filter(|line| !line.trim().is_empty()).map(media).collect(),
                "options" => cell.lines().filter(|line| !line.trim().is_empty()).map(option).collect(),
                "other_prices" => other_prices(cell)?,
                _ => json!(cell),
            };
            object.insert(name.clone(), value);
        }
        Ok(object)
    }
}

fn price(currency: &str, amount: &str) -> Result<Value, String> {
    money(currency, amount).map_err(|error| format!("price: {error}"))
}

/// The prices of a cell, as they are printed: `13.90 USD; 1500 JPY`.
fn other_prices(cell: &str) -> Result<Value, String> {
    let price = |text: &str| {
        let (amount, currency) = text
            .trim()
            .rsplit_once(char::is_whitespace)
            .ok_or_else(|| format!("other_prices: {text:?} is no price such as 13.90 USD; a ; divides two of them"))?;
        money(currency, amount).map_err(|error| format!("other_prices: {error}"))
    };
    cell.split(';').filter(|text| !text.trim().is_empty()).map(price).collect()
}

fn money(currency: &str, amount: &str) -> Result<Value, contracts::money::Error> {
    let price = Money::parse(&contracts::text::code(currency), amount.trim())?.to_wire();
    Ok(json!({ "currencyCode": price.currency_code, "units": price.units.to_string(), "nanos": price.nanos }))
}

fn media(line: &str) -> Value {
    let line = line.trim();
    let (uri, text) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    json!({ "uri": uri, "altText": text.trim() })
}

/// Options in whatever order they are written.
fn sorted(options: &[ProductOption]) -> Vec<(&str, &str)> {
    let mut sorted: Vec<_> = options.iter().map(|option| (option.name.as_str(), option.value.as_str())).collect();
    sorted.sort_unstable();
    sorted
}

fn option(line: &str) -> Value {
    let (name, value) = line.split_once('=').unwrap_or((line, ""));
    json!({ "name": name.trim(), "value": value.trim() })
}

/// Turns JSON into products and back, by the contracts.
pub struct Reader(MessageDescriptor);

impl Reader {
    pub fn new() -> anyhow::Result<Self> {
        let pool = DescriptorPool::decode(contracts::DESCRIPTORS).context("read the contracts")?;
        Ok(Self(pool.get_message_by_name(&Product::full_name()).context("the contracts have products")?))
    }

    /// The product of a line of JSON.
    pub fn object(&self, text: &[u8]) -> Result<Record, String> {
        self.record(serde_json::from_slice(text).map_err(|error| format!("it is no JSON object: {error}"))?)
    }

    /// The product of a JSON object. What the service alone sets is passed over.
    pub fn record(&self, object: Object) -> Result<Record, String> {
        let (mut told, mut fields) = (Object::new(), Vec::new());
        for (key, value) in object {
            let field = self.0.get_field_by_name(&key).or_else(|| self.0.get_field_by_json_name(&key));
            let field = field.ok_or_else(|| format!("there is no field {key:?}"))?;
            let Some(name) = FIELDS.into_iter().find(|name| *name == field.name()) else { continue };
            // What has no value is not told; of the other fields null is the empty value.
            if value.is_null() && matches!(name, "name" | "price" | "status") {
                continue;
            }
            if told.insert(name.to_owned(), value).is_some() {
                return Err(format!("{name} comes twice"));
            }
            fields.extend((name != "sku").then_some(name));
        }
        let message = DynamicMessage::deserialize(self.0.clone(), Value::Object(told));
        let product = message.map_err(|error| error.to_string())?.transcode_to::<Product>();
        let product = product.map_err(|error| error.to_string())?;
        let mut request = CreateProductRequest { product: Some(product), ..CreateProductRequest::default() };
        request.normalize();
        request.validate().map_err(|violations| {
            let told = violations.iter().map(|violation| format!("{}: {}", violation.field, violation.description));
            told.collect::<Vec<_>>().join("; ").replace("product.", "")
        })?;
        let mut product = request.product.unwrap_or_default();
        product.other_prices.sort_by(|one, other| one.currency_code.cmp(&other.currency_code));
        if fields.contains(&"status") && product.status() == Status::Unspecified {
            return Err("status: must be ACTIVE, ARCHIVED or DRAFT".to_owned());
        }
        if product.sku.is_empty() {
            return Err("it has no sku, by which products are known".to_owned());
        }
        Ok(Record { product, fields })
    }

    /// What `import` reads of a product, as JSON.
    pub fn shown(&self, product: &Product) -> anyhow::Result<Object> {
        let message = DynamicMessage::decode(self.0.clone(), product.encode_to_vec().as_slice())?;
        let options = SerializeOptions::new().skip_default_fields(false);
        let Value::Object(all) = message.serialize_with_options(serde_json::value::Serializer, &options)? else {
            bail!("a product is no JSON object");
        };
        let is_told = |key: &String| self.0.get_field_by_json_name(key).is_some_and(|f| FIELDS.contains(&f.name()));
        Ok(all.into_iter().filter(|(key, _)| is_told(key)).collect())
    }
}

/// The cells of a product, in the order of [`FIELDS`], and the currency behind them.
pub fn cells(product: &Product) -> anyhow::Result<Vec<String>> {
    let price = product.price.as_ref().map(Money::from_wire).transpose()?.map(|price| price.to_string());
    let (amount, currency) = price.as_deref().and_then(|price| price.split_once(' ')).unwrap_or_default();
    let others = product.other_prices.iter().map(|price| Money::from_wire(price).map(|price| price.to_string()));
    let media = product.media.iter().map(|media| format!("{} {}", media.uri, media.alt_text).trim_end().to_owned());
    let options = product.options.iter().map(|option| format!("{}={}", option.name, option.value));
    Ok(vec![
        product.sku.clone(),
        product.name.clone(),
        product.description.clone(),
        amount.to_owned(),
        product.status().as_str_name().to_owned(),
        product.tax_category.clone(),
        product.weight_grams.to_string(),
        product.category_ids.join(" "),
        media.collect::<Vec<_>>().join("\n"),
        product.group_id.clone(),
        options.collect::<Vec<_>>().join("\n"),
        others.collect::<Result<Vec<_>, _>>()?.join("; "),
        currency.to_owned(),
    ])
}

/// The names of the columns of [`cells`].
pub fn titles() -> impl Iterator<Item = &'static str> {
    FIELDS.into_iter().chain([CURRENCY])
}
