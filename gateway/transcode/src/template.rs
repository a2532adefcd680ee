//! Path templates of `google.api.http` (google/api/http.proto): literals, `*`, `**`, `{field=pattern}`, `:verb`.

/// One segment of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// Exactly this text.
    Literal(String),
    /// Any one segment that is not empty.
    One,
    /// Any number of segments; only at the end.
    Rest,
}

/// A field that takes its value from the path.
#[derive(Debug)]
pub(crate) struct Variable {
    /// Dotted path of the field in the request message.
    pub field: String,
    /// Index of its first segment.
    pub start: usize,
    /// Its segments in the template.
    pub len: usize,
    /// Whether it is anything but a single `*`: then `/` separates segments in its value and `%2F` stays encoded.
    pub multi: bool,
}

#[derive(Debug)]
pub(crate) struct Template {
    pub segments: Vec<Segment>,
    pub verb: Option<String>,
    pub variables: Vec<Variable>,
}

impl Template {
    /// Parses `text`; the error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let path = text.strip_prefix('/').ok_or("must start with /")?;
        let (path, verb) = split_verb(path)?;
        let mut template = Template { segments: Vec::new(), verb, variables: Vec::new() };
        for piece in pieces(path)? {
            template.piece(piece)?;
        }
        // The tree of templates has one end per path, so only a last segment may be open.
        let inner = template.segments.len().saturating_sub(1);
        if template.segments.iter().take(inner).any(|segment| *segment == Segment::Rest) {
            return Err("** must be the last segment".to_owned());
        }
        Ok(template)
    }

    /// Whether the last segment matches any number of segments.
    pub(crate) fn open(&self) -> bool {
        self.segments.last() == Some(&Segment::Rest)
    }

    /// The segment at this place. An open end fits all that follow.
    pub(crate) fn at(&self, place: usize) -> Option<&Segment> {
        self.segments.get(place).or_else(|| self.segments.last().filter(|_| self.open()))
    }

    fn piece(&mut self, piece: &str) -> Result<(), String> {
        let Some(inside) = piece.strip_prefix('{') else {
            self.segments.push(atom(piece)?);
            return Ok(());
        };
        let inside = inside.strip_suffix('}').ok_or_else(|| format!("{piece} must end with }}"))?;
        let (field, pattern) = inside.split_once('=').unwrap_or((inside, "*"));
        if field.is_empty() {
            return Err("a variable has no name".to_owned());
        }
        if self.variables.iter().any(|variable| variable.field == field) {
            return Err(format!("{field} is bound twice"));
        }
        let start = self.segments.len();
        for part in pattern.split('/') {
            self.segments.push(atom(part)?);
        }
        let len = self.segments.len() - start;
        self.variables.push(Variable { field: field.to_owned(), start, len, multi: pattern != "*" });
        Ok(())
    }
}

/// Cuts the verb off: what follows the last `:` after the last `/` and `}`.
fn split_verb(path: &str) -> Result<(&str, Option<String>), String> {
    let from = path.rfind(['/', '}']).map_or(0, |at| at + 1);
    let Some(colon) = path.rfind(':').filter(|at| *at >= from) else { return Ok((path, None)) };
    let (rest, verb) = path.split_at(colon);
    match verb.strip_prefix(':') {
        None | Some("") => Err("the verb is empty".to_owned()),
        Some(verb) => Ok((rest, Some(verb.to_owned()))),
    }
}

/// Splits at each `/` outside of braces.
fn pieces(path: &str) -> Result<Vec<&str>, String> {
    let mut depth = 0_u32;
    let pieces = path
        .split(|character: char| {
            match character {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                '/' => return depth == 0,
                _ => {}
            }
            false
        })
        .collect();
    if depth == 0 { Ok(pieces) } else { Err("a { is not closed".to_owned()) }
}

fn atom(text: &str) -> Result<Segment, String> {
    match text {
        "*" => Ok(Segment::One),
        "**" => Ok(Segment::Rest),
        "" => Err("a segment is empty".to_owned()),
        _ if text.contains(['{', '}', '*', '=', ':', '%', '?', '#']) => Err(format!("{text:?} is not a segment")),
        _ => Ok(Segment::Literal(text.to_owned())),
    }
}
