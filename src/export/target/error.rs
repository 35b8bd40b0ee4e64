//! Errors in the flags and variables of a target.

use super::NamedFile;
use std::fmt;

/// The error for a flag or variable whose value can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetError {
    /// The name of the flag or variable.
    pub setting: String,
    /// Its value, unless that may be a secret.
    pub value: Option<String>,
    /// What is wrong, and what is allowed.
    pub problem: String,
}

impl TargetError {
    pub(super) fn new(setting: &str, value: &str, problem: impl Into<String>) -> Self {
        let mut shown: String = value.chars().take(200).collect();
        if shown.len() < value.len() {
            shown.push_str("...");
        }
        TargetError { setting: setting.into(), value: Some(shown), problem: problem.into() }
    }

    pub(super) fn secret(setting: &str, problem: impl Into<String>) -> Self {
        TargetError { setting: setting.into(), value: None, problem: problem.into() }
    }

    /// Makes the error for TLS that can't be set up at all.
    pub(in crate::export) fn tls(problem: String) -> Self {
        TargetError::secret("TLS", problem)
    }

    /// Makes the error for a system that gives no thread.
    pub(in crate::export) fn runtime(problem: String) -> Self {
        TargetError::secret("delivery", problem)
    }

    pub(in crate::export) fn file(file: &NamedFile, problem: impl fmt::Display) -> Self {
        TargetError::new(&file.variable, &file.path.to_string_lossy(), problem.to_string())
    }
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}: {value:?}: {}", self.setting, self.problem),
            None => write!(f, "{}: {}", self.setting, self.problem),
        }
    }
}

impl std::error::Error for TargetError {}
