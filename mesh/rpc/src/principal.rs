//! Who sent a request, as a verified token says it.

use contracts::role::Role;

/// Who sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// Nobody that we know.
    Anonymous,
    User {
        id: String,
        /// The highest role that they hold.
        role: Role,
        /// Whether the contract of the RPC admits them for their role, and not only for what is theirs.
        acts_for_all: bool,
    },
    /// A program with a secret of its own. Nothing belongs to it: the contract admits it for its role, or not at all.
    Client {
        id: String,
        role: Role,
        /// That of its token.
        generation: i64,
        /// As of a user.
        acts_for_all: bool,
    },
    Service(String),
}

impl Principal {
    /// The highest role of a user or a client, which may all that those below it may; nobody else has one.
    pub fn role(&self) -> Role {
        match self {
            Principal::User { role, .. } | Principal::Client { role, .. } => *role,
            Principal::Anonymous | Principal::Service(_) => Role::Customer,
        }
    }

    /// Whether this may see and change what belongs to anybody: the roles and the services that the contract admits.
    pub fn acts_for_all(&self) -> bool {
        match self {
            Principal::Anonymous => false,
            Principal::User { acts_for_all, .. } | Principal::Client { acts_for_all, .. } => *acts_for_all,
            Principal::Service(_) => true,
        }
    }

    /// Whether this may see and change what belongs to `owner`: the owner, and who acts for all.
    pub fn may_act_for(&self, owner: &str) -> bool {
        self.acts_for_all() || self.user_id() == Some(owner)
    }

    /// The account; none of a client, which owns nothing.
    pub fn user_id(&self) -> Option<&str> {
        match self {
            Principal::User { id, .. } => Some(id),
            Principal::Anonymous | Principal::Client { .. } | Principal::Service(_) => None,
        }
    }

    /// Whom a token of users speaks for: the account or the client.
    pub fn subject(&self) -> Option<&str> {
        match self {
            Principal::User { id, .. } | Principal::Client { id, .. } => Some(id),
            Principal::Anonymous | Principal::Service(_) => None,
        }
    }

    /// Who causes the events of a request: `ROLE:ID` of a user or a client, `service:NAME` or `anonymous`.
    pub fn as_actor(&self) -> String {
        match self {
            Principal::User { id, role, .. } | Principal::Client { id, role, .. } => format!("{role}:{id}"),
            Principal::Service(name) => format!("service:{name}"),
            Principal::Anonymous => "anonymous".to_owned(),
        }
    }

    /// Name for histories: the user, the client or the service.
    pub fn actor(&self) -> &str {
        match self {
            Principal::Anonymous => "anonymous",
            Principal::User { id, .. } | Principal::Client { id, .. } => id,
            Principal::Service(name) => name,
        }
    }
}
