//! Something that is asked of the tables, and may be asked more than once.
//! Neighbours: [`super::postgres`] sends questions ahead.

use crate::StoreError;

/// Something that is asked of the tables. What it returns is of no use: it is asked again for its answer.
pub type Question<'q> = &'q dyn Fn() -> Result<(), StoreError>;
