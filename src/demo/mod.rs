//! A whole small company, made from a seed, as a CRM would export it.
