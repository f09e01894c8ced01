//! The configuration: what httpd keeps of it, and what follows from it before there are requests.

pub(crate) mod imports;
pub(crate) mod leads;
pub(crate) mod mappings;
pub(crate) mod plan;
pub(crate) mod preload;
pub(crate) mod script_owner;
pub(crate) mod scripts;
pub(crate) mod servers;
pub(crate) mod store;
