//! Who may call what: the `(comptoir.api.v1.access)` options of the contracts, by RPC path.

use crate::{Principal, status};
use contracts::api::v1::Access;
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

/// Whether `principal` may call an RPC of this rule. Ownership of the resource is the service's to compare.
pub fn permit(access: &Access, principal: &Principal) -> Result<(), Status> {
    let allowed = access.public
        || match principal {
            // Not FORBIDDEN: a caller who signs in may be admitted.
            Principal::Anonymous => return Err(unauthenticated("a bearer token is required")),
            Principal::User { .. } => {
                access.user || access.owner || access.roles.iter().any(|role| principal.has_role(role))
            }
            Principal::Service(name) => access.services.iter().any(|service| service == name),
        };
    if allowed {
        Ok(())
    } else {
        Err(status::error(Code::PermissionDenied, "FORBIDDEN", "this caller may not use this RPC"))
    }
}

/// UNAUTHENTICATED with a reason.
pub fn unauthenticated(message: impl Into<String>) -> Status {
    status::error(Code::Unauthenticated, "UNAUTHENTICATED", message)
}
