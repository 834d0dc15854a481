//! An object and its name, as lists show it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An object and its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// objectGUID.
    pub object: Uuid,
}
