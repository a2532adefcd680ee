//! Path templates of `google.api.http` as paths of OpenAPI, whose parameters are single segments.
//!
//! `{name=shelves/*}` becomes `shelves/{shelvesId}`: the value of `name` is put together from the literals and parameters of
//! its pattern. `**` has no form of its own in OpenAPI; its parameter says that it may have slashes.

/// A path of the document and what its parameters stand for.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    /// As it stands in the document: `/v1/orders/{orderId}:cancel`.
    pub text: String,
    pub parameters: Vec<Parameter>,
    /// The fields that the path binds, dotted.
    pub bound: Vec<String>,
    /// `text` without the names of its parameters: two paths of one shape are one path to OpenAPI.
    pub shape: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parameter {
    pub name: String,
    /// The field that it is a value, or a part of the value, of.
    pub field: Option<String>,
    /// The pattern of the field's value when that is more than this parameter: `shelves/*`.
    pub pattern: Option<String>,
    /// Whether it may have several segments.
    pub is_open: bool,
}

impl Path {
    /// Reads a template; the error says what is wrong with it.
    pub(crate) fn parse(template: &str) -> Result<Self, &'static str> {
        let path = template.strip_prefix('/').ok_or("must start with /")?;
        let (path, verb) = split_verb(path);
        let mut found = Path { text: String::new(), parameters: Vec::new(), bound: Vec::new(), shape: String::new() };
        let mut rest = path;
        loop {
            let piece = next(rest)?;
            found.piece(piece)?;
            match rest.get(piece.len()..).and_then(|rest| rest.strip_prefix('/')) {
                Some(after) => rest = after,
                None => break,
            }
        }
        found.text.push_str(verb);
        found.shape.push_str(verb);
        Ok(found)
    }

    /// Gives the parameters the names that they have in another path of the same shape.
    pub(crate) fn rename(&mut self, other: &Path) {
        self.text.clone_from(&other.text);
        for (own, other) in self.parameters.iter_mut().zip(&other.parameters) {
            own.name.clone_from(&other.name);
        }
    }

    /// Gives the last parameter another name: that of a path which takes several segments where another takes one.
    pub(crate) fn distinguish(&mut self) {
        if let Some(last) = self.parameters.last_mut() {
            let name = format!("{}Rest", last.name);
            self.text = self.text.replace(&format!("{{{}}}", last.name), &format!("{{{name}}}"));
            last.name = name;
        }
    }

    fn piece(&mut self, piece: &str) -> Result<(), &'static str> {
        let Some(inside) = piece.strip_prefix('{').and_then(|piece| piece.strip_suffix('}')) else {
            self.segment(piece, None);
            return Ok(());
        };
        let (field, pattern) = inside.split_once('=').unwrap_or((inside, "*"));
        if field.is_empty() {
            return Err("a variable has no name");
        }
        self.bound.push(field.to_owned());
        let mut before = None;
        for segment in pattern.split('/') {
            self.segment(segment, Some(Variable { field, pattern, before }));
            before = Some(segment).filter(|segment| !segment.contains('*'));
        }
        Ok(())
    }

    fn segment(&mut self, segment: &str, variable: Option<Variable<'_>>) {
        if !segment.contains('*') {
            for text in [&mut self.text, &mut self.shape] {
                text.push('/');
                text.push_str(segment);
            }
            return;
        }
        let is_open = segment == "**";
        let name = variable.as_ref().map_or_else(|| "segment".to_owned(), |variable| variable.name(is_open));
        let name = self.free(&name, variable.as_ref().map(|variable| variable.field));
        self.text.push_str(&format!("/{{{name}}}"));
        self.shape.push_str(if is_open { "/{**}" } else { "/{*}" });
        let field = variable.as_ref().map(|variable| variable.field.to_owned());
        let pattern = variable.map(|variable| variable.pattern.to_owned());
        let pattern = pattern.filter(|pattern| !matches!(pattern.as_str(), "*" | "**"));
        self.parameters.push(Parameter { name, field, pattern, is_open });
    }

    /// A name that no parameter has yet: this one, that of the whole field path, or this one with a number.
    fn free(&self, name: &str, field: Option<&str>) -> String {
        let is_free = |name: &String| self.parameters.iter().all(|parameter| parameter.name != *name);
        let long = field.map(camel_path);
        let numbered = (2..).map(|number| format!("{name}{number}"));
        let mut names = [Some(name.to_owned()), long].into_iter().flatten().chain(numbered);
        names.find(is_free).unwrap_or_default()
    }
}

/// The variable that a wildcard belongs to.
struct Variable<'a> {
    field: &'a str,
    pattern: &'a str,
    /// The literal before the wildcard, within the pattern.
    before: Option<&'a str>,
}

impl Variable<'_> {
    /// The name of one of its wildcards: the field's own, or made of the literal before.
    fn name(&self, is_open: bool) -> String {
        let own = camel(self.field.rsplit('.').next().unwrap_or_default());
        let of = |literal: &str| format!("{}{}", camel(literal), if is_open { "Path" } else { "Id" });
        self.before.map_or(own, of)
    }
}

/// Cuts the verb off, with its colon: what follows the last `:` after the last `/` and `}`.
fn split_verb(path: &str) -> (&str, &str) {
    let from = path.rfind(['/', '}']).map_or(0, |at| at + 1);
    path.rfind(':').filter(|at| *at >= from).map_or((path, ""), |at| path.split_at(at))
}

/// The next piece: up to a `/` outside of braces.
fn next(path: &str) -> Result<&str, &'static str> {
    let mut is_inside = false;
    for (at, character) in path.char_indices() {
        match character {
            '{' if is_inside => return Err("a variable is inside another"),
            '{' => is_inside = true,
            '}' => is_inside = false,
            '/' if !is_inside => return Ok(path.split_at(at).0),
            _ => {}
        }
    }
    if is_inside { Err("a { is not closed") } else { Ok(path) }
}

/// `user_id` as `userId`.
pub(crate) fn camel(name: &str) -> String {
    let mut pieces = name.split(['_', '-', '.']).filter(|piece| !piece.is_empty());
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |mut name, piece| {
        let mut letters = piece.chars();
        name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        name.push_str(letters.as_str());
        name
    })
}

/// `user.user_id` as `user.userId`.
fn camel_path(path: &str) -> String {
    path.split('.').map(camel).collect::<Vec<_>>().join(".")
}
