//! The wiring of the distributed engine; nothing yet uses it.
