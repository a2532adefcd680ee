//! Who may call what: the `(comptoir.api.v1.access)` options of the contracts, by RPC path.

use crate::{Principal, status};
use contracts::{api::v1::Access, role::Role};
use prost_reflect::DescriptorPool;
use std::collections::HashMap;
use tonic::{Code, Status};

/// Access rules by path, `/comptoir.orders.v1.OrderService/GetOrder`.
#[derive(Debug, Clone)]
pub struct Rules(HashMap<String, Access>);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the descriptor set cannot be read: {0}")]
    Descriptors(#[from] prost_reflect::DescriptorError),
    /// The option is not among them, or not of its type.
    #[error("the descriptor set has no usable comptoir.api.v1.access option")]
    Option,
}

impl Rules {
    /// Reads the options of every method.
    pub fn from_descriptors(set: &[u8]) -> Result<Self, Error> {
        let pool = DescriptorPool::decode(set)?;
        let option = pool.get_extension_by_name("comptoir.api.v1.access").ok_or(Error::Option)?;
        let mut rules = HashMap::new();
        for service in pool.services() {
            for method in service.methods() {
                let options = method.options();
                if !options.has_extension(&option) {
                    continue;
                }
                let value = options.get_extension(&option);
                let message = value.as_ref().as_message().ok_or(Error::Option)?;
                let access = message.transcode_to::<Access>().map_err(|_| Error::Option)?;
                rules.insert(format!("/{}/{}", service.full_name(), method.name()), access);
            }
        }
        Ok(Self(rules))
    }

    pub fn get(&self, path: &str) -> Option<&Access> {
        self.0.get(path)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Access)> {
        self.0.iter().map(|(path, access)| (path.as_str(), access))
    }
}

/// `principal` as an RPC of this rule sees it, when they may call it. Ownership of the resource is the service's to compare.
pub fn permit(access: &Access, mut principal: Principal) -> Result<Principal, Status> {
    let allowed = match &mut principal {
        Principal::Anonymous if access.public => true,
        // Not FORBIDDEN: a caller who signs in may be admitted.
        Principal::Anonymous => return Err(unauthenticated("a bearer token is required")),
        Principal::User { role, acts_for_all, .. } => {
            *acts_for_all = admits(access, *role);
            access.public || access.user || access.owner || *acts_for_all
        }
        Principal::Client { role, acts_for_all, .. } => {
            *acts_for_all = admits(access, *role);
            access.public || *acts_for_all
        }
        Principal::Service(name) => access.public || access.services.iter().any(|service| service == name),
    };
    if allowed {
        Ok(principal)
    } else {
        Err(status::error(Code::PermissionDenied, "FORBIDDEN", "this caller may not use this RPC"))
    }
}

/// Whether the rule admits users and clients of this role, for theirs or for one below it.
fn admits(access: &Access, role: Role) -> bool {
    access.roles.iter().any(|name| name.parse::<Role>().is_ok_and(|least| role >= least))
}

/// UNAUTHENTICATED with a reason.
pub fn unauthenticated(message: impl Into<String>) -> Status {
    status::error(Code::Unauthenticated, "UNAUTHENTICATED", message)
}
