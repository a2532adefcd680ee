//! What each country asks of an address.

use super::Address;

fn address(country: &str, region: &str, postal_code: &str) -> Address {
    Address {
        name: "Customer".into(),
        line1: "1 Main Street".into(),
        line2: String::new(),
        city: "City".into(),
        region: region.into(),
        postal_code: postal_code.into(),
        country_code: country.into(),
    }
}

fn fields_at_fault(address: Address) -> Vec<String> {
    let faults = address.checked("address").expect_err("it lacks something");
    faults.into_iter().map(|fault| fault.field.replace("address.", "")).collect()
}

#[test]
fn an_address_is_taken_in_the_form_of_its_country() {
    let cases = [
        ("FR", "", "75002", "75002", ""),
        ("DE", "", " 10115 ", "10115", ""),
        ("GB", "", "sw1a1aa", "SW1A 1AA", ""),
        ("GB", "", "M1 1AE", "M1 1AE", ""),
        ("US", "ca", "94043", "94043", "CA"),
        ("US", "NY", "10001-1234", "10001-1234", "NY"),
        ("CA", "on", "k1a0b1", "K1A 0B1", "ON"),
        ("JP", "Tokyo", "1000001", "100-0001", "Tokyo"),
        ("JP", "東京都", "〒１００－０００１", "100-0001", "東京都"),
        ("JP", " 東京都\u{3000}", "100ー0001", "100-0001", "東京都"),
        ("DE", "", "１０１１５", "10115", ""),
        ("DE", "", "D-10115", "10115", ""),
        ("de", "", "DE 10115", "10115", ""),
        ("FR", "", "F-75 002", "75002", ""),
        ("GB", "", "sw1a\u{a0}1aa", "SW1A 1AA", ""),
        ("GB", "", "GB-M1–1AE", "M1 1AE", ""),
        ("US", "California", "94043‐1351", "94043-1351", "CA"),
        ("US", "N.Y.", "NY 100011234", "10001-1234", "NY"),
        ("US", "washington, d.c.", "20500", "20500", "DC"),
        ("US", "US-TX", "US 73301", "73301", "TX"),
        ("CA", "Québec", "h2x-1y4", "H2X 1Y4", "QC"),
        ("CA", "Que\u{301}bec", "H2X1Y4", "H2X 1Y4", "QC"),
        ("CA", "newfoundland & labrador", "A1A 1A1", "A1A 1A1", "NL"),
        ("NL", "", "1011\u{3000}ab", "1011 AB", ""),
        ("JP", "東京都", "100-0001", "100-0001", "東京都"),
        ("BE", "", "1000", "1000", ""),
    ];
    for (country, region, postal_code, as_posted, region_as_posted) in cases {
        let taken = address(country, region, postal_code).checked("address");
        let taken = taken.unwrap_or_else(|faults| panic!("{country} {postal_code}: {faults:?}"));
        assert_eq!((taken.postal_code.as_str(), taken.region.as_str()), (as_posted, region_as_posted), "{country}");
    }
}

#[test]
fn an_address_that_lacks_what_its_country_asks_for_is_refused_field_by_field() {
    let cases: [(&str, &str, &str, &[&str]); 12] = [
        ("FR", "", "7500", &["postal_code"]),
        ("FR", "", "", &["postal_code"]),
        ("DE", "", "1011A", &["postal_code"]),
        ("DE", "", "CH-10115", &["postal_code"]),
        ("GB", "", "SW1A 1A", &["postal_code"]),
        ("GB", "", "75002", &["postal_code"]),
        ("US", "CA", "9404", &["postal_code"]),
        ("US", "", "94043", &["region"]),
        ("US", "Ontario", "K1A 0B1", &["postal_code", "region"]),
        ("CA", "ON", "Z1A 0B1", &["postal_code"]),
        ("CA", "ZZ", "K1A 0B1", &["region"]),
        ("JP", "", "100001", &["postal_code", "region"]),
    ];
    for (country, region, postal_code, fields) in cases {
        assert_eq!(fields_at_fault(address(country, region, postal_code)), fields, "{country} {region} {postal_code}");
    }
}

#[test]
fn a_region_that_is_none_is_refused_in_words_and_not_with_a_list() {
    for (country, region) in [("US", "Bavaria"), ("US", "ON"), ("CA", "California"), ("CA", "CA-CA")] {
        let faults = address(country, region, "x").checked("address").expect_err("it is none there");
        let fault = faults.iter().find(|fault| fault.field.ends_with("region")).expect("the region is at fault");
        assert!(fault.description.contains("such as"), "{fault:?}");
    }
}
