//! The tree stays a tree, of so many levels, whatever is asked of it.

use crate::{
    categories::domain::{Category, Draft, MAX_CATEGORIES, MAX_DEPTH, Tree},
    domain::Error,
};
use ::store::Time;

fn now() -> Time {
    Time::from_millis(1_700_000_000_000)
}

fn below(name: &str, parent: Option<&str>) -> (String, Category) {
    let draft = Draft { name: name.to_owned(), parent_id: None };
    let made = Tree::default().create(draft, String::new(), now()).expect("it is the first one");
    (name.to_owned(), Category { parent_id: parent.map(str::to_owned), ..made })
}

/// home > kitchen > knives, and garden.
fn tree() -> Tree {
    let rows = [("home", None), ("kitchen", Some("home")), ("knives", Some("kitchen")), ("garden", None)];
    Tree::new(rows.map(|(name, parent)| below(name, parent)))
}

/// What `tree` says to a move.
fn moved(tree: &Tree, id: &str, parent: &str) -> Result<Vec<String>, Error> {
    let (_, old) = below(id, tree.line(id).get(1).copied());
    let draft = Draft { name: id.to_owned(), parent_id: Some(parent.to_owned()) };
    tree.update(id, &old, draft, now()).map(|(_, changed)| changed)
}

#[test]
fn a_category_is_moved_below_any_but_itself_and_those_below_it() {
    let tree = tree();
    for parent in ["home", "kitchen", "knives"] {
        assert!(matches!(moved(&tree, "home", parent), Err(Error::CategoryCycle)), "{parent}");
    }
    assert_eq!(moved(&tree, "home", "garden").expect("garden is no part of home"), ["parent_id"]);
    assert_eq!(moved(&tree, "knives", "kitchen").expect("it is there"), Vec::<String>::new());
    assert!(matches!(moved(&tree, "home", "cellar"), Err(Error::UnknownCategory { .. })));
}

#[test]
fn what_is_below_a_category_moves_with_it_and_counts_for_the_depth() {
    let names: Vec<String> = (1..=MAX_DEPTH).map(|level| format!("level-{level}")).collect();
    let parents = [None].into_iter().chain(names.iter().map(|name| Some(name.as_str())));
    let deep: Vec<_> = names.iter().zip(parents).map(|(name, parent)| below(name, parent)).collect();
    let free = [below("one", None), below("two", Some("one"))];
    let tree = Tree::new(deep.into_iter().chain(free));
    let last = names.last().expect("there are some").as_str();
    let parent = |level: usize| names[level - 1].as_str();
    assert!(matches!(moved(&tree, "one", parent(MAX_DEPTH - 1)), Err(Error::CategoryTooDeep(MAX_DEPTH))));
    moved(&tree, "one", parent(MAX_DEPTH - 2)).expect("two levels fit below the last but two");
    moved(&tree, "two", parent(MAX_DEPTH - 1)).expect("one level fits below the last but one");
    let child = Draft { name: "child".into(), parent_id: Some(last.to_owned()) };
    assert!(matches!(tree.create(child, String::new(), now()), Err(Error::CategoryTooDeep(MAX_DEPTH))));
}

#[test]
fn a_path_has_the_names_from_the_top_and_a_subtree_all_that_is_below() {
    let tree = tree();
    let (_, knives) = below("knives", Some("kitchen"));
    assert_eq!(tree.path(&knives), ["home", "kitchen", "knives"]);
    assert_eq!(tree.subtree("home").into_iter().collect::<Vec<_>>(), ["home", "kitchen", "knives"]);
    assert_eq!(tree.subtree("garden").into_iter().collect::<Vec<_>>(), ["garden"]);
    assert!(tree.subtree("cellar").is_empty());
}

#[test]
fn a_category_with_others_in_it_is_not_deleted() {
    let tree = tree();
    for (id, parent) in [("home", None), ("kitchen", Some("home"))] {
        let (_, old) = below(id, parent);
        assert!(matches!(tree.delete(id, &old, now()), Err(Error::CategoryNotEmpty)), "{id}");
    }
    let (_, knives) = below("knives", Some("kitchen"));
    let deleted = tree.delete("knives", &knives, now()).expect("nothing is in it");
    assert_eq!((deleted.deleted, deleted.name.as_str(), deleted.parent_id), (true, "", None));
}

#[test]
fn there_are_no_more_categories_than_are_read_for_a_change() {
    let full = Tree::new((0..MAX_CATEGORIES).map(|number| below(&number.to_string(), None)));
    let draft = Draft { name: "one more".into(), parent_id: None };
    let refused = full.create(draft, String::new(), now());
    assert!(matches!(refused, Err(Error::TooManyCategories(MAX_CATEGORIES))), "{refused:?}");
}

#[test]
fn a_circle_that_a_torn_read_shows_ends() {
    let torn = Tree::new([below("a", Some("b")), below("b", Some("a"))]);
    assert_eq!(torn.line("a").len(), MAX_DEPTH);
}
