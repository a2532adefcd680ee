//! From an HTTP method and path to the binding that serves it.

use crate::{
    error::{BuildError, Error, Reason, Violation},
    parse::Parser,
    percent::{Mode, decode},
    report::Report,
    route::Route,
    rpc::{Access, Rpc, rules},
    schema::Schema,
    status,
    template::{Segment, Variable},
    write::{Options, to_json},
};
use bytes::Bytes;
use prost_reflect::DescriptorPool;
use std::{collections::HashMap, sync::Arc};
use tonic::Status;

/// All bindings of a descriptor set. Immutable once built; share it.
#[derive(Debug)]
pub struct Router {
    schema: Arc<Schema>,
    options: Options,
    routes: Vec<Arc<Route>>,
    services: Vec<String>,
    unbound: Vec<Arc<Rpc>>,
    /// All RPCs, by the path of their gRPC call.
    rpcs: HashMap<String, Arc<Rpc>>,
    root: Node,
}

/// A binding and the values that the path gives its variables.
#[derive(Clone, Debug)]
pub struct Match {
    pub route: Arc<Route>,
    /// Values, in the order of the template's variables.
    pub(crate) values: Vec<String>,
}

/// A place in the tree of templates. Each has one depth, so that a path visits a node at most once.
#[derive(Debug, Default)]
struct Node {
    literals: HashMap<String, Node>,
    one: Option<Box<Node>>,
    /// Bindings that end here.
    here: Vec<usize>,
    /// Bindings that end here with `**`.
    open: Vec<usize>,
}

impl Router {
    /// Builds the router from an encoded `google.protobuf.FileDescriptorSet`.
    pub fn from_descriptors(encoded: &[u8]) -> Result<Self, BuildError> {
        Self::new(DescriptorPool::decode(encoded)?)
    }

    /// One route for each `google.api.http` binding, additional ones included. Refuses equal templates of one HTTP
    /// method, and bindings of fields that cannot be bound.
    pub fn new(pool: DescriptorPool) -> Result<Self, BuildError> {
        Self::with(pool, &Access::default(), Options::default())
    }

    /// The same, where an RPC whose contract does not say who may call has the rule `default`, and replies are written with
    /// `options`.
    pub fn with(pool: DescriptorPool, default: &Access, options: Options) -> Result<Self, BuildError> {
        let schema = Arc::new(Schema::new(&pool));
        let services = pool.services().map(|service| service.full_name().to_owned()).collect();
        let (routes, rpcs, unbound) = (Vec::new(), HashMap::new(), Vec::new());
        let root = Node::default();
        let mut router = Router { schema: schema.clone(), options, routes, services, unbound, rpcs, root };
        for service in pool.services() {
            for method in service.methods() {
                let rules = rules(&pool, &method)?;
                let rpc = Arc::new(Rpc::new(&schema, &method, &rules, default)?);
                router.rpcs.insert(rpc.path.clone(), rpc.clone());
                // A stream is in the body, so it has no path where nothing is.
                if method.is_client_streaming() && rules.iter().any(|rule| rule.body.is_empty()) {
                    router.unbound.push(rpc);
                    continue;
                }
                for rule in rules {
                    router.add(Route::new(schema.clone(), options, rpc.clone(), rule)?)?;
                }
            }
        }
        Ok(router)
    }

    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// The full names of all services.
    pub fn services(&self) -> &[String] {
        &self.services
    }

    /// RPCs that have bindings and are called by their names alone: they take a stream of requests, and no body.
    pub fn unbound(&self) -> &[Arc<Rpc>] {
        &self.unbound
    }

    /// The RPC whose gRPC call has this path: `/package.Service/Method`.
    pub fn rpc(&self, path: &str) -> Option<&Arc<Rpc>> {
        self.rpcs.get(path)
    }

    /// All RPCs, in no order.
    pub fn rpcs(&self) -> impl Iterator<Item = &Arc<Rpc>> {
        self.rpcs.values()
    }

    /// The request message of an RPC from its JSON.
    pub fn read(&self, rpc: &Rpc, json: &[u8]) -> Result<Bytes, Error> {
        let (mut message, mut report) = (Vec::new(), Report::default());
        Parser::new(&self.schema, json, &mut message, &mut report, &[]).whole(rpc.input);
        report.finish(|path| self.schema.json_path(rpc.input, path))?;
        Ok(message.into())
    }

    /// The path of a field of the request message of an RPC, in JSON names. What is no field stays as it is.
    pub fn json_path(&self, rpc: &Rpc, path: &str) -> String {
        self.schema.json_path(rpc.input, path)
    }

    /// The JSON of a reply message of an RPC.
    pub fn write(&self, rpc: &Rpc, reply: &[u8]) -> Result<Vec<u8>, Error> {
        let written = to_json(&self.schema, self.options, rpc.output, reply);
        written.map_err(|error| Error::Reply { rpc: rpc.full_name.clone(), source: error.into() })
    }

    /// Finds the binding for a request. Literals win over `*`, `*` over `**`, and a template with the path's verb over
    /// one without; HEAD is served where GET is. `path` is as received, percent-encoded and without the query.
    pub fn find(&self, method: &str, path: &str) -> Result<Match, Error> {
        let raw: Vec<&str> = path.strip_prefix('/').ok_or(Error::NotFound)?.split('/').collect();
        // An id may have a colon too: where no template has the verb, the whole path is tried.
        if let Some((stripped, verb)) = split_verb(&raw)
            && let Some(found) = self.pick(method, &stripped, Some(verb))?
        {
            return Ok(found);
        }
        self.pick(method, &raw, None)?.ok_or(Error::NotFound)
    }

    /// All bindings whose template fits a path, whatever their methods: the one that wins comes first.
    pub fn fitting(&self, path: &str) -> Vec<Arc<Route>> {
        let Some(raw) = path.strip_prefix('/').map(|path| path.split('/').collect::<Vec<_>>()) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        if let Some((stripped, verb)) = split_verb(&raw) {
            found.extend(self.ends(&stripped, Some(verb)).unwrap_or_default());
        }
        found.extend(self.ends(&raw, None).unwrap_or_default());
        found.into_iter().cloned().collect()
    }

    /// The methods that any path answers to.
    pub fn methods(&self) -> Vec<String> {
        answered(self.routes.iter().map(|route| route.method.as_str()).collect())
    }

    /// A gRPC status as JSON, with its details.
    pub fn status_json(&self, status: &Status) -> serde_json::Value {
        status::status_json(&self.schema, status)
    }

    fn add(&mut self, route: Route) -> Result<(), BuildError> {
        let mut node = &mut self.root;
        for segment in &route.parsed.segments {
            node = match segment {
                Segment::Literal(text) => node.literals.entry(text.clone()).or_default(),
                Segment::One => node.one.get_or_insert_default(),
                Segment::Rest => break,
            };
        }
        let ends = if route.parsed.open() { &mut node.open } else { &mut node.here };
        for other in ends.iter().filter_map(|index| self.routes.get(*index)) {
            if other.method == route.method && other.parsed.verb == route.parsed.verb {
                return Err(BuildError::Conflict {
                    first: other.rpc.full_name.clone(),
                    second: route.rpc.full_name.clone(),
                    method: route.method.clone(),
                    template: route.template.clone(),
                });
            }
        }
        // A binding of one method comes before one of all methods.
        let at = if route.method == "*" { ends.len() } else { 0 };
        ends.insert(at, self.routes.len());
        self.routes.push(Arc::new(route));
        Ok(())
    }

    /// The bindings whose template fits, the most specific first.
    fn ends(&self, raw: &[&str], verb: Option<&str>) -> Result<Vec<&Arc<Route>>, Error> {
        let mut decoded = Vec::with_capacity(raw.len());
        for segment in raw {
            // After the path was split: an encoded slash must not change which template matches.
            decoded.push(decode(segment, Mode::Segment).map_err(|problem| invalid("", problem))?);
        }
        let mut ends = Vec::new();
        self.root.walk(&decoded, &mut ends);
        let routes = ends.into_iter().filter_map(|index| self.routes.get(index));
        Ok(routes.filter(|route| route.parsed.verb.as_deref() == verb).collect())
    }

    fn pick(&self, method: &str, raw: &[&str], verb: Option<&str>) -> Result<Option<Match>, Error> {
        let mut allowed = Vec::new();
        for route in self.ends(raw, verb)? {
            // HTTP asks for HEAD wherever there is GET (RFC 9110, section 9.3.2).
            let is_head_of_get = method == "HEAD" && route.method == "GET";
            if route.method == method || route.method == "*" || is_head_of_get {
                return route.values(raw).map(|values| Some(Match { route: route.clone(), values }));
            }
            allowed.push(route.method.as_str());
        }
        if allowed.is_empty() { Ok(None) } else { Err(Error::MethodNotAllowed { allowed: answered(allowed) }) }
    }
}

/// The segments without the verb at the end of the last one, and the verb.
fn split_verb<'p>(raw: &[&'p str]) -> Option<(Vec<&'p str>, &'p str)> {
    let (last, head) = raw.split_last()?;
    let (stem, verb) = last.rsplit_once(':')?;
    Some(([head, &[stem]].concat(), verb))
}

/// What is answered where `bound` are the methods of the bindings: HEAD where GET is, and OPTIONS.
fn answered(mut bound: Vec<&str>) -> Vec<String> {
    if bound.contains(&"GET") {
        bound.push("HEAD");
    }
    bound.push("OPTIONS");
    bound.sort_unstable();
    bound.dedup();
    bound.into_iter().map(str::to_owned).collect()
}

impl Node {
    /// Collects the bindings that match, the most specific first.
    fn walk<S: AsRef<str>>(&self, path: &[S], ends: &mut Vec<usize>) {
        if let Some((first, rest)) = path.split_first() {
            if let Some(node) = self.literals.get(first.as_ref()) {
                node.walk(rest, ends);
            }
            if let Some(node) = self.one.as_ref().filter(|_| !first.as_ref().is_empty()) {
                node.walk(rest, ends);
            }
        } else {
            ends.extend_from_slice(&self.here);
        }
        ends.extend_from_slice(&self.open);
    }
}

impl Route {
    fn values(&self, raw: &[&str]) -> Result<Vec<String>, Error> {
        let segments = self.parsed.segments.len();
        let open = |variable: &Variable| self.parsed.open() && variable.start + variable.len == segments;
        let value = |variable: &Variable| {
            let captured = capture(variable, open(variable), raw);
            captured.map_err(|problem| invalid(&self.json_path(&variable.field), problem))
        };
        self.parsed.variables.iter().map(value).collect()
    }
}

/// The value of a variable, decoded once. No segment of it may be `.` or `..`, nor bring a `/` of its own.
fn capture(variable: &Variable, open: bool, raw: &[&str]) -> Result<String, &'static str> {
    let end = if open { raw.len() } else { variable.start + variable.len };
    let mode = if variable.multi { Mode::Capture } else { Mode::Segment };
    let mut value = String::new();
    for (index, segment) in raw.get(variable.start..end).unwrap_or_default().iter().enumerate() {
        let decoded = decode(segment, mode)?;
        if matches!(decoded.as_ref(), "." | "..") || decoded.contains('/') {
            return Err("must not be . or .. nor contain /");
        }
        if index > 0 {
            value.push('/');
        }
        value.push_str(&decoded);
    }
    Ok(value)
}

fn invalid(field: &str, problem: &str) -> Error {
    let violation = Violation {
        field: if field.is_empty() { "path".to_owned() } else { field.to_owned() },
        description: problem.to_owned(),
        reason: Reason::InvalidPath,
    };
    Error::Invalid(vec![violation])
}
