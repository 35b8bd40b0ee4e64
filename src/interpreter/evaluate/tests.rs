//! Every expression, by its text or type.
