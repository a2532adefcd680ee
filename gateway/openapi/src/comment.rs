//! The comments of the contracts, which are plain text, as the CommonMark of a document.

use prost_reflect::{
    EnumDescriptor, EnumValueDescriptor, FieldDescriptor, FileDescriptor, MessageDescriptor, MethodDescriptor,
    ServiceDescriptor,
};

/// An element that a comment may stand above.
pub(crate) trait Commented {
    fn place(&self) -> (FileDescriptor, &[i32]);
}

impl Commented for ServiceDescriptor {
    fn place(&self) -> (FileDescriptor, &[i32]) {
        (self.parent_file(), self.path())
    }
}

impl Commented for MethodDescriptor {
    fn place(&self) -> (FileDescriptor, &[i32]) {
        (self.parent_service().parent_file(), self.path())
    }
}

impl Commented for MessageDescriptor {
    fn place(&self) -> (FileDescriptor, &[i32]) {
        (self.parent_file(), self.path())
    }
}

impl Commented for FieldDescriptor {
    fn place(&self) -> (FileDescriptor, &[i32]) {
        (self.parent_message().parent_file(), self.path())
    }
}

impl Commented for EnumDescriptor {
    fn place(&self) -> (FileDescriptor, &[i32]) {
        (self.parent_file(), self.path())
    }
}

impl Commented for EnumValueDescriptor {
    fn place(&self) -> (FileDescriptor, &[i32]) {
        (self.parent_enum().parent_file(), self.path())
    }
}

/// The comment above an element; empty when there is none, or the descriptors have no source information.
pub(crate) fn text(element: &impl Commented) -> String {
    let (file, path) = element.place();
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let location = info.and_then(|info| info.location.iter().find(|location| location.path == path));
    markdown(location.map(|location| location.leading_comments()).unwrap_or_default())
}

/// Lines become paragraphs, as a blank line or a list divides them.
fn markdown(comment: &str) -> String {
    let mut text = String::new();
    for line in comment.lines().map(str::trim) {
        match line {
            "" if text.is_empty() || text.ends_with('\n') => {}
            "" => text.push_str("\n\n"),
            _ => {
                if line.starts_with("- ") && !text.is_empty() && !text.ends_with('\n') {
                    text.push('\n');
                } else if !text.is_empty() && !text.ends_with('\n') {
                    text.push(' ');
                }
                text.push_str(line);
            }
        }
    }
    escaped(text.trim_end())
}

/// `<service>` is no tag, except in CommonMark. Between backticks it is none there either.
fn escaped(text: &str) -> String {
    let pieces = text.split('`').enumerate();
    let pieces = pieces.map(|(index, piece)| if index % 2 == 0 { piece.replace('<', "\\<") } else { piece.to_owned() });
    pieces.collect::<Vec<_>>().join("`")
}

/// The first sentence, without its full stop.
pub(crate) fn summary(text: &str) -> &str {
    let first = text.split("\n\n").next().unwrap_or_default();
    let is_end = |at: usize| first.get(at + 2..).is_some_and(|rest| rest.starts_with(char::is_uppercase));
    let end = first.match_indices(". ").map(|(at, _)| at).find(|at| is_end(*at));
    let sentence = end.and_then(|end| first.get(..end)).unwrap_or(first);
    sentence.strip_suffix('.').unwrap_or(sentence)
}

/// Paragraphs, without the empty ones.
pub(crate) fn paragraphs(parts: &[&str]) -> String {
    parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("\n\n")
}
