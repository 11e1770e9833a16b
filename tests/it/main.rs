//! The one integration binary: whole rooms together, over files and sockets.

mod ingest;
mod ingest_crm;
