//! Templates that answer to one path both: which one wins.

use crate::{
    route::Route,
    router::Router,
    template::{Segment, Template},
};
use std::{fmt, sync::Arc};

/// Two bindings that both fit some paths.
#[derive(Debug)]
pub struct Overlap {
    /// The one that answers.
    pub winner: Arc<Route>,
    pub loser: Arc<Route>,
    /// A path that both fit.
    pub path: String,
    /// Whether the loser is the more specific one at a later place: then it is easily taken for the one that answers.
    pub is_crossing: bool,
}

impl fmt::Display for Overlap {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Overlap { winner, loser, path, .. } = self;
        write!(out, "{} {path}: {} wins over {}", winner.method, winner.template, loser.template)
    }
}

impl Router {
    /// All pairs of bindings of one method that both fit some paths, in the order of the routes.
    pub fn overlaps(&self) -> Vec<Overlap> {
        let routes = self.routes();
        let mut found = Vec::new();
        for (at, one) in routes.iter().enumerate() {
            for other in routes.iter().skip(at + 1) {
                let is_one_method = one.method == other.method || one.method == "*" || other.method == "*";
                let both = both(&one.parsed, &other.parsed).filter(|_| is_one_method);
                let Some((path, wins, loses)) = both else { continue };
                let (winner, loser) = if wins == Some(true) { (one, other) } else { (other, one) };
                found.push(Overlap { winner: winner.clone(), loser: loser.clone(), path, is_crossing: loses });
            }
        }
        found
    }
}

/// A path that both templates fit; whether the first wins, by the first place at which they differ; and whether it is the other
/// way round at a later one.
fn both(one: &Template, other: &Template) -> Option<(String, Option<bool>, bool)> {
    if one.verb != other.verb {
        return None;
    }
    let (mut path, mut wins, mut is_crossing, mut at) = (String::new(), None, false, 0);
    loop {
        let (left, right) = (one.at(at), other.at(at));
        let segment = match (left, right) {
            (None, None) => break,
            // An open end fits nothing too.
            (None, Some(Segment::Rest)) | (Some(Segment::Rest), None) => {
                let first = left.is_none();
                is_crossing |= wins.is_some_and(|wins| wins != first);
                wins = wins.or(Some(first));
                break;
            }
            (None, Some(_)) | (Some(_), None) => return None,
            (Some(Segment::Literal(left)), Some(Segment::Literal(right))) if left != right => return None,
            (Some(Segment::Literal(text)), Some(_)) | (Some(_), Some(Segment::Literal(text))) => text.as_str(),
            (Some(_), Some(_)) => "x",
        };
        let order = rank(left).cmp(&rank(right));
        if order.is_ne() {
            is_crossing |= wins.is_some_and(|wins| wins != order.is_lt());
            wins = wins.or(Some(order.is_lt()));
        }
        path = path + "/" + segment;
        if left == Some(&Segment::Rest) && right == Some(&Segment::Rest) {
            break;
        }
        at += 1;
    }
    let verb = one.verb.as_ref().map(|verb| format!(":{verb}")).unwrap_or_default();
    Some((path + &verb, wins, is_crossing))
}

fn rank(segment: Option<&Segment>) -> u8 {
    match segment {
        Some(Segment::Literal(_)) => 0,
        Some(Segment::One) => 1,
        Some(Segment::Rest) | None => 2,
    }
}
