//! docs/ADDING_A_SERVICE.md and docs/ADDING_AN_RPC.md, followed to the letter on a copy of the tree, which then compiles.

use kit::root;
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What the copy is made of: all that cargo reads.
const SOURCES: [&str; 9] =
    ["Cargo.toml", "Cargo.lock", "build.rs", "rust-toolchain.toml", "proto", "mesh", "services", "gateway", "cli"];

/// Files by their path in the repository.
type Tree = BTreeMap<PathBuf, Vec<u8>>;

/// A block of a recipe: the whole text of a new file, or a diff of the lines of an old one.
struct Block {
    path: PathBuf,
    is_diff: bool,
    text: String,
}

/// The blocks of a page. The line above a block names its file: `path`:
fn blocks(page: &str) -> Vec<Block> {
    let (mut found, mut path, mut lines) = (Vec::new(), None, page.lines());
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let text: String =
                lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect();
            let path = path.take().unwrap_or_else(|| panic!("no file is named above:\n{text}"));
            found.push(Block { path, is_diff: language == "diff", text });
        } else if let Some(name) = line.strip_prefix('`').and_then(|line| line.strip_suffix("`:")) {
            path = Some(PathBuf::from(name));
        }
    }
    found
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join("docs").join(name)).unwrap_or_else(|error| panic!("docs/{name}: {error}"))
}

/// Does what a block says.
fn follow(block: &Block, tree: &mut Tree) {
    let Block { path, is_diff, text } = block;
    if !is_diff {
        assert!(tree.insert(path.clone(), text.clone().into_bytes()).is_none(), "{} is there", path.display());
        return;
    }
    let file = tree.get_mut(path).unwrap_or_else(|| panic!("{} is not there", path.display()));
    for hunk in text.split("@@\n") {
        let side = |other: char| {
            let lines = hunk.lines().filter(|line| !line.starts_with(other));
            lines.map(|line| format!("{}\n", line.get(1..).unwrap_or_default())).collect::<String>()
        };
        let (before, content) = (side('+'), String::from_utf8(file.clone()).expect("sources are UTF-8"));
        assert_eq!(content.matches(&before).count(), 1, "{} should have once:\n{before}", path.display());
        *file = content.replacen(&before, &side('-'), 1).into_bytes();
    }
}

/// All files below `path`.
fn read(path: &Path, tree: &mut Tree) {
    let whole = root().join(path);
    if whole.is_dir() {
        for entry in fs::read_dir(&whole).expect("a folder can be read") {
            read(&path.join(entry.expect("an entry can be read").file_name()), tree);
        }
    } else {
        tree.insert(path.to_owned(), fs::read(&whole).unwrap_or_else(|error| panic!("{}: {error}", whole.display())));
    }
}

/// Makes `folder` this tree. What is there already keeps its time, so that cargo builds again only what has changed.
fn write(tree: &Tree, folder: &Path) {
    let mut old = Vec::new();
    walk(folder, &mut old);
    for path in old {
        if path.strip_prefix(folder).is_ok_and(|name| !tree.contains_key(name)) {
            fs::remove_file(&path).expect("the copy can be changed");
            // A folder that has become empty goes too: cargo takes `services/*` for packages.
            path.ancestors().skip(1).take_while(|above| *above != folder).all(|above| fs::remove_dir(above).is_ok());
        }
    }
    for (name, content) in tree {
        let path = folder.join(name);
        if fs::read(&path).ok().as_ref() != Some(content) {
            fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("the copy can be changed");
            fs::write(&path, content).expect("the copy can be changed");
        }
    }
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() { walk(&entry.path(), found) } else { found.push(entry.path()) }
    }
}

/// The tree after both pages. Its packages have a version of their own, which keeps their results in the target folder
/// apart from those of this tree, while the dependencies are the same and are not built again.
fn followed() -> Tree {
    let mut tree = Tree::new();
    SOURCES.iter().for_each(|name| read(Path::new(name), &mut tree));
    for name in ["ADDING_A_SERVICE.md", "ADDING_AN_RPC.md"] {
        blocks(&page(name)).iter().for_each(|block| follow(block, &mut tree));
    }
    let manifest = String::from_utf8(tree[Path::new("Cargo.toml")].clone()).expect("UTF-8");
    let manifest = manifest.replace("\nversion = \"0.1.0\"", "\nversion = \"0.1.0-recipe\"").replace(", \"tests\"", "");
    tree.insert("Cargo.toml".into(), manifest.into_bytes());
    tree
}

#[test]
fn what_the_recipes_make_compiles() {
    let target = root().join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()));
    let copy = target.join("recipes");
    write(&followed(), &copy);
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["check", "--quiet", "--offline", "--package", "comptoir", "--color", "never"]);
    cargo.current_dir(&copy).env("CARGO_TARGET_DIR", &target).stdin(Stdio::null());
    let output = cargo.output().expect("cargo runs");
    assert!(output.status.success(), "in {}:\n{}", copy.display(), String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_setting_changes_one_file_and_a_service_the_topology_and_the_list() {
    let page = page("ADDING_A_SERVICE.md");
    let (service, setting) = page.split_once("\n## A setting\n").expect("the page has both");
    let changed = |part| {
        let paths = blocks(part).into_iter().filter(|block| block.is_diff).map(|block| block.path);
        let sources = paths.filter(|path| path.file_name().is_some_and(|name| name != "Cargo.toml"));
        sources.map(|path| path.display().to_string()).collect::<BTreeSet<_>>()
    };
    assert_eq!(changed(setting), BTreeSet::from(["services/products/src/config.rs".to_owned()]));
    assert_eq!(changed(service), BTreeSet::from(["cli/src/services.rs", "mesh/topology.toml"].map(str::to_owned)));
}
