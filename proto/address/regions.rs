//! States of the US and provinces of Canada by the abbreviations and names of their posts (USPS Publication 28, Canada Post).
//! Pure.

use crate::text::folded;

/// Regions of one country: the post's abbreviation with the names that people write.
pub type Regions = [(&'static str, &'static [&'static str])];

/// Where the US mail goes, the military's included.
pub const STATES: &Regions = &[
    ("AL", &["Alabama"]),
    ("AK", &["Alaska"]),
    ("AS", &["American Samoa"]),
    ("AZ", &["Arizona"]),
    ("AR", &["Arkansas"]),
    ("CA", &["California"]),
    ("CO", &["Colorado"]),
    ("CT", &["Connecticut"]),
    ("DE", &["Delaware"]),
    ("DC", &["District of Columbia", "Washington DC"]),
    ("FM", &["Federated States of Micronesia", "Micronesia"]),
    ("FL", &["Florida"]),
    ("GA", &["Georgia"]),
    ("GU", &["Guam"]),
    ("HI", &["Hawaii"]),
    ("ID", &["Idaho"]),
    ("IL", &["Illinois"]),
    ("IN", &["Indiana"]),
    ("IA", &["Iowa"]),
    ("KS", &["Kansas"]),
    ("KY", &["Kentucky"]),
    ("LA", &["Louisiana"]),
    ("ME", &["Maine"]),
    ("MH", &["Marshall Islands"]),
    ("MD", &["Maryland"]),
    ("MA", &["Massachusetts"]),
    ("MI", &["Michigan"]),
    ("MN", &["Minnesota"]),
    ("MS", &["Mississippi"]),
    ("MO", &["Missouri"]),
    ("MT", &["Montana"]),
    ("NE", &["Nebraska"]),
    ("NV", &["Nevada"]),
    ("NH", &["New Hampshire"]),
    ("NJ", &["New Jersey"]),
    ("NM", &["New Mexico"]),
    ("NY", &["New York", "New York State"]),
    ("NC", &["North Carolina"]),
    ("ND", &["North Dakota"]),
    ("MP", &["Northern Mariana Islands"]),
    ("OH", &["Ohio"]),
    ("OK", &["Oklahoma"]),
    ("OR", &["Oregon"]),
    ("PW", &["Palau"]),
    ("PA", &["Pennsylvania"]),
    ("PR", &["Puerto Rico"]),
    ("RI", &["Rhode Island"]),
    ("SC", &["South Carolina"]),
    ("SD", &["South Dakota"]),
    ("TN", &["Tennessee"]),
    ("TX", &["Texas"]),
    ("UT", &["Utah"]),
    ("VT", &["Vermont"]),
    ("VI", &["Virgin Islands", "US Virgin Islands"]),
    ("VA", &["Virginia"]),
    ("WA", &["Washington", "Washington State"]),
    ("WV", &["West Virginia"]),
    ("WI", &["Wisconsin"]),
    ("WY", &["Wyoming"]),
    ("AA", &["Armed Forces Americas"]),
    ("AE", &["Armed Forces Europe"]),
    ("AP", &["Armed Forces Pacific"]),
];

/// Canada's provinces and territories, in English and French.
pub const PROVINCES: &Regions = &[
    ("AB", &["Alberta"]),
    ("BC", &["British Columbia", "Colombie-Britannique"]),
    ("MB", &["Manitoba"]),
    ("NB", &["New Brunswick", "Nouveau-Brunswick"]),
    ("NL", &["Newfoundland and Labrador", "Newfoundland", "Terre-Neuve-et-Labrador"]),
    ("NS", &["Nova Scotia", "Nouvelle-Écosse"]),
    ("NT", &["Northwest Territories", "Territoires du Nord-Ouest"]),
    ("NU", &["Nunavut"]),
    ("ON", &["Ontario"]),
    ("PE", &["Prince Edward Island", "PEI", "Île-du-Prince-Édouard"]),
    ("QC", &["Quebec", "PQ"]),
    ("SK", &["Saskatchewan"]),
    ("YT", &["Yukon", "Yukon Territory"]),
];

/// The abbreviation of a region that is written as its abbreviation, its name or its code of ISO 3166-2 (`US-CA`).
pub fn abbreviation(regions: &Regions, country: &str, written: &str) -> Option<&'static str> {
    let written = folded(&written.replace('&', "and"));
    let code = written.strip_prefix(&country.to_lowercase()).unwrap_or_default();
    let is_it = |(short, names): &&(&str, &[&str])| {
        let short = short.to_lowercase();
        short == written || short == code || names.iter().any(|name| folded(name) == written)
    };
    regions.iter().find(is_it).map(|(short, _)| *short)
}
