//! The services that help the tools which look at the web.

use std::sync::Arc;

use crate::llm::Service;

/// The configured services (`[services]`).
#[derive(Clone, Default)]
pub struct WebServices {
    /// Without it there is no `SearchWeb`.
    pub search: Option<Arc<Service>>,
    /// Asked for pages before they are fetched from here.
    pub fetch: Option<Arc<Service>>,
}
