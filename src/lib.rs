//! tracegen, stage by stage. Data flows from top to bottom, and a stage imports only stages above it (`tests/house.rs` has
//! the exact table).

// The plans in `tests/support` name this crate in the same way from outside and from its own tests.
#[cfg(test)]
extern crate self as tracegen;
#[cfg(test)]
#[allow(dead_code)]
#[path = "../tests/support/plans.rs"]
mod plans;

// The wall clock.
pub mod clock;

// Files that tracegen writes: as a whole or not at all, and by one process at a time.
pub mod disk;

// Figures and words as people read them, in the terminal and on the pages.
pub mod text;

// Histograms of durations.
pub mod histogram;

// From files to located YAML nodes, templates and the scenario model; diagnostics.
pub mod language;

// The flat, numbered, verified program that everything after the compiler works on.
pub mod plan;

// From the scenario model to the plan: names become slots, mistakes become diagnostics.
pub mod compiler;

// A whole trace, the value that flows at run time, which is cleared and used again.
pub mod trace;

// Conditions on traces and spans, for the rules of policies.
pub mod condition;

// From plan, seed and schedule to traces, deterministically.
pub mod interpreter;

// From traces to OTLP, and its delivery to receivers and files.
pub mod export;

// Statistics of a plan's traces, before one is sent.
pub mod explain;

// Seats for clients: only so many are served at a time, and idle ones make room.
pub mod seats;

// OTLP of other writers, read in place.
pub mod otlp;

// A receiver of OTLP, which can inject faults.
pub mod receive;

// Stored traces, in memory or ClickHouse, and the questions that the pages ask.
pub mod store;

// The record from which a run can be repeated: manifest, eras, archive.
pub mod journal;

// Starting, pacing and stopping: drives the interpreter and feeds the exporters and the store.
pub mod engine;

// tracegen's metrics of itself.
pub mod telemetry;

// Comparison of what arrived with what was sent.
pub mod verify;

// The UI and the JSON API, over plain hyper.
pub mod web;

// The command line, with one file for each subcommand.
pub mod cli;
