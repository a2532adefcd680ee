//! Where Envoy 1.40 differs, and why ours is right, or may differ. What is in no row fails.

use super::paths::at;
use crate::{
    error::{Reason, Violation},
    tests::differential::{alike, theirs},
    wire::WireError,
    write::Options,
};
use prost_reflect::DynamicMessage;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What differs and why, and how that is known: from a fault, from what Envoy says, from two values.
type FaultRow = (&'static str, fn(&Fault<'_>) -> bool);
type ToldRow = (&'static str, fn(&str) -> bool);
type ValueRow = (&'static str, fn(Pair<'_>) -> bool);

/// A fault that we tell of JSON which Envoy takes, and the value at fault.
struct Fault<'c> {
    violation: &'c Violation,
    value: Option<&'c Value>,
}

impl Fault<'_> {
    fn says(&self, description: &str) -> bool {
        self.violation.description.starts_with(description)
    }

    fn is_element(&self) -> bool {
        self.violation.field.ends_with(']')
    }
}

/// What Envoy takes and is refused here.
const TAKEN: [FaultRow; 13] = [
    ("a key that is no field: Envoy passes it over, and a misspelt field is lost", |fault| {
        fault.violation.reason == Reason::UnknownField
    }),
    ("one value for a list: ProtoJSON has lists alone", |fault| fault.says("must be a list")),
    ("null in a list or map: Envoy leaves the element out, and ProtoJSON forbids it", |fault| {
        fault.value == Some(&Value::Null) && fault.is_element()
    }),
    ("an object for a text, number or known type: Envoy sends an empty one, or what is no message", |fault| {
        matches!(fault.value, Some(Value::Object(_))) && fault.says("must be")
    }),
    ("a list in a list: Envoy takes its elements", |fault| {
        matches!(fault.value, Some(Value::Array(_))) && fault.is_element()
    }),
    ("a mask that names no fields: Envoy takes any text", |fault| {
        fault.says("must be names of fields") && matches!(fault.value, Some(Value::String(_)))
    }),
    ("0 and 1 in quotes for true and false: ProtoJSON has the words", |fault| {
        fault.says("must be true or false") && matches!(fault.value, Some(Value::String(_)))
    }),
    ("the number of an enum in quotes: ProtoJSON has names in quotes", |fault| {
        let is_number = |text: &String| text.trim().parse::<f64>().is_ok();
        fault.says("must be one of") && matches!(fault.value, Some(Value::String(text)) if is_number(text))
    }),
    ("base64 with blanks in it: ProtoJSON has the alphabets alone", |fault| {
        fault.says("must be a text in base64") && matches!(fault.value, Some(Value::String(text)) if text.contains(' '))
    }),
    ("a number in quotes as C writes it, 0x1 or 007: ProtoJSON has those of JSON", |fault| {
        fault.says("must be a number") && matches!(fault.value, Some(Value::String(text)) if text.starts_with('0'))
    }),
    ("an Any of a known type without its value: ProtoJSON wants one", |fault| fault.says("has no value")),
    ("a duration such as 1.s: a number ends with a digit", |fault| {
        fault.says("must be a duration") && matches!(fault.value, Some(Value::String(text)) if text.ends_with(".s"))
    }),
    ("a number for null: NULL_VALUE has 0 alone", |fault| {
        fault.says("must be one of NULL_VALUE") && matches!(fault.value, Some(Value::Number(_)))
    }),
];

/// What Envoy refuses and is taken here, by what Envoy says.
const REFUSED: [ToldRow; 2] = [
    ("a whole number in quotes written as 2.0 or 1e2: ProtoJSON takes it", |told| {
        let value = told.split_once("invalid value \"").map_or("", |(_, rest)| rest);
        told.contains(" for type TYPE_") && value.starts_with(|first: char| first == '-' || first.is_ascii_digit())
    }),
    ("a message of proto2 without a required field: the service tells", |told| told.contains("missing field ")),
];

/// What has two values, ours and Envoy's. None is that the field is not there.
type Pair<'v> = (Option<&'v Value>, Option<&'v Value>);

/// Values of request messages that differ.
const REQUESTS: [ValueRow; 2] = [
    ("a mask whose names begin with a capital: Envoy loses it", |pair| match pair {
        (Some(Value::String(ours)), Some(Value::String(envoy))) => ours.eq_ignore_ascii_case(envoy),
        _ => false,
    }),
    ("null for a list of any values: no list, and to Envoy a list of one null", |pair| match pair {
        (Some(Value::Array(ours)), Some(Value::Array(envoy))) => ours.is_empty() && *envoy == [Value::Null],
        _ => false,
    }),
];

/// Values of replies that differ.
const REPLIES: [ValueRow; 2] = [
    ("a float with nine digits: ours has as many as tell it apart", |pair| match pair {
        (Some(Value::Number(ours)), Some(Value::Number(envoy))) => {
            let single = |number: &serde_json::Number| number.as_f64().map(|number| number as f32);
            single(ours) == single(envoy)
        }
        _ => false,
    }),
    (
        "an empty structure in a Value: Envoy leaves it out",
        |pair| matches!(pair, (Some(Value::Object(ours)), None) if ours.is_empty()),
    ),
];

const GROUP: &str = "a group of proto2: Envoy begins it and does not end it, what it sends is no message";
const MASK: &str = "a mask that would not be read as it was: ProtoJSON wants an error, Envoy writes it";

/// What became of one call here and there.
pub(super) struct Case {
    pub of: String,
    pub json: Value,
    /// The message that was made of the JSON, here and by Envoy. That of Envoy may be none at all, when it sent something.
    pub ours: Result<DynamicMessage, Vec<Violation>>,
    pub envoy: Option<Result<DynamicMessage, String>>,
    /// The status and the body that Envoy answered with.
    pub told: (u16, String),
    /// The JSON that was made of the reply: ours, Envoy's. None when the upstream was not called.
    pub replies: Option<(Result<Value, WireError>, Option<Value>)>,
}

#[derive(Default)]
pub(super) struct Tally {
    requests: usize,
    refused: usize,
    replies: usize,
    allowed: BTreeMap<&'static str, usize>,
    unexplained: Vec<String>,
}

impl Tally {
    pub(super) fn add(&mut self, case: &Case) {
        self.requests += 1;
        match (&case.ours, &case.envoy) {
            (Ok(ours), Some(Ok(envoy))) => {
                let json = |message: &DynamicMessage| theirs(message, &Options::default()).unwrap_or_default();
                self.values(&REQUESTS, (&json(ours), &json(envoy)), case);
            }
            (Err(_), None) => self.refused += 1,
            (Err(faults), Some(_)) => faults.iter().for_each(|fault| self.taken(fault, case)),
            (Ok(_), Some(Err(_))) if case.of == "zoo.v1.Old" => self.allow(GROUP),
            (Ok(_), Some(Err(error))) => self.fail(case, error),
            (Ok(_), None) => match REFUSED.iter().find(|(_, is)| is(&case.told.1)) {
                Some((why, _)) => self.allow(why),
                None => self.fail(case, &case.told.1),
            },
        }
        match &case.replies {
            Some((Ok(ours), Some(envoy))) => self.values(&REPLIES, (ours, envoy), case),
            Some((Err(WireError::NoJson("google.protobuf.FieldMask")), Some(_))) => self.allow(MASK),
            Some((Err(_), None)) | None => {}
            Some((ours, _)) => self.fail(case, &format!("reply: {ours:?}, {:?}", case.told)),
        }
        self.replies += usize::from(case.replies.is_some());
    }

    fn taken(&mut self, violation: &Violation, case: &Case) {
        let fault = Fault { violation, value: at(&case.json, &violation.field) };
        match TAKEN.iter().find(|(_, is)| is(&fault)) {
            Some((why, _)) => self.allow(why),
            None => self.fail(case, &format!("taken by Envoy: {violation:?}, {:?}", fault.value)),
        }
    }

    fn values(&mut self, rows: &[ValueRow], (ours, envoy): (&Value, &Value), case: &Case) {
        for pair in pairs(ours, envoy) {
            match rows.iter().find(|(_, is)| is(pair)) {
                Some((why, _)) => self.allow(why),
                None => self.fail(case, &format!("{:?} here, {:?} by Envoy", pair.0, pair.1)),
            }
        }
    }

    fn allow(&mut self, why: &'static str) {
        *self.allowed.entry(why).or_default() += 1;
    }

    fn fail(&mut self, case: &Case, what: &str) {
        self.unexplained.push(format!("{}: {what}\n    {}", case.of, case.json));
    }

    /// Prints the counts, and fails when something is unexplained.
    pub(super) fn finish(&self, what: &str) {
        let Tally { requests, refused, replies, .. } = self;
        println!("Envoy, {what}: {requests} requests, {refused} of them refused by both, {replies} replies");
        for (why, count) in &self.allowed {
            println!("{count:>8} {why}");
        }
        println!("{:>8} unexplained", self.unexplained.len());
        let first: Vec<&str> = self.unexplained.iter().take(20).map(String::as_str).collect();
        assert!(first.is_empty(), "{}", first.join("\n"));
    }
}

/// The values that differ, as deep as they can be told apart.
fn pairs<'v>(ours: &'v Value, envoy: &'v Value) -> Vec<Pair<'v>> {
    match (ours, envoy) {
        (ours, envoy) if alike(ours, envoy) => Vec::new(),
        (Value::Object(left), Value::Object(right)) => {
            let keys: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
            let pair = |key| match (left.get(key), right.get(key)) {
                (Some(left), Some(right)) => pairs(left, right),
                one => vec![one],
            };
            keys.into_iter().flat_map(pair).collect()
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            left.iter().zip(right).flat_map(|(left, right)| pairs(left, right)).collect()
        }
        (ours, envoy) => vec![(Some(ours), Some(envoy))],
    }
}
