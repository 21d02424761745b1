//! The types that others than Tidings brought and that count for a tenant.

use crate::{Context, failure};
use domain::id::TenantId;
use runtime::http::Problem;
use std::collections::HashMap;

/// The types that others brought: a tenant's own and the operator's.
#[derive(Debug, Clone, Default)]
pub(crate) struct Types {
    names: Vec<String>,
    newest: HashMap<String, u32>,
}

impl Types {
    /// Those that count for a tenant.
    pub(crate) async fn of(context: &Context, tenant: TenantId) -> Result<Self, Problem> {
        let found = context.store.event_type_names(tenant).await;
        let found = found.map_err(failure::of_store)?;
        Ok(Self {
            names: found.iter().map(|(name, _)| name.clone()).collect(),
            newest: found.into_iter().collect(),
        })
    }

    /// Their names.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The newest version of one of them.
    pub(crate) fn newest(&self, name: &str) -> Option<u32> {
        self.newest.get(name).copied()
    }
}

/// Their names, where any are asked for.
pub(crate) async fn names_for(
    context: &Context,
    tenant: TenantId,
    asked: Option<&[String]>,
) -> Result<Vec<String>, Problem> {
    if asked.is_none() {
        return Ok(Vec::new());
    }
    Ok(Types::of(context, tenant).await?.names)
}
