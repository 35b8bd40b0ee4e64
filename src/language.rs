//! What users write: scenario files, as text, as located YAML nodes, as a model.
//!
//! `source` holds the files, `yaml` makes located nodes of them, `template` parses what stands between `<<` and `>>`,
//! `scenario` turns nodes into the model. Every stage reports all it finds and goes on with the rest.

pub mod diagnostic;
pub mod scenario;
pub mod source;
pub mod template;
