//! The roles of accounts, as one order: each may all that those before it may.

use std::{fmt, str::FromStr};

/// What an account may do for others. Every account is that of a customer, who acts for themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Role {
    #[default]
    Customer,
    /// Reads accounts, orders and histories, and locks accounts.
    Support,
    /// Runs the shop: catalogue, stock, orders, money.
    Staff,
    /// Gives and takes roles.
    Admin,
}

/// The text names no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not support, staff or admin")]
pub struct NoRole;

impl Role {
    /// The name, as contracts, tokens and documents have it.
    pub fn name(self) -> &'static str {
        match self {
            Role::Customer => "customer",
            Role::Support => "support",
            Role::Staff => "staff",
            Role::Admin => "admin",
        }
    }

    /// The highest of the roles of these names. What names no role gives no right: a newer issuer may know more of them.
    pub fn highest<T: AsRef<str>>(names: &[T]) -> Self {
        names.iter().filter_map(|name| name.as_ref().parse().ok()).max().unwrap_or_default()
    }
}

impl FromStr for Role {
    type Err = NoRole;

    fn from_str(name: &str) -> Result<Self, NoRole> {
        let all = [Role::Customer, Role::Support, Role::Staff, Role::Admin];
        all.into_iter().find(|role| role.name() == name).ok_or(NoRole)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}
