//! Which options a group admits, and what of it may change.

use crate::{
    domain::{Error, ProductOption},
    groups::domain::{Draft, MAX_VARIANTS, ProductGroup},
};
use ::store::Time;

fn draft(varies_by: &[&str]) -> Draft {
    let varies_by = varies_by.iter().map(|name| (*name).to_owned()).collect();
    Draft { name: "Shirt".to_owned(), description: String::new(), varies_by }
}

fn group(varies_by: &[&str]) -> ProductGroup {
    ProductGroup::create(draft(varies_by), String::new(), Time::from_millis(0)).expect("a group")
}

fn options(options: &[(&str, &str)]) -> Vec<ProductOption> {
    let option = |(name, value): &(&str, &str)| ProductOption { name: (*name).to_owned(), value: (*value).to_owned() };
    options.iter().map(option).collect()
}

#[test]
fn a_variant_has_each_option_of_its_group_once_and_no_other() {
    let group = group(&["Colour", "Size"]);
    let arranged = group.arrange(&options(&[("Size", "M"), ("Colour", "Red")])).expect("both are there");
    assert_eq!(arranged, options(&[("Colour", "Red"), ("Size", "M")]));
    for wrong in [
        &[][..],
        &[("Colour", "Red")],
        &[("Colour", "Red"), ("size", "M")],
        &[("Colour", "Red"), ("Colour", "Blue")],
        &[("Colour", "Red"), ("Size", "M"), ("Size", "L")],
        &[("Colour", "Red"), ("Size", "M"), ("Fit", "Slim")],
    ] {
        let refused = group.arrange(&options(wrong));
        assert!(
            matches!(&refused, Err(Error::OptionNames(names)) if names == "Colour, Size"),
            "{wrong:?}: {refused:?}"
        );
    }
}

#[test]
fn the_names_of_options_change_only_while_there_is_no_variant() {
    let empty = group(&["Colour"]);
    let (changed, fields) = empty.update(draft(&["Size"]), Time::from_millis(1)).expect("it has no variant");
    assert_eq!((changed.varies_by, fields), (vec!["Size".to_owned()], vec!["varies_by".to_owned()]));
    let used = ProductGroup { variant_count: 1, ..empty };
    assert!(matches!(used.update(draft(&["Size"]), Time::from_millis(1)), Err(Error::GroupHasVariants)));
    let renamed = Draft { name: "Blouse".to_owned(), ..draft(&["Colour"]) };
    assert_eq!(used.update(renamed, Time::from_millis(1)).expect("its name may change").1, ["name"]);
}

#[test]
fn a_group_varies_by_something_that_has_a_name_of_its_own() {
    let made = |varies_by: &[&str]| ProductGroup::create(draft(varies_by), String::new(), Time::from_millis(0));
    assert!(matches!(made(&[]), Err(Error::Required("product_group.varies_by"))));
    assert!(matches!(made(&["Colour", " "]), Err(Error::Required("product_group.varies_by"))));
    assert!(matches!(made(&["Colour", "COLOUR"]), Err(Error::OptionTwice)));
    assert!(matches!(made(&[&"ü".repeat(33)]), Err(Error::OptionNameTooLong(32))) && made(&[&"ü".repeat(32)]).is_ok());
}

#[test]
fn a_full_group_admits_no_further_variant() {
    let of = |variant_count: i32| ProductGroup { variant_count, ..group(&["Colour"]) };
    assert!(of(MAX_VARIANTS - 1).admit().is_ok());
    assert!(matches!(of(MAX_VARIANTS).admit(), Err(Error::TooManyVariants(100))));
}
