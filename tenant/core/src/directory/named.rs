//! An object with the name that people know it by.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An object and what it is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// What it is called.
    pub name: String,
    /// objectGUID.
    pub object: Uuid,
}
