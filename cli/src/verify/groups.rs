//! The count of each product group against its variants, and their options against its own.

use super::{
    cluster::{Cluster, Pages, Scope},
    snapshot::{number, text},
    violation::Examined,
};
use bson::{Bson, Document, doc};
use std::collections::HashMap;

/// Count = products that name the group, each with a value for all of its options in their order.
pub async fn examine(cluster: &Cluster, scope: &Scope) -> anyhow::Result<Examined> {
    let collection = |name| cluster.collection("products", name);
    let (groups, products) = (collection("product_groups")?, collection("products")?);
    let (mut examined, mut pages) = (Examined::default(), Pages::new(scope));
    while let Some((mut snapshot, found)) = pages.read(cluster, &groups, doc! { "outbox": 0, "requests": 0 }).await? {
        let ids: Vec<&str> = found.iter().map(|group| text(group, "_id")).collect();
        let variants = snapshot.aggregate(&products, variants(&ids)).await?;
        let variants: HashMap<&str, &Document> = variants.iter().map(|of| (text(of, "_id"), of)).collect();
        for group in &found {
            let (id, none) = (text(group, "_id"), Document::new());
            let of = variants.get(id).copied().unwrap_or(&none);
            let (counted, count) = (number(of, "variants"), number(group, "variant_count"));
            examined.checked += 1;
            if count != counted {
                examined.suspect(id, format!("a count of {counted}, its products"), format!("a count of {count}"));
            } else if let Some(names) = other_options(of, group) {
                examined.suspect(id, "variants with the options of the group", format!("one with {names}"));
            }
        }
    }
    Ok(examined)
}

/// The options of a variant that are not those of its group.
fn other_options<'a>(variants: &'a Document, group: &Document) -> Option<&'a Bson> {
    let names = variants.get_array("names").into_iter().flatten();
    names.into_iter().find(|names| Some(*names) != group.get("varies_by"))
}

/// How many products each group has, and by which options they differ.
fn variants(groups: &[&str]) -> Vec<Document> {
    // A product without options has no such field.
    let names = doc! { "$addToSet": { "$ifNull": ["$options.name", []] } };
    let of = doc! { "_id": "$group_id", "variants": { "$sum": 1_i64 }, "names": names };
    vec![doc! { "$match": { "group_id": { "$in": groups } } }, doc! { "$group": of }]
}
