//! No two modules of a crate need each other: what one file names of its crate is resolved to the file that defines it, and
//! the files form no circle.

use super::{is_test, root, sources};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// A module: its path from the root of the crate. The root is empty.
type Module = Vec<String>;

/// One file: the modules that it declares, its `use` names, and every path that it needs.
#[derive(Default)]
struct File {
    children: BTreeSet<String>,
    uses: BTreeMap<String, Vec<String>>,
    paths: Vec<Vec<String>>,
}

/// The files of one crate.
struct Tree(BTreeMap<Module, File>);

impl Tree {
    fn read(src: &Path) -> Self {
        let mut found = Vec::new();
        sources(src, &mut found);
        let files = found.into_iter().filter(|path| !is_test(path)).filter_map(|path| {
            let text = fs::read_to_string(&path).ok()?;
            Some((module(src, &path)?, File::parse(&text)))
        });
        Self(files.collect())
    }

    /// The file that defines what `path`, written in `from`, names; none when it is not of this crate.
    fn target(&self, from: &Module, path: &[String], depth: usize) -> Option<Module> {
        let file = self.0.get(from)?;
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.walk(Vec::new(), rest, depth),
            "self" => self.walk(from.clone(), rest, depth),
            "super" => self.walk(from[..from.len().checked_sub(1)?].to_vec(), rest, depth),
            name if file.children.contains(name) => self.walk(from.clone(), path, depth),
            _ => None,
        }
    }

    fn walk(&self, mut at: Module, path: &[String], depth: usize) -> Option<Module> {
        let Some((first, rest)) = path.split_first() else { return Some(at) };
        if first == "super" {
            at.pop()?;
            return self.walk(at, rest, depth);
        }
        let file = self.0.get(&at)?;
        if file.children.contains(first) {
            at.push(first.clone());
            return self.walk(at, rest, depth);
        }
        // A name that the module itself has from elsewhere leads there.
        let imported = file.uses.get(first).filter(|_| depth < 8);
        imported.and_then(|used| self.target(&at, used, depth + 1)).or(Some(at))
    }

    /// Which files each file needs.
    fn edges(&self) -> BTreeMap<&Module, BTreeSet<Module>> {
        let needed = |(module, file): (_, &File)| {
            let targets = file.paths.iter().filter_map(|path| self.target(module, path, 0));
            (module, targets.filter(|target| target != module).collect())
        };
        self.0.iter().map(needed).collect()
    }

    /// The modules that lie on a circle.
    fn circle(&self) -> Vec<String> {
        let mut edges = self.edges();
        loop {
            let known: BTreeSet<Module> = edges.keys().map(|module| (*module).clone()).collect();
            let is_free = |needs: &BTreeSet<Module>| needs.intersection(&known).next().is_none();
            let free: Vec<&Module> =
                edges.iter().filter(|(_, needs)| is_free(needs)).map(|(module, _)| *module).collect();
            if free.is_empty() {
                break;
            }
            free.into_iter().for_each(|module| drop(edges.remove(module)));
        }
        // What is left is a circle, or needs one.
        loop {
            let needed: BTreeSet<&Module> = edges.values().flatten().collect();
            let outer: Vec<Module> =
                edges.keys().filter(|module| !needed.contains(*module)).map(|m| (*m).clone()).collect();
            if outer.is_empty() {
                return edges.keys().map(|module| module.join("::")).collect();
            }
            outer.iter().for_each(|module| drop(edges.remove(module)));
        }
    }
}

/// The module of a file: `src/domain/ledger.rs` is `domain::ledger`.
fn module(src: &Path, path: &Path) -> Option<Module> {
    let path = path.strip_prefix(src).ok()?.with_extension("");
    let parts: Vec<String> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    Some(if parts == ["lib"] || parts == ["main"] { Vec::new() } else { parts })
}

impl File {
    fn parse(text: &str) -> Self {
        let tokens = tokens(text);
        let mut file = Self::default();
        let (mut re_exports, mut mentioned) = (BTreeMap::new(), BTreeSet::new());
        let mut at = 0;
        while at < tokens.len() {
            // A field may have the name of a function.
            let is_used =
                tokens[at].starts_with(char::is_uppercase) || tokens.get(at + 1).is_some_and(|next| next == "(");
            if is_used {
                mentioned.insert(tokens[at].as_str());
            }
            match (tokens[at].as_str(), tokens.get(at + 1).map(String::as_str), tokens.get(at + 2).map(String::as_str))
            {
                ("mod", Some(name), Some(";")) => {
                    file.children.insert(name.to_owned());
                    at += 3;
                }
                ("pub", Some("use"), _) => {
                    let mut exporting = Self::default();
                    at = exporting.import(&tokens, at + 2, &[]) + 1;
                    re_exports.append(&mut exporting.uses);
                }
                ("use", ..) => at = file.import(&tokens, at + 1, &[]) + 1,
                (name, Some("::"), _) if is_name(name) && (at == 0 || tokens[at - 1] != "::") => {
                    let mut path = vec![name.to_owned()];
                    while tokens.get(at + 1).is_some_and(|next| next == "::")
                        && let Some(next) = tokens.get(at + 2).filter(|next| is_name(next))
                    {
                        path.push(next.clone());
                        at += 2;
                    }
                    file.paths.push(path);
                    at += 1;
                }
                _ => at += 1,
            }
        }
        // A module that hands a name on needs it only when it uses the name itself.
        let needed = re_exports.iter().filter(|(name, _)| mentioned.contains(name.as_str()));
        file.paths.extend(needed.map(|(_, path)| path.clone()));
        file.uses.append(&mut re_exports);
        file
    }

    /// Reads one branch of a `use` tree; the index behind it.
    fn import(&mut self, tokens: &[String], mut at: usize, prefix: &[String]) -> usize {
        let mut path = prefix.to_vec();
        let mut is_foreign = false;
        loop {
            match tokens.get(at).map(String::as_str) {
                Some("::") => {
                    is_foreign |= path.is_empty();
                    at += 1;
                }
                Some("{") => {
                    at += 1;
                    while tokens.get(at).is_some_and(|token| token != "}") {
                        at = if is_name(&tokens[at]) || tokens[at] == "*" {
                            self.import(tokens, at, &path)
                        } else {
                            at + 1
                        };
                    }
                    return at + 1;
                }
                Some("*") => {
                    at += 1;
                    break;
                }
                Some("as") => {
                    let name = tokens.get(at + 1).cloned().unwrap_or_default();
                    self.uses.insert(name, path.clone());
                    self.paths.push(path);
                    return at + 2;
                }
                Some(name) if is_name(name) => {
                    if name != "self" || path.is_empty() {
                        path.push(name.to_owned());
                    }
                    at += 1;
                }
                _ => break,
            }
        }
        if let Some(last) = path.last().filter(|_| !is_foreign) {
            self.uses.insert(last.clone(), path.clone());
            self.paths.push(path);
        }
        at
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// The names and signs of a text, without comments and literals.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '"' => literal(rest),
            'r' if rest.starts_with("r#\"") => rest[3..].find("\"#").map_or(rest.len(), |end| end + 5),
            '\'' if rest[1..].starts_with('\\') => 2 + rest[2..].find('\'').map_or(0, |end| end + 1),
            '\'' if rest.chars().nth(2) == Some('\'') => 2 + rest[1..].chars().next().map_or(0, char::len_utf8),
            ':' if rest.starts_with("::") => 2,
            _ if is_name(rest) => rest.find(|next: char| !next.is_alphanumeric() && next != '_').unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let token = &rest[..taken];
        if !first.is_whitespace() && !token.starts_with("//") && !matches!(first, '"' | '\'') {
            tokens.push(token.to_owned());
        }
        rest = &rest[taken..];
    }
    tokens
}

/// The length of the string literal that begins here.
fn literal(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The source folder of each crate of the workspace but the tests.
fn crates() -> Vec<PathBuf> {
    let root = root();
    let children = |dir: &str| fs::read_dir(root.join(dir)).into_iter().flatten().flatten().map(|entry| entry.path());
    let inner = ["mesh", "services", "gateway"].into_iter().flat_map(children);
    let all = inner.chain([root.join("gateway"), root.join("cli")]);
    all.filter(|dir| dir.join("Cargo.toml").is_file()).map(|dir| dir.join("src")).collect()
}

#[test]
fn no_modules_of_a_crate_need_each_other() {
    let crates = crates();
    assert!(crates.len() > 15, "{crates:?}");
    for src in crates {
        let circle = Tree::read(&src).circle();
        assert!(circle.is_empty(), "{}: these need each other: {}", src.display(), circle.join(", "));
    }
}

#[test]
fn a_circle_is_found_through_re_exports_and_groups() {
    let tree = |files: &[(&str, &str)]| {
        let module =
            |name: &str| if name.is_empty() { Vec::new() } else { name.split("::").map(str::to_owned).collect() };
        Tree(files.iter().map(|(name, text)| (module(name), File::parse(text))).collect())
    };
    let through_the_root = tree(&[
        ("", "mod a; mod b; pub use a::A;"),
        ("a", "use crate::{b::{self, B}, c}; // crate::nothing"),
        ("b", "use super::A; const TEXT: &str = \"crate::a\";"),
    ]);
    assert_eq!(through_the_root.circle(), ["a", "b"]);
    let in_an_expression =
        tree(&[("", "mod a; mod b;"), ("a", "fn f() { crate::b::g() }"), ("b", "fn g() { super::a::f() }")]);
    assert_eq!(in_an_expression.circle(), ["a", "b"]);
    let downhill = tree(&[
        ("", "mod a; mod b; pub use a::A; pub use b::B;"),
        ("a", "use crate::B; use ::a::c; // use crate::a::C;"),
        ("b", "mod c; mod d; pub use c::B;"),
        ("b::c", "use super::d::D;"),
        ("b::d", "fn f() { 'x'; \"super::c\"; }"),
    ]);
    assert!(downhill.circle().is_empty(), "{:?}", downhill.circle());
}
