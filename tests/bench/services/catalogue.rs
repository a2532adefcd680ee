//! A catalogue whose words are as unevenly frequent as those of a language, and searches in it.

use crate::{
    Sizes,
    reads::{self, Kind},
};
use kit::{Client, Stack};
use rand::{Rng, SeedableRng, rngs::StdRng};

/// Words of the catalogue. The first one is in a quarter of all products, the last one in few.
const WORDS: usize = 3_000;

const WORDS_OF_A_NAME: usize = 3;
const WORDS_OF_A_DESCRIPTION: usize = 12;

const SYLLABLES: [&str; 20] = [
    "ba", "ce", "dé", "fo", "gu", "ha", "ki", "lö", "mu", "na", "pé", "ro", "sü", "ta", "vi", "wo", "xa", "yu", "zo",
    "che",
];

/// The word of this rank, 0 for the most frequent one.
pub fn word(rank: usize) -> String {
    let of = |digit: usize| SYLLABLES[digit % SYLLABLES.len()];
    [of(rank), of(rank / 20 + 7), of(rank / 400 + 3), "n"].concat()
}

/// Name, description and cents of the price of a product, always the same.
pub fn product(number: usize) -> (String, String, i64) {
    let mut random = StdRng::seed_from_u64(number as u64);
    let mut words = |count: usize| {
        let ranks = (0..count).map(|_| (random.random::<f64>().powi(2) * WORDS as f64) as usize);
        ranks.map(word).collect::<Vec<_>>().join(" ")
    };
    let (name, description) = (words(WORDS_OF_A_NAME), words(WORDS_OF_A_DESCRIPTION));
    (name, description, 100 + random.random_range(0..20_000))
}

fn path(parameters: &[(&str, &str)]) -> String {
    let mut url = reqwest::Url::parse("http://localhost/v1/products:search").expect("a URL");
    url.query_pairs_mut().extend_pairs(parameters).append_pair("pageSize", "20");
    format!("{}?{}", url.path(), url.query().unwrap_or_default())
}

/// Searches as shops have them.
pub async fn measure(stack: &Stack, sizes: &Sizes) -> anyhow::Result<()> {
    let visitor = Client::anonymous(stack);
    let (often, some, rare) = (word(0), word(WORDS / 3), word(WORDS - 1));
    let two = format!("{often} {some}");
    let prefix: String = often.chars().take(2).collect();
    let under = "currency = EUR AND price < 20";
    let searches: [(&str, Vec<(&str, &str)>); 9] = [
        ("a word of one product in 400", vec![("query", &rare)]),
        ("a word of one product in 200", vec![("query", &some)]),
        ("the most frequent word", vec![("query", &often)]),
        ("two letters", vec![("query", &prefix)]),
        ("two words", vec![("query", &two)]),
        (
            "the most frequent word, under 20 EUR, by price",
            vec![("query", &often), ("filter", under), ("orderBy", "price")],
        ),
        ("all under 20 EUR, by price", vec![("filter", under), ("orderBy", "price")]),
        ("all, by name", vec![("orderBy", "name")]),
        ("a word that nothing has", vec![("query", "samovar")]),
    ];
    let mut kinds = Vec::new();
    for (name, parameters) in searches {
        let first = visitor.get(&path(&parameters)).await;
        anyhow::ensure!(first.status == 200, "{name}: {first:?}");
        let token = first.body["nextPageToken"].as_str().unwrap_or_default();
        if name == "the most frequent word" && !token.is_empty() {
            let parameters = [parameters.as_slice(), &[("pageToken", token)]].concat();
            kinds.push(Kind { name: format!("{name}, second page"), path: path(&parameters) });
        }
        kinds.push(Kind { name: name.to_owned(), path: path(&parameters) });
    }
    let title = format!("Search over {} products, pages of 20", sizes.products);
    reads::measure(&title, (&visitor, &stack.db("products")), &kinds, sizes.time).await
}
